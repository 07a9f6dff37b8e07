"""MOBIKE: an IKE SA and its children move to other addresses, RFC 4555.

    who began the IKE SA                                             the other
    SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*), N(COOKIE2)} -->            we are here now
                                                    <--  SK {N(NAT_DETECTION_*), N(COOKIE2)}
                                                    <--  SK {N(COOKIE2)}       and really there?
    SK {N(COOKIE2)}                                 -->

Only who began the IKE SA, be it before some rekeyings, decides over which path it goes. It moves first and tells the
peer then; the peer moves when it is told, and checks afterwards. Whoever's addresses change tells the other which it
has beside the one in use. Behind a NAT who began asks with each probe how it is seen, and so notices another mapping.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from edgevpn.frozen import replace
from edgevpn.ike.contract import (
    Effect,
    Env,
    FindPath,
    Level,
    LocalAddresses,
    MovePath,
    Request,
    Response,
    report,
)
from edgevpn.ike.errors import Cause
from edgevpn.ike.exchange import informational
from edgevpn.ike.exchange.nat import Spis, detected, detection, moved, seen_as
from edgevpn.ike.iana import ExchangeType, NotifyType
from edgevpn.ike.peer import IpAddress
from edgevpn.ike.state import (
    Announce,
    Announcing,
    CheckingPath,
    CheckPath,
    Established,
    Mobility,
    Nat,
    Path,
    Probing,
    Update,
    Updating,
)
from edgevpn.ike.steps import Call, Directive, Respond, Step
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify

Effects = tuple[Effect | Directive, ...]

ADDITIONAL = {4: NotifyType.ADDITIONAL_IP4_ADDRESS, 6: NotifyType.ADDITIONAL_IP6_ADDRESS}

# Our own choices.
COOKIE2_SIZE = 16
MAX_ADDRESSES = 8  # of either side, beside the one in use
MAX_TRIES = 4  # of an update that finds a NAT where none is allowed (§3.9)


# --- agreeing on it ------------------------------------------------------------------------------------------------


def supported(host: IpAddress, env: Env) -> tuple[Payload, ...]:
    """What goes into IKE_AUTH beside the offer of a child: that we can do it, and where else we are (§3.2, §3.4)."""
    return (Notify(NotifyType.MOBIKE_SUPPORTED), *_additional(host, env.hosts))


def mobility_of(message: Request | Response) -> Mobility | None:
    """What the peer says of it in IKE_AUTH."""
    if message.notify(NotifyType.MOBIKE_SUPPORTED) is None:
        return None
    return Mobility(_addresses(message) or ())


# --- asking --------------------------------------------------------------------------------------------------------


def update(sa: Established, task: Update, env: Env) -> Step:
    """Tell the peer over which path this IKE SA goes (§3.5)."""
    cookie2 = env.entropy(COOKIE2_SIZE)
    payloads = (
        Notify(NotifyType.UPDATE_SA_ADDRESSES),
        *_nat_payloads(sa),
        Notify(NotifyType.COOKIE2, cookie2),
    )
    return _call(replace(sa, doing=Updating(task, sa.path, cookie2)), payloads)


def check_path(sa: Established, env: Env) -> Step:
    """Have the peer show that it receives what we send to it (§3.7)."""
    cookie2 = env.entropy(COOKIE2_SIZE)
    return _call(replace(sa, doing=CheckingPath(cookie2)), (Notify(NotifyType.COOKIE2, cookie2),))


def announce(sa: Established, env: Env) -> Step:
    """Tell the peer where else we can be reached (§3.6)."""
    additional = _additional(sa.path.local.host, env.hosts) or (Notify(NotifyType.NO_ADDITIONAL_ADDRESSES),)
    prohibition = () if sa.nat.supported else (_no_nats(sa.path),)
    return _call(replace(sa, doing=Announcing()), (*additional, *prohibition))


def probe(sa: Established) -> Step:
    """Ask whether the peer is there, and behind a NAT also how it sees us (§3.8)."""
    asks = sa.began and sa.nat.local
    return _call(replace(sa, doing=Probing()), _nat_payloads(sa) if asks else ())


def _call(sa: Established, payloads: tuple[Payload, ...]) -> Step:
    return Step(sa, (Call(ExchangeType.INFORMATIONAL, payloads, sa.path),))


def _nat_payloads(sa: Established) -> tuple[Payload, ...]:
    """The hashes that find a NAT, or the demand that there be none (§3.9)."""
    if not sa.nat.supported:
        return (_no_nats(sa.path),)
    return detection(_spis(sa), sa.path, sa.peer.force_encapsulation)


# --- being told of addresses here ----------------------------------------------------------------------------------


def on_move(sa: Established, move: MovePath, env: Env) -> Step:
    """Go over another path. Without MOBIKE the peer would not follow: it is better to begin anew (RFC 7296 §2.8.3)."""
    path = Path(replace(sa.path.local, host=move.local), replace(sa.path.remote, host=move.remote))
    if path == sa.path:
        return Step(sa)
    if sa.mobility is None or not sa.began:
        return Step(sa, (report(Level.WARNING, "cannot_move", peer=sa.peer.name, spi=sa.spi.hex()),))
    # where the peer was, it may still be
    addresses = dict.fromkeys((sa.path.remote.host, *sa.mobility.addresses))
    others = tuple(host for host in addresses if host != move.remote)
    sa, effects = moved(replace(sa, mobility=replace(sa.mobility, addresses=others)), path, sa.nat, env)
    return Step(_updated_first(sa), effects)


def on_local_addresses(sa: Established, addresses: LocalAddresses, env: Env) -> Step:
    """Our addresses have changed, perhaps the one in use."""
    if sa.path.local.host in addresses.hosts:
        return Step(sa.then(Announce()) if sa.mobility is not None else sa)
    if sa.began:
        return Step(sa, (_find_path(sa),))
    other = next((host for host in addresses.hosts if host.version == sa.path.remote.host.version), None)
    if sa.mobility is None or other is None:
        return Step(sa)
    # the address that the peer knows is gone: only if it hears of another can it move there (§3.6)
    sa, effects = moved(sa, replace(sa.path, local=replace(sa.path.local, host=other)), sa.nat, env)
    return Step(sa.then(Announce()), effects)


def on_doubt(sa: Established) -> Step:
    """Nothing comes back on this path (§3.5)."""
    return Step(sa, (_find_path(sa),) if sa.mobility is not None and sa.began else ())


def _find_path(sa: Established) -> FindPath:
    return FindPath(sa.spi, sa.peer.name, sa.path, sa.mobility.addresses if sa.mobility else ())


def _updated_first(sa: Established) -> Established:
    """With the update before all else that waits."""
    others = tuple(task for task in sa.todo if not isinstance(task, Update))
    return replace(sa, todo=(Update(), *others))


# --- being asked ---------------------------------------------------------------------------------------------------


def on_request(sa: Established, request: Request, env: Env) -> Step:
    """What the peer says of its addresses, and whatever else is in that message."""
    if (fault := _fault(sa, request)) is not None:
        told = report(Level.WARNING, "addresses_refused", peer=sa.peer.name, notify=fault.name)
        return Step(sa, (Respond(request, (Notify(fault), *_cookie2(request))), told))
    done = informational.on_request(sa, request, env)
    assert isinstance(done.sa, Established)  # a message that closes it has not come here
    sa, news = _with_addresses(done.sa, request)
    answers: tuple[Payload, ...] = _cookie2(request)
    if request.notify(NotifyType.NAT_DETECTION_SOURCE_IP) is not None:
        answers = (*detection(_spis(sa), request.path, sa.peer.force_encapsulation), *answers)
    moves: Effects = ()
    if not sa.began and request.notify(NotifyType.UPDATE_SA_ADDRESSES) is not None:
        sa, moves = moved(sa, request.path, _nat_after(sa, request), env)
        sa = sa.then(CheckPath())
    return Step(sa, (*moves, *_answering(done.effects, answers), *news))  # its packets may overtake our answer's


def _fault(sa: Established, request: Request) -> NotifyType | None:
    """Why what the peer says of its addresses cannot be (§3.5, §3.9)."""
    update = request.notify(NotifyType.UPDATE_SA_ADDRESSES) is not None
    prohibition = request.notify(NotifyType.NO_NATS_ALLOWED)
    if prohibition is not None and prohibition.data != _no_nats(_reversed(request.path)).data:
        return NotifyType.UNEXPECTED_NAT_DETECTED
    if update and not sa.peer.accepts(request.path.local.host, request.path.remote.host):
        return NotifyType.UNACCEPTABLE_ADDRESSES
    return None


def _with_addresses(sa: Established, request: Request) -> tuple[Established, Effects]:
    """Remember where else the peer is; who began must look for another path if it is no longer where we send to."""
    addresses = _addresses(request)
    if addresses is None or sa.mobility is None:
        return sa, ()
    sa = replace(sa, mobility=replace(sa.mobility, addresses=addresses))
    there = {request.path.remote.host, *addresses}
    lost = sa.began and sa.path.remote.host not in there
    if lost and request.path.remote.host not in addresses:
        others = (request.path.remote.host, *addresses)
        return sa, (FindPath(sa.spi, sa.peer.name, sa.path, others),)
    return sa, ()


def _answering(effects: Effects, payloads: tuple[Payload, ...]) -> Effects:
    """The same effects, with these payloads in the answer too."""
    return tuple(replace(e, payloads=(*payloads, *e.payloads)) if isinstance(e, Respond) else e for e in effects)


# --- being answered ------------------------------------------------------------------------------------------------


def on_response(sa: Established, response: Response, env: Env) -> Step:
    """What became of the update, the check or the probe."""
    doing = sa.doing
    if isinstance(doing, Updating | CheckingPath) and _bears_another(response, doing.cookie2):
        reason = "the answer bears another COOKIE2 (RFC 4555)"
        return informational.close(replace(sa, doing=None), reason, asked=False, cause=Cause.MALFORMED)
    match doing:
        case Updating(task, path) if path == sa.path:
            return _updated(replace(sa, doing=None), task, response, env)
        case Probing() if sa.began and sa.nat.local and seen_as(response) not in (b"", _mobility(sa).seen_as):
            return Step(_updated_first(replace(sa, doing=None)))
        case _:
            return informational.on_response(sa, response, env)


def _updated(sa: Established, task: Update, response: Response, env: Env) -> Step:
    error = response.error()
    if error is None:
        mobility = replace(_mobility(sa), seen_as=seen_as(response))
        return Step(*moved(replace(sa, mobility=mobility), sa.path, _nat_after(sa, response), env))
    told = report(Level.WARNING, "update_refused", peer=sa.peer.name, notify=error.notify_type.name)
    if error.notify_type == NotifyType.UNEXPECTED_NAT_DETECTED and task.tries < MAX_TRIES:
        return Step(sa.then(Update(task.tries + 1)), (told,))
    return Step(sa, (told, _find_path(sa)))


def _bears_another(response: Response, cookie2: bytes) -> bool:
    """Whether an answer shows that its sender did not see the request. Some peers show nothing, though they must."""
    shown = response.notify(NotifyType.COOKIE2)
    return shown is not None and shown.data != cookie2


# --- both ----------------------------------------------------------------------------------------------------------


def _mobility(sa: Established) -> Mobility:
    assert sa.mobility is not None
    return sa.mobility


def _nat_after(sa: Established, message: Request | Response) -> Nat:
    """Who is behind a NAT now; as before if the message does not tell."""
    nat = detected(message, _spis(sa), message.path, sa.peer.force_encapsulation)
    return nat if nat.supported else sa.nat


def _spis(sa: Established) -> Spis:
    return sa.secured.spi_i, sa.secured.spi_r


def _cookie2(request: Request) -> tuple[Payload, ...]:
    """What must come back as it is (§3.7)."""
    shown = request.notify(NotifyType.COOKIE2)
    return (shown,) if shown is not None else ()


def _additional(host: IpAddress, hosts: tuple[IpAddress, ...]) -> tuple[Payload, ...]:
    others = [other for other in hosts if other != host][:MAX_ADDRESSES]
    return tuple(Notify(ADDITIONAL[other.version], other.packed) for other in others)


def _addresses(message: Request | Response) -> tuple[IpAddress, ...] | None:
    """The addresses in a message beside the one that it came from; None if it does not speak of any."""
    found: list[IpAddress] = []
    told = message.notify(NotifyType.NO_ADDITIONAL_ADDRESSES) is not None
    for notify in message.all(Notify):
        if notify.notify_type == NotifyType.ADDITIONAL_IP4_ADDRESS:
            found.append(IPv4Address(notify.data))
        elif notify.notify_type == NotifyType.ADDITIONAL_IP6_ADDRESS:
            found.append(IPv6Address(notify.data))
    return tuple(found[:MAX_ADDRESSES]) if found or told else None


def _no_nats(path: Path) -> Notify:
    """Source, destination and ports as we send (§4.2.6)."""
    ends = path.local.host.packed + path.remote.host.packed
    ports = path.local.port.to_bytes(2, "big") + path.remote.port.to_bytes(2, "big")
    return Notify(NotifyType.NO_NATS_ALLOWED, ends + ports)


def _reversed(path: Path) -> Path:
    """As the sender of what came over `path` sees it."""
    return Path(path.remote, path.local)
