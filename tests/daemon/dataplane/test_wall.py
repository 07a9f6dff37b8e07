"""What the firewall shall do, and that it is brought there once for many changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.daemon.addresses.prefixes import resolved
from edgevpn.daemon.dataplane.wall import OUTSIDE, Wall, is_managed, lans, uplinks, wanted
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.firewall import Device, FirewallSpec, Flow, Tunnel
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec
from edgevpn.kernel.network_spec import Path as Way
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.nftables import Command, Present
from edgevpn.kernel.spec import OURS_IF_ID
from tests.support.configs import OFFICE
from tests.support.gateways import until
from tests.support.visitors import gateway

SITE = {"office": OFFICE}


def test_what_is_wanted() -> None:
    config = gateway(pool={"v6": None}, site=SITE)
    mtus = {"evpn-road": 1400, "evpn-office": 1438}
    spec = wanted(config, ["br-lan"], ["wan"], mtus, {"phone": [ip_address("10.9.0.2")], "no set\n": []})

    assert spec.listen == {ip_address("127.0.0.1")}
    assert spec.tunnels == (Tunnel("evpn-road", 1400, ipv6=False), Tunnel("evpn-office", 1438))
    zones = {zone.name: set(zone.interfaces) for zone in spec.zones}
    assert zones == {"lan": {"br-lan"}, "wan": {"wan"}, "pool": {"evpn-road"}, "site": {"evpn-office"}}
    assert Flow("pool", "lan") in spec.flows
    assert spec.masquerade == (ip_network("10.9.0.0/24"),)
    assert spec.devices == (Device("phone", frozenset({ip_address("10.9.0.2")})),)


def test_what_the_provider_gives_is_not_hidden() -> None:
    config = gateway(pool={"v6": "::9:0:0:0/80", "v6_prefix_of": "br-lan"})
    whole = resolved(config, [AddressSpec("br-lan", ip_interface("2001:db8:2::1/64"))])
    assert wanted(whole, [], [], {}, {}).masquerade == (ip_network("10.9.0.0/24"),)


def test_what_the_owner_does_not_want() -> None:
    rules = {"masquerade": False, "mss_clamp": False, "reject_v6": False, "forward": ["pool-lan"]}
    config = gateway(pool={"v6": None}, firewall=rules, gateway={"listen": ["0.0.0.0"]})  # noqa: S104
    spec = wanted(config, [], [], {"evpn-road": 1400}, {})
    assert (spec.masquerade, spec.tunnels, spec.listen) == ((), (Tunnel("evpn-road"),), frozenset())
    assert spec.flows == (Flow("pool", "lan"),)
    assert is_managed(config)
    assert not is_managed(gateway(firewall={"manage": "off"}))


def test_split_tunnels_need_no_address_of_ours() -> None:
    config = gateway(pool={"mode": "split", "networks": "192.168.1.0/24", "v6": None})
    spec = wanted(config, [], [], {}, {})
    assert (spec.masquerade, spec.tunnels[0].ipv6) == ((), True)


def test_where_the_lan_is() -> None:
    """All private addresses, but for the line to the Internet and our own interfaces."""
    kernel = MemoryKernel()
    for number, (name, text) in enumerate((("evpn-lan", "192.168.1.1/24"), ("evpn-road", "10.9.0.1/24"))):
        kernel.add_link(LinkSpec(name, OURS_IF_ID[number]))
        kernel.add_address(AddressSpec(name, ip_interface(text)))
    kernel.set_path(ip_network(OUTSIDE[0]), Way("ppp", ip_address("192.0.2.1"), None, 1492))
    kernel.set_path(ip_network(OUTSIDE[1]), None)
    config = gateway()
    wan = uplinks(config, kernel)
    assert "ppp" in wan
    assert "evpn-lan" in lans(config, kernel, wan, ["evpn-road"])
    assert "evpn-road" not in lans(config, kernel, wan, ["evpn-road"])

    set_by_hand = gateway(firewall={"lan": ["lan0"], "wan": ["wan0"]})
    assert uplinks(set_by_hand, kernel) == {"wan0"}
    assert lans(set_by_hand, kernel, [], []) == {"lan0"}


class Recording(Nft):
    """An nft that carries out nothing; `faulty` says that it cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Sequence[Command]] = []
        self.faulty = False

    def present(self) -> Present | None:
        if self.faulty:
            raise KernelError("list our nft table", 1, "no")
        return None

    def change(self, commands: Sequence[Command]) -> None:
        self.changes.append(commands)


async def test_many_changes_are_one(caplog: pytest.LogCaptureFixture) -> None:
    nft = Recording()
    wall = Wall(nft, lambda: FirewallSpec())
    task = asyncio.create_task(wall.run())
    for _ in range(100):
        wall.touch()
    await until(lambda: bool(nft.changes))
    assert len(nft.changes) == 1

    nft.faulty = True
    for _ in range(2):
        wall.touch()
        await until(lambda: "firewall_not_set" in caplog.text)
    wall.close()
    assert caplog.text.count("firewall_not_set") == 1
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
