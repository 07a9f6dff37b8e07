from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli

from edgevpn.api import ErrorCode, RpcError
from edgevpn.config.credential import NtHash, Psk
from edgevpn.config.model import Config
from edgevpn.daemon.login.passwords import nt_hash
from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.records import Holder
from tests.support.configs import config as configured
from tests.support.gateways import Running, running, until
from tests.support.services import PSK, Served, serving

VISITOR = {
    "remote": "127.0.0.1",
    "local": "127.0.0.2",
    "remote_id": "localhost",
    "virtual_ips": ["0.0.0.0"],  # noqa: S104 - asked for
    "local_networks": ["0.0.0.0/0"],
    "remote_networks": ["0.0.0.0/0"],
    "routes": False,
    "start": "wait",
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as made:
        await made.certified()
        yield made


def device(served: Served, name: str) -> Any:
    return next(each for each in served.configuration.running.devices if each.name == name)


def tablet(psk: str = PSK) -> Config:
    """A gateway that plays the tablet."""
    return configured({"listen": "127.0.0.2"}, home=VISITOR | {"psk": psk, "local_id": "tablet"})


@asynccontextmanager
async def visiting(served: Served) -> AsyncIterator[Running]:
    """The tablet is in."""
    async with running(tablet(), served.ports) as there:
        await until(lambda: there.gateway.knows("home"))
        keeper = there.gateway.keeper("home")
        assert keeper is not None
        await keeper.up()
        yield there


async def test_a_device_with_a_password(served: Served) -> None:
    """It is told once, what is kept of it is its hash, and it opens the door."""
    made = await served.ask("device.add", name="Anna's phone", settings={"platform": "ios", "owner": "Anna"})
    assert (len(made["password"]) >= 24, made["psk"]) == (True, "")
    assert device(served, "Anna's phone").credential == NtHash("secrets.toml", bytes.fromhex(nt_hash(made["password"])))
    files = served.path.read_text() + served.path.with_name("secrets.toml").read_text()
    assert made["password"] not in files
    assert (made["device"]["login"], made["device"]["owner"], made["device"]["refused"]) == ("password", "Anna", "")


async def test_a_device_with_a_key(served: Served) -> None:
    made = await served.ask("device.add", name="ben", settings={"login": "psk"})
    assert (made["password"], len(made["psk"]) >= 24) == ("", True)
    assert device(served, "ben").credential == Psk("secrets.toml", made["psk"].encode())


async def test_a_device_with_a_certificate(served: Served) -> None:
    """Its password is that of the file which the certificate comes in, and is kept nowhere."""
    made = await served.ask("device.add", name="ben", settings={"login": "certificate", "id": "ben@example.org"})
    assert len(made["password"]) >= 24
    assert not served.path.with_name("secrets.toml").exists()
    p12 = await served.ask("device.export", name="ben", form="sswan", secret=made["password"])
    assert p12["content"]


async def test_a_secret_that_is_brought(served: Served) -> None:
    made = await served.ask("device.add", name="ben", settings={"password": "my own long password"})
    assert made["password"] == "my own long password"
    assert device(served, "ben").credential.octets == bytes.fromhex(nt_hash("my own long password"))
    assert "password" not in tomli.loads(served.path.read_text())["device"]["ben"]


async def test_devices_that_cannot_be_added(served: Served) -> None:
    before = served.path.read_text()
    with pytest.raises(RpcError, match="there is a device 'phone' already"):
        await served.ask("device.add", name="phone", settings={})
    refused: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("a/b", {}, "is no name for a device"),
        ("x" * 65, {}, "is no name for a device"),
        ("a\nb", {}, "is no name for a device"),
        ("ben", {"login": "smile"}, "is none of the choices; allowed"),
        ("ben", {"login": 7}, "allowed"),
        ("ben", {"v4": "10.8.0.9"}, "would be bad"),
        ("ben", {"expires": "2001-01-01"}, "has passed already"),
        ("ben", {"pool": "pond"}, "would be bad"),
        ("ben", {"owner": {"a": 1}}, "allowed"),
    )
    for name, settings, why in refused:
        with pytest.raises(RpcError, match=why) as refusal:
            await served.ask("device.add", name=name, settings=settings)
        assert refusal.value.code == ErrorCode.CONFIG_INVALID
    assert served.path.read_text() == before


async def test_set(served: Served) -> None:
    status = await served.ask(
        "device.set", name="phone", settings={"owner": "Ben", "mode": "split", "networks": "10.1.0.0/24"}
    )
    assert (status["owner"], status["mode"]) == ("Ben", "split")
    status = await served.ask("device.set", name="phone", settings={"owner": None, "enabled": False})
    assert (status["owner"], status["refused"]) == ("", "the device is disabled")
    with pytest.raises(RpcError, match="configured: phone, tablet, laptop") as refusal:
        await served.ask("device.set", name="phone2", settings={})
    assert refusal.value.code == ErrorCode.NOT_FOUND


async def test_another_way_to_log_in(served: Served) -> None:
    """It gets a secret that nobody knows until a new one is asked for."""
    await served.ask("device.set", name="phone", settings={"login": "psk"})
    unknown = device(served, "phone").credential
    assert isinstance(unknown, Psk)
    made = await served.ask("device.reset", name="phone")
    assert device(served, "phone").credential.octets == made["psk"].encode() != unknown.octets
    await served.ask("device.set", name="phone", settings={"login": "certificate", "id": "phone@example.org"})
    assert device(served, "phone").credential is None


async def test_a_device_that_is_in(served: Served) -> None:
    """Told by list and show, shown out when it is disabled, forgotten when it is removed."""
    async with visiting(served):
        (status,) = (each for each in await served.ask("device.list") if each["sessions"])
        assert (status["name"], status["sessions"][0]["addresses"]) == ("tablet", ["10.9.0.2"])
        assert (await served.ask("pool.list"))[0]["used_v4"] == 1
        detail = await served.ask("device.show", name="tablet")
        assert (detail["device"]["sessions"][0]["spi"], detail["dns"]) == (status["sessions"][0]["spi"], ["10.9.0.1"])
        await served.ask("device.set", name="tablet", settings={"enabled": False})
        await until(lambda: len(served.gateway.visitors.sessions) == 0)
    assert served.gateway.visitors.usage.of("tablet").seen is not None
    await served.ask("device.remove", name="tablet")
    assert served.gateway.visitors.usage.of("tablet").seen is None


async def test_a_new_secret_ends_the_session(served: Served) -> None:
    async with visiting(served) as there:
        await served.ask("device.reset", name="tablet")
        await until(lambda: len(served.gateway.visitors.sessions) == 0)
        await there.until("home", "down")


async def test_revoke(served: Served) -> None:
    await served.ask("device.export", name="laptop", form="mobileconfig")
    (certificate,) = (await served.ask("device.show", name="laptop"))["certificates"]
    assert (certificate["subject"], certificate["days_left"] > 300) == ("laptop@example.org", True)
    await served.ask("device.revoke", name="laptop")
    assert (await served.ask("device.show", name="laptop"))["certificates"] == []
    office = served.gateway.certificates.office
    assert office is not None
    assert office.ledger.refused == {certificate["fingerprint"]}
    with pytest.raises(RpcError, match="phone logs in by password: disable the device, or give it a new secret"):
        await served.ask("device.revoke", name="phone")


async def test_remove_revokes(served: Served) -> None:
    await served.ask("device.export", name="laptop", form="mobileconfig")
    await served.ask("device.remove", name="laptop")
    office = served.gateway.certificates.office
    assert office is not None
    assert len(office.ledger.refused) == 1
    assert office.ledger.of(Holder.DEVICE, "laptop") == ()
    assert "laptop" not in served.path.read_text()


async def test_a_certificate_comes_in_a_file_that_opens_by_a_password(served: Served) -> None:
    with pytest.raises(RpcError, match="reset the device, and give the password that this tells as secret"):
        await served.ask("device.export", name="laptop", form="p12")
    made = await served.ask("device.reset", name="laptop")
    artifact = await served.ask("device.export", name="laptop", form="p12", secret=made["password"])
    bundle = bundle_of(read_parts(base64.b64decode(artifact["content"]), made["password"]))
    assert "laptop" in bundle.certificate.subject.rfc4514_string()
