"""INFORMATIONAL: liveness, Delete, and news about the IKE SA, RFC 7296 §1.4, §2.4."""

from __future__ import annotations

from dataclasses import replace

from edgevpn.ike.contract import (
    Call,
    ChildClosed,
    Effect,
    Env,
    IkeSaDown,
    InstallOutbound,
    Level,
    RemoveChild,
    RemoveOutbound,
    Request,
    Respond,
    Response,
    Step,
    report,
)
from edgevpn.ike.exchange.child_sa import ends
from edgevpn.ike.iana import ExchangeType, ProtocolId
from edgevpn.ike.state import (
    ChildSa,
    Closed,
    Closing,
    Deleting,
    Established,
    Phase,
    Probing,
    Rekeyed,
)
from edgevpn.ike.wire.payloads import Delete

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


def close(sa: Established | Rekeyed) -> Step:
    """Tell the peer that the IKE SA is to go, with all its children (RFC 7296 §1.4.1)."""
    children = sa.children if isinstance(sa, Established) else ()
    removals = tuple(RemoveChild(child) for child in children)
    delete = Call(ExchangeType.INFORMATIONAL, (Delete(ProtocolId.IKE),), sa.path)
    return Step(Closing(sa.secured, sa.peer, sa.path), (delete, *removals))


# --- being asked ---------------------------------------------------------------------------------------------------


def on_request(sa: Established | Rekeyed | Closing, request: Request, env: Env) -> Step:
    """Answer a liveness probe, or close what the peer closed."""
    deletes = [payload for payload in request.payloads if isinstance(payload, Delete)]
    if any(delete.protocol is ProtocolId.IKE for delete in deletes):
        return _closed_by_peer(sa, request)
    if not isinstance(sa, Established):
        return Step(sa, (Respond(request),))
    spis = {spi for delete in deletes if delete.protocol is ProtocolId.ESP for spi in delete.spis}
    gone = tuple(child for child in sa.children if child.spi_out in spis and child.phase is not Phase.LINGERING)
    # What we are deleting ourselves is not named: either side's Delete stands for the pair (RFC 7296 §1.4.1).
    ours = tuple(child.spi_in for child in gone if child.phase is not Phase.DELETING)
    step = _gone(sa, gone, env)
    closed = tuple(
        ChildClosed(sa.spi, sa.peer.name, child.name)
        for child in gone
        if child.phase is Phase.ACTIVE  # nothing was made to follow it
    )
    return Step(step.sa, (*step.effects, Respond(request, (Delete(ProtocolId.ESP, ours),) if ours else ()), *closed))


def _closed_by_peer(sa: Established | Rekeyed | Closing, request: Request) -> Step:
    removals = tuple(RemoveChild(child) for child in sa.children) if isinstance(sa, Established) else ()
    down = () if isinstance(sa, Rekeyed) else (IkeSaDown(sa.spi, sa.peer.name, "deleted by peer"),)
    return Step(Closed("deleted by peer"), (Respond(request), *removals, *down))


# --- being answered ------------------------------------------------------------------------------------------------


def on_response(sa: Established | Closing, response: Response, env: Env) -> Step:
    """The peer lives, or has done what we asked."""
    if isinstance(sa, Closing):
        return Step(Closed("closed"), (IkeSaDown(sa.spi, sa.peer.name, "closed", asked=True),))
    doing, sa = sa.doing, replace(sa, doing=None)
    if not isinstance(doing, Deleting):
        return Step(sa)
    return _gone(sa, tuple(child for child in sa.children if child.spi_in in doing.spis), env)


def _gone(sa: Established, children: tuple[ChildSa, ...], env: Env) -> Step:
    """Both sides know that these are gone: what replaced them sends, late packets are still taken for a while."""
    effects: list[Effect] = []
    for child in children:
        for heir in (c for c in sa.children if c.replaces == child.spi_in and c.phase is Phase.INBOUND):
            sa = sa.with_child(heir.turned(Phase.ACTIVE, heir.rekey_at))
            effects.append(InstallOutbound(heir, ends(sa)))
        sa = sa.with_child(child.turned(Phase.LINGERING, env.now + env.settings.linger))
        effects.append(RemoveOutbound(child))
        effects.append(report(Level.INFO, "child_gone", peer=sa.peer.name, child=child.name, spi_in=child.spi_in.hex()))
    return Step(sa, tuple(effects))
