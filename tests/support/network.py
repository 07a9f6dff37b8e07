"""The network between two endpoints: who has which address, and what hides behind which NAT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Generic, TypeVar

from edgevpn.ike.peer import IpAddress
from edgevpn.ike.state import Address

Owner = TypeVar("Owner")

NO_PORT = 0  # of ESP that does not travel in UDP


@dataclass
class Nat:
    """Gives what comes from `inside` the address `outside`, and lets in only answers, until it forgets (`rebind`)."""

    outside: IpAddress
    inside: set[IpAddress]
    _ports: Iterable[int] = field(default_factory=lambda: count(20001))
    _out: dict[Address, Address] = field(default_factory=dict)

    def rebind(self) -> None:
        """Every mapping is forgotten; the next packet makes another."""
        self._out.clear()

    def leaving(self, source: Address) -> Address:
        """As which address a packet from inside travels on."""
        if source not in self._out:
            self._out[source] = Address(self.outside, next(iter(self._ports)))
        return self._out[source]

    def entering(self, target: Address) -> Address | None:
        """Where inside a packet goes, if anywhere."""
        return next((inside for inside, outside in self._out.items() if outside == target), None)


@dataclass
class Network(Generic[Owner]):
    """Addresses and their owners. Only ESP without UDP cannot pass a NAT."""

    owners: dict[IpAddress, Owner] = field(default_factory=dict)
    nats: list[Nat] = field(default_factory=list)

    def hosts(self, owner: Owner) -> tuple[IpAddress, ...]:
        """All addresses of one owner, the newest last."""
        return tuple(host for host, other in self.owners.items() if other is owner)

    def leave(self, source: Address, sender: Owner) -> Address | None:
        """As which address a packet of the sender's arrives; None if the sender does not have this one (any more)."""
        if self.owners.get(source.host) is not sender:
            return None
        nat = next((nat for nat in self.nats if source.host in nat.inside), None)
        return nat.leaving(source) if nat else source

    def arrive(self, target: Address) -> tuple[Owner, Address] | None:
        """Who gets a packet, and at which address; None if nobody does."""
        nat = next((nat for nat in self.nats if nat.outside == target.host), None)
        inside = nat.entering(target) if nat else target
        hidden = {host for nat in self.nats for host in nat.inside}
        if inside is None or (nat is None and target.host in hidden):
            return None
        owner = self.owners.get(inside.host)
        return None if owner is None else (owner, inside)

    def passes(self, source: Address, target: Address) -> bool:
        """Whether ESP without UDP gets through."""
        outside = {nat.outside for nat in self.nats}
        hidden = {host for nat in self.nats for host in nat.inside}
        return not {source.host, target.host} & (outside | hidden)


def without_port(address: Address) -> Address:
    """For ESP that does not travel in UDP."""
    return replace(address, port=NO_PORT)
