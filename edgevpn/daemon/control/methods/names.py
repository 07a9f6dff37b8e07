"""What methods of several nouns ask of their parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from edgevpn.api import ErrorCode, RpcError
from edgevpn.daemon.keeping.configuration import LONGEST_WAIT


class Named(Protocol):
    """A table of the configuration that has a name."""

    @property
    def name(self) -> str:
        """It."""


T = TypeVar("T", bound=Named)


def known(noun: str, name: str, there: Iterable[T]) -> T:
    """The one of this name. Raises RpcError, with those that there are."""
    every = {each.name: each for each in there}
    if name in every:
        return every[name]
    some = ", ".join(list(every)[:10]) or "none"
    raise RpcError(ErrorCode.NOT_FOUND, f"there is no {noun} {name[:40]!r}; configured: {some}")


def unused(noun: str, name: str, there: Iterable[str]) -> None:
    """Raises RpcError for a name that something has already."""
    if name in there:
        raise RpcError(ErrorCode.FAILED, f"there is a {noun} {name[:40]!r} already; choose another name, or change it")


def within(confirm: int) -> int:
    """How long a change waits to be confirmed. Raises RpcError."""
    if not 0 <= confirm <= LONGEST_WAIT:
        raise RpcError(ErrorCode.INVALID_PARAMS, f"confirm: allowed: 0 to {LONGEST_WAIT} seconds")
    return confirm


def at_most(parameter: str, number: int, most: int) -> int:
    """A number from 0 to that. Raises RpcError."""
    if not 0 <= number <= most:
        raise RpcError(ErrorCode.INVALID_PARAMS, f"{parameter}: allowed: 0 to {most}")
    return number
