"""Post-quantum pre-shared keys: what is said of them, and with which keys an IKE SA goes on, RFC 8784.

IKE_SA_INIT   -->  N(USE_PPK)
              <--  N(USE_PPK)
IKE_AUTH      -->  AUTH, N(PPK_IDENTITY), [N(NO_PPK_AUTH)]     in the request that has AUTH: with EAP that is the last
              <--  AUTH, [N(PPK_IDENTITY)]                     it is used

The PPK goes into SK_d, SK_pi and SK_pr, and so into AUTH and the keys of all that follows, but not into those that seal
IKE_AUTH. NO_PPK_AUTH is what AUTH would be without it: with that the responder may do without.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgevpn.frozen import replace
from edgevpn.ike.contract import Level, Report, Request, Response, report
from edgevpn.ike.crypto.signature import KeyKind, SignatureScheme
from edgevpn.ike.errors import AuthenticationFailed, Cause
from edgevpn.ike.evidence import Names, PpkNamed
from edgevpn.ike.exchange.asked import ppk_named
from edgevpn.ike.exchange.proof import check_signature, is_key_auth, their_octets
from edgevpn.ike.iana import NotifyType, PpkIdType
from edgevpn.ike.inbound import Payloads
from edgevpn.ike.peer import Certified, Peer, Ppk
from edgevpn.ike.proving import Claim
from edgevpn.ike.state import Authenticating, Established
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Authentication

# Our own bound.
LONGEST = 64  # octets of a PPK_ID that the owner is shown

USE_PPK = Notify(NotifyType.USE_PPK)
IN_USE = Notify(NotifyType.PPK_IDENTITY)


# --- IKE_SA_INIT ---------------------------------------------------------------------------------------------------


def in_init_request(peer: Peer) -> tuple[Notify, ...]:
    """What the initiator says."""
    return (USE_PPK,) if isinstance(peer.ppk, Ppk) else ()


def in_init_response(peers: Iterable[Peer], request: Request) -> tuple[Notify, ...]:
    """What the responder says, if any of those who may be asking has one."""
    return (USE_PPK,) if _says(request) and any(peer.ppk is not None for peer in peers) else ()


def check(peer: Peer, response: Response) -> None:
    """AuthenticationFailed if the responder does not use any, and ours is required."""
    if isinstance(peer.ppk, Ppk) and peer.ppk.required and not _says(response):
        raise _missing("the peer uses no post-quantum pre-shared keys")


def offered(peer: Peer, response: Response) -> Ppk | None:
    """What the initiator offers in IKE_AUTH."""
    return peer.ppk if isinstance(peer.ppk, Ppk) and _says(response) else None


# --- IKE_AUTH, initiator -------------------------------------------------------------------------------------------


def named(sa: Authenticating) -> tuple[Notify, ...]:
    """Which one is in AUTH."""
    if sa.ppk is None:
        return ()
    return (Notify(NotifyType.PPK_IDENTITY, bytes([PpkIdType.FIXED]) + sa.ppk.ppk_id),)


def may_do_without(sa: Authenticating) -> bool:
    """Whether the responder is told what AUTH is without the one that is offered."""
    return sa.ppk is not None and not sa.ppk.required


def without(auth_data: bytes) -> Notify:
    """What AUTH is without it."""
    return Notify(NotifyType.NO_PPK_AUTH, auth_data)


def settled(sa: Authenticating, response: Response) -> Authenticating:
    """With the keys that hold after the answer that has AUTH; AuthenticationFailed without one that is required."""
    if sa.ppk is None:
        return sa
    if response.notify(NotifyType.PPK_IDENTITY) is not None:
        return replace(sa, secured=sa.secured.mixed(sa.ppk), ppk=None)
    if sa.ppk.required:
        raise _missing("the peer does not use the post-quantum pre-shared key that we have named")
    return replace(sa, ppk=None)


# --- IKE_AUTH, responder -------------------------------------------------------------------------------------------


def proved_by_key(claim: Claim, key: bytes, request: Request, names: Names | None = None) -> Claim:
    """The claim, now with the keys that hold, if AUTH was made with this key: a shared one, or that of EAP.

    AuthenticationFailed if not; `names` are evidence of that.
    """
    settled, shown = _claimed(claim, request)
    if _is_made_by(settled, key, shown):
        return settled
    plain = request.notify(NotifyType.NO_PPK_AUTH)
    fits_without = plain is None or _is_made_by(claim, key, Authentication(shown.method, plain.data))
    if settled.half_open.secured.ppk_id and fits_without:
        raise _wrong()
    raise AuthenticationFailed("the peer has another key than we have for it", Cause.WRONG_KEY, names)


def proved_by_signature(
    claim: Claim, public_key: bytes, request: Request, allowed: Certified
) -> tuple[Claim, KeyKind, SignatureScheme]:
    """The same for a signature, with the kind of the key and how it signed; AuthenticationFailed if it did not."""
    settled, shown = _claimed(claim, request)
    octets = their_octets(settled.half_open.secured, settled.half_open.opening, settled.remote_id)
    try:
        return settled, *check_signature(shown, public_key, octets, allowed)
    except AuthenticationFailed as error:
        if settled.half_open.secured.ppk_id and error.cause is Cause.SIGNATURE_WRONG:
            raise _wrong() from error
        raise


def in_auth_response(sa: Established) -> tuple[Notify, ...]:
    """What the responder says beside AUTH."""
    return (IN_USE,) if sa.secured.ppk_id else ()


def agreed(ours: Ppk | None, named: PpkNamed | None) -> Ppk | None:
    """Ours if the peer is to have proved itself with it, None if without any; AuthenticationFailed if neither fits.

    It is RFC 8784 §3, table 1. `named` None: one side uses no such keys.
    """
    must = ours is not None and ours.required
    if named is None:
        if must:
            raise _missing("the peer uses no post-quantum pre-shared keys")
        return None
    if named.identity is None:
        raise _missing("the peer uses post-quantum pre-shared keys, and names none")
    if ours is not None and named.identity == bytes([PpkIdType.FIXED]) + ours.ppk_id:
        return ours
    if must or not named.without:
        name = text_of(named.identity[1:LONGEST])
        raise AuthenticationFailed(f"no post-quantum pre-shared key of the peer is called {name}", Cause.PPK_UNKNOWN)
    return None


def _claimed(claim: Claim, request: Request) -> tuple[Claim, Authentication]:
    """The claim of its first peer with the keys that are to hold, and AUTH as it is made with them."""
    peer, half_open, shown = claim.peers[0], claim.half_open, request.need(Authentication)
    ours = peer.ppk if isinstance(peer.ppk, Ppk) else None
    chosen = agreed(ours, ppk_named(request) if half_open.uses_ppk else None)
    if chosen is not None:
        return replace(claim, half_open=replace(half_open, secured=half_open.secured.mixed(chosen))), shown
    plain = request.notify(NotifyType.NO_PPK_AUTH) if half_open.uses_ppk else None
    return claim, Authentication(shown.method, plain.data) if plain else shown


def _is_made_by(claim: Claim, key: bytes, shown: Authentication) -> bool:
    secured = claim.half_open.secured
    return is_key_auth(secured, key, their_octets(secured, claim.half_open.opening, claim.remote_id), shown)


# --- both ----------------------------------------------------------------------------------------------------------


def unused(sa: Established) -> tuple[Report, ...]:
    """For the owner, where there is one and the IKE SA has come up without."""
    if not isinstance(sa.peer.ppk, Ppk) or sa.secured.ppk_id:
        return ()
    return (report(Level.WARNING, "ppk_not_used", peer=sa.peer.name, spi=sa.spi.hex()),)


def _says(message: Payloads) -> bool:
    return message.notify(NotifyType.USE_PPK) is not None


def text_of(ppk_id: bytes) -> str:
    """A PPK_ID for people; what is no text keeps its octets as escapes."""
    return ppk_id.decode("utf-8", "backslashreplace")


def _wrong() -> AuthenticationFailed:
    return AuthenticationFailed("the peer has another post-quantum pre-shared key of that name", Cause.WRONG_PPK)


def _missing(text: str) -> AuthenticationFailed:
    return AuthenticationFailed(text, Cause.PPK_MISSING)
