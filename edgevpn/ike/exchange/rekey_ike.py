"""CREATE_CHILD_SA for an IKE SA in the place of another, and who inherits its children: RFC 7296 §1.3.2, §2.8.2, §2.18.

    Initiator                  Responder
    SK {SA, Ni, KEi}      -->
                          <--  SK {SA, Nr, KEr}          the new IKE SA stands, with all children
    SK {D(IKE)}           -->                            of the old one, by who asked for the new one

Where both ask at once, there are two new IKE SAs until both know all four nonces. The one with the lowest of them is
closed by who asked for it. Until then the peer's is `Contending`, and the old one keeps the children. A peer that
deletes the old one has decided: its own new IKE SA stands, whatever we wait for.

Not every peer compares nonces: to some the children are with the IKE SA that we asked for, and go when it goes. So
where that is the one to close, it stays a moment, and as soon as the peer has deleted the old one the children are
rekeyed over its own: if it does not find them there it says so, and gets new ones.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.clients import rekey_method
from edgevpn.ike.contract import (
    Effect,
    Env,
    IkeSaUp,
    KeysDerived,
    Request,
    Response,
    Terminate,
)
from edgevpn.ike.crypto import dh
from edgevpn.ike.crypto.keymat import derive_rekeyed_ike_keys
from edgevpn.ike.crypto.suite import IkeSuite
from edgevpn.ike.errors import InvalidKePayload, InvalidSyntax, TemporaryFailure
from edgevpn.ike.exchange import ike_followup_ke
from edgevpn.ike.exchange.child_sa import NONCE_SIZE, Nonces
from edgevpn.ike.iana import ExchangeType, ProtocolId
from edgevpn.ike.lifetime import renewed
from edgevpn.ike.negotiate import Chosen, check_answer, choose, proposals, without_additional
from edgevpn.ike.peer import Offer
from edgevpn.ike.state import (
    Closed,
    Contending,
    Established,
    Phase,
    Probing,
    Promise,
    Rekeyed,
    RekeyIke,
    RekeyingIke,
    Rival,
    Secured,
)
from edgevpn.ike.steps import (
    Call,
    Directive,
    Inherit,
    Redundant,
    Respond,
    RivalGone,
    Spawn,
    Step,
    Tell,
)
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation

Effects = tuple[Effect | Directive, ...]


# --- asking --------------------------------------------------------------------------------------------------------


def rekey_ike(sa: Established, task: RekeyIke, env: Env) -> Step:
    """Ask for an IKE SA in the place of this one."""
    ke = task.ke or rekey_method(sa.session.client, sa.peer.offers, sa.secured.suite.ke)
    key_pair, ni, spi = dh.generate(ke, env.entropy), env.entropy(NONCE_SIZE), env.entropy(8)
    payloads = (
        SecurityAssociation(proposals(_offers(sa), ProtocolId.IKE, spi)),
        Nonce(ni),
        KeyExchange(ke, key_pair.public),
    )
    doing = RekeyingIke(task, spi, ni, ke, key_pair)
    return Step(replace(sa, doing=doing), (Call(ExchangeType.CREATE_CHILD_SA, payloads, sa.path),))


# --- being asked ---------------------------------------------------------------------------------------------------


def on_request(sa: Established, request: Request, env: Env) -> Step:
    """Make the IKE SA that the peer wants; it gets the children now, or when our own request has been decided."""
    doing = sa.doing
    if doing is not None and not isinstance(doing, RekeyingIke | Probing):
        raise TemporaryFailure("another exchange is under way")
    if isinstance(doing, RekeyingIke) and (doing.rival is not None or sa.secured.suite.additional):
        raise TemporaryFailure("this IKE SA has been rekeyed, or will be after further key exchanges")
    asked = request.need(SecurityAssociation).proposals
    chosen = choose(_offers(sa) if isinstance(doing, RekeyingIke) else sa.peer.offers, asked, ProtocolId.IKE)
    ke, ni = request.need(KeyExchange), request.need(Nonce).data
    if ke.method != chosen.ke:
        raise InvalidKePayload(chosen.ke)
    key_exchange, nr, spi_r = dh.respond(chosen.ke, ke.data, env.entropy), env.entropy(NONCE_SIZE), env.entropy(8)
    spi_i = next(proposal.spi for proposal in asked if proposal.number == chosen.number)
    secured = _secured(
        sa, chosen.ike_suite(), Nonces(ni, nr), key_exchange.shared_secret, (spi_i, spi_r), initiator=False
    )
    payloads = (
        SecurityAssociation(chosen.answer(ProtocolId.IKE, spi_r)),
        Nonce(nr),
        KeyExchange(chosen.ke, key_exchange.public),
    )
    answer = Respond(request, payloads)
    if chosen.additional:
        return ike_followup_ke.promise(sa, secured, (ni, nr), key_exchange.shared_secret, answer, env)
    if isinstance(doing, RekeyingIke):
        contending = Contending(secured, sa.peer, sa.path, replaces=sa.spi)
        waiting = replace(sa, doing=replace(doing, rival=Rival(spi_r, min(ni, nr))))
        return Step(waiting, (*_exported(secured, env), Spawn(contending, secured), answer))
    return _made(sa, secured, answer, env)


def keep_promise(sa: Established, promised: Promise, answer: Respond, env: Env) -> Step:
    """After the last of its key exchanges the IKE SA that the peer wanted stands (RFC 9370 §2.2.4)."""
    new, nonces = promised.what, Nonces(promised.ni, promised.nr)
    assert isinstance(new, Secured)
    spis = new.spi_i, new.spi_r
    secured = _secured(sa, new.suite, nonces, promised.shared_secret, spis, initiator=False, more=promised.secrets)
    return _made(sa, secured, answer, env)


def _made(sa: Established, secured: Secured, answer: Respond, env: Env) -> Step:
    busy = isinstance(sa.doing, Probing)
    return Step(replace(_replaced(sa, env), busy=busy), (answer, *_succeeded(sa, secured, env)))


# --- being answered ------------------------------------------------------------------------------------------------


def on_response(sa: Established, doing: RekeyingIke, response: Response, env: Env, more: bytes = b"") -> Step:
    """The new IKE SA stands, unless the peer's own does. `more` are the secrets of further key exchanges."""
    answer, nr = response.need(SecurityAssociation).proposals, response.need(Nonce).data
    chosen, ke = chosen_of(sa, response), response.need(KeyExchange)
    if not chosen.ke == ke.method == doing.ke:
        raise InvalidSyntax(f"KE payload of method {ke.method.name}, chosen is {chosen.ke.name}")
    shared_secret = doing.key_pair.shared_secret(ke.data)
    spis = (doing.spi, answer[0].spi)
    secured = _secured(sa, chosen.ike_suite(), Nonces(doing.ni, nr), shared_secret, spis, initiator=True, more=more)
    rival = doing.rival
    if rival is not None and min(doing.ni, nr) < rival.lowest:
        superfluous = Rekeyed(secured, sa.peer, sa.path, env.now + env.settings.linger, ours=True)
        children = tuple(child.spi_in for child in sa.children if child.phase is Phase.ACTIVE)
        old = replace(_replaced(sa, env), heir=rival.spi, doubtful=children)
        return Step(old, (Tell(rival.spi, Inherit(sa)), *_exported(secured, env), Spawn(superfluous, secured)))
    theirs = (Tell(rival.spi, Redundant()),) if rival else ()
    return Step(_replaced(sa, env), (*_succeeded(sa, secured, env), *theirs, Tell(sa.spi, Terminate(sa.spi))))


def bequeathed(sa: Established, rival: Rival, reason: str, *effects: Effect | Directive) -> Step:
    """The old IKE SA ends while our request is unanswered: the one that the peer made of it stands."""
    return Step(Closed(reason), (*effects, Tell(rival.spi, Inherit(sa))))


def forgone(sa: Established, rival: Rival, env: Env) -> Step:
    """The peer refused our request and made an IKE SA of its own: that one stands."""
    return Step(_replaced(sa, env), (Tell(rival.spi, Inherit(sa)),))


# --- the peer's new IKE SA while nothing is decided ----------------------------------------------------------------


def inherit(sa: Contending, old: Established, env: Env) -> Step:
    """It stands, and gets all that the old one had."""
    follower = renewed(old, sa.secured, env)
    return Step(follower, _up(follower, old))


def redundant(sa: Contending, env: Env) -> Rekeyed:
    """Ours stands; the peer will close this one."""
    return Rekeyed(sa.secured, sa.peer, sa.path, env.now + env.settings.replaced_timeout)


def given_up(sa: Contending, request: Request) -> Step:
    """The peer closes it again, so ours will stand."""
    return Step(Closed("the peer gave it up"), (Respond(request), Tell(sa.replaces, RivalGone())))


# --- both ----------------------------------------------------------------------------------------------------------


def chosen_of(sa: Established, response: Response) -> Chosen:
    """What the peer has chosen of what we asked for."""
    return check_answer(_offers(sa), response.need(SecurityAssociation).proposals, ProtocolId.IKE)


def _offers(sa: Established) -> tuple[Offer, ...]:
    """What we ask for: further key exchanges where there were some before, so that the peer surely knows of them."""
    return sa.peer.offers if sa.secured.suite.additional else without_additional(sa.peer.offers)


def _secured(
    sa: Established,
    suite: IkeSuite,
    nonces: Nonces,
    shared_secret: bytes,
    spis: tuple[bytes, bytes],
    initiator: bool,
    more: bytes = b"",
) -> Secured:
    prf_id, sk_d = sa.secured.suite.prf, sa.secured.keys.sk_d
    keys = derive_rekeyed_ike_keys(suite, prf_id, sk_d, nonces.ni, nonces.nr, shared_secret, *spis, more)
    return Secured(*spis, initiator, suite, keys, sa.secured.fragments, sa.secured.ppk_id)


def _succeeded(sa: Established, secured: Secured, env: Env) -> Effects:
    """The new IKE SA, with the children and all that waits."""
    follower = renewed(sa, secured, env)
    return (*_exported(secured, env), *_up(follower, sa), Spawn(follower, secured))


def _up(follower: Established, old: Established) -> tuple[IkeSaUp, ...]:
    """It has taken the place of `old`; but where another has followed that, nobody is to hear of either any more."""
    if follower.followed:
        return ()
    peer, remote_id = follower.peer.name, follower.remote_id
    return (IkeSaUp(follower.spi, peer, remote_id, follower.path, old.spi, follower.session),)


def _replaced(sa: Established, env: Env) -> Rekeyed:
    return Rekeyed(sa.secured, sa.peer, sa.path, env.now + env.settings.replaced_timeout)


def _exported(secured: Secured, env: Env) -> Effects:
    return (KeysDerived(secured),) if env.settings.export_keys else ()
