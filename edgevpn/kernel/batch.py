"""Many operations in few system calls, each with a fate of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgevpn.frozen import dataclass
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.faults import Faults, kernel_error, telling
from edgevpn.kernel.netlink import NetlinkError, NetlinkSocket, Request


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: its name ("add SA ..."), what its errnos mean, and its request.

    The request is built when its turn comes: it may name an interface that an earlier one makes.
    """

    operation: str
    faults: Faults
    build: Callable[[], Request]


def carry_out(sock: NetlinkSocket, steps: Sequence[Step]) -> tuple[KernelError | None, ...]:
    """Do all steps in order, failures in between or not; None stands for a success."""
    built = [request_or_error(step) for step in steps]
    with telling("send", "a batch of requests", {}):
        answers = iter(sock.batch([each for each in built if isinstance(each, Request)]))
    fates = [next(answers) if isinstance(each, Request) else each for each in built]
    return tuple(
        None if fate is None else kernel_error(step.operation, fate, step.faults)
        for step, fate in zip(steps, fates, strict=True)
    )


def request_or_error(step: Step) -> Request | NetlinkError:
    try:
        return step.build()
    except NetlinkError as error:
        return error


def raise_first(fates: Sequence[KernelError | None], *, besides: tuple[type[KernelError], ...] = ()) -> None:
    """Raise the first failure of what was carried out, if there is one; those of the kinds `besides` are none."""
    for fate in fates:
        if fate is not None and not isinstance(fate, besides):
            raise fate
