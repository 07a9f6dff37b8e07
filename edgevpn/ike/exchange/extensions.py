"""What both sides tell each other that they can do beyond RFC 7296, and what of it then holds.

IKE_SA_INIT   N(IKEV2_FRAGMENTATION_SUPPORTED)                                  RFC 7383
IKE_AUTH      N(MOBIKE_SUPPORTED), N(ADDITIONAL_*_ADDRESS), beside the SA        RFC 4555
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgevpn.ike.contract import Env, Request, Response
from edgevpn.ike.exchange import mobike
from edgevpn.ike.iana import NotifyType
from edgevpn.ike.peer import Peer
from edgevpn.ike.state import Established, Path
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify

FRAGMENTATION = Notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)


# --- IKE_SA_INIT ---------------------------------------------------------------------------------------------------


def in_init_request(peer: Peer) -> tuple[Payload, ...]:
    """What the initiator says."""
    return (FRAGMENTATION,) if peer.fragmentation else ()


def in_init_response(peers: Sequence[Peer], request: Request) -> tuple[Payload, ...]:
    """What the responder says; it does not know yet which of these peers it is that asks."""
    return (FRAGMENTATION,) if fragments_of_any(peers, request) else ()


def fragments(peer: Peer, response: Response) -> bool:
    """Whether both know how to put fragments together, as the initiator sees it (RFC 7383 §2.3)."""
    return peer.fragmentation and _says(response, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)


def fragments_of_any(peers: Sequence[Peer], request: Request) -> bool:
    """The same, as the responder sees it."""
    return any(peer.fragmentation for peer in peers) and _says(request, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)


# --- IKE_AUTH ------------------------------------------------------------------------------------------------------


def in_auth_request(peer: Peer, path: Path, env: Env) -> tuple[Payload, ...]:
    """What the initiator says beside its offer of a child."""
    return mobike.supported(path.local.host, env) if peer.mobike else ()


def in_auth_response(sa: Established, env: Env) -> tuple[Payload, ...]:
    """What the responder says in its last answer."""
    return mobike.supported(sa.path.local.host, env) if sa.mobility is not None else ()


def agreed(sa: Established, message: Request | Response) -> Established:
    """With what both can do, after what the peer has said in IKE_AUTH."""
    return replace(sa, mobility=mobike.mobility_of(message) if sa.peer.mobike else None)


def _says(message: Request | Response, notify_type: NotifyType) -> bool:
    return message.notify(notify_type) is not None
