"""Counters as Prometheus reads them (text format 0.0.4), named by its conventions.

Labels are names of the configuration and words that we define: how many lines there are follows from the file, never
from what peers do.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path

from edgevpn.api.records import CertificateStatus, PoolStatus, SiteStatus
from edgevpn.daemon.crowd import ROOM
from edgevpn.daemon.figures.meter import Meter
from edgevpn.daemon.figures.tally import BOUNDS, Histogram, Tally
from edgevpn.daemon.figures.usage import Amount
from edgevpn.frozen import dataclass
from edgevpn.ike.contract import Limit, Settings
from edgevpn.ike.errors import Cause

PREFIX = "edgevpn_"
STATM = Path("/proc/self/statm")

Labels = tuple[tuple[str, str], ...]


class Kind(Enum):
    """What a number means."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. `suffix` follows the name of its family."""

    value: float
    labels: Labels = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Numbers that mean the same of different things."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]


def exposition(families: Iterable[Family]) -> str:
    """The text, a line for each number."""
    lines: list[str] = []
    for family in (each for each in families if each.samples):
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind.value}"]
        lines += [_line(family.name + sample.suffix, sample) for sample in family.samples]
    return "\n".join(lines) + "\n"


def of_process(version: str, started: float, faults: int) -> list[Family]:
    """The daemon itself; `started` is a Unix time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return [
        _one("build_info", Kind.GAUGE, "Which edgevpn runs.", 1, version=version),
        _one("faults_total", Kind.COUNTER, "Faults of edgevpn itself that it has survived.", faults),
        Family("process_start_time_seconds", Kind.GAUGE, "When the daemon was started.", (Sample(started),)),
        Family(
            "process_cpu_seconds_total",
            Kind.COUNTER,
            "Time of the processor that the daemon has used.",
            (Sample(used.ru_utime + used.ru_stime),),
        ),
        Family("process_resident_memory_bytes", Kind.GAUGE, "Memory that the daemon uses.", (Sample(_resident()),)),
    ]


def of_sites(sites: Iterable[SiteStatus], meter: Meter) -> list[Family]:
    """Sites, and the traffic of their children since the start."""
    up = tuple(Sample(site["state"] == "up", (("site", site["name"]),)) for site in sites)
    moved: dict[Labels, Amount] = {
        (("site", site), ("child", child)): amount for (site, child), amount in meter.children.items()
    }
    return [
        Family(f"{PREFIX}site_up", Kind.GAUGE, "Whether a site is up.", up),
        *_moved("site", "a site", moved),
    ]


def of_pools(pools: Iterable[PoolStatus], sessions: Mapping[str, int], meter: Meter) -> list[Family]:
    """Pools, who is in and what that has moved since the start; `sessions` by pool."""
    known = list(pools)
    sizes, used = [], []
    for pool in known:
        for family, size, count in (
            ("ipv4", pool["size_v4"], pool["used_v4"]),
            ("ipv6", pool["size_v6"], pool["used_v6"]),
        ):
            labels = (("pool", pool["name"]), ("family", family))
            sizes.append(Sample(size, labels))
            used.append(Sample(count, labels))
    inside = tuple(Sample(sessions.get(pool["name"], 0), (("pool", pool["name"]),)) for pool in known)
    return [
        Family(f"{PREFIX}pool_sessions", Kind.GAUGE, "Devices that are in by a pool.", inside),
        Family(f"{PREFIX}pool_addresses", Kind.GAUGE, "Addresses of a pool.", tuple(sizes)),
        Family(f"{PREFIX}pool_addresses_used", Kind.GAUGE, "Addresses of a pool that are in use.", tuple(used)),
        *_moved("pool", "devices of a pool", {(("pool", name),): amount for name, amount in meter.pools.items()}),
    ]


def of_protocol(tally: Tally, established: int, half_open: int) -> list[Family]:
    """What the core has done."""
    states = (Sample(established, (("state", "established"),)), Sample(half_open, (("state", "half_open"),)))
    return [
        Family(f"{PREFIX}ike_sas", Kind.GAUGE, "IKE SAs by their state.", states),
        Family(
            f"{PREFIX}ike_handshake_seconds",
            Kind.HISTOGRAM,
            "How long it took until both sides had proved themselves.",
            _buckets(tally.handshakes),
        ),
        _one("ike_rekeyed_total", Kind.COUNTER, "IKE SAs that have got new keys.", tally.rekeyed),
        _one("ike_discarded_total", Kind.COUNTER, "Datagrams that made no sense.", tally.discarded),
        Family(
            f"{PREFIX}ike_shed_total",
            Kind.COUNTER,
            "What was dropped, as strangers sent too much of it.",
            tuple(Sample(tally.shed[limit], (("limit", limit.value),)) for limit in Limit),
        ),
        _by_cause("ike_refused_total", "What was refused, by us or by the peer.", tally.refused),
        _by_cause("ike_ended_total", "IKE SAs that have ended, or never came up.", tally.ended),
    ]


def of_transport(repeated: int) -> list[Family]:
    """The sockets that speak IKE."""
    return [
        _one("ike_repeated_total", Kind.COUNTER, "Datagrams that came again at once, and were not looked at.", repeated)
    ]


def of_limits(memory: int, settings: Settings, clients: int) -> list[Family]:
    """How much there may be, by the words by which it is told what was dropped; sizes are in octets."""
    limits = {
        Limit.FIRST_MESSAGES.value: ROOM,
        Limit.HALF_OPEN.value: settings.half_open_limit,
        Limit.HALF_OPEN_NEAR.value: settings.half_open_near,
        Limit.HELD.value: settings.held_limit,
        Limit.SESSIONS.value: settings.session_limit,
        "ike-sas-of-one-identity": settings.sessions_of_one,
        "child-sas-of-one-ike-sa": settings.children_limit,
        "control-clients": clients,
    }
    samples = tuple(Sample(most, (("limit", name),)) for name, most in limits.items())
    return [
        _one("memory_size_bytes", Kind.GAUGE, "Memory that edgevpn may use; limits follow from it.", memory),
        Family(f"{PREFIX}limit", Kind.GAUGE, "How much there may be.", samples),
    ]


def of_devices(refused: Mapping[str, int]) -> list[Family]:
    """Devices that may not come in, whatever they show, by the words for why."""
    samples = tuple(Sample(count, (("why", why),)) for why, count in refused.items())
    text = "Logins as devices that there are not, that may not come in, or that were tried too often."
    return [Family(f"{PREFIX}device_refused_total", Kind.COUNTER, text, samples)]


def of_control(refused: int) -> list[Family]:
    """The control socket."""
    text = "Clients of the control socket that were one too many, or did not read what they had asked for."
    return [_one("control_refused_total", Kind.COUNTER, text, refused)]


def of_kernel(dropped: Mapping[str, int]) -> list[Family]:
    """What XFRM has dropped, by its own names of the reasons."""
    samples = tuple(Sample(count, (("reason", reason),)) for reason, count in sorted(dropped.items()))
    return [Family(f"{PREFIX}xfrm_dropped_packets_total", Kind.COUNTER, "Packets that XFRM has dropped.", samples)]


def of_certificates(certificates: Iterable[CertificateStatus]) -> list[Family]:
    """Until when our certificates are good."""
    samples = tuple(Sample(each["ends"], (("certificate", each["what"]),)) for each in certificates)
    return [Family(f"{PREFIX}certificate_expiry_time_seconds", Kind.GAUGE, "When a certificate of ours ends.", samples)]


def _moved(noun: str, whose: str, amounts: Mapping[Labels, Amount]) -> list[Family]:
    received = tuple(Sample(amount.received, labels) for labels, amount in amounts.items())
    sent = tuple(Sample(amount.sent, labels) for labels, amount in amounts.items())
    return [
        Family(f"{PREFIX}{noun}_received_bytes_total", Kind.COUNTER, f"Octets that came in from {whose}.", received),
        Family(f"{PREFIX}{noun}_sent_bytes_total", Kind.COUNTER, f"Octets that went out to {whose}.", sent),
    ]


def _by_cause(name: str, text: str, counts: Mapping[Cause, int]) -> Family:
    """All causes, those that have not been met yet included."""
    samples = tuple(Sample(counts.get(cause, 0), (("cause", cause.value),)) for cause in Cause)
    return Family(PREFIX + name, Kind.COUNTER, text, samples)


def _buckets(histogram: Histogram) -> tuple[Sample, ...]:
    bounds = [*map(_number, BOUNDS), "+Inf"]
    counts = zip(bounds, histogram.cumulated, strict=True)
    return (
        *(Sample(count, (("le", bound),), "_bucket") for bound, count in counts),
        Sample(histogram.total, (), "_sum"),
        Sample(histogram.cumulated[-1], (), "_count"),
    )


def _one(name: str, kind: Kind, text: str, value: float, **labels: str) -> Family:
    return Family(PREFIX + name, kind, text, (Sample(value, tuple(labels.items())),))


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels)
    return f"{name}{{{labels}}} {_number(sample.value)}" if labels else f"{name} {_number(sample.value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident() -> int:
    """Octets of memory, 0 where the kernel does not say."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
