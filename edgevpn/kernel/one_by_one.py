"""Operations as single calls, for a kernel that gains nothing from many at a time."""

from __future__ import annotations

from typing import assert_never

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, ProxySpec, RouteSpec, RuleSpec
from edgevpn.kernel.operations import Add, Addable, Deletable, Delete, Operation, SetMtu, SetUp, Updatable, Update
from edgevpn.kernel.spec import PolicyKey, PolicySpec, SaKey, SaSpec


def outcome(kernel: Kernel, operation: Operation) -> KernelError | None:
    """Carry out an operation; how it failed, None if it did not."""
    try:
        perform(kernel, operation)
    except KernelError as error:
        return error
    return None


def perform(kernel: Kernel, operation: Operation) -> None:
    match operation:
        case Add(what):
            add(kernel, what)
        case Update(what):
            update(kernel, what)
        case Delete(what):
            delete(kernel, what)
        case SetMtu(link, mtu):
            kernel.set_mtu(link.name, mtu)
        case SetUp(link):
            kernel.set_up(link.name)
        case _:
            assert_never(operation)


def add(kernel: Kernel, what: Addable) -> None:
    match what:
        case SaSpec():
            kernel.add_sa(what)
        case PolicySpec():
            kernel.add_policy(what)
        case LinkSpec():
            kernel.add_link(what)
        case AddressSpec():
            kernel.add_address(what)
        case RouteSpec():
            kernel.add_route(what)
        case RuleSpec():
            kernel.add_rule(what)
        case ProxySpec():
            kernel.add_proxy(what)
        case _:
            assert_never(what)


def update(kernel: Kernel, what: Updatable) -> None:
    match what:
        case SaSpec():
            kernel.update_sa(what)
        case PolicySpec():
            kernel.update_policy(what)
        case RouteSpec():
            kernel.replace_route(what)
        case _:
            assert_never(what)


def delete(kernel: Kernel, what: Deletable) -> None:
    match what:
        case SaKey():
            kernel.delete_sa(what)
        case PolicyKey():
            kernel.delete_policy(what)
        case LinkState(name=name):
            kernel.delete_link(name)
        case AddressSpec():
            kernel.delete_address(what)
        case RouteSpec():
            kernel.delete_route(what)
        case RuleSpec():
            kernel.delete_rule(what)
        case ProxySpec():
            kernel.delete_proxy(what)
        case _:
            assert_never(what)
