from ipaddress import ip_interface, ip_network

from edgevpn.daemon.dataplane.caught import caught
from edgevpn.daemon.dataplane.homes import Route, homes, pool_home, site_home
from edgevpn.daemon.peers import selectors_of
from tests.support.configs import OFFICE, config, office
from tests.support.visitors import gateway


def test_site() -> None:
    site = office(mtu=1400, start="traffic")
    home = site_home(site)
    assert (home.name, home.peers, home.interface, home.mtu) == ("site office", ("office",), "evpn-office", 1400)
    assert home.routes == (Route(ip_network("10.2.0.0/24"), (ip_network("10.1.0.0/24"),)),)
    assert home.traps == (("office", selectors_of(site.children[0])),)
    assert home.lifetimes.keys() == {"office"}


def test_two_children_to_one_network_are_one_route() -> None:
    """As when two selectors differ in the protocol alone."""
    same = {"local_networks": "10.1.0.0/24", "remote_networks": "10.2.0.0/24"}
    site = config(office={k: v for k, v in OFFICE.items() if k not in same} | {"child": {"a": same, "b": same}}).sites[
        0
    ]
    assert len(site_home(site).routes) == 1
    assert site_home(site).traps == ()


def test_pool() -> None:
    """Our address is alone on the link; the networks are routed to it."""
    home = pool_home(gateway().pools[0])
    assert (home.name, home.interface) == ("pool road", "evpn-road")
    assert home.peers == ("road/password", "road/certificate", "road/psk", "road/eap-tls")
    assert home.addresses == (ip_interface("10.9.0.1/32"), ip_interface("fd09::1/128"))
    assert home.routes == (Route(ip_network("10.9.0.0/24")), Route(ip_network("fd09::/64")))


def test_pool_within_the_lan_is_answered_for() -> None:
    """A part of the LAN has no route of its own: each device that is in gets one."""
    home = pool_home(gateway(pool={"v4": "192.168.1.200-192.168.1.220", "v6": None, "proxy": True}).pools[0])
    assert (home.addresses, home.routes, home.proxied) == ((), (), True)


def test_pool_without_ipv6() -> None:
    """There is a network from which it is turned away."""
    config = gateway(pool={"v6": None})
    (without,) = homes(config, ipv6=False)
    assert (without.addresses, without.routes) == ((ip_interface("10.9.0.1/32"),), (Route(ip_network("10.9.0.0/24")),))
    spare = caught(config, config.pools[0])
    assert spare is not None
    assert spare.subnet is not None
    (home,) = homes(config)
    assert home.addresses == (*without.addresses, ip_interface(spare.first))
    assert home.routes == (*without.routes, Route(spare.subnet))


def test_all() -> None:
    assert [home.name for home in homes(gateway())] == ["pool road"]
