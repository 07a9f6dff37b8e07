"""The benchmarks work; their figures are for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import anchor
from tests.bench.__main__ import main
from tests.bench.callers import OPERATIONS, calling
from tests.bench.row import Row
from tests.bench.rows import KINDS, PSK, Kind
from tests.bench.showing import BEGIN, END, markdown, update

WANTED = {
    "handshake_psk_cpu_vs_crypto",
    "handshake_psk_modp2048_cpu_vs_crypto",
    "handshake_ecdsa_cpu_vs_crypto",
    "handshake_rsa2048_cpu_vs_crypto",
    "handshake_latency_ms",
    "rekey_child_cpu_vs_crypto",
    "rekey_ike_cpu_vs_crypto",
    "dpd_cpu_vs_crypto",
    "repeat_cpu_vs_crypto",
    "handshake_cpu_20_vs_10",
    "parser_messages_per_s",
    "parser_mb_per_s",
    "rss_idle_mb",
    "start_to_listen_s",
}


LACKING = "; ".join(f"{name}: {why}" for name, why in anchor.lacking().items())


def test_smoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, readme = tmp_path / "build" / "bench.json", tmp_path / "README.md"
    main(["--smoke", "--output", str(output)])
    result = json.loads(output.read_text())
    rows = {row["name"]: row for row in result["rows"]}
    assert rows.keys() >= WANTED
    assert all(row["value"] > 0 and row["runs"] > 0 for row in rows.values())
    assert "compared with" in capsys.readouterr().out
    assert "pre-shared key" in output.with_suffix(".svg").read_text()

    readme.write_text(f"before\n{BEGIN}\nold{END}\nafter\n")
    main(["--markdown", str(readme), "--output", str(output)])
    assert result["machine"] in readme.read_text()


def test_table_of_the_readme(tmp_path: Path) -> None:
    """It says whether a goal is reached, and replaces what was there, nothing else."""
    names = [f"handshake_{kind}" for kind in ("psk", "psk_modp2048", "ecdsa", "rsa2048")]
    rows = [Row(f"{name}_{figure}", 0.25, "ms", 0.0, 7) for name in names for figure in ("cpu_ms", "crypto_cpu_ms")]
    rows += [Row(f"{name}_cpu_vs_crypto", 4.0, "x", 0.5, 7, "", 3.0 if "2048" in name else None) for name in names]
    rows += [Row("handshake_psk_charon_cpu_ms", 0.5, "ms", 0.1, 7)]
    rows += [Row("handshake_psk_cpu_vs_charon", 0.5, "x", 0.1, 7, "strongSwan 5.9.8", 1.0)]
    rows += [Row("dpd_cpu_ms", 0.5, "ms", 0.1, 7), Row("dpd_crypto_cpu_ms", 0.004, "ms", 0.1, 7)]
    rows += [Row("dpd_cpu_vs_crypto", 125.0, "x", 3.0, 7), Row("parser_messages_per_s", 54321.0, "1/s", 1234.5, 7)]
    rows += [Row("parser_cpu_vs_hmac", 9.0, "x", 0.5, 7, "HMAC")]
    text = markdown(rows, "a machine", "2026-01-01")
    assert "`make bench`, 2026-01-01, a machine" in text
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    lines = {cell[0]: cell[1:] for cell in cells}
    assert lines["... beside strongSwan 5.9.8, 0.50 ms"] == ["0.5 x", "0.1", "1 x", "yes"]
    assert lines["... beside its cryptography alone, 0.25 ms"] == ["4 x", "0.5", "3 x", "no"]
    assert lines["... beside its cryptography alone, 0.004 ms"] == ["125 x", "3", "", ""]
    assert lines["messages that one CPU decodes"] == ["54,321 1/s", "1,234", "", ""]
    assert lines["... CPU for it beside HMAC"] == ["9 x", "0.5", "", ""]

    file = tmp_path / "README.md"
    file.write_text(f"# edgevpn\n{BEGIN}\nold\n{END}\nmore\n")
    update(file, "new\n")
    assert file.read_text() == f"# edgevpn\n{BEGIN}\n\nnew\n\n{END}\nmore\n"


@pytest.mark.netns
@pytest.mark.skipif(bool(LACKING), reason=LACKING)
@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_beside_strongswan(tmp_path: Path, kind: Kind) -> None:
    with anchor.match(tmp_path, kind.login, kind.ke, kind.key_type, 20) as match:
        for each in match.all:
            assert each.handshakes(9) > 0
        assert [each.version.split(".")[0] for each in match.theirs] == ["strongSwan 5", "strongSwan 6"]


@pytest.mark.netns
@pytest.mark.skipif(bool(LACKING), reason=LACKING)
def test_sessions_beside_strongswan(tmp_path: Path) -> None:
    """Every responder answers all that a device can ask for."""
    with anchor.match(tmp_path, *PSK, "ecdsa256", 20) as match:
        for each in match.all:
            costs = each.operations(calling(each.ports, match.papers, *PSK, 0), 3)
            assert costs.keys() == OPERATIONS.keys()
            assert min(costs.values()) > 0
            assert each.latency(3) > 0
