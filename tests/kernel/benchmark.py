"""What tunnels cost, by their number:  python -m tests.kernel.benchmark [memory] [netlink]

A tunnel is an interface, a route, two SAs and three policies. All come at once, from nothing; then nothing is to do;
then one more comes; then all go. `netlink` is the running kernel in a namespace of its own, which takes root and a
kernel with ESP and XFRM interfaces; where it has none, the guest of the lab does (`make bench-guest`). There the same
is made by `ip -batch`, too: what grows with the number for both is the kernel's. Nothing here fails: figures of one run
are to be compared with each other.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from tabulate import tabulate

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.ip_words import ip_words
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.namespaces import enter_new_network
from edgevpn.kernel.netlink import open_socket
from edgevpn.kernel.netlink_kernel import NetlinkKernel
from edgevpn.kernel.network_spec import LinkSpec, RouteSpec
from edgevpn.kernel.operations import Add, Operation
from edgevpn.kernel.reconcile import Desired, Plan, find, reconcile
from edgevpn.kernel.spec import OURS_IF_ID, OURS_REQID, Direction, PolicyKey, PolicySpec, SaSpec, Selector, Template
from tests.support.kernel import GCM, HERE

SIZES = (100, 1_000, 5_000)
SINGLES = 50
UPLINK = ("link add uplink type dummy", f"address add {HERE}/24 dev uplink", "link set dev uplink up")
"""As every gateway has one. Where no interface has an address, the kernel looks at each of them for every route."""
ANYWHERE = ip_address("0.0.0.0")  # noqa: S104 - of a template: whoever sends

T = TypeVar("T")


class Calls:
    """Opens sockets that count their system calls."""

    def __init__(self) -> None:
        self.count = 0

    def open(self, family: int, receive_buffer: int) -> socket.socket:
        calls, opened = self, open_socket(family, receive_buffer)

        class Counting(socket.socket):
            def send(self, *args: Any) -> int:
                calls.count += 1
                return super().send(*args)

            def recv(self, *args: Any) -> bytes:
                calls.count += 1
                return super().recv(*args)

        return Counting(fileno=opened.detach())


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What one tunnel has in the kernel."""

    link: LinkSpec
    route: RouteSpec
    policies: tuple[PolicySpec, ...]
    sas: tuple[SaSpec, ...]


def tunnel(number: int) -> Tunnel:
    if_id, reqid = OURS_IF_ID[number], OURS_REQID[number]
    far = ip_network(f"10.{number >> 8}.{number & 255}.0/24")
    near, peer = ip_network("192.168.1.0/24"), ip_address(f"198.18.{number >> 8}.{number & 255}")
    common: dict[str, Any] = {"reqid": reqid, "if_id": if_id, "cipher": GCM, "replay_window": 256}
    ways = (
        (Direction.OUT, Selector(near, far), Template(HERE, peer, reqid)),
        (Direction.IN, Selector(far, near), Template(ANYWHERE, ANYWHERE, reqid)),
        (Direction.FWD, Selector(far, near), Template(ANYWHERE, ANYWHERE, reqid)),
    )
    return Tunnel(
        LinkSpec(f"evpn-{number}", if_id),
        RouteSpec(destination=far, interface=f"evpn-{number}"),
        tuple(
            PolicySpec(key=PolicyKey(selector, direction, if_id), priority=1000, templates=(template,))
            for direction, selector, template in ways
        ),
        (
            SaSpec(source=HERE, destination=peer, spi=0x1000_0000 + number, **common),
            SaSpec(source=peer, destination=HERE, spi=0x2000_0000 + number, **common),
        ),
    )


def desired(tunnels: list[Tunnel]) -> Desired:
    return Desired(
        sas=frozenset(sa.key for each in tunnels for sa in each.sas),
        policies=tuple(policy for each in tunnels for policy in each.policies),
        links=tuple(each.link for each in tunnels),
        routes=tuple(each.route for each in tunnels),
    )


class Run:
    """One kernel and so many tunnels; milliseconds and system calls of each part."""

    def __init__(self, kernel: Kernel, calls: Calls, size: int) -> None:
        self._kernel = kernel
        self._calls = calls
        self._tunnels = [tunnel(number) for number in range(1, size + 1)]
        self._size = size
        self.rows: list[tuple[str, float, float, float]] = []

    def measure(self) -> None:
        """All parts in turn; each tunnel that is there is gone at the end."""
        wanted = desired(self._tunnels)
        operations = self._timed("what to do, from nothing", lambda: self._plan(wanted)).operations
        for what, kind in (("interfaces", LinkSpec), ("routes", RouteSpec), ("policies", PolicySpec)):
            part = [each for each in operations if isinstance(each, Add) and isinstance(each.what, kind)]
            self._timed(what, partial(self._apply, part))
        self._timed("SAs", lambda: self._apply([Add(sa) for each in self._tunnels for sa in each.sas]))
        assert self._timed("nothing to do", lambda: self._plan(wanted)) == Plan()
        self._timed("counters", self._kernel.count_sas)
        self._timed("one more, and away", self._singly, SINGLES)
        self._timed("away", self._kernel.flush_ours)

    def measure_ip(self) -> None:
        """The same made by ip(8), but for SAs; each tunnel that is there is gone at the end."""
        names = [each.link.name for each in self._tunnels]
        silent = [f"link set dev {name} addrgenmode none up" for name in names]
        links = [f"link add {each.link.name} type xfrm if_id {each.link.if_id}" for each in self._tunnels]
        self._timed("interfaces, by ip(8)", lambda: ip_batch([*links, *silent]))
        self._timed("routes, by ip(8)", lambda: ip_batch([words(Add(each.route)) for each in self._tunnels]))
        policies = [words(Add(policy)) for each in self._tunnels for policy in each.policies]
        self._timed("policies, by ip(8)", lambda: ip_batch(policies))
        self._kernel.flush_ours()

    def _timed(self, what: str, work: Callable[[], T], count: int = 0) -> T:
        calls, began = self._calls.count, time.perf_counter()
        done = work()
        took, count = time.perf_counter() - began, count or self._size
        self.rows.append((what, took * 1e3, took * 1e6 / count, (self._calls.count - calls) / count))
        return done

    def _plan(self, wanted: Desired) -> Plan:
        return reconcile(wanted, find(self._kernel))

    def _apply(self, operations: Sequence[Operation]) -> None:
        assert set(self._kernel.apply(operations)) == {None}

    def _singly(self) -> None:
        """As children come and go, an object at a time."""
        one, kernel = tunnel(0), self._kernel
        for number in range(SINGLES):
            sas = [replace(sa, spi=sa.spi + 0x100_0000 * (number + 1)) for sa in one.sas]
            for sa in sas:
                kernel.add_sa(sa)
            for policy in one.policies:
                kernel.update_policy(policy)
            for policy in one.policies:
                kernel.delete_policy(policy.key)
            for sa in sas:
                kernel.delete_sa(sa.key)


def words(operation: Operation) -> str:
    return ip_words(operation).removeprefix("ip ")


def ip_batch(commands: Sequence[str]) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)  # noqa: S607


def main(kinds: list[str]) -> None:
    for kind in kinds or ["memory"]:
        calls = Calls()
        if kind == "netlink":
            enter_new_network()
            ip_batch(UPLINK)
        rows = []
        for size in SIZES:
            kernel: Kernel = NetlinkKernel(calls.open) if kind == "netlink" else MemoryKernel()
            run = Run(kernel, calls, size)
            run.measure()
            if kind == "netlink":
                run.measure_ip()
            kernel.close()
            rows += [(f"{size} tunnels", *row) for row in run.rows]
            print(f"{kind}: {size} tunnels measured", flush=True)
        print(tabulate(rows, (kind, "", "ms", "us each", "system calls each"), floatfmt=("", "", ".0f", ".1f", ".2f")))


if __name__ == "__main__":
    main(sys.argv[1:])
