from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgevpn.api import ErrorCode, RpcError
from edgevpn.daemon.keeping.backup import Backup, Cost, seal, unseal
from edgevpn.pki.authority import create_authority
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.keys import pkcs8
from tests.support.certificates import NOW, p256
from tests.support.services import HOME, PASSWORD, Served, serving

SECRET = "a long password"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as made:
        await made.certified()
        yield made


async def test_everything_and_back(served: Served) -> None:
    """Configuration, secrets, certificates and usage are as they were, and in use at once."""
    await served.ask("device.add", name="ben", settings={"login": "psk"})
    served.gateway.visitors.usage.saw("ben", 1_700_000_000.0, "203.0.113.7:4500")
    made = await served.ask("backup.create", password=SECRET)
    assert made["name"].endswith(".backup")
    held = served.holdings.read()
    certificates = await served.ask("pki.show")

    await served.ask("config.apply", text='[gateway]\nlisten = "127.0.0.1"\n')
    await served.ask("pki.import", content=another_ca())
    served.gateway.visitors.usage.forget("ben")
    restored = await served.ask("backup.restore", content=made["content"], password=SECRET)
    assert restored["confirm_before"] is None
    await served.certified()
    assert served.holdings.read() == held
    assert [device.name for device in served.gateway.census.devices] == ["phone", "tablet", "laptop", "ben"]
    assert await served.ask("pki.show") == certificates
    assert served.gateway.visitors.usage.of("ben").seen == 1_700_000_000.0


def another_ca() -> str:
    theirs = create_authority("Their CA", p256(), NOW)
    return (pkcs8(theirs.key) + pem_of(theirs.certificate)).decode()


async def test_nothing_of_it_can_be_read(served: Served) -> None:
    octets = base64.b64decode((await served.ask("backup.create", password=SECRET))["content"])
    assert PASSWORD.encode() not in octets
    assert unseal(octets, SECRET).files["edgevpn.toml"] == HOME.encode()


def sealed(files: dict[str, bytes]) -> str:
    return base64.b64encode(seal(Backup(files, 0.0, "0.1.0"), SECRET, os.urandom, Cost(2))).decode()


async def test_what_is_of_no_use_replaces_nothing(served: Served) -> None:
    with pytest.raises(RpcError, match="allowed: 10 characters or more"):
        await served.ask("backup.create", password="short")
    held = served.holdings.read()
    for content, password, code in (
        ("*", SECRET, ErrorCode.INVALID_PARAMS),
        ("AAAA", SECRET, ErrorCode.FAILED),
        (sealed(held), "another password", ErrorCode.FAILED),
        (sealed({}), SECRET, ErrorCode.FAILED),
        (sealed({**held, "edgevpn.toml": b"[pond]\n"}), SECRET, ErrorCode.CONFIG_INVALID),
        (sealed({**held, "pki/ca.pem": b"no CA"}), SECRET, ErrorCode.FAILED),
        (sealed({**held, "state/leases.json": b"["}), SECRET, ErrorCode.FAILED),
    ):
        with pytest.raises(RpcError) as refusal:
            await served.ask("backup.restore", content=content, password=password)
        assert refusal.value.code == code
    assert served.holdings.read() == held


async def test_to_be_confirmed(served: Served) -> None:
    made = await served.ask("backup.create", password=SECRET)
    await served.ask("device.add", name="ben", settings={})
    held = served.holdings.read()
    restored = await served.ask("backup.restore", content=made["content"], password=SECRET, confirm=60)
    assert restored["confirm_before"] is not None
    assert len(served.gateway.census.devices) == 3
    await served.ask("config.rollback", number=1)
    assert len(served.gateway.census.devices) == 4
    assert served.holdings.read() == held
