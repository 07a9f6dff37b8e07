"""The lab's network: two sites and two road warriors around one router that stands for the internet.

    host_a --lan-- gateway_a --wan-- internet --wan-- gateway_b --lan-- host_b
                                        |
                                      home (NAT) ---- phone
                                        +------------ laptop

An interface is named for what lies behind it. The internet routes no private prefix, so what reaches a far LAN
went through a tunnel.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from tests.lab.namespace import Namespace


@dataclass(frozen=True, slots=True)
class Uplink:
    """A veth pair from a node to the node that routes for it, which has the prefixes' first address."""

    node: str
    interface: str
    upstream: str
    upstream_interface: str
    v4: str
    v6: str


UPLINKS = (
    Uplink("gateway_a", "wan", "internet", "a", "192.0.2.0/24", "2001:db8:a::/64"),
    Uplink("gateway_b", "wan", "internet", "b", "198.51.100.0/24", "2001:db8:b::/64"),
    Uplink("home", "wan", "internet", "home", "203.0.113.0/24", "2001:db8:c::/64"),
    Uplink("host_a", "lan", "gateway_a", "lan", "10.1.0.0/24", "fd00:1::/64"),
    Uplink("host_b", "lan", "gateway_b", "lan", "10.2.0.0/24", "fd00:2::/64"),
    Uplink("phone", "wan", "home", "phone", "10.9.1.0/24", "2001:db8:c1:1::/64"),
    Uplink("laptop", "wan", "home", "laptop", "10.9.2.0/24", "2001:db8:c1:2::/64"),
)


@dataclass(frozen=True, slots=True)
class Interface:
    """An end of a link: its own addresses, the other end's, and the link's prefixes."""

    v4: str
    v6: str
    far4: str
    far6: str
    net4: str
    net6: str


class Node(Namespace):
    """A host or router of the network."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ends: dict[str, Interface] = {}
        self.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1, ipv6__conf__default__keep_addr_on_down=1)
        self.sysctl(ipv6__conf__default__dad_transmits=0)
        self.sysctl(ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0)

    @property
    def wan(self) -> Interface:
        return self.ends["wan"]

    @property
    def lan(self) -> Interface:
        return self.ends["lan"]

    def readdress(self, interface: str, *, v4: str = "", v6: str = "") -> None:
        """Give an interface other addresses of its prefixes; the default routes stay."""
        end = self.ends[interface]
        commands = []
        if v4:
            width = end.net4.partition("/")[2]
            commands += [
                f"address delete {end.v4}/{width} dev {interface}",
                f"address add {v4}/{width} dev {interface}",
            ]
            commands += [f"route replace default via {end.far4} dev {interface}"]
        if v6:
            width = end.net6.partition("/")[2]
            commands += [
                f"address add {v6}/{width} dev {interface} nodad",
                f"address delete {end.v6}/{width} dev {interface}",
            ]
            commands += [f"route replace default via {end.far6} dev {interface}"]
        self.ip(*commands)
        self.ends[interface] = Interface(v4 or end.v4, v6 or end.v6, end.far4, end.far6, end.net4, end.net6)

    def impair(self, interface: str, discipline: str) -> None:
        """Lose, delay or reorder what leaves by an interface, as netem says it: "loss 5% delay 20ms"; "" ends it."""
        if discipline:
            self.run("tc", "qdisc", "replace", "dev", interface, "root", "netem", *discipline.split())
        else:
            self.run("tc", "qdisc", "delete", "dev", interface, "root")

    def restore(self) -> None:
        """Remove what a peer left behind: SAs, policies, links, routing table 220, nftables rules."""
        links = [f"link delete dev {name}" for name in sorted(self._made_by_peers())]
        self.ip("xfrm state flush", "xfrm policy flush", *links)
        self.run("ip", "route", "flush", "table", "220", check=False)

    def _made_by_peers(self) -> set[str]:
        return {
            name for name in self.interfaces() if name not in self.ends and name.startswith(("evpn", "ipsec", "xfrm"))
        }

    def forget_flows(self) -> None:
        """Empty the connection tracking table (ctnetlink, IPCTNL_MSG_CT_DELETE without a tuple)."""
        delete, flags = (1 << 8) | 2, 0x1 | 0x4  # NFNL_SUBSYS_CTNETLINK; NLM_F_REQUEST, NLM_F_ACK
        message = struct.pack("=IHHIIBBH", 20, delete, flags, 1, 0, socket.AF_UNSPEC, 0, 0)
        with self.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:
            netfilter.send(message)
            (error,) = struct.unpack_from("=i", netfilter.recv(4096), 16)
        assert error == 0, f"{self.name}: {error}"


class Network:
    """All nodes and links; `network["gateway_a"]` is a node."""

    def __init__(self, uplinks: tuple[Uplink, ...] = UPLINKS) -> None:
        names = dict.fromkeys(name for uplink in uplinks for name in (uplink.upstream, uplink.node))
        self.nodes = {name: Node(name) for name in names}
        self.uplinks = {uplink.node: uplink for uplink in uplinks}
        addresses = {name: list[str]() for name in names}
        for uplink in uplinks:
            self._link(uplink, addresses)
        for name, commands in addresses.items():
            self.nodes[name].ip(*commands)

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def close(self) -> None:
        for node in self.nodes.values():
            node.close()

    def _link(self, uplink: Uplink, commands: dict[str, list[str]]) -> None:
        """Make the pair at once; gather the addresses, so that each node needs one process for all its links."""
        node, upstream = self.nodes[uplink.node], self.nodes[uplink.upstream]
        far = uplink.upstream_interface
        node.ip(f"link add {uplink.interface} type veth peer name {far} netns {upstream.tid}")
        net4, net6 = IPv4Network(uplink.v4), IPv6Network(uplink.v6)
        node.ends[uplink.interface] = Interface(
            str(net4[2]), str(net6[2]), str(net4[1]), str(net6[1]), uplink.v4, uplink.v6
        )
        upstream.ends[far] = Interface(str(net4[1]), str(net6[1]), str(net4[2]), str(net6[2]), uplink.v4, uplink.v6)
        for owner, interface, number in ((uplink.node, uplink.interface, 2), (uplink.upstream, far, 1)):
            commands[owner] += [
                f"link set dev {interface} up gso_max_segs 1",  # packets as on a wire, each of them counted
                f"address add {net4[number]}/{net4.prefixlen} dev {interface}",
                f"address add {net6[number]}/{net6.prefixlen} dev {interface} nodad",
            ]
        commands[uplink.node] += [f"route add default via {net4[1]}", f"route add default via {net6[1]}"]

    @contextmanager
    def unplugged(self, name: str) -> Iterator[None]:
        """The node's uplink without carrier, for the length of the block."""
        uplink = self.uplinks[name]
        upstream, far = self.nodes[uplink.upstream], uplink.upstream_interface
        upstream.ip(f"link set dev {far} down")
        try:
            yield
        finally:
            upstream.ip(f"link set dev {far} up")

    @contextmanager
    def silenced(self, name: str) -> Iterator[None]:
        """The node's upstream drops all that the node sends and should get, for the length of the block."""
        uplink = self.uplinks[name]
        upstream, far = self.nodes[uplink.upstream], uplink.upstream_interface
        rule = f'iifname "{far}" drop\noifname "{far}" drop'
        upstream.nft(
            f"table inet silence_{name} {{ chain forward {{ type filter hook forward priority 0\n{rule}\n}}\n}}\n"
        )
        try:
            yield
        finally:
            upstream.nft(f"delete table inet silence_{name}\n")


class Nat:
    """The upstream of a node translates it: hidden behind the upstream's own address, IKE ports forwarded to it.

    A gateway behind NAT is reached at the other gateway's `wan.far4`.
    """

    def __init__(self, network: Network, name: str, *, forward: bool = True) -> None:
        self.uplink = network.uplinks[name]
        self.upstream, self.inside = network[self.uplink.upstream], network[name].ends[self.uplink.interface]
        self.forward = forward
        self.table = f"nat_{name}"
        self._apply("masquerade")

    def rebind(self, ports: str = "40000-50000") -> None:
        """Forget all mappings; new ones get other ports."""
        self._apply(f"meta l4proto {{ tcp, udp }} masquerade to :{ports}\nip saddr {self.inside.net4} masquerade")

    def remove(self) -> None:
        self.upstream.nft(f"delete table ip {self.table}\n")
        self.upstream.forget_flows()

    def _apply(self, masquerade: str) -> None:
        far = self.uplink.upstream_interface
        lines = masquerade.splitlines()
        leaving = f'ip saddr {self.inside.net4} oifname != "{far}" rt ipsec missing'  # its own tunnels take the rest
        out = "\n".join(f"{leaving} {line}" for line in lines)
        into = f'iifname != "{far}" fib daddr type local udp dport {{ 500, 4500 }} dnat to {self.inside.v4}'
        self.upstream.nft(f"""
            table ip {self.table}
            delete table ip {self.table}
            table ip {self.table} {{
                chain post {{
                    type nat hook postrouting priority srcnat
                    {out}
                }}
                chain pre {{
                    type nat hook prerouting priority dstnat
                    {into if self.forward else ""}
                }}
            }}
        """)
        self.upstream.forget_flows()


def home_network(*more: Uplink) -> Network:
    """The network with the home router's NAT and IPv6 prefix in place, and `more` hosts behind it: `guest_uplink`."""
    network = Network((*UPLINKS, *more))
    home, internet = network["home"], network["internet"]
    internet.ip(f"route add 2001:db8:c1::/48 via {home.wan.v6}")
    for name in ("phone", "laptop", *(uplink.node for uplink in more)):
        Nat(network, name, forward=False)
    return network


def guest_uplink(number: int) -> Uplink:
    """One more host behind the home router: guest_1, guest_2, and so on."""
    v4, v6 = f"10.9.{100 + number}.0/24", f"2001:db8:c1:{100 + number}::/64"
    return Uplink(f"guest_{number}", "wan", "home", f"guest_{number}", v4, v6)
