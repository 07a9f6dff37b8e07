"""What `status` answers: the core's IKE SAs and the kernel's counters, in the words of edgevpn/api.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from edgevpn.api import ChildStatus, IkeStatus, SiteStatus
from edgevpn.config.model import Site
from edgevpn.daemon.dataplane.offload import reason
from edgevpn.daemon.dataplane.tunnels import Traffic
from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.names import suite_name, weak_points
from edgevpn.ike.exchange.ppk import text_of
from edgevpn.ike.state import ChildSa, Established, Nat, Phase
from edgevpn.ike.wire.selector import ANY_PORTS, ANY_PROTOCOL, TrafficSelector

UP = (Phase.ACTIVE, Phase.INBOUND)
Ask = Callable[[ChildSa], Traffic]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a site beyond its IKE SAs: whether it is being brought up, and what went wrong last."""

    trying: bool = False
    why: str = ""


def site_status(site: Site, sas: Iterable[Established], seen: Seen, ask: Ask, epoch: float) -> SiteStatus:
    """One site. `epoch`: the Unix time, in seconds, at which the monotonic clock was zero."""
    ikes = [_ike_status(sa, ask, epoch) for sa in sas]
    up = any(ike["children"] for ike in ikes) and not seen.trying
    remote = ", ".join(map(str, site.remote)) or "any"
    return SiteStatus(
        name=site.name,
        state="up" if up else "connecting" if seen.trying else "down",
        remote=remote,
        why="" if up else seen.why,
        ike=ikes,
    )


def _ike_status(sa: Established, ask: Ask, epoch: float) -> IkeStatus:
    children = [child for child in sa.children if child.phase in UP]
    return IkeStatus(
        spi_i=sa.secured.spi_i.hex(),
        spi_r=sa.secured.spi_r.hex(),
        local=str(sa.path.local),
        remote=str(sa.path.remote),
        nat=_nat(sa.nat),
        established=sa.since + epoch,
        suite=suite_name(sa.secured.suite),
        ppk=text_of(sa.secured.ppk_id),
        weak=list(weak_points(sa.secured.suite, *(child.suite for child in children))),
        children=[_child_status(child, ask) for child in children],
    )


def _child_status(child: ChildSa, ask: Ask) -> ChildStatus:
    traffic = ask(child)
    return ChildStatus(
        name=child.name,
        spi_in=child.spi_in.hex(),
        spi_out=child.spi_out.hex(),
        local_ts=[selector_text(ts) for ts in child.ts_local],
        remote_ts=[selector_text(ts) for ts in child.ts_remote],
        bytes_in=traffic.octets_in,
        bytes_out=traffic.octets_out,
        undeciphered=traffic.undeciphered,
        suite=suite_name(child.suite),
        carrier_in=str(traffic.carriers[0]),
        carrier_out=str(traffic.carriers[1]),
        carrier_why=reason(traffic.carriers),
    )


def _nat(nat: Nat) -> Literal["none", "local", "remote", "both"]:
    if nat.local and nat.remote:
        return "both"
    return "local" if nat.local else "remote" if nat.remote else "none"


def selector_text(ts: TrafficSelector) -> str:
    """A selector as people write it: "10.1.0.0/24", "10.1.0.5-10.1.0.9", with "protocol 6 port 80" if that matters."""
    text = _range_text(ts.start_address, ts.end_address, ts)
    if ts.protocol != ANY_PROTOCOL:
        text += f" protocol {ts.protocol}"
    if ts.ports != ANY_PORTS:
        start, end = ts.ports
        text += f" port {start}" if start == end else f" ports {start}-{end}"
    return text


def _range_text(start: IPv4Address | IPv6Address, end: IPv4Address | IPv6Address, ts: TrafficSelector) -> str:
    size = int(end) - int(start) + 1
    if size & (size - 1) or int(start) % size:
        return f"{start}-{end}"
    return str(ts.networks()[0])
