"""Install, upgrade, remove, reinstall: what is on the router afterwards, in firewall and files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openwrt.builder import ipk
from openwrt.builder.archive import Entry, File
from openwrt.builder.ipk import Ipk
from openwrt.builder.packages import Package
from tests.openwrt.conftest import EPOCH
from tests.openwrt.router import FIREWALL, Router

# Marked for the guest, where busybox is: mark.netns is on the shell in conftest.py.

ZONE = ["evpn", "evpn_from_lan", "evpn_to_lan", "evpn_to_wan"]
CREATED = """
config zone 'evpn'
	option name 'evpn'
	list device 'evpn+'
	option input 'ACCEPT'
	option output 'ACCEPT'
	option forward 'ACCEPT'
	option mtu_fix '1'

config forwarding 'evpn_from_lan'
	option src 'lan'
	option dest 'evpn'

config forwarding 'evpn_to_lan'
	option src 'evpn'
	option dest 'lan'

config forwarding 'evpn_to_wan'
	option src 'evpn'
	option dest 'wan'
"""


@pytest.fixture
def first(ipks: dict[str, Ipk]) -> bytes:
    """The package as it is."""
    return ipks["edgevpn"].content


@pytest.fixture
def second(packages: dict[str, Package]) -> bytes:
    """A later one, whose /etc/config/edgevpn comes with another line."""

    def changed(entry: Entry) -> Entry:
        if isinstance(entry, File) and entry.path == "etc/config/edgevpn":
            return replace(entry, content=entry.content + b"# later\n")
        return entry

    package = packages["edgevpn"]
    return ipk.build(replace(package, entries=tuple(map(changed, package.entries))), EPOCH).content


def test_install(router: Router, first: bytes) -> None:
    router.install("edgevpn", first)

    assert router.read("etc/config/firewall") == FIREWALL + CREATED
    assert not router.has("etc/uci-defaults/80-edgevpn")
    assert sorted(path.name for path in router.root.glob("etc/rc.d/*")) == ["K10edgevpn", "S90edgevpn"]
    assert "procd_open_instance daemon\n" in router.calls()


def test_zone_is_made_once(router: Router, first: bytes, second: bytes) -> None:
    """Who has removed it is not overruled by an upgrade."""
    router.install("edgevpn", first)
    for section in ZONE:
        router.run("-c", f"uci delete firewall.{section}")

    router.upgrade("edgevpn", second)

    assert router.sections("firewall") == []


def test_zone_of_the_owner(router: Router, first: bytes) -> None:
    """Who has a zone for our interfaces already keeps that one alone."""
    own = FIREWALL + "\nconfig zone 'vpn'\n\toption name 'vpn'\n\tlist device 'evpn-home'\n"
    router.write("etc/config/firewall", own)

    router.install("edgevpn", first)

    assert router.read("etc/config/firewall") == own


def test_zones_of_other_names(router: Router, first: bytes) -> None:
    """A forwarding to a zone that does not exist would be a fault in the firewall."""
    router.write("etc/config/firewall", FIREWALL.replace("'lan'", "'home'"))

    router.install("edgevpn", first)

    assert router.sections("firewall") == ["evpn", "evpn_to_wan"]


def test_no_firewall(router: Router, first: bytes) -> None:
    router.root.joinpath("etc/config/firewall").unlink()

    router.install("edgevpn", first)

    assert not router.has("etc/config/firewall")
    assert not router.has("etc/edgevpn/.firewall-zone")


def test_upgrade_keeps_what_was_changed(router: Router, first: bytes, second: bytes) -> None:
    router.install("edgevpn", first)
    router.write("etc/config/edgevpn", "config edgevpn 'main'\n\toption enabled '1'\n")
    router.write("etc/edgevpn/edgevpn.toml", "[site.office]\n")
    router.calls()

    router.upgrade("edgevpn", second)

    assert router.read("etc/config/edgevpn") == "config edgevpn 'main'\n\toption enabled '1'\n"
    assert router.read("etc/config/edgevpn-opkg").endswith("# later\n")
    assert router.read("etc/edgevpn/edgevpn.toml") == "[site.office]\n"
    assert router.sections("firewall") == ZONE
    calls = router.calls()
    assert calls.startswith("procd_kill edgevpn\nprocd_set_config_changed firewall\nprocd_open_service edgevpn\n")
    assert "firewall reload" not in calls


def test_upgrade_of_what_was_not_changed(router: Router, first: bytes, second: bytes) -> None:
    router.install("edgevpn", first)

    router.upgrade("edgevpn", second)

    assert router.read("etc/config/edgevpn").endswith("# later\n")
    assert not router.has("etc/config/edgevpn-opkg")


def test_upgrade_leaves_it_disabled(router: Router, first: bytes, second: bytes) -> None:
    """Who has taken it out of the boot finds it out of it afterwards."""
    router.install("edgevpn", first)
    router.service("disable")

    router.upgrade("edgevpn", second)

    assert not list(router.root.glob("etc/rc.d/*"))


def test_remove(router: Router, ipks: dict[str, Ipk]) -> None:
    """Nothing of ours is left but what the owner wrote, and his keys."""
    before = router.files()
    for name in ("edgevpn", "edgevpn-web", "luci-app-edgevpn"):
        router.install(name, ipks[name].content)
    router.write("etc/edgevpn/edgevpn.toml", "[site.office]\n")
    router.write("etc/edgevpn/pki/ca.key", "a key")
    router.calls()

    for name in ("luci-app-edgevpn", "edgevpn-web", "edgevpn"):
        router.remove(name)

    assert router.read("etc/config/firewall") == FIREWALL
    assert router.calls() == (
        'ubus call service delete {"name":"edgevpn","instance":"web"}\n'
        "firewall reload\n"
        "procd_kill edgevpn\n"
        "procd_set_config_changed firewall\n"
    )
    assert router.files() - before == {"etc/edgevpn/edgevpn.toml", "etc/edgevpn/pki/ca.key"}
    assert not list(router.root.glob("etc/rc.d/*"))


def test_reinstall(router: Router, first: bytes) -> None:
    router.install("edgevpn", first)
    router.write("etc/edgevpn/edgevpn.toml", "[site.office]\n")
    router.remove("edgevpn")

    router.install("edgevpn", first)

    assert router.read("etc/config/firewall") == FIREWALL + CREATED
    assert router.read("etc/edgevpn/edgevpn.toml") == "[site.office]\n"
    assert "procd_open_instance daemon\n" in router.calls()
