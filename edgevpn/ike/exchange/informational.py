"""INFORMATIONAL: liveness, Delete, and news about the IKE SA, RFC 7296 §1.4, §2.4.

SK {}                       -->  <--  SK {}                     is the peer there?
SK {D(ESP, our spi_in)}     -->  <--  SK {D(ESP, its spi_in)}   a child is to go
SK {D(IKE)}                 -->  <--  SK {}                     all is to go
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import (
    Ask,
    ChildClosed,
    Effect,
    Env,
    IkeSaDown,
    InstallOutbound,
    Level,
    RemoveChild,
    RemoveOutbound,
    Request,
    Response,
    Terminate,
    report,
)
from edgevpn.ike.errors import Cause
from edgevpn.ike.exchange.child_sa import ends
from edgevpn.ike.iana import ExchangeType, NotifyType, ProtocolId
from edgevpn.ike.state import (
    ChildSa,
    Closed,
    Closing,
    CreatingChild,
    DeleteChild,
    Deleting,
    Established,
    FollowingUp,
    Phase,
    Probing,
    RekeyChild,
    Rekeyed,
    RekeyingChild,
    RekeyingIke,
)
from edgevpn.ike.steps import Call, IkeSa, Respond, Step, Tell
from edgevpn.ike.wire.payloads import Delete

# Our own bound.
MAX_UNKNOWN = 64  # deleted SPIs that we remember while an answer is on its way; there is only one answer

FATAL = (
    NotifyType.AUTHENTICATION_FAILED,
    NotifyType.INVALID_SYNTAX,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
)

# --- asking --------------------------------------------------------------------------------------------------------


def probe(sa: Established) -> Step:
    """Ask whether the peer is there."""
    return Step(replace(sa, doing=Probing()), (Call(ExchangeType.INFORMATIONAL, (), sa.path),))


def delete_child(sa: Established, spi_in: bytes) -> Step:
    """Tell the peer that a child is to go; it goes when the peer has answered."""
    child = sa.child(spi_in)
    if child is None or child.phase in (Phase.DELETING, Phase.LINGERING):
        return Step(sa)
    sa = replace(sa.with_child(child.turned(Phase.DELETING)), doing=Deleting((spi_in,)))
    delete = Delete(ProtocolId.ESP, (spi_in,))
    return Step(sa, (RemoveOutbound(child), Call(ExchangeType.INFORMATIONAL, (delete,), sa.path)))


def close(sa: Established | Rekeyed, reason: str = "closed", *, asked: bool = True, cause: Cause | None = None) -> Step:
    """Tell the peer, once it has answered what we asked, that IKE SA and children are to go (RFC 7296 §1.4.1).

    `asked`: we were told to. What the peer has made of it meanwhile, by rekeying, goes too.
    """
    silent = isinstance(sa, Rekeyed) or sa.followed
    rival = sa.doing.rival if isinstance(sa, Established) and isinstance(sa.doing, RekeyingIke) else None
    others = (Tell(rival.spi, Terminate(rival.spi)),) if rival else ()
    busy = sa.busy if isinstance(sa, Rekeyed) else sa.doing is not None
    children = sa.children if isinstance(sa, Established) else ()
    removals = tuple(RemoveChild(child) for child in children)
    closing = Closing(sa.secured, sa.peer, sa.path, reason, asked, silent, waiting=busy, cause=cause)
    return Step(closing, (*removals, *(() if busy else (_delete_ike(closing),)), *others))


def _delete_ike(sa: Closing) -> Call:
    return Call(ExchangeType.INFORMATIONAL, (Delete(ProtocolId.IKE),), sa.path)


# --- being asked ---------------------------------------------------------------------------------------------------


def closes(request: Request) -> bool:
    """Whether the peer deletes the IKE SA, or says that it has given it up (RFC 7296 §2.21.2)."""
    deleted = any(isinstance(p, Delete) and p.protocol is ProtocolId.IKE for p in request.payloads)
    return deleted or any(request.notify(fault) is not None for fault in FATAL)


def on_request(sa: Established | Rekeyed | Closing, request: Request, env: Env) -> Step:
    """Answer a liveness probe, or close what the peer closed."""
    if closes(request):
        return _closed_by_peer(sa, request)
    if not isinstance(sa, Established):
        return Step(sa, (Respond(request),))
    deletes = [p for p in request.payloads if isinstance(p, Delete) and p.protocol is ProtocolId.ESP]
    spis = {spi for delete in deletes for spi in delete.spis}
    if not spis:
        return Step(sa, (Respond(request),))
    sa = _without_unknown(sa, spis)
    gone = tuple(child for child in sa.children if child.spi_out in spis and child.phase is not Phase.LINGERING)
    # What we are deleting ourselves is not named: either side's Delete stands for the pair (RFC 7296 §1.4.1).
    ours = tuple(child.spi_in for child in gone if child.phase is not Phase.DELETING)
    step = _gone(sa, gone, env)
    closed = tuple(
        ChildClosed(sa.spi, sa.peer.name, child.name)
        for child in gone
        if child.lives and not sa.followed and not _goes_on(step.sa, child.replaces)
    )
    return Step(step.sa, (*step.effects, Respond(request, (Delete(ProtocolId.ESP, ours),) if ours else ()), *closed))


def _goes_on(sa: IkeSa, replaced: bytes | None) -> bool:
    """Whether the pair with this inbound SPI carries the traffic again."""
    old = sa.child(replaced) if isinstance(sa, Established) and replaced else None
    return old is not None and old.lives


def _without_unknown(sa: Established, spis: set[bytes]) -> Established:
    """A child whose making is not known here yet may be deleted already: its answer was lost, or comes later."""
    doing = sa.doing
    about = doing.about if isinstance(doing, FollowingUp) else doing
    if not isinstance(about, CreatingChild | RekeyingChild):
        return sa
    gone = about.gone | (spis - {child.spi_out for child in sa.children})
    if len(gone) > MAX_UNKNOWN:
        return sa
    about = replace(about, gone=gone)
    return replace(sa, doing=replace(doing, about=about) if isinstance(doing, FollowingUp) else about)


def _closed_by_peer(sa: Established | Rekeyed | Closing, request: Request) -> Step:
    match sa:
        case Established():
            removals = tuple(RemoveChild(child) for child in sa.children)
            unconvinced = request.notify(NotifyType.AUTHENTICATION_FAILED) is not None
            cause = Cause.LEFT_UNCONVINCED if unconvinced else Cause.DELETED_BY_PEER
            down = IkeSaDown(sa.spi, sa.peer.name, "deleted by peer", cause=cause)
            return Step(Closed(down.reason), (Respond(request), *removals, *(() if sa.followed else (down,))))
        case Closing():
            return Step(Closed(sa.reason), (Respond(request), *_down(sa)))
        case Rekeyed(heir=heir, doubtful=children):
            anew = (Tell(heir, Ask(heir, RekeyChild(spi_in))) for spi_in in children)
            return Step(Closed("replaced"), (Respond(request), *anew))


# --- being answered ------------------------------------------------------------------------------------------------


def on_response(sa: Established, response: Response, env: Env) -> Step:
    """The peer lives, or has done what we asked."""
    doing, sa = sa.doing, replace(sa, doing=None)
    spis = doing.spis if isinstance(doing, Deleting) else ()
    return _gone(sa, tuple(c for c in sa.children if c.spi_in in spis and c.phase is Phase.DELETING), env)


def closed(sa: Closing) -> Step:
    """The peer has answered: our Delete, or what we had asked before it."""
    if sa.waiting:
        return Step(replace(sa, waiting=False), (_delete_ike(sa),))
    return Step(Closed(sa.reason), _down(sa))


def given_up(sa: Closing) -> Step:
    """The peer does not answer; it is all the same."""
    return Step(Closed(sa.reason), _down(sa))


def _down(sa: Closing) -> tuple[Effect, ...]:
    cause = sa.cause or (Cause.ASKED if sa.asked else None)
    return () if sa.silent else (IkeSaDown(sa.spi, sa.peer.name, sa.reason, sa.asked, cause),)


def _gone(sa: Established, children: tuple[ChildSa, ...], env: Env) -> Step:
    """Both sides know that these are gone: what replaced them sends, late packets are still taken for a while."""
    effects: list[Effect] = []
    for child in children:
        heirs = [c for c in sa.children if c.replaces == child.spi_in and c.phase is Phase.INBOUND]
        effects += [InstallOutbound(heir, ends(sa)) for heir in heirs]
        heirs = [heir.turned(Phase.ACTIVE, heir.rekey_at) for heir in heirs]
        sa = _revived(sa, child, env)
        sa = sa.with_child(*heirs, child.turned(Phase.LINGERING, env.now + env.settings.linger))
        effects.append(RemoveOutbound(child))
        effects.append(report(Level.INFO, "child_gone", peer=sa.peer.name, child=child.name, spi_in=child.spi_in.hex()))
    return Step(sa, tuple(effects))


def _revived(sa: Established, gone: ChildSa, env: Env) -> Established:
    """The peer takes back what it made in the place of another, which still stands: that one goes on."""
    old = sa.child(gone.replaces) if gone.replaces and gone.phase is Phase.INBOUND else None
    if old is None or old.phase is not Phase.REPLACED or DeleteChild(old.spi_in) in sa.todo:
        return sa
    return sa.with_child(old.turned(Phase.ACTIVE, env.soon(env.settings.rekey_again)))
