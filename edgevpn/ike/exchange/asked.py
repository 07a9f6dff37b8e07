"""All that a peer has asked for, from the messages in which it did: for the owner, when it is refused."""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.evidence import Asked, PpkNamed
from edgevpn.ike.exchange.configuration import wants_of
from edgevpn.ike.iana import NotifyType
from edgevpn.ike.inbound import Request
from edgevpn.ike.state import Established, HalfOpen
from edgevpn.ike.wire.configuration import Configuration
from edgevpn.ike.wire.message import Header, Payload, decode_message
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import (
    Authentication,
    IdI,
    IdR,
    SecurityAssociation,
    TrafficSelectorsI,
    TrafficSelectorsR,
)
from edgevpn.ike.wire.proposal import Proposal


def asked_at_first(request: Request) -> Asked:
    """What an IKE_SA_INIT request asks for."""
    return Asked(request.path.local.host, request.path.remote.host, ike=_proposals(request.payloads))


def asked_in_auth(sa: HalfOpen, request: Request, last: Request, user: str = "") -> Asked:
    """The same, and what the first IKE_AUTH request has added, and the last one that has come.

    `user` is who logs in by EAP, if that is known.
    """
    opening = decode_message(Header.decode(sa.opening.request), sa.opening.request)
    idi, idr, shown = request.first(IdI), request.first(IdR), request.first(Authentication)
    return replace(
        _child(request),
        ike=_proposals(opening),
        idi=idi.identification if idi else None,
        idr=idr.identification if idr else None,
        method=shown.method if shown else None,
        user=user,
        ppk=ppk_named(last) if any(_uses_ppk(each) for each in opening) else None,
        wants=wants_of(request.first(Configuration)),
    )


def ppk_named(request: Request) -> PpkNamed:
    """What a peer that uses post-quantum pre-shared keys says in its request that has AUTH."""
    named, plain = request.notify(NotifyType.PPK_IDENTITY), request.notify(NotifyType.NO_PPK_AUTH)
    return PpkNamed(named.data if named else None, plain is not None)


def asked_by_peer(sa: Established, request: Request) -> Asked | None:
    """What a peer that is in wants besides; None if it is not about a child."""
    if request.first(TrafficSelectorsI) is None:
        return None
    rekeys = request.notify(NotifyType.REKEY_SA)
    old = next((child for child in sa.children if rekeys and child.spi_out == rekeys.spi), None)
    return replace(_child(request), idi=sa.remote_id, peer=sa.peer.name, child=old.name if old else "")


def _child(request: Request) -> Asked:
    tsi, tsr = request.first(TrafficSelectorsI), request.first(TrafficSelectorsR)
    return Asked(
        request.path.local.host,
        request.path.remote.host,
        esp=_proposals(request.payloads),
        tsi=tsi.selectors if tsi else (),
        tsr=tsr.selectors if tsr else (),
    )


def _uses_ppk(payload: Payload) -> bool:
    return isinstance(payload, Notify) and payload.notify_type is NotifyType.USE_PPK


def _proposals(payloads: tuple[Payload, ...]) -> tuple[Proposal, ...]:
    """Without their SPIs, which are new each time."""
    sa = next((each for each in payloads if isinstance(each, SecurityAssociation)), None)
    return tuple(replace(each, spi=b"") for each in sa.proposals) if sa else ()
