"""What happens, told to whoever watches: a sentence for each step that an effect or a new state shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgevpn.ike.contract import ChildFailed, Effect, IkeSaUp, InstallOutbound, Report
from edgevpn.ike.crypto.names import suite_name
from edgevpn.ike.errors import Cause
from edgevpn.ike.evidence import Refusal
from edgevpn.ike.iana import NotifyType
from edgevpn.ike.negotiate import methods
from edgevpn.ike.proving import Answering, Calling, CheckingResponder, EapAnswering, EapProven, PreparingAuth
from edgevpn.ike.questions import Configured
from edgevpn.ike.state import Authenticating, IkeSa, Initiating
from edgevpn.simulate.clients import SimulatedClient
from edgevpn.simulate.pinging import Echoes
from edgevpn.simulate.user import Typed

State = IkeSa | Answering | Calling


def of_state(before: State | None, after: State | None) -> Iterator[str]:
    """What a new state shows that the one before it did not."""
    match before, after:
        case None, Initiating(ke=ke):
            yield f"asks for an IKE SA, guessing that the key exchange will be {ke.name}"
        case Initiating(ke=old), Initiating(ke=new) if old != new:
            yield f"the gateway wants {new.name} rather than {old.name}: asks again"
        case Initiating(cookie=old), Initiating(cookie=new) if old != new:
            yield "the gateway wants to see a cookie: asks again"
        case Initiating(), Authenticating() | PreparingAuth():
            assert after is not None
            first = after.first if isinstance(after, PreparingAuth) else after
            assert isinstance(first, Authenticating)
            yield f"agreed on {suite_name(first.secured.suite)}"
            if first.nat.local or first.nat.remote:
                yield "a NAT is in between, so ESP goes in UDP"
        case Authenticating(), EapAnswering(theirs=None, remote_id=remote_id):
            yield f"the gateway says that it is {remote_id}, and shows it by EAP alone; now the user logs in"
        case CheckingResponder() | Authenticating(), EapAnswering(theirs=theirs, remote_id=remote_id):
            yield f"the gateway is {remote_id}, shown by {theirs}; now the user logs in"
        case EapAnswering(), EapProven():
            yield "the password is accepted"


def of_effect(effect: Effect) -> Iterator[str]:
    """What an effect says."""
    match effect:
        case IkeSaUp(remote_id=remote_id, session=session, replaces=None):
            yield f"the IKE SA is up with {remote_id}, which proved itself by {session.theirs}"
        case IkeSaUp():
            yield "the IKE SA has new keys"
        case Configured(given=given):
            yield f"has the addresses {_listed(given.addresses)}"
            settings = given.settings
            yield f"DNS servers: {_listed(settings.dns) or 'none'}"
            if settings.domains:
                yield f"for the domains {_listed(settings.domains)}"
            if settings.networks:
                yield f"reaches the networks {_listed(settings.networks)}"
        case InstallOutbound(child=child):
            yield f"traffic is protected by {suite_name(child.suite)}"
        case ChildFailed(reason=reason):
            yield f"there is no CHILD SA: {reason}"


def of_echoes(echoes: Echoes) -> str:
    """How pings through the tunnel went."""
    told = f"pings {echoes.target} through the tunnel: {echoes.sent} sent, {echoes.answered} answered"
    if echoes.round_trip is not None:
        return f"{told}, {echoes.round_trip * 1000:.1f} ms"
    return f"{told}; {echoes.refused} says that it cannot be reached" if echoes.refused else told


def refusal(effect: Effect, client: SimulatedClient, typed: Typed) -> str | None:
    """Why the client gives up at this, in one sentence; None if it does not. It does not wait for a better answer."""
    match effect:
        case Report(cause=Cause.REFUSED_BY_PEER, evidence=Refusal(notify=NotifyType.NO_PROPOSAL_CHOSEN)):
            setup = "set up by hand" if typed.by_hand else "as we set it up"
            cure = client.cure if typed.by_hand or client.exported is None else "see the log of the gateway"
            return (
                f"the gateway takes nothing of what {client.words} offers {setup} ({_methods(client, typed)}): {cure}"
            )
        case Report(cause=Cause.REFUSED_BY_PEER, evidence=Refusal(notify=notify)):
            return f"the gateway answered {notify.name}; its log says why"
        case ChildFailed(reason=reason):
            return f"there is no CHILD SA: {reason}"
    return None


def _methods(client: SimulatedClient, typed: Typed) -> str:
    return f"key exchange by {_listed(each.name for each in methods(client.setup(typed.by_hand).ike))}"


def _listed(things: Iterable[object]) -> str:
    return ", ".join(map(str, things))
