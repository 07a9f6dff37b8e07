"""IKE_FOLLOWUP_KE: further key exchanges after CREATE_CHILD_SA, before what it makes stands, RFC 9370 §2.2.4.

    Initiator                             Responder
    CREATE_CHILD_SA
    SK {SA, Ni, KEi, ...}          -->
                                   <--    SK {SA, Nr, KEr, ..., N(ADDITIONAL_KEY_EXCHANGE)}
    IKE_FOLLOWUP_KE
    SK {KEi(1), N(ADDITIONAL_KEY_EXCHANGE)}  -->
                                   <--    SK {KEr(1), N(ADDITIONAL_KEY_EXCHANGE)}
    SK {KEi(2), N(ADDITIONAL_KEY_EXCHANGE)}  -->
                                   <--    SK {KEr(2)}             the new SA stands, with all secrets in its keys

What the Notify holds is the responder's: by it the initiator says what it goes on with. We keep one such promise at a
time; a newer request of the peer's takes its place. This module carries out the key exchanges; what is made of them is
with those who make IKE and CHILD SAs.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import Env, Request, Response
from edgevpn.ike.crypto import dh
from edgevpn.ike.errors import InvalidSyntax, StateNotFound
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType
from edgevpn.ike.state import Asking, ChildSa, Established, FollowingUp, Promise, Secured
from edgevpn.ike.steps import Call, Respond, Step
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange

LINK = NotifyType.ADDITIONAL_KEY_EXCHANGE

# Our own choice.
LINK_SIZE = 8


# --- initiator ---------------------------------------------------------------------------------------------------


def begin(sa: Established, about: Asking, response: Response, methods: tuple[Ke, ...], env: Env) -> Step:
    """Go on with what CREATE_CHILD_SA has begun: ask for the first of these key exchanges."""
    return _ask(sa, about, response.payloads, b"", methods, response, env)


def answered(doing: FollowingUp, response: Response) -> FollowingUp:
    """With the secret of the exchange that has been answered."""
    secret = doing.key_pair.shared_secret(_key_exchange(response, doing.ke).data)
    return replace(doing, secrets=doing.secrets + secret)


def go_on(sa: Established, doing: FollowingUp, response: Response, env: Env) -> Step:
    """Ask for the next of them."""
    return _ask(sa, doing.about, doing.answer, doing.secrets, doing.left, response, env)


def _ask(
    sa: Established,
    about: Asking,
    answer: tuple[Payload, ...],
    secrets: bytes,
    methods: tuple[Ke, ...],
    response: Response,
    env: Env,
) -> Step:
    link = response.notify(LINK)
    if link is None:
        raise InvalidSyntax("further key exchanges are agreed on, and nothing says of what")
    ke, *left = methods
    key_pair = dh.generate(ke, env.entropy)
    payloads = (KeyExchange(ke, key_pair.public), Notify(LINK, link.data))
    doing = FollowingUp(about, answer, ke, key_pair, tuple(left), secrets)
    return Step(replace(sa, doing=doing), (Call(ExchangeType.IKE_FOLLOWUP_KE, payloads, sa.path),))


# --- responder ---------------------------------------------------------------------------------------------------


def promise(
    sa: Established,
    what: ChildSa | Secured,
    nonces: tuple[bytes, bytes],
    shared_secret: bytes,
    answer: Respond,
    env: Env,
) -> Step:
    """Answer CREATE_CHILD_SA; what it makes stands after the key exchanges to come."""
    link, until = env.entropy(LINK_SIZE), env.now + env.settings.half_open_timeout
    methods = tuple(Ke(each.transform_id) for each in what.suite.additional)
    promised = Promise(what, *nonces, shared_secret, link, methods, until)
    answer = replace(answer, payloads=(*answer.payloads, Notify(LINK, link)))
    return Step(replace(sa, promise=promised), (answer,))


def take_part(promised: Promise | None, request: Request, env: Env) -> tuple[Promise, Respond]:
    """The promise after one more key exchange, and our answer; StateNotFound if the peer goes on with another."""
    link = request.notify(LINK)
    if promised is None or link is None or link.data != promised.link:
        raise StateNotFound("the peer goes on with what we do not know")
    ke, *left = promised.left
    answer = dh.respond(ke, _key_exchange(request, ke).data, env.entropy)
    after = replace(promised, left=tuple(left), secrets=promised.secrets + answer.shared_secret)
    if not left:
        return after, Respond(request, (KeyExchange(ke, answer.public),))
    after = replace(after, link=env.entropy(LINK_SIZE))
    return after, Respond(request, (KeyExchange(ke, answer.public), Notify(LINK, after.link)))


# --- both --------------------------------------------------------------------------------------------------------


def _key_exchange(message: Request | Response, agreed: Ke) -> KeyExchange:
    ke = message.need(KeyExchange)
    if ke.method != agreed:
        raise InvalidSyntax(f"KE payload of method {ke.method.name}, {agreed.name} comes next")
    return ke
