from __future__ import annotations

import json

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import GOOD
from edgevpn.daemon.ciphers import bench
from edgevpn.daemon.ciphers.bench import Findings, Rate
from edgevpn.kernel.trial_results import Result, Verdict

Output = pytest.CaptureFixture[str]
CIPHER = Result("aes256gcm16", Verdict.WORKS, "", 123_400_000, 11_000, "generic-gcm-aesni")
RATES = (Rate("key exchange", "x25519", 9288.4), Rate("signature", "rsa2048", 1271.9))
TEXT = """\
CIPHER       SELF-TEST    MBIT/S    PACKETS/S    DRIVER
aes256gcm16  works        123       11000        generic-gcm-aesni

WHAT          OF       A SECOND
key exchange  x25519   9288
signature     rsa2048  1272
"""


def finding(monkeypatch: pytest.MonkeyPatch, found: Findings) -> None:
    async def measure() -> Findings:
        return found

    monkeypatch.setattr(bench, "measure", measure)


def test_tables(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    finding(monkeypatch, Findings((CIPHER,), "", RATES))
    assert main(["bench"]) == GOOD
    assert capsys.readouterr().out == TEXT


def test_for_programs(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    finding(monkeypatch, Findings((CIPHER,), "", RATES))
    assert main(["bench", "--json"]) == GOOD
    told = json.loads(capsys.readouterr().out)
    assert told["ciphers"] == [CIPHER.to_json()]
    assert told["rates"][0] == {"kind": "key exchange", "of_what": "x25519", "per_second": 9288.4}


def test_key_exchanges_that_the_library_lacks(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    finding(monkeypatch, Findings((CIPHER,), "", RATES, ("mlkem768",)))
    assert main(["bench"]) == GOOD
    shown = capsys.readouterr()
    assert shown.out == TEXT
    assert "the installed cryptography library has no mlkem768" in shown.err


def test_where_no_cipher_can_be_tried(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    finding(monkeypatch, Findings((), "no namespace can be made", RATES))
    assert main(["bench"]) == GOOD
    shown = capsys.readouterr()
    assert "CIPHER" not in shown.out
    assert "no namespace can be made" in shown.err
