"""NAT traversal, RFC 7296 §2.23: who sits behind a NAT, and what follows from that."""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import (
    Effect,
    Env,
    IkeSaMoved,
    MoveChild,
    Request,
    Response,
    Settings,
)
from edgevpn.ike.crypto.keymat import nat_detection_hash
from edgevpn.ike.exchange.child_sa import ends
from edgevpn.ike.iana import NotifyType
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import Address, Established, Nat, Path
from edgevpn.ike.steps import Step
from edgevpn.ike.wire.notify import Notify

Spis = tuple[bytes, bytes]
"""SPIi and SPIr as the header of the message has them."""

Moved = tuple[Established, tuple[Effect, ...]]
"""An IKE SA after it has moved, or as it was, and what that means for the world."""


def detection(spis: Spis, path: Path, force: bool = False) -> tuple[Notify, ...]:
    """Hashes of both addresses. `force`: ours is made wrong, so that the peer believes in a NAT and ESP goes in UDP."""
    source = bytes(20) if force else _hash(spis, path.local)
    return (
        Notify(NotifyType.NAT_DETECTION_SOURCE_IP, source),
        Notify(NotifyType.NAT_DETECTION_DESTINATION_IP, _hash(spis, path.remote)),
    )


def detected(message: Request | Response, spis: Spis, path: Path, force: bool = False) -> Nat:
    """Who is behind a NAT. A peer that sends no hashes cannot do NAT traversal, so it gets none."""
    sources = [n.data for n in message.all(Notify) if n.notify_type == NotifyType.NAT_DETECTION_SOURCE_IP]
    target = seen_as(message)
    if not sources or not target:
        return Nat(supported=False)
    remote = _hash(spis, path.remote) not in sources
    return Nat(local=force or target != _hash(spis, path.local), remote=remote)


def seen_as(message: Request | Response) -> bytes:
    """The hash of our address as it has arrived at the peer, empty if the peer does not tell."""
    target = message.notify(NotifyType.NAT_DETECTION_DESTINATION_IP)
    return target.data if target else b""


def floated(path: Path, settings: Settings) -> Path:
    """From port 4500 to port 4500, where both NAT traversal and MOBIKE go; a peer at a port of its own stays there."""
    port = settings.nat_port
    remote = replace(path.remote, port=port) if path.remote.port == settings.ike_port else path.remote
    return Path(replace(path.local, port=port), remote)


def _hash(spis: Spis, address: Address) -> bytes:
    return nat_detection_hash(*spis, address.host, address.port)


# --- what follows --------------------------------------------------------------------------------------------------


def moved(sa: Established, path: Path, nat: Nat, env: Env) -> Moved:
    """The IKE SA and its children go over another path, or find another NAT there; first of all packets do."""
    before = ends(sa)
    if sa.mobility is not None:
        sa = replace(sa, mobility=replace(sa.mobility, esp_remote=None))
    if (path, nat) == (sa.path, sa.nat) and ends(sa) == before:
        return sa, ()
    keepalive_at = min(sa.keepalive_at, env.now + env.settings.keepalive) if nat.local else NEVER
    sa = replace(sa, path=path, nat=nat, keepalive_at=keepalive_at)
    return sa, (*_moves(sa), IkeSaMoved(sa.spi, sa.peer.name, path))


def followed(sa: Established, remote: Address, env: Env) -> Moved:
    """A message shows that the peer's NAT has given it another address; MOBIKE has its own way (§2.23)."""
    if sa.mobility is not None or not _may_follow(sa, remote):
        return sa, ()
    return moved(sa, replace(sa.path, remote=remote), sa.nat, env)


def mapping_changed(sa: Established, remote: Address, env: Env) -> Step:
    """The same, as ESP packets show; with MOBIKE they are all that may follow them (RFC 4555 §3.8)."""
    if sa.mobility is None or not _may_follow(sa, remote):
        return Step(*followed(sa, remote, env))
    sa = replace(sa, mobility=replace(sa.mobility, esp_remote=remote))
    return Step(sa, _moves(sa))


def _moves(sa: Established) -> tuple[MoveChild, ...]:
    there = ends(sa)
    return tuple(MoveChild(child, there) for child in sa.children)


def _may_follow(sa: Established, remote: Address) -> bool:
    """Whom a NAT hides may change its address; but behind a NAT of our own, as the caller, we know better (§2.23)."""
    return remote != ends(sa).path.remote and sa.nat.remote and not (sa.nat.local and sa.began)
