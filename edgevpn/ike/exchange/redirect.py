"""REDIRECT, RFC 5685, as the side that is sent elsewhere.

    IKE_SA_INIT    -->  N(REDIRECT_SUPPORTED)          or  N(REDIRECTED_FROM), after having been sent
                   <--  N(REDIRECT, gateway, Ni)        nobody has shown who it is: our nonce must come back
    IKE_AUTH       <--  IDr, AUTH, N(REDIRECT, gateway)
    INFORMATIONAL  <--  N(REDIRECT, gateway)

Whoever we are sent to must be whom we wanted: the same entry of the peer authorization database holds for it (§3).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from edgevpn.ike.contract import (
    IkeSaDown,
    Level,
    Redirected,
    Request,
    Response,
    report,
)
from edgevpn.ike.errors import Cause, InvalidSyntax
from edgevpn.ike.exchange import informational
from edgevpn.ike.iana import GatewayIdentityType, NotifyType
from edgevpn.ike.peer import IpAddress, Peer
from edgevpn.ike.state import Closed, CreateChild, Established, Initiating
from edgevpn.ike.steps import Respond, Step
from edgevpn.ike.wire.buffer import Reader
from edgevpn.ike.wire.notify import Notify

# From the RFC.
MAX_REDIRECTS = 5  # within 300 seconds, §7; whoever calls us counts them


def announced(peer: Peer, came_from: IpAddress | None) -> tuple[Notify, ...]:
    """What goes into our IKE_SA_INIT request (§3)."""
    if came_from is not None:
        is_v4 = came_from.version == 4
        kind = GatewayIdentityType.IPV4_ADDRESS if is_v4 else GatewayIdentityType.IPV6_ADDRESS
        return (Notify(NotifyType.REDIRECTED_FROM, bytes([kind, len(came_from.packed)]) + came_from.packed),)
    return (Notify(NotifyType.REDIRECT_SUPPORTED),) if peer.redirects else ()


def on_init(sa: Initiating, notify: Notify) -> Step:
    """Instead of an answer to IKE_SA_INIT; anybody could have sent it who does not know our nonce."""
    gateway, nonce = _gateway(notify)
    if not sa.peer.redirects or nonce != sa.ni:
        return Step(sa, (report(Level.WARNING, "redirect_ignored", peer=sa.peer.name, gateway=gateway),))
    reason = f"redirected to {gateway}"
    down = IkeSaDown(sa.spi, sa.peer.name, reason, asked=True, cause=Cause.REDIRECTED)
    return Step(Closed(reason), (down, Redirected(sa.peer.name, gateway, sa.path.remote.host, sa.children)))


def wanted(sa: Established, message: Request | Response) -> bool:
    """Whether the peer, who has shown who it is, sends us elsewhere, and we go."""
    return sa.began and sa.peer.redirects and message.notify(NotifyType.REDIRECT) is not None


def on_auth(sa: Established, response: Response) -> Step:
    """Both have shown who they are; the IKE SA has no child and is of no further use (§6)."""
    return _leave(sa, response)


def on_request(sa: Established, request: Request) -> Step:
    """In the middle of a session (§5)."""
    left = _leave(sa, request)
    return Step(left.sa, (Respond(request), *left.effects))


def _leave(sa: Established, message: Request | Response) -> Step:
    notify = message.notify(NotifyType.REDIRECT)
    assert notify is not None
    gateway, _ = _gateway(notify)
    lives = (child.name for child in sa.children if child.lives)
    names = tuple(dict.fromkeys((*lives, *(task.name for task in sa.todo if isinstance(task, CreateChild)))))
    done = informational.close(sa, f"redirected to {gateway}", cause=Cause.REDIRECTED)
    return Step(done.sa, (*done.effects, Redirected(sa.peer.name, gateway, sa.path.remote.host, names)))


def _gateway(notify: Notify) -> tuple[IpAddress | str, bytes]:
    """Where to, and the nonce behind it; InvalidSyntax for what is no address and no name (§9.2)."""
    reader = Reader(notify.data)
    kind, size = reader.member(GatewayIdentityType), reader.u8()
    octets, nonce = reader.take(size), reader.rest()
    match kind, size:
        case GatewayIdentityType.IPV4_ADDRESS, 4:
            return IPv4Address(octets), nonce
        case GatewayIdentityType.IPV6_ADDRESS, 16:
            return IPv6Address(octets), nonce
        case GatewayIdentityType.FQDN, _ if octets and octets.isascii():
            name = octets.decode("ascii")
            if name.isprintable() and " " not in name:
                return name, nonce
    raise InvalidSyntax(f"REDIRECT to {size} octets of type {kind.name}")
