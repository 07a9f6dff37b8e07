"""What all parts of the kernel in memory share: refusals with the real errnos, or as told by a test; events."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Concatenate, NoReturn, ParamSpec, TypeVar

from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.events import Event, EventsLost
from edgevpn.kernel.faults import Faults, kernel_error
from edgevpn.kernel.netlink import NetlinkError

P = ParamSpec("P")
T = TypeVar("T")
SelfT = TypeVar("SelfT", bound="MemoryBase")

# What a real socket's buffer holds, about.
MAX_EVENTS = 4096


class MemoryBase:
    """Methods that can be told to fail, and events that can be polled for."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[KernelError | None]] = {}
        self._events: list[Event] = []
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fail_next(self, method: str, error: KernelError, after: int = 0) -> None:
        """Make the next call of a method raise, before it does anything, or the next after some that pass.

        Several add up. ValueError: no such method.
        """
        if not hasattr(getattr(self, method, None), "__wrapped__"):
            raise ValueError(f"{method} cannot fail")
        self._failures.setdefault(method, deque()).extend((*[None] * after, error))

    def emit(self, event: Event) -> None:
        """Tell an event; as in the real kernel, those that nobody reads in time are lost."""
        if len(self._events) == MAX_EVENTS:
            self._events, event = [], EventsLost()
        self._events.append(event)
        os.eventfd_write(self._wakeup, 1)

    def fileno(self) -> int:
        return self._wakeup

    def read_events(self) -> tuple[Event, ...]:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wakeup)
        events, self._events = tuple(self._events), []
        return events

    def close(self) -> None:
        os.close(self._wakeup)


def can_fail(method: Callable[Concatenate[SelfT, P], T]) -> Callable[Concatenate[SelfT, P], T]:
    """Let a method fail when `fail_next` says so."""

    @functools.wraps(method)
    def call(self: SelfT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        failures = self._failures.get(method.__name__)
        if failures and (failure := failures.popleft()) is not None:
            raise failure
        return method(self, *args, **kwargs)

    return call


def refuse(verb: str, what: object, code: int, causes: Faults) -> NoReturn:
    """Raise what the real kernel's errno becomes for this operation."""
    raise kernel_error(f"{verb} {what}", NetlinkError(code), causes)
