"""`edgevpn simulate`: a client from the command line, against a gateway on loopback."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from edgevpn.cli import main
from edgevpn.cli.arguments import SIMULATED
from edgevpn.cli.output import FAILED, GOOD
from edgevpn.simulate.clients import CLIENTS
from tests.support.data_plane import carrying
from tests.support.ports import free_ports
from tests.support.simulated import SERVER, Home, home, make_pki
from tests.support.visitors import PASSWORD, PSK

Output = pytest.CaptureFixture[str]


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def words(at: Home, *more: str) -> list[str]:
    ports = f"{at.ports.ike},{at.ports.nat}"
    where = ("--server", SERVER, "--address", "127.0.0.1", "--ports", ports)
    return ["simulate", "ios", *where, *(() if "--ping" in more else ("--no-ping",)), *more]


def test_clients_are_those_that_there_are() -> None:
    assert tuple(CLIENTS) == SIMULATED


async def test_password(tmp_path: Path, capsys: Output) -> None:
    async with home(tmp_path, free_ports()) as at:
        secret = written(tmp_path / "password", f"{PASSWORD}\n")
        login = ("--user", "phone", "--password-file", secret, "--ca", str(at.ca))
        assert await asyncio.to_thread(main, words(at, *login)) == GOOD
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "an iPhone or iPad calls vpn.example.org at 127.0.0.1"
    assert "connected, with 10.9.0.2 and fd09::2" in said
    assert said[-1] == "disconnects"


async def test_for_programs(tmp_path: Path, capsys: Output) -> None:
    """How far it came, step by step, and why no further."""
    async with home(tmp_path, free_ports()) as at:
        login = ("--user", "phone", "--ca", str(at.ca), "--json", "--password-file")
        for password, connected in ((PASSWORD, True), ("wrong", False)):
            secret = written(tmp_path / "password", f"{password}\n")
            status = await asyncio.to_thread(main, words(at, *login, secret))
            out, err = capsys.readouterr()
            told = json.loads(out)
            assert (status, told["connected"], err) == (GOOD if connected else FAILED, connected, "")
            assert bool(told["why"]) is not connected
            assert told["pings"] == []
            assert told["steps"][0] == "an iPhone or iPad calls vpn.example.org at 127.0.0.1"


async def test_pings(tmp_path: Path, capsys: Output) -> None:
    """Status 1 where one is not answered, though it was let in."""
    async with home(tmp_path, free_ports()) as at:
        secret = written(tmp_path / "psk", f"{PSK}\n")
        login = ("--psk-file", secret, "--id", "tablet", "--ping", "10.1.0.2", "--ping", "fd01::2", "--json")
        with carrying(at) as (there, plane):
            assert await asyncio.to_thread(main, words(there, *login)) == GOOD
            told = json.loads(capsys.readouterr().out)
            assert (told["connected"], told["why"]) == (True, "")
            assert [(each["address"], each["sent"], each["answered"]) for each in told["pings"]] == [
                ("10.1.0.2", 3, 3),
                ("fd01::2", 3, 3),
            ]
            assert all(0 < each["round_trip_ms"] < 1000 for each in told["pings"])

            plane.router = "10.1.0.1"
            assert await asyncio.to_thread(main, words(there, *login[:-3], "--json")) == FAILED
            told = json.loads(capsys.readouterr().out)
            assert told["connected"]
            assert "no ping to 10.1.0.2 was answered" in told["why"]
            assert told["pings"] == [{"address": "10.1.0.2", "sent": 3, "answered": 0, "round_trip_ms": None}]


@pytest.mark.parametrize("allowed", [False, True])
async def test_password_alone(tmp_path: Path, capsys: Output, *, allowed: bool) -> None:
    """The gateway shows its certificate all the same, unless its owner lets it be."""
    async with home(tmp_path, free_ports(), pool={"eap_only": allowed}) as at:
        secret = written(tmp_path / "password", f"{PASSWORD}\n")
        login = ("--user", "phone", "--password-file", secret, "--ca", str(at.ca), "--eap-only")
        assert await asyncio.to_thread(main, words(at, *login)) == GOOD
    shown = [line for line in capsys.readouterr().out.splitlines() if "now the user logs in" in line]
    assert ["by EAP alone" in line for line in shown] == [allowed]


async def test_certificate(tmp_path: Path, capsys: Output) -> None:
    make_pki(tmp_path / "made")
    async with home(tmp_path / "gateway", free_ports(), tmp_path / "made") as at:
        login = ("--certificate", str(at.laptop), "--id", "laptop@example.org", "--ca", str(at.ca), "--rekey")
        assert await asyncio.to_thread(main, words(at, *login)) == GOOD
    assert "the IKE SA has new keys" in capsys.readouterr().out


async def test_refused(tmp_path: Path, capsys: Output) -> None:
    """Status 1, and one sentence; the secret is not in it."""
    async with home(tmp_path, free_ports()) as at:
        secret = written(tmp_path / "psk", "not the key that it should be")
        assert await asyncio.to_thread(main, words(at, "--psk-file", secret, "--id", "tablet")) == FAILED
    said = capsys.readouterr()
    assert said.err == "edgevpn: the peer answered AUTHENTICATION_FAILED\n"
    assert "not the key" not in said.out


REFUSED = {
    "no login": ((), "give one of --password-file, --psk-file and --certificate"),
    "two logins": (("--psk-file", "{psk}", "--password-file", "{psk}"), "give one of"),
    "no user": (("--password-file", "{psk}"), "a password needs a user: give --user"),
    "no file": (("--psk-file", "{psk}.none"), "cannot be read: No such file or directory"),
    "no CA": (("--user", "anna", "--password-file", "{psk}"), "give --ca"),
    "no certificate": (("--certificate", "{psk}"), "neither PEM nor DER nor PKCS #12"),
    "no identifier": (("--psk-file", "{psk}"), "an iPhone or iPad needs an identifier: give --id"),
    "no such server": (("--psk-file", "{psk}", "--id", "me"), "gateway.invalid has no address"),
}


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_missing(tmp_path: Path, capsys: Output, given: tuple[str, ...], why: str) -> None:
    psk = written(tmp_path / "psk", PSK)
    address = () if "no address" in why else ("--address", "127.0.0.1")
    server = ("simulate", "ios", "--server", "gateway.invalid", *address)
    assert main([*server, *(word.format(psk=psk) for word in given)]) == FAILED
    assert why in capsys.readouterr().err
