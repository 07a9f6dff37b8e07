from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from edgevpn.ike.exchange import configuration
from edgevpn.ike.iana import ConfigAttribute, ConfigType
from edgevpn.ike.peer import NetworkSettings, Peer, Wants
from edgevpn.ike.session import Given
from edgevpn.ike.wire.configuration import Attribute, Configuration
from tests.support.peers import LAN, TO_LEFT, selectors

IP4, IP6 = ConfigAttribute.INTERNAL_IP4_ADDRESS, ConfigAttribute.INTERNAL_IP6_ADDRESS
DNS4, DNS6 = ConfigAttribute.INTERNAL_IP4_DNS, ConfigAttribute.INTERNAL_IP6_DNS
NBNS, NET4 = ConfigAttribute.INTERNAL_IP4_NBNS, ConfigAttribute.INTERNAL_IP4_SUBNET
NET6, DOMAIN = ConfigAttribute.INTERNAL_IP6_SUBNET, ConfigAttribute.INTERNAL_DNS_DOMAIN

V4, V6 = ip_address("10.9.0.7"), ip_address("fd00::7")
SETTINGS = NetworkSettings(
    dns=(ip_address("10.9.0.1"), ip_address("fd00::1")),
    nbns=(ip_address("10.9.0.2"),),  # type: ignore[arg-type]
    networks=(ip_network("10.2.0.0/23"), ip_network("fd00:2::/48")),
    domains=("lan.example",),
)
GIVEN = Given((V4, V6), SETTINGS)
FULL = replace(LAN, ts_local=selectors("0.0.0.0/0", "::/0"), ts_remote=selectors("0.0.0.0/0", "::/0"))


def asking(*attributes: ConfigAttribute) -> Configuration:
    return Configuration(ConfigType.REQUEST, tuple(map(Attribute, attributes)))


# --- as server -----------------------------------------------------------------------------------------------------

ASKED: dict[str, tuple[Configuration | None, Wants | None]] = {
    "nothing": (None, None),
    "no address": (asking(DNS4), None),
    "not a request": (Configuration(ConfigType.SET, (Attribute(IP4),)), None),
    "one of each": (asking(IP4, IP6, DNS4), Wants(True, True)),
    "one that it had": (
        Configuration(ConfigType.REQUEST, (Attribute(IP4, V4.packed), Attribute(IP6, V6.packed + b"\x40"))),
        Wants(True, True, (V4, V6)),
    ),
    "zeros": (
        Configuration(ConfigType.REQUEST, (Attribute(IP4, bytes(4)), Attribute(IP6, bytes(17)))),
        Wants(True, True),
    ),
    "v6 alone": (asking(IP6), Wants(False, True)),
}


@pytest.mark.parametrize(("asked", "wants"), ASKED.values(), ids=ASKED)
def test_what_a_client_wants(asked: Configuration | None, wants: Wants | None) -> None:
    assert configuration.wants_of(asked) == wants


def test_reply() -> None:
    """Addresses and networks always; servers and domains as far as they are asked for."""
    everything = configuration.reply(asking(IP4, IP6, DNS4, DNS6, NBNS, DOMAIN), GIVEN)
    assert everything.config_type == ConfigType.REPLY
    assert everything.attributes == (
        Attribute(IP4, V4.packed),
        Attribute(IP6, V6.packed + b"\x80"),
        Attribute(DNS4, bytes([10, 9, 0, 1])),
        Attribute(DNS6, ip_address("fd00::1").packed),
        Attribute(NBNS, bytes([10, 9, 0, 2])),
        Attribute(NET4, bytes([10, 2, 0, 0, 255, 255, 254, 0])),
        Attribute(NET6, ip_address("fd00:2::").packed + b"\x30"),
        Attribute(DOMAIN, b"lan.example"),
    )
    little = configuration.reply(asking(IP4, IP6), GIVEN)
    assert {each.attribute_type for each in little.attributes} == {IP4, IP6, NET4, NET6}


def test_domains_need_a_server_that_knows_them() -> None:
    """RFC 8598 §3.2."""
    without = Given((V4,), replace(SETTINGS, dns=()))
    assert configuration.reply(asking(IP4, DNS4, DOMAIN), without).of_type(DOMAIN) == ()


def test_supported_attributes() -> None:
    reply = configuration.reply(asking(IP4, ConfigAttribute.SUPPORTED_ATTRIBUTES), Given((V4,)))
    (listed,) = reply.of_type(ConfigAttribute.SUPPORTED_ATTRIBUTES)
    assert listed[:2] == b"\x00\x01"
    assert len(listed) == 2 * len(configuration.SUPPORTED)


def test_client_gets_its_address_alone() -> None:
    """0/0 and ::/0 become the two addresses at the client's end, the networks at ours."""
    (child,) = configuration.lending(replace(TO_LEFT, children=(FULL,)), GIVEN).children
    assert child.ts_remote == selectors("10.9.0.7/32", "fd00::7/128")
    assert child.ts_local == selectors("10.2.0.0/23", "fd00:2::/48")


def test_client_that_asks_for_routes_by_dhcp() -> None:
    """Its broadcast and the answer go through a split tunnel too; a full one has them in any case."""
    peer = replace(TO_LEFT, children=(FULL,))
    for server, more in (("10.9.0.1", ("10.9.0.1/32",)), ("10.2.1.1", ())):
        given = Given((V4,), replace(SETTINGS, dhcp=IPv4Address(server)))
        (split,) = configuration.lending(peer, given, broadcast=True).children
        assert split.ts_local == selectors("10.2.0.0/23", "fd00:2::/48", "255.255.255.255/32", *more)
        assert configuration.lending(peer, given) == configuration.lending(peer, Given((V4,), SETTINGS))
    (silent,) = configuration.lending(peer, Given((V4,), SETTINGS), broadcast=True).children
    assert silent.ts_local == selectors("10.2.0.0/23", "fd00:2::/48")
    (full,) = configuration.lending(peer, Given((V4,)), broadcast=True).children
    assert full.ts_local == FULL.ts_local


def test_full_tunnel() -> None:
    """No networks, no restriction: all goes through."""
    (child,) = configuration.lending(replace(TO_LEFT, children=(FULL,)), Given((V4,))).children
    assert child.ts_remote == selectors("10.9.0.7/32")
    assert child.ts_local == FULL.ts_local


def test_policy_without_packets_falls_away() -> None:
    only_v6 = replace(FULL, name="v6", ts_remote=selectors("::/0"))
    peer = configuration.lending(replace(TO_LEFT, children=(FULL, only_v6)), Given((V4,)))
    assert [child.name for child in peer.children] == ["lan"]


# --- as client -----------------------------------------------------------------------------------------------------


def test_request_for_what_is_named() -> None:
    """In that order, and for nothing else; an address from before is asked for again."""
    asks = (ConfigAttribute.INTERNAL_IP4_DNS, ConfigAttribute.INTERNAL_IP4_ADDRESS)
    asked = configuration.request(Wants(True, True, (V4,)), asks).attributes
    assert [(each.attribute_type, each.value) for each in asked] == [(asks[0], b""), (asks[1], V4.packed)]


def test_request() -> None:
    request = configuration.request(Wants(True, True, (V4,)))
    assert request.config_type == ConfigType.REQUEST
    assert request.of_type(IP4) == (V4.packed,)
    assert {each.attribute_type for each in request.attributes} == {IP4, IP6, DNS4, DNS6, NBNS, NET4, NET6, DOMAIN}
    assert {a.attribute_type for a in configuration.request(Wants(True, False)).attributes} == {
        IP4,
        DNS4,
        NBNS,
        NET4,
        DOMAIN,
    }
    assert {a.attribute_type for a in configuration.request(Wants(False, True)).attributes} == {
        IP6,
        DNS6,
        NET6,
        DOMAIN,
    }


def test_there_and_back() -> None:
    wants = Wants(True, True)
    assert configuration.read_reply(configuration.reply(configuration.request(wants), GIVEN), wants) == GIVEN


def test_nothing_given() -> None:
    assert not configuration.read_reply(None, Wants(True, True))
    assert not configuration.read_reply(asking(IP4), Wants(True, True))
    assert not configuration.read_reply(Configuration(ConfigType.REPLY, (Attribute(IP4),)), Wants(True, True))
    v6 = Configuration(ConfigType.REPLY, (Attribute(IP6, V6.packed + b"\x80"),))
    assert not configuration.read_reply(v6, Wants(True, False))


STRANGE = {
    "a mask with holes": Attribute(NET4, bytes([10, 2, 0, 0, 255, 0, 255, 0])),
    "a prefix of 129": Attribute(NET6, bytes(16) + b"\x81"),
    "a domain with a newline": Attribute(DOMAIN, b"lan.example\nnameserver 10.0.0.1"),
    "a domain with a space": Attribute(DOMAIN, b"lan example"),
    "a domain that is empty": Attribute(DOMAIN),
    "a domain of 300 octets": Attribute(DOMAIN, b"a" * 300),
    "no DNS server": Attribute(DNS4),
}


@pytest.mark.parametrize("attribute", STRANGE.values(), ids=STRANGE)
def test_strange_attributes_are_left_out(attribute: Attribute) -> None:
    """What a gateway tells us ends in our resolver and routes; what cannot be used there is passed over."""
    reply = Configuration(ConfigType.REPLY, (Attribute(IP4, V4.packed), attribute))
    assert configuration.read_reply(reply, Wants(True, True)) == Given((V4,))


def test_no_more_than_we_can_use() -> None:
    servers = tuple(Attribute(DNS4, bytes([10, 0, number // 256, number % 256])) for number in range(200))
    reply = Configuration(ConfigType.REPLY, (Attribute(IP4, V4.packed), Attribute(IP4, bytes([9, 9, 9, 9])), *servers))
    got = configuration.read_reply(reply, Wants(True, True))
    assert got.addresses == (V4,)
    assert len(got.settings.dns) == configuration.MAX_OF_A_KIND


def test_host_bits_of_a_network_do_not_matter() -> None:
    attributes = (Attribute(IP4, V4.packed), Attribute(NET4, bytes([10, 2, 1, 1, 255, 255, 0, 0])))
    got = configuration.read_reply(Configuration(ConfigType.REPLY, attributes), Wants(True, True))
    assert got.settings.networks == (ip_network("10.2.0.0/16"),)


def test_we_use_our_address_alone() -> None:
    peer: Peer = configuration.using(replace(TO_LEFT, children=(FULL,)), GIVEN)
    assert peer.children[0].ts_local == selectors("10.9.0.7/32", "fd00::7/128")
    assert peer.children[0].ts_remote == FULL.ts_remote
