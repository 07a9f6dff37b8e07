"""Devices come in by each of their logins, at a gateway on loopback; another gateway plays the device."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from edgevpn.api.records import SessionStatus
from edgevpn.config.model import Config
from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.login.tries import MOST
from edgevpn.daemon.sites.keeper import NotUp
from edgevpn.daemon.visitors.visitors import Visitors
from edgevpn.ike.contract import IkeSaUp, Input, Terminate
from edgevpn.ike.iana import IdType
from edgevpn.ike.questions import FindPsk
from edgevpn.ike.state import Address
from edgevpn.ike.state import Path as Ends
from edgevpn.ike.wire.payloads import Identification
from edgevpn.kernel.spec import SaKey
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.keys import pkcs8
from edgevpn.pki.records import Holder
from tests.support.configs import Table
from tests.support.configs import config as configured
from tests.support.gateways import Running, running, until
from tests.support.ports import free_ports
from tests.support.shapes import misfits
from tests.support.visitors import LAPTOP, PASSWORD, PHONE, PSK, TABLET, gateway

SITE: Table = {
    "remote": "127.0.0.1",
    "local": "127.0.0.2",
    "remote_id": "vpn.example.org",
    "virtual_ips": ["0.0.0.0", "::"],  # noqa: S104 - asked for
    "local_networks": ["0.0.0.0/0", "::/0"],
    "remote_networks": ["0.0.0.0/0", "::/0"],
    "routes": False,
    "start": "wait",
}


def device(**keys: Any) -> Config:
    """A gateway that plays a device."""
    return configured({"listen": "127.0.0.2"}, home=SITE | keys)


def by_psk(key: str = PSK, local_id: str = "tablet") -> Config:
    return device(psk=key, local_id=local_id)


@asynccontextmanager
async def home(tmp_path: Path, config: Config | None = None) -> AsyncIterator[tuple[Running, Ports]]:
    """The gateway, once it has its certificate; the CA's is in ca.pem."""
    ports = free_ports()
    async with running(config or gateway(), ports, folder=tmp_path) as here:
        await until(lambda: here.gateway.knows("road/password"))
        office = here.gateway.certificates.office
        assert office is not None
        (tmp_path / "ca.pem").write_bytes(pem_of(office.authority.certificate))
        yield here, ports


@asynccontextmanager
async def visiting(config: Config, ports: Ports) -> AsyncIterator[Running]:
    """A device that has come in."""
    async with running(config, ports) as there:
        await until(lambda: there.gateway.knows("home"))
        keeper = there.gateway.keeper("home")
        assert keeper is not None
        await keeper.up()
        yield there


async def refused(config: Config, ports: Ports) -> str:
    """Why a device does not come in, as it sees it."""
    with pytest.raises(NotUp) as why:
        async with visiting(config, ports):
            pass
    return str(why.value)


def by_password(tmp_path: Path, password: str = PASSWORD) -> Config:
    ca = str(tmp_path / "ca.pem")
    return device(auth="eap", eap_id="phone", local_id="keyid:phone", password=password, ca=[ca])


def by_certificate(tmp_path: Path, bundle: Bundle) -> Config:
    (tmp_path / "device.pem").write_bytes(pem_of(bundle.certificate))
    (tmp_path / "device.key").write_bytes(pkcs8(bundle.key))
    (tmp_path / "device.key").chmod(0o600)
    files = {"cert": str(tmp_path / "device.pem"), "key": str(tmp_path / "device.key")}
    return device(auth="certificate", local_id="laptop@example.org", ca=[str(tmp_path / "ca.pem")], **files)


async def test_by_psk(tmp_path: Path) -> None:
    """It has an address of either version, and the gateway's kernel an SA for that address alone."""
    async with home(tmp_path) as (here, ports), visiting(by_psk(), ports) as there:
        (visit,) = here.gateway.visitors.sessions.of("tablet")
        assert [str(address) for address in visit.ike.lent.addresses] == ["10.9.0.2", "fd09::2"]
        tablet = next(each for each in here.gateway.census.devices if each.name == "tablet")
        status = here.gateway.census.device_status(tablet)
        assert [session["addresses"] for session in status["sessions"]] == [["10.9.0.2", "fd09::2"]]
        (session,) = status["sessions"]
        assert misfits(session, SessionStatus) == []
        assert (session["proof"], session["own_proof"], session["weak"]) == ("pre-shared key", "pre-shared key", [])
        assert status["place"] == f"127.0.0.2:{ports.nat}"
        assert [str(each) for each in there.kernel.list_addresses("evpn-home")] == ["10.9.0.2/32", "fd09::2/128"]
        selected = {str(policy.spec.selector.destination) for policy in here.kernel.list_policies()}
        assert selected == {"10.9.0.2/32", "fd09::2/128", "0.0.0.0/0", "::/0"}

        await there.stop()
        await until(lambda: len(here.gateway.visitors.sessions) == 0)
        assert here.kernel.list_sas() == ()


async def test_by_password(tmp_path: Path) -> None:
    async with home(tmp_path) as (here, ports), visiting(by_password(tmp_path), ports):
        (visit,) = here.gateway.visitors.sessions.of("phone")
        assert (str(visit.ike.theirs), visit.ike.user) == ("EAP-MSCHAPV2", "phone")


async def test_by_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with home(tmp_path) as (here, ports):
        office = here.gateway.certificates.office
        assert office is not None
        bundle = office.enrol_device("laptop", "laptop@example.org", datetime.now(UTC))
        async with visiting(by_certificate(tmp_path, bundle), ports):
            assert len(here.gateway.visitors.sessions.of("laptop")) == 1

            office.revoke(Holder.DEVICE, "laptop", datetime.now(UTC))
            await here.gateway.certificates.renew()
            here.gateway.visitors.show_out("laptop", "its certificates were revoked")
            await until(lambda: not here.gateway.visitors.sessions.of("laptop"))
            assert caplog.text.count("device_shown_out") == 1


async def test_wrong_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who has a wrong password is told just what a stranger is told; the owner is told which it was."""
    caplog.set_level(logging.INFO)
    async with home(tmp_path) as (_, ports):
        assert "AUTHENTICATION_FAILED" in await refused(by_psk("another long and random text"), ports)
        assert "AUTHENTICATION_FAILED" in await refused(by_psk(local_id="stranger"), ports)
        wrong = await refused(by_password(tmp_path, "not the password"), ports)
        stranger = replace(by_password(tmp_path), sites=(replace(by_password(tmp_path).sites[0], eap_id="stranger"),))
        assert wrong == await refused(stranger, ports)
    assert "no device has this name" in caplog.text


async def test_guessing_comes_to_an_end(tmp_path: Path) -> None:
    """Who comes with the right key guesses nothing, however often; after too many wrong ones none is right."""
    async with home(tmp_path) as (here, ports):
        for _ in range(MOST + 1):
            async with visiting(by_psk(), ports):
                pass
        for _ in range(MOST):
            assert "AUTHENTICATION_FAILED" in await refused(by_psk("another long and random text"), ports)
        assert here.gateway.census.devices_refused["too-many-tries"] == 0

        assert "AUTHENTICATION_FAILED" in await refused(by_psk(), ports)
        assert here.gateway.census.devices_refused["too-many-tries"] == 1


async def test_disabled_device_is_shown_out(tmp_path: Path) -> None:
    """At once, and it does not come in again; others do not notice."""
    devices = {"phone": PHONE, "tablet": TABLET, "laptop": LAPTOP}
    async with home(tmp_path) as (here, ports), visiting(by_psk(), ports) as there:
        before = here.gateway.visitors.sessions.of("tablet")
        here.gateway.apply(gateway(devices | {"phone": PHONE | {"enabled": False}}))
        assert here.gateway.visitors.sessions.of("tablet") == before

        here.gateway.apply(gateway(devices | {"tablet": TABLET | {"enabled": False}}))
        await until(lambda: not here.gateway.visitors.sessions.of("tablet"))
        await there.until("home", "down")
        keeper = there.gateway.keeper("home")
        assert keeper is not None
        with pytest.raises(NotUp, match="AUTHENTICATION_FAILED"):
            await keeper.up()


async def test_address_that_is_another_device_s_now(tmp_path: Path) -> None:
    """Its owner has given it to somebody else for good: who has had it by chance makes way."""
    async with home(tmp_path) as (here, ports), visiting(by_psk(), ports):
        (visit,) = here.gateway.visitors.sessions.of("tablet")
        given = gateway({"phone": PHONE | {"v4": str(visit.ike.lent.addresses[0])}, "tablet": TABLET, "laptop": LAPTOP})
        other = gateway({"phone": PHONE | {"v4": "10.9.0.77"}, "tablet": TABLET, "laptop": LAPTOP})
        assert here.gateway.would_drop(other) == ()
        assert here.gateway.would_drop(given) == ("tablet",)
        here.gateway.apply(other)
        assert here.gateway.visitors.sessions.get(visit.spi)
        here.gateway.apply(given)
        await until(lambda: here.gateway.visitors.sessions.get(visit.spi) is None)


NEXT = {
    "nothing": (TABLET, False),
    "disabled": (TABLET | {"enabled": False}, True),
    "another key": (TABLET | {"psk": "another key than before"}, True),
    "removed": (None, True),
}


@pytest.mark.parametrize(("after", "goes"), NEXT.values(), ids=NEXT)
async def test_device_that_is_changed_while_it_logs_in(tmp_path: Path, after: Table | None, goes: bool) -> None:
    """It has shown its key in time, and comes up by a configuration that is not the one any more."""
    fed: list[Input] = []
    answers = Answers(fed.append, lambda work: None)
    visitors = Visitors(tmp_path, answers, fed.append)
    visitors.apply(gateway({"phone": PHONE, "tablet": TABLET}))
    tablet, path = Identification(IdType.KEY_ID, b"tablet"), Ends(*(Address(ip_address("192.0.2.1"), 4500),) * 2)
    answers.ask(FindPsk(b"8 octets", ("road/psk",), tablet, path.remote))
    fed.clear()
    visitors.apply(gateway({"phone": PHONE} | ({"tablet": after} if after else {})))
    up = IkeSaUp(b"8 octets", "road/psk", tablet, path)
    visitors.up(up, answers.vouched.up(up))
    assert fed == ([Terminate(b"8 octets")] if goes else [])


async def test_usage_is_counted(tmp_path: Path) -> None:
    """Now and then, and when the tunnel goes; what was counted is there after a restart."""
    async with home(tmp_path) as (here, ports), visiting(by_psk(), ports) as there:
        inbound = next(state.spec for state in here.kernel.list_sas() if str(state.spec.destination) == "127.0.0.1")
        here.kernel.set_sa(inbound.key, octets=1000)
        here.gateway.tick()
        here.gateway.tick()
        here.kernel.set_sa(SaKey(inbound.destination, inbound.spi), octets=1500)
        await there.stop()
        await until(lambda: len(here.gateway.visitors.sessions) == 0)
        (amount,) = here.gateway.visitors.usage.of("tablet").days.values()
        assert amount.received == 1500
    assert '"tablet"' in (tmp_path / "state" / "usage.json").read_text()
    async with home(tmp_path) as (again, _):
        assert len(again.gateway.visitors.usage.of("tablet").days) == 1


async def test_a_new_lease_is_written_soon(tmp_path: Path) -> None:
    """A power cut would else give the address to another."""
    async with home(tmp_path) as (_, ports), visiting(by_psk(), ports):
        kept = tmp_path / "state" / "leases.json"
        await until(lambda: kept.exists() and '"10.9.0.2"' in kept.read_text())


async def test_the_same_address_after_a_restart(tmp_path: Path) -> None:
    devices = {"tablet": TABLET, "phone": PHONE}
    async with home(tmp_path, gateway(devices)) as (_, ports), visiting(by_psk(), ports):
        pass
    async with (
        home(tmp_path, gateway(devices)) as (here, ports),
        visiting(by_password(tmp_path), ports),
    ):
        (visit,) = here.gateway.visitors.sessions.of("phone")
        assert str(visit.ike.lent.addresses[0]) == "10.9.0.3"
