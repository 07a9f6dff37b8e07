from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgevpn.api import ErrorCode, RpcError
from edgevpn.config.reader import parse
from edgevpn.daemon.control.methods.panel import is_panel
from edgevpn.daemon.control.server import Peer
from edgevpn.daemon.dataplane.caught import caught
from edgevpn.web.listening import tls
from tests.support.services import HOME, Served, serving

HASH = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'B' * 43}"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as made:
        yield made


async def test_settings(served: Served) -> None:
    """The certificate is one that the panel can show, of a CA that has nothing to do with devices."""
    settings = await served.ask("web.settings")
    home = parse(HOME, "home.toml", {})
    spare = caught(home, home.pools[0])
    assert spare is not None
    assert settings["listen"] == ["10.9.0.1", str(spare.first), "127.0.0.1"]
    assert (settings["port"], settings["password_hash"]) == (8443, "")
    assert isinstance(tls(settings["certificate"], settings["key"]), ssl.SSLContext)
    assert (await served.ask("web.settings"))["certificate"] == settings["certificate"]
    await served.certified()
    assert {path.name for path in (served.path.parent / "state" / "panel").iterdir()} >= {"ca.pem", "server-ecdsa.pem"}
    vpn = (served.path.parent / "pki" / "ca.pem").read_bytes()
    assert (served.path.parent / "state" / "panel" / "ca.pem").read_bytes() != vpn


async def test_without_https(tmp_path: Path) -> None:
    async with serving(tmp_path, HOME + "[web]\nhttps = false\ntitle = 'Router'\n") as served:
        settings = await served.ask("web.settings")
    assert (settings["certificate"], settings["key"], settings["title"]) == ("", "", "Router")


async def test_with_a_certificate_of_its_owner(tmp_path: Path) -> None:
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).write_text(f"{name}\n")
        (tmp_path / name).chmod(0o600)
    web = f'[web]\ncertificate = "{tmp_path}/chain.pem"\ncertificate_key = "{tmp_path}/key.pem"\n'
    async with serving(tmp_path, HOME + web) as served:
        settings = await served.ask("web.settings")
        assert (settings["certificate"], settings["key"]) == ("chain.pem\n", "key.pem\n")
        (tmp_path / "key.pem").unlink()
        with pytest.raises(RpcError, match=r"key\.pem: No such file or directory") as refusal:
            await served.ask("web.settings")
        assert refusal.value.code == ErrorCode.FAILED


async def test_a_password(served: Served) -> None:
    """Only its hash comes here, and it stands where secrets are."""
    await served.ask("web.set_password", password_hash=HASH)
    assert (await served.ask("web.settings"))["password_hash"] == HASH
    assert HASH in served.path.with_name("secrets.toml").read_text()
    assert served.path.read_text() == HOME
    for bad in ("", "password", HASH + "\n"):
        with pytest.raises(RpcError) as refusal:
            await served.ask("web.set_password", password_hash=bad)
        assert refusal.value.code == ErrorCode.CONFIG_INVALID
        assert "password_hash" in refusal.value.message


async def test_tickets(served: Served) -> None:
    ticket = (await served.ask("web.ticket"))["ticket"]
    assert await served.ask("web.redeem", ticket=ticket) == {"good": True}
    assert await served.ask("web.redeem", ticket=ticket) == {"good": False}
    assert await served.ask("web.redeem", ticket="é" * 100) == {"good": False}


async def test_where_the_panel_listens(served: Served) -> None:
    """As the configuration says, unless its process was started with another port."""
    assert (await served.ask("web.ticket"))["port"] == 8443
    await served.ask("web.listening", port=9443)
    assert (await served.ask("web.ticket"))["port"] == 9443
    assert (await served.ask("web.settings"))["port"] == 8443
    for bad in (0, 65536):
        with pytest.raises(RpcError, match="allowed: 1 to 65535"):
            await served.ask("web.listening", port=bad)


def test_who_is_the_panel() -> None:
    assert is_panel(Peer(1, 0, frozenset()))
    assert is_panel(Peer(1, os.geteuid(), frozenset()))
    assert not is_panel(Peer(1, 54321, frozenset({0})))
