"""What can be changed in a kernel, as values: to be put in order, shown, and carried out many at a time."""

from __future__ import annotations

from typing import TypeAlias

from edgevpn.frozen import dataclass
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, ProxySpec, RouteSpec, RuleSpec
from edgevpn.kernel.spec import PolicyKey, PolicySpec, SaKey, SaSpec

Addable: TypeAlias = SaSpec | PolicySpec | LinkSpec | AddressSpec | RouteSpec | RuleSpec | ProxySpec
Updatable: TypeAlias = SaSpec | PolicySpec | RouteSpec
Deletable: TypeAlias = SaKey | PolicyKey | LinkState | AddressSpec | RouteSpec | RuleSpec | ProxySpec


@dataclass(frozen=True, slots=True)
class Add:
    """`Kernel.add_sa`, `add_policy`, `add_link`, `add_address`, `add_route`, `add_rule` or `add_proxy`."""

    what: Addable

    def __str__(self) -> str:
        return f"add {self.what}"


@dataclass(frozen=True, slots=True)
class Update:
    """`Kernel.update_sa`, `update_policy` or `replace_route`."""

    what: Updatable

    def __str__(self) -> str:
        return f"update {self.what}"


@dataclass(frozen=True, slots=True)
class Delete:
    """`Kernel.delete_` and the kind: `delete_sa`, `delete_policy`, `delete_link`, and so on."""

    what: Deletable

    def __str__(self) -> str:
        return f"delete {self.what}"


@dataclass(frozen=True, slots=True)
class SetMtu:
    """`Kernel.set_mtu`."""

    link: LinkState
    mtu: int

    def __str__(self) -> str:
        return f"set MTU {self.mtu} on {self.link}"


@dataclass(frozen=True, slots=True)
class SetUp:
    """`Kernel.set_up`."""

    link: LinkState

    def __str__(self) -> str:
        return f"set up {self.link}"


Operation: TypeAlias = Add | Update | Delete | SetMtu | SetUp
