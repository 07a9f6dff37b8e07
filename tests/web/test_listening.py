from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import Any

import pytest

from edgevpn.web.listening import CannotListen, Place, fingerprint, in_lan, place_of, sockets, tls
from tests.support.panel import free_port
from tests.support.panel_certificate import certificate
from tests.support.stand_in import SETTINGS

HOME: Any = {**SETTINGS, "listen": ["192.168.1.1", "fd00::1"], "https": True, "hosts": ["Panel.Example."]}
PLACE = place_of(HOME, None, "Router.lan")


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1.1:8443",
        "192.168.1.1",
        "[fd00::1]:8443",
        "[FD00:0::1]",
        "router:8443",
        "router.lan",
        "router.local:8443",
        "ROUTER.LAN",
        "router.lan.",
        "localhost:8443",
        "panel.example",
    ],
)
def test_our_names(host: str) -> None:
    assert PLACE.knows(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "192.168.1.2:8443",
        "192.168.1.1:80",
        "192.168.1.1.evil.example",
        "router.lan.evil.example",
        "[fd00::2]:8443",
        "0x7f.1",
        "3232235777",
        "router:8443:8443",
        "user@router",
        "[::ffff:192.168.1.1]",
    ],
)
def test_names_of_others(host: str) -> None:
    assert not PLACE.knows(host)


@pytest.mark.parametrize(
    ("address", "lan"),
    [
        ("192.168.1.77", True),
        ("172.31.0.1", True),
        ("10.0.0.1", True),
        ("127.0.0.1", True),
        ("169.254.1.1", True),
        ("fd12::1", True),
        ("fe80::1%eth0", True),
        ("::1", True),
        ("::ffff:192.168.1.1", True),
        ("::ffff:203.0.113.1", False),
        ("203.0.113.1", False),
        ("100.64.0.1", False),
        ("172.32.0.1", False),
        ("2001:db8::1", False),
    ],
)
def test_who_is_in_the_lan(address: str, lan: bool) -> None:
    assert in_lan(ip_address(address)) is lan
    assert PLACE.admits(ip_address(address)) is lan


def test_public_addresses_need_the_long_switch() -> None:
    outside: Any = {**HOME, "listen": ["203.0.113.1"]}
    with pytest.raises(CannotListen, match=r"203\.0\.113\.1 is not a LAN address"):
        place_of(outside, None, "router")
    outside["public"] = True
    place = place_of(outside, None, "router")
    assert place.admits(ip_address("198.51.100.1"))


def test_nowhere() -> None:
    nowhere: Any = {**HOME, "listen": []}
    with pytest.raises(CannotListen, match="no LAN address"):
        place_of(nowhere, None, "router")


def test_a_port_that_was_chosen_wins() -> None:
    assert place_of(HOME, 9443, "router").port == 9443
    assert PLACE.port == 8443


def test_origin() -> None:
    assert PLACE.origin("router:8443") == "https://router:8443"
    assert Place((), 80, False).origin("router") == "http://router"


def test_a_link_leads_where_a_phone_can_go() -> None:
    assert PLACE.reachable_host("router.lan:8443") == "router.lan:8443"
    for ours in ("localhost:8443", "127.0.0.1", "[::1]:8443"):
        assert PLACE.reachable_host(ours) == "192.168.1.1:8443"
    six = Place((ip_address("::1"), ip_address("fd00::1")), 8443, True)
    assert six.reachable_host("localhost") == "[fd00::1]:8443"
    assert Place((ip_address("127.0.0.1"),), 8443, True).reachable_host("localhost:8443") == "localhost:8443"


def test_addresses_that_are_still_to_come_can_be_listened_on() -> None:
    opened = sockets(Place((ip_address("192.0.2.77"), ip_address("127.0.0.1")), free_port(), True))
    assert [each.getsockname()[0] for each in opened] == ["192.0.2.77", "127.0.0.1"]
    for each in opened:
        each.close()


def test_a_port_that_is_taken() -> None:
    place = Place((ip_address("127.0.0.1"),), free_port(), True)
    (first,) = sockets(place)
    with first, pytest.raises(CannotListen, match=rf"TCP port {place.port} of 127\.0\.0\.1 cannot be had"):
        sockets(place)


def test_https_from_what_is_in_memory() -> None:
    pem, key = certificate()
    context = tls(pem, key)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(fingerprint(pem)) == 95


def test_a_certificate_that_is_no_good() -> None:
    pem, _ = certificate()
    _, other = certificate()
    for key in (other, "", "nothing"):
        with pytest.raises(CannotListen, match="certificate is no good"):
            tls(pem, key)


def test_the_fingerprint_of_a_chain_is_that_of_its_first_certificate() -> None:
    first, second = certificate()[0], certificate()[0]
    assert fingerprint(first + second) == fingerprint(first) != fingerprint(second)
