"""What is told of devices and their sessions, in the words of edgevpn/api/records.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from edgevpn.api.records import Amount, DeviceStatus, PeriodUsage, SessionStatus
from edgevpn.config.model import Device
from edgevpn.daemon.dataplane.tunnels import Traffic
from edgevpn.daemon.figures.usage import NOTHING, Record
from edgevpn.daemon.figures.usage import Amount as Moved
from edgevpn.daemon.login.devices import Refusal
from edgevpn.daemon.visitors.sessions import Visit
from edgevpn.ike.crypto.names import suite_name, weak_points
from edgevpn.ike.exchange.ppk import text_of
from edgevpn.ike.state import ChildSa, Established


def device_status(
    device: Device, refusal: Refusal | None, sessions: list[SessionStatus], record: Record, today: date
) -> DeviceStatus:
    """One device. `today` is the day by which usage is counted."""
    return DeviceStatus(
        name=device.name,
        owner=device.owner or "",
        platform=device.platform.value,
        login=device.login.value,
        id=str(device.id),
        pool=device.pool,
        enabled=device.enabled,
        refused=refusal.value if refusal else "",
        expires=device.expires.timestamp() if device.expires else None,
        v4=str(device.v4 or ""),
        v6=str(device.v6 or ""),
        mode=device.mode.value,
        sessions=sessions,
        today=amount(record.days.get(today.isoformat(), NOTHING)),
        month=amount(record.months.get(today.isoformat()[:7], NOTHING)),
        seen=record.seen,
        place=record.place,
    )


def session_status(visit: Visit, sa: Established, ask: Callable[[ChildSa], Traffic], epoch: float) -> SessionStatus:
    """One session. `epoch`: the Unix time, in seconds, at which the monotonic clock was zero."""
    counted = [ask(child) for child in sa.children]
    return SessionStatus(
        spi=visit.spi.hex(),
        remote=str(visit.path.remote),
        since=visit.since + epoch,
        client=visit.ike.client.name,
        proof=str(visit.ike.theirs),
        addresses=[str(address) for address in visit.ike.lent.addresses],
        nat=bool(sa.nat),
        own_proof=str(visit.ike.ours),
        suite=suite_name(sa.secured.suite),
        ppk=text_of(sa.secured.ppk_id),
        weak=list(weak_points(sa.secured.suite, *(child.suite for child in sa.children))),
        bytes_in=sum(each.octets_in for each in counted),
        bytes_out=sum(each.octets_out for each in counted),
        undeciphered=sum(each.undeciphered for each in counted),
    )


def amount(moved: Moved) -> Amount:
    """So much, for the socket."""
    return Amount(received=moved.received, sent=moved.sent)


def periods(amounts: dict[str, Moved]) -> list[PeriodUsage]:
    """Usage by day or month, the oldest first."""
    return [
        PeriodUsage(period=period, received=moved.received, sent=moved.sent)
        for period, moved in sorted(amounts.items())
    ]
