"""The kernel's side of tunnels: interfaces and routes while a home is configured, SAs while a child is up.

What belongs together bears the same tags: the if_id is the home's, the reqid that of the children with the same
selectors, so that a child that follows another takes over its policies.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from edgevpn.config.services import Offload
from edgevpn.daemon.dataplane.early import EarlyPackets
from edgevpn.daemon.dataplane.esp import (
    TRAP,
    UP,
    Lifetimes,
    encap_in,
    encap_out,
    inbound_sa,
    inward,
    outbound_sa,
    outward,
    outward_of,
)
from edgevpn.daemon.dataplane.homes import Home
from edgevpn.daemon.dataplane.housing import Housing, Numbers
from edgevpn.daemon.dataplane.mtu import Wrapping, tunnel_mtu
from edgevpn.daemon.dataplane.neighbours import Neighbours
from edgevpn.daemon.dataplane.offload import BY_CPU, UNASKED, Carrier, Offloader, for_card
from edgevpn.daemon.dataplane.policies import Policies
from edgevpn.daemon.peers import Selectors
from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import Endpoints
from edgevpn.ike.iana import TsType
from edgevpn.ike.peer import Mode
from edgevpn.ike.state import ChildSa
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError, NotFound
from edgevpn.kernel.network_spec import AddressSpec, RouteSpec, RuleSpec
from edgevpn.kernel.reconcile import Desired
from edgevpn.kernel.spec import (
    OURS_REQID,
    Direction,
    IpAddress,
    PolicyKey,
    PolicySpec,
    SaCounts,
    SaKey,
    SaState,
    Tags,
)

WANTED = (Offload.CRYPTO, Offload.PACKET)
"""The wishes that are to be met, where AUTO leaves it to the hardware."""


@dataclass(frozen=True, slots=True)
class Group:
    """The children of a peer that carry the same packets, one after the other."""

    peer: str
    child: str
    selectors: Selectors


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went over a child: octets in and out, and when a packet last came in (monotonic seconds), if ever.

    `carriers`: who works for what we receive, and for what we send. `undeciphered`: packets that came and could not be
    decrypted.
    """

    octets_in: int = 0
    octets_out: int = 0
    heard: float | None = None
    carriers: tuple[Carrier, Carrier] = (BY_CPU, BY_CPU)
    undeciphered: int = 0


@dataclass(frozen=True, slots=True)
class Installed:
    """A child in the kernel: what finds its SAs, the policies that let its packets in, and while it sends out."""

    child: ChildSa
    ends: Endpoints
    tags: Tags
    inbound: SaKey
    inward: tuple[PolicySpec, ...] = ()
    outbound: SaKey | None = None
    outward: tuple[PolicySpec, ...] = ()
    carriers: tuple[Carrier, Carrier] = (BY_CPU, BY_CPU)  # inbound, outbound

    @property
    def lets_in_by(self) -> tuple[object, ...]:
        """What `inward` follows from; the tags stand for the selectors."""
        return self.tags, self.ends.path.remote.host.version, self.child.mode, self.carriers[0].wraps

    @property
    def sends_by(self) -> tuple[object, ...]:
        """What `outward` follows from."""
        path = self.ends.path
        return self.tags, path.local.host, path.remote.host, self.child.mode, self.carriers[1].wraps


class Dataplane:
    """Keeps the kernel as homes and children want it. Every call may raise KernelError."""

    def __init__(
        self,
        kernel: Kernel,
        clock: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._kernel = kernel
        self._chance = chance
        self._housing = Housing(kernel)
        self._neighbours = Neighbours(kernel)
        self._offloader = Offloader(kernel)
        self._clock = clock
        self._unix_time = unix_time
        self._free_reqids = Numbers(OURS_REQID)
        self._reqids: dict[Group, int] = {}
        self._groups: dict[int, Group] = {}
        self._children: dict[bytes, Installed] = {}
        self._spis_in: dict[SaKey, bytes] = {}
        self._policies = Policies(kernel)
        self.early = EarlyPackets(kernel, clock)

    # --- homes ---

    def begin(self, *homes: Home) -> None:
        """Make the first homes, of what a predecessor has left and of what is missing; all else of ours goes."""
        self._make(homes, self._housing.begin)

    def add(self, *homes: Home) -> None:
        """Make interfaces and their routes: packets to what lies behind them can no longer leave in clear."""
        self._make(homes, self._housing.add)

    def _make(self, homes: tuple[Home, ...], make: Callable[[tuple[Home, ...]], None]) -> None:
        try:
            make(homes)
        except KernelError:
            self._housing.remove(homes)
            raise

    def renew(self, old: Home, new: Home) -> None:
        """Make of one home the other, under the same name, without touching its children."""
        self._housing.renew(old, new)

    def remove(self, *homes: Home) -> None:
        """Remove all that `add` and the children made."""
        peers = {peer for home in homes for peer in home.peers}
        for each in [each for each in self._children.values() if each.ends.peer in peers]:
            self.remove_child(each.child)
        if_ids = {self._housing.if_id(home) for home in homes}
        self._policies.untrap(lambda key: key.if_id in if_ids)
        for group in [group for group in self._reqids if group.peer in peers]:
            self._ungroup(group)
        self._housing.remove(homes)

    def meet(self, peer: str, addresses: Iterable[IpAddress]) -> None:
        """A peer is, or will be called, at these addresses: packets to them do not go into its own tunnel."""
        self._housing.meet(peer, addresses)

    def set_traps(self, peer: str, local: IpAddress, remote: IpAddress) -> None:
        """Have the kernel ask for those children of a peer that start by traffic, between these two addresses."""
        made: list[PolicySpec] = []
        for child, pair in self._housing.of(peer).traps:
            made += outward(*pair, (local, remote), Mode.TUNNEL, self._tags(Group(peer, child, pair)), TRAP)
        self._policies.trap(made)

    def lend(self, peer: str, addresses: Iterable[IpAddress]) -> None:
        """A site has given us these addresses: packets of our own to its networks bear them from now on."""
        self._housing.lend(peer, addresses)

    def take_back(self, peer: str) -> None:
        """What a site has given us is not ours any more."""
        self._housing.take_back(peer)

    def child_asked(self, reqid: int) -> tuple[str, str] | None:
        """Peer and child that a packet without an SA belongs to, by the reqid of its policy."""
        group = self._groups.get(reqid)
        return (group.peer, group.child) if group else None

    # --- children ---

    def install_inbound(self, child: ChildSa, ends: Endpoints) -> None:
        """Receive on a child from now on: whatever comes by its SA finds policies that let it in."""
        self.meet(ends.peer, (ends.path.remote.host,))
        home = self._housing.of(ends.peer)
        tags = self._tags(Group(ends.peer, child.name, (child.ts_local, child.ts_remote)))
        spec = inbound_sa(child, ends, tags, self._lives(home, child))
        carrier, key = self._offloader.add(spec, Direction.IN, home.offload), spec.key
        self._spis_in[key] = child.spi_in
        self._let_in(Installed(child, ends, tags, key, carriers=(carrier, carrier)))
        self.early.deliver(child.spi_in)
        self._ask_cards(child)
        if home.proxied:
            self._neighbours.welcome(home.interface, _hosts(child))

    def install_outbound(self, child: ChildSa, ends: Endpoints) -> bool:
        """Send on a child from now on: its addresses are in the policies, and its SA is the newest that they find.

        False, and nothing is done, if its inbound half was refused.
        """
        known = self._children.get(child.spi_in)
        if known is None:
            return False
        home = self._housing.of(ends.peer)
        spec = outbound_sa(child, ends, known.tags, self._lives(home, child))
        carrier, key = self._offloader.add(spec, Direction.OUT, home.offload), spec.key
        self._spis_in[key] = child.spi_in
        self._send_by(replace(known, ends=ends, outbound=key, carriers=(known.carriers[0], carrier)))
        self._ask_cards(child)
        self._set_mtu(child, ends)
        return True

    def is_alone(self, child: ChildSa) -> bool:
        """Whether no other child sends the same packets: this one does not follow upon another."""
        known = self._children.get(child.spi_in)
        return known is not None and self._policies.are_of_one(known.outward)

    def move(self, child: ChildSa, ends: Endpoints) -> None:
        """Both SAs of a child have other ends from now on; keys and sequence numbers stay.

        The inbound one goes first: what it misses meanwhile would be answered to where nobody is any more.
        """
        known = self._children.get(child.spi_in)
        if known is None or known.ends == ends:
            return
        local, remote = ends.path.local.host, ends.path.remote.host
        self.meet(ends.peer, (remote,))
        wish, outbound = self._housing.of(ends.peer).offload, known.outbound
        inbound, carrier = self._offloader.move(known.inbound, remote, local, encap_in(ends), Direction.IN, wish)
        carriers = carrier, carrier
        self._found_at(known.inbound, inbound, child)
        self._children[child.spi_in] = replace(known, inbound=inbound)  # should the other not be able to follow
        if outbound is not None:
            before = outbound
            outbound, carrier = self._offloader.move(outbound, local, remote, encap_out(ends), Direction.OUT, wish)
            carriers = carriers[0], carrier
            self._found_at(before, outbound, child)
        self._hold(Installed(child, ends, known.tags, inbound, outbound=outbound, carriers=carriers))
        self._ask_cards(child)

    def _found_at(self, before: SaKey, key: SaKey, child: ChildSa) -> None:
        """An SA of a child has another key now."""
        self._spis_in.pop(before, None)
        self._spis_in[key] = child.spi_in

    def _hold(self, new: Installed) -> None:
        """A child is in the kernel like this, and has the policies that belong to it."""
        self._let_in(new)
        if new.outbound:
            self._send_by(self._children[new.child.spi_in])

    def _let_in(self, new: Installed) -> None:
        new = self._children[new.child.spi_in] = replace(new, inward=self._inward(new))
        self._policies.have(new.child.spi_in, new.inward)

    def _send_by(self, new: Installed) -> None:
        new = self._children[new.child.spi_in] = replace(new, outward=self._outward(new))
        self._policies.have(new.child.spi_in, new.outward)

    def _ask_cards(self, child: ChildSa) -> None:
        """Find out who else could work for SAs that the CPU has got unasked, as packets were on their way.

        Both go the same way: where no card works for the one, none does for the other.
        """
        known = self._children[child.spi_in]
        if UNASKED not in known.carriers:
            return
        wish, (inward_by, outward_by) = self._housing.of(known.ends.peer).offload, known.carriers
        what = child, known.ends, known.tags, Lifetimes()
        if inward_by == UNASKED:
            inward_by = self._offloader.asked(inbound_sa(*what), Direction.IN, wish)
        if known.outbound is None or not inward_by.by_card:
            outward_by = inward_by
        elif outward_by == UNASKED:
            outward_by = self._offloader.asked(outbound_sa(*what), Direction.OUT, wish)
        known = self._children[child.spi_in] = replace(known, carriers=(inward_by, outward_by))
        if inward_by.by_card or outward_by.by_card:
            self._hold(known)

    def remove_outbound(self, child: ChildSa) -> None:
        """Never send on a child again; what is under way to us still comes in."""
        known = self._children.get(child.spi_in)
        if known is None or known.outbound is None:
            return
        self._children[child.spi_in] = replace(known, outbound=None, outward=())
        self._policies.have_no_more(child.spi_in, known.outward)
        self._delete(known.outbound)

    def remove_child(self, child: ChildSa) -> None:
        """Remove both SAs of a child, and the policies that no other has."""
        self.remove_outbound(child)
        known = self._children.pop(child.spi_in, None)
        if known is None:
            return
        try:
            self._delete(known.inbound)  # before the policies: what it still lets in would else meet none
        finally:
            self._policies.have_no_more(child.spi_in, known.inward)
        if self._housing.of(known.ends.peer).proxied:
            self._neighbours.part(_hosts(child))

    def close(self) -> None:
        """Leave what is not ours as it was."""
        self.early.close()
        self._housing.close()
        self._neighbours.close()

    def spi_in_of(self, key: SaKey) -> bytes | None:
        """The inbound SPI of the child one of whose SAs has this key."""
        return self._spis_in.get(key)

    # --- counters ---

    def traffic(self, child: ChildSa) -> Traffic:
        """What the kernel has counted for a child since it is there."""
        return self._counted(child, self._read)

    def survey(self) -> Callable[[ChildSa], Traffic]:
        """The same for whoever asks about many children: what all had counted now, read at once."""
        counts = self._kernel.count_sas()
        return lambda child: self._counted(child, lambda key: counts.get(key) if key else None)

    def _counted(self, child: ChildSa, read: Callable[[SaKey | None], SaState | SaCounts | None]) -> Traffic:
        known = self._children.get(child.spi_in)
        if known is None:
            return Traffic()
        inbound, outbound = read(known.inbound), read(known.outbound)
        heard = None
        if inbound and inbound.last_used_at:
            heard = self._clock() - max(0.0, self._unix_time() - inbound.last_used_at)
        octets_in, octets_out = inbound.octets if inbound else 0, outbound.octets if outbound else 0
        return Traffic(octets_in, octets_out, heard, known.carriers, inbound.forged if inbound else 0)

    def heard(self, spis_in: Iterable[bytes]) -> float | None:
        """When a packet last came in on any of these, if ever."""
        times = [self.traffic(self._children[spi].child).heard for spi in spis_in if spi in self._children]
        return max((at for at in times if at is not None), default=None)

    # --- what shall be there ---

    def desired(self) -> Desired:
        """All that is to be in the kernel by now."""
        return Desired(
            sas=frozenset(self._spis_in),
            policies=tuple(self._policies),
            links=tuple(self._housing.links.values()),
            addresses=self._housing.addresses,
            routes=(*self._housing.routes(), *self._neighbours.routes),
            rules=self._housing.rules,
            proxies=self._neighbours.proxies,
        )

    def policy(self, key: PolicyKey) -> PolicySpec | None:
        """What is to be at that key: the newest child's policy, else the trap, else none."""
        return self._policies.at(key)

    def has_link(self, name: str) -> bool:
        """Whether that interface is one of ours."""
        return name in self._housing.links

    def has_address(self, spec: AddressSpec) -> bool:
        """Whether that address is to be there."""
        return spec in self._housing.addresses

    def has_route(self, spec: RouteSpec) -> bool:
        """Whether a route of ours is to be at the place of this one."""
        return self._housing.leads(spec.place) or spec.place in {route.place for route in self._neighbours.routes}

    def has_rule(self, rule: RuleSpec) -> bool:
        """Whether that rule is to be there."""
        return rule in self._housing.rules

    def unmet(self) -> dict[str, str]:
        """The homes whose owner wants a network card to cipher where none does, with the reason."""
        return {
            home.name: known.carriers[1].why
            for known in self._children.values()
            if (home := self._housing.of(known.ends.peer)).offload in WANTED and not known.carriers[1].by_card
        }

    # --- below ---

    def _set_mtu(self, child: ChildSa, ends: Endpoints) -> None:
        """Have the interface take no packet that would not fit the path once it is wrapped."""
        home, path = self._housing.of(ends.peer), ends.path
        if home.mtu is not None:
            return
        with suppress(NotFound):
            way = self._kernel.path_to(path.remote.host, path.local.host)
            wrapping = Wrapping(path.remote.host.version, ends.nat, child.suite, child.mode)
            inner_ipv6 = any(ts.ts_type is TsType.IPV6_ADDR_RANGE for ts in child.ts_remote)
            self._housing.set_mtu(home, tunnel_mtu(way.mtu, wrapping, inner_ipv6))

    def _tags(self, group: Group) -> Tags:
        reqid = self._reqids.get(group)
        if reqid is None:
            reqid = self._free_reqids.take()
            self._reqids[group], self._groups[reqid] = reqid, group
        return Tags(reqid, self._housing.if_id(self._housing.of(group.peer)))

    def _ungroup(self, group: Group) -> None:
        reqid = self._reqids.pop(group)
        del self._groups[reqid]
        self._free_reqids.give_back(reqid)

    def _lives(self, home: Home, child: ChildSa) -> Lifetimes:
        return home.lifetimes[child.name].of(child).sooner(self._chance())

    def _inward(self, new: Installed) -> tuple[PolicySpec, ...]:
        """What lets in a child's packets: as the child before it has it, if the same is true of both."""
        before, child = self._before(new), new.child
        if before is not None and before.lets_in_by == new.lets_in_by:
            return before.inward
        version = new.ends.path.remote.host.version
        made = inward(child.ts_local, child.ts_remote, version, child.mode, new.tags, UP)
        return for_card(made, new.carriers[0])

    def _outward(self, new: Installed) -> tuple[PolicySpec, ...]:
        """What asks for a child's SA; likewise."""
        before, path = self._before(new), new.ends.path
        if before is not None and before.outward and before.sends_by == new.sends_by:
            return before.outward
        made = outward_of(new.inward, (path.local.host, path.remote.host), new.child.mode, new.tags)
        return for_card(made, new.carriers[1])

    def _before(self, new: Installed) -> Installed | None:
        """The child in whose place this one was made, while that is there."""
        return self._children.get(new.child.replaces) if new.child.replaces else None

    def _delete(self, key: SaKey) -> None:
        self._spis_in.pop(key, None)
        with suppress(NotFound):  # its hard lifetime was over
            self._kernel.delete_sa(key)

    def _read(self, key: SaKey | None) -> SaState | None:
        if key is None:
            return None
        try:
            return self._kernel.get_sa(key)
        except NotFound:
            return None


def _hosts(child: ChildSa) -> list[IpAddress]:
    """The addresses of a visitor."""
    return [ts.start_address for ts in child.ts_remote]
