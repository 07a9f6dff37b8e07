"""edgevpn.simulate.tunnel: two of them, one at each end, and packets that may not pass."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from edgevpn.ike.contract import (
    Endpoints,
    InstallInbound,
    InstallOutbound,
    MoveChild,
    RemoveChild,
    RemoveOutbound,
)
from edgevpn.ike.crypto.keymat import ChildKeys
from edgevpn.ike.state import ChildSa
from edgevpn.ike.wire.selector import TrafficSelector
from edgevpn.simulate.echo import request
from edgevpn.simulate.esp import Inside, Outbound, seal_of
from edgevpn.simulate.replay import HALF
from edgevpn.simulate.tunnel import Tunnel
from edgevpn.simulate.user import EVERYTHING, Unable
from tests.support.chance import Chance
from tests.support.handshake import LEFT_PATH
from tests.support.states import a_child, an_sa, the_other

CLIENT_4, CLIENT_6, HOST_4, HOST_6 = map(ip_address, ("10.9.0.2", "fd09::2", "10.1.0.2", "fd01::2"))
THERE_4, THERE_6 = request(CLIENT_4, HOST_4, 1, 1), request(CLIENT_6, HOST_6, 1, 1)
BACK_4 = request(HOST_4, CLIENT_4, 1, 1)
ENDS = Endpoints("gateway", LEFT_PATH, nat=True)


def child(number: int = 1) -> ChildSa:
    """Its keys are its own."""
    keys = ChildKeys(bytes([number]) * 36, b"", bytes([number + 100]) * 36, b"")
    return a_child(number, keys=keys, ts_local=EVERYTHING, ts_remote=EVERYTHING)


def mirrored(child: ChildSa) -> ChildSa:
    (other,) = the_other(an_sa(child)).children
    return other


class End:
    """A tunnel, what it has sent and taken, and what it has told."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.taken: list[bytes] = []
        self.told: list[str] = []
        self.tunnel = Tunnel(self.sent.append, self.taken.append, Chance(1), self.told.append)

    def installs(self, child: ChildSa) -> None:
        self.tunnel.follow(InstallInbound(child, ENDS))
        self.tunnel.follow(InstallOutbound(child, ENDS))

    def hears(self, other: End) -> list[bytes]:
        """All that the other has sent since, as it is taken."""
        before = len(self.taken)
        while other.sent:
            self.tunnel.arrived(other.sent.pop(0))
        return self.taken[before:]


def both(*children: ChildSa) -> tuple[End, End]:
    """The client and the gateway, with these children one after the other."""
    client, gateway = End(), End()
    for each in children:
        client.installs(each)
        gateway.installs(mirrored(each))
    return client, gateway


def spis(packets: list[bytes]) -> list[bytes]:
    return [packet[:4] for packet in packets]


def test_both_families_both_ways() -> None:
    client, gateway = both(child())
    client.tunnel.carry(THERE_4)
    client.tunnel.carry(THERE_6)
    assert gateway.hears(client) == [THERE_4, THERE_6]
    gateway.tunnel.carry(BACK_4)
    assert client.hears(gateway) == [BACK_4]
    assert (client.tunnel.dropped, client.told) == (0, [])


def test_the_newest_pair_carries() -> None:
    """What was sent on the old one is taken until it is gone."""
    old, new = child(1), child(2)
    client, gateway = both(old)
    gateway.tunnel.carry(BACK_4)
    client.installs(new)
    gateway.installs(mirrored(new))
    client.tunnel.carry(THERE_4)
    assert spis(client.sent) == [new.spi_out]
    assert gateway.hears(client) == [THERE_4]
    assert client.hears(gateway) == [BACK_4]
    client.tunnel.follow(RemoveChild(old))
    client.tunnel.carry(THERE_4)
    assert spis(client.sent) == [new.spi_out]


def test_the_last_installed_is_the_newest() -> None:
    """A pair that answers a rekeying receives at once, and sends only when it is told to."""
    old, new = child(1), child(2)
    client, _ = both(old)
    client.tunnel.follow(InstallInbound(new, ENDS))
    client.tunnel.carry(THERE_4)
    client.tunnel.follow(InstallOutbound(new, ENDS))
    client.tunnel.carry(THERE_4)
    client.tunnel.follow(RemoveOutbound(new))
    client.tunnel.carry(THERE_4)
    assert spis(client.sent) == [old.spi_out, new.spi_out, old.spi_out]


def test_numbers_go_on() -> None:
    """To install what is there, or to move it, changes nothing."""
    client, gateway = both(child())
    client.tunnel.carry(THERE_4)
    client.installs(child())
    client.tunnel.follow(MoveChild(child(), ENDS))
    client.tunnel.carry(THERE_4)
    assert [packet[4:8] for packet in client.sent] == [bytes([0, 0, 0, 1]), bytes([0, 0, 0, 2])]
    assert gateway.hears(client) == [THERE_4, THERE_4]


def test_without_a_pair() -> None:
    client, _ = both()
    with pytest.raises(Unable, match="no CHILD SA"):
        client.tunnel.carry(THERE_4)
    assert client.tunnel.leads_to(HOST_4)


def test_numbers_are_used_up() -> None:
    client, _ = both(child())
    client.tunnel._newest[1]._last = HALF - 1
    with pytest.raises(Unable, match="used up"):
        client.tunnel.carry(THERE_4)


def test_where_it_leads() -> None:
    only = tuple(ts for ts in EVERYTHING if ts.start_address.version == 4)
    client, _ = both(replace(child(), ts_remote=only))
    assert client.tunnel.leads_to(HOST_4)
    assert not client.tunnel.leads_to(HOST_6)


def sealed(inside: Inside, number: int = 0) -> bytes:
    """As the gateway seals it for the first child."""
    one = child()
    return Outbound(one.spi_in, seal_of(one.suite, one.keys.encr_r, b""), False, Chance(1), number).seal(inside)


GOOD = sealed(Inside(4, BACK_4))
DROPPED = {
    "unknown SPI": (b"????" + GOOD[4:], "no SA has the SPI 3f3f3f3f"),
    "damaged": (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "wrong ICV"),
    "too short": (GOOD[:12], "too short: 12 octets"),
    "no IP": (sealed(Inside(4, b"junk")), "there is no packet of IP in it"),
    "another family": (sealed(Inside(41, BACK_4)), "there is no packet of IP in it"),
    "another protocol": (sealed(Inside(17, BACK_4)), "there is no packet of IP in it"),
    "from elsewhere": (
        sealed(Inside(4, request(ip_address("192.0.2.1"), CLIENT_4, 1, 1))),
        "it is from 192.0.2.1 to 10.9.0.2, which the selectors of its SA do not hold",
    ),
    "to elsewhere": (
        sealed(Inside(4, request(HOST_4, ip_address("10.9.0.3"), 1, 1))),
        "it is from 10.1.0.2 to 10.9.0.3, which the selectors of its SA do not hold",
    ),
}


def narrow() -> ChildSa:
    """The first child, for two hosts alone."""
    ours, theirs = map(TrafficSelector.of_host, (CLIENT_4, HOST_4))
    return replace(child(), ts_local=(ours,), ts_remote=(theirs,))


@pytest.mark.parametrize(("octets", "why"), DROPPED.values(), ids=DROPPED)
def test_dropped(octets: bytes, why: str) -> None:
    """It is counted, and the reason is told."""
    client = End()
    client.installs(narrow())
    client.tunnel.arrived(octets)
    assert (client.taken, client.tunnel.dropped) == ([], 1)
    assert client.told == [f"drops a packet that came through the tunnel: {why}"]


def test_dummies_are_nothing() -> None:
    """RFC 4303 §2.6."""
    client = End()
    client.installs(child())
    client.tunnel.arrived(sealed(Inside(59, b"anything")))
    assert (client.taken, client.tunnel.dropped) == ([], 0)


def test_a_reason_is_told_once() -> None:
    client = End()
    client.installs(child())
    client.tunnel.arrived(GOOD)
    for _ in range(3):
        client.tunnel.arrived(GOOD)
    assert (client.taken, client.tunnel.dropped, len(client.told)) == ([BACK_4], 3, 1)
