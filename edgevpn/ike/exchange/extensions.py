"""What both sides tell each other that they can do beyond RFC 7296, and what of it then holds.

IKE_SA_INIT   N(IKEV2_FRAGMENTATION_SUPPORTED)                                  RFC 7383
              N(INTERMEDIATE_EXCHANGE_SUPPORTED), if there is a use for it      RFC 9242
              N(USE_PPK), likewise                                              RFC 8784
IKE_AUTH      N(MOBIKE_SUPPORTED), N(ADDITIONAL_*_ADDRESS), beside the SA        RFC 4555
"""

from __future__ import annotations

from collections.abc import Sequence

from edgevpn.frozen import replace
from edgevpn.ike.contract import Env, Request, Response
from edgevpn.ike.errors import Cause, InvalidSyntax, NoAdditionalSas, NoProposalChosen
from edgevpn.ike.exchange import mobike, ppk, reauthentication, redirect
from edgevpn.ike.iana import NotifyType
from edgevpn.ike.negotiate import Chosen, offers_additional
from edgevpn.ike.peer import Childless, IpAddress, Peer
from edgevpn.ike.state import Established, Path
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import SecurityAssociation

CHILDLESS = Notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED)
FRAGMENTATION = Notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)
INTERMEDIATE = Notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)


# --- IKE_SA_INIT ---------------------------------------------------------------------------------------------------


def in_init_request(peer: Peer, came_from: IpAddress | None) -> tuple[Notify, ...]:
    """What the initiator says; `came_from` is who has sent it to this peer."""
    fragmentation = (FRAGMENTATION,) if peer.fragmentation else ()
    intermediate = (INTERMEDIATE,) if offers_additional(peer.offers) else ()
    return (*fragmentation, *intermediate, *ppk.in_init_request(peer), *redirect.announced(peer, came_from))


def in_init_response(peers: Sequence[Peer], request: Request, chosen: Chosen) -> tuple[Payload, ...]:
    """What the responder says; it does not know yet which of these peers it is that asks."""
    fragmentation = (FRAGMENTATION,) if fragments_of_any(peers, request) else ()
    childless = (CHILDLESS,) if any(peer.childless is not Childless.NEVER for peer in peers) else ()
    intermediate = (INTERMEDIATE,) if chosen.additional else ()
    return (*fragmentation, *intermediate, *ppk.in_init_response(peers, request), *childless)


def fragments(peer: Peer, response: Response) -> bool:
    """Whether both know how to put fragments together, as the initiator sees it (RFC 7383 §2.3)."""
    return peer.fragmentation and _says(response, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)


def fragments_of_any(peers: Sequence[Peer], request: Request) -> bool:
    """The same, as the responder sees it."""
    return any(peer.fragmentation for peer in peers) and _says(request, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)


def check_intermediate(chosen: Chosen, response: Response) -> None:
    """NoProposalChosen if the peer wants further key exchanges and does not say that it knows how (RFC 9370 §2.2.1)."""
    if chosen.additional and not _says(response, NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED):
        raise NoProposalChosen("the answer has additional key exchanges, without IKE_INTERMEDIATE")


def begins_childless(peer: Peer, response: Response) -> bool:
    """Whether the initiator asks for no child in IKE_AUTH; NoProposalChosen if it must not, and the peer cannot."""
    able = _says(response, NotifyType.CHILDLESS_IKEV2_SUPPORTED)
    if peer.childless is Childless.FORCE and not able:
        raise NoProposalChosen("the peer makes no IKE SA without a child", Cause.NOT_CHILDLESS)
    return able and peer.childless in (Childless.PREFER, Childless.FORCE)


# --- IKE_AUTH ------------------------------------------------------------------------------------------------------


def in_auth_request(peer: Peer, path: Path, env: Env) -> tuple[Payload, ...]:
    """What the initiator says beside its offer of a child."""
    return mobike.supported(path.local.host, env) if peer.mobike else ()


def check_childless(peer: Peer, request: Request) -> None:
    """Whether the initiator may do without a child, or with one; IkeError if not."""
    childless = request.first(SecurityAssociation) is None
    if childless and peer.childless is Childless.NEVER:
        raise InvalidSyntax("no child is asked for, which we did not say that we can do (RFC 6023)")
    if not childless and peer.childless is Childless.FORCE:
        raise NoAdditionalSas("children come after the IKE SA")


def in_auth_response(sa: Established, env: Env) -> tuple[Payload, ...]:
    """What the responder says in its last answer."""
    mobility = mobike.supported(sa.path.local.host, env) if sa.mobility is not None else ()
    return (*mobility, *reauthentication.announced(sa), *ppk.in_auth_response(sa))


def agreed(sa: Established, message: Request | Response, env: Env) -> Established:
    """With what both can do, after what the peer has said in IKE_AUTH."""
    if sa.peer.mobike:
        sa = replace(sa, mobility=mobike.mobility_of(message))
    return reauthentication.timed(sa, message, env)


def _says(message: Request | Response, notify_type: NotifyType) -> bool:
    return message.notify(notify_type) is not None
