from __future__ import annotations

import asyncio
import logging
from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest

from edgevpn.config.model import Config
from edgevpn.daemon.login.vouched import Shown
from edgevpn.daemon.peers import pool_settings
from edgevpn.daemon.visitors.dhcp import NotInform, Told
from edgevpn.daemon.visitors.informing import Door, Informer, answer, doors, told
from edgevpn.daemon.visitors.sessions import Sessions, Visit
from edgevpn.ike.contract import IkeSaUp
from edgevpn.ike.iana import IdType
from edgevpn.ike.session import Given, Session
from edgevpn.ike.state import Address, Path
from edgevpn.ike.wire.payloads import Identification
from tests.daemon.visitors.test_dhcp import options_of, request
from tests.support.visitors import PHONE, TABLET, Table, gateway

SPLIT: Table = {"mode": "split", "networks": ["192.168.1.0/24", "fd01::/64"], "domains": ["example.org", "lan"]}
CLIENT, SERVER = IPv4Address("10.9.0.2"), IPv4Address("10.9.0.1")
DOOR = Door("road", "evpn-road", SERVER)


def visitor(config: Config, peer: str = "road/password") -> Visit:
    """Somebody who was lent an address, and told what its pool has to tell."""
    ends = Path(Address(ip_address("192.0.2.1"), 4500), Address(ip_address("198.51.100.1"), 4500))
    session = Session(lent=Given((CLIENT,), pool_settings(config.pools[0])))
    up = IkeSaUp(b"one", peer, Identification(IdType.FQDN, b"phone"), ends, session=session)
    return Sessions().up(up, Shown("phone"), 0.0)


def test_where_devices_may_ask() -> None:
    """Where one of them has a split tunnel, and we have an address to answer from."""
    assert doors(gateway(pool=SPLIT)) == (DOOR,)
    assert doors(gateway({"phone": PHONE | {"mode": "split", "networks": "10.0.0.0/8"}, "tablet": TABLET})) == (DOOR,)
    assert doors(gateway()) == ()
    assert doors(gateway(pool=SPLIT | {"v4": "192.168.1.9-192.168.1.99", "proxy": True})) == ()


def test_what_a_visitor_is_told() -> None:
    """As at its login: the name server lies in none of the networks, and is one of them."""
    networks = (IPv4Network("192.168.1.0/24"), IPv4Network("10.9.0.1/32"))
    assert told(visitor(gateway(pool=SPLIT))) == Told((SERVER,), "example.org", networks)
    assert told(visitor(gateway())) == Told((SERVER,))


def test_answer() -> None:
    visit = visitor(gateway(pool=SPLIT))
    reply = answer(request(), CLIENT, DOOR, lambda address: visit if address == CLIENT else None)
    told = options_of(reply)
    assert told[249] == bytes.fromhex("18 c0a801 0a090001  20 0a090001 0a090001")
    assert (told[6], told[15]) == (SERVER.packed, b"example.org")


def test_who_gets_no_answer() -> None:
    visit = visitor(gateway(pool=SPLIT))
    strangers = {
        "nobody was lent the address": answer_to(request(), None),
        "it asks for another": answer_to(request(client=IPv4Address("10.9.0.9").packed), visit),
        "another pool": answer_to(request(), visitor(gateway(pool=SPLIT), "other/password")),
        "noise": answer_to(b"\0" * 300, visit),
    }
    assert set(strangers.values()) == {None}


def answer_to(octets: bytes, visit: Visit | None) -> bytes | None:
    try:
        return answer(octets, CLIENT, DOOR, lambda address: visit)
    except NotInform:
        return None


async def test_an_interface_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    """As with the kernel in memory."""
    caplog.set_level(logging.DEBUG)
    informer = Informer(lambda address: None)
    informer.serve([DOOR])
    informer.close()
    await asyncio.sleep(0)
    assert "dhcp_not_served" in caplog.text
