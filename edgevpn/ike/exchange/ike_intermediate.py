"""IKE_INTERMEDIATE: further key exchanges before anybody says who it is, RFC 9242, RFC 9370 §2.2.2.

    Initiator                    Responder
    SK {KEi(n)}           -->
                          <--    SK {KEr(n)}        the next message, and all after it, have keys with this secret in

One exchange for each additional method that IKE_SA_INIT has agreed on, in the order of their types; the keys are as
strong as the strongest of all. AUTH covers these messages as it does those of IKE_SA_INIT; for each of them stands a
hash, under the SK_p that was in force when it was sent.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import Effect, Env, IkeSaDown, KeysDerived, Request, Response
from edgevpn.ike.crypto import dh
from edgevpn.ike.crypto.keymat import derive_updated_ike_keys, prf
from edgevpn.ike.errors import Cause, InvalidSyntax
from edgevpn.ike.evidence import Refusal
from edgevpn.ike.exchange.ike_auth_initiator import ask_ike_auth
from edgevpn.ike.iana import ExchangeType, Flag, Ke
from edgevpn.ike.proving import AddingKeys
from edgevpn.ike.state import Closed, HalfOpen, Opening, Secured
from edgevpn.ike.steps import Call, Directive, Respond, Secure, Step
from edgevpn.ike.wire.message import Header, Payload, encode_payloads
from edgevpn.ike.wire.payloads import KeyExchange
from edgevpn.ike.wire.protected import unsealed

IKE_INTERMEDIATE = ExchangeType.IKE_INTERMEDIATE


# --- initiator ---------------------------------------------------------------------------------------------------


def ask_next(sa: AddingKeys, env: Env) -> Step:
    """Ask for the next key exchange; after the last, go on to IKE_AUTH."""
    if not sa.left:
        return ask_ike_auth(sa.asked, sa.secured, sa.nat, sa.path, sa.opening, sa.answer, env)
    ke, *left = sa.left
    key_pair = dh.generate(ke, env.entropy)
    payloads = (KeyExchange(ke, key_pair.public),)
    opening = _with_request(sa.secured, sa.opening, payloads, encode_payloads(payloads)[1])
    waiting = replace(sa, ke=ke, key_pair=key_pair, left=tuple(left), opening=opening)
    return Step(waiting, (Call(IKE_INTERMEDIATE, payloads, sa.path),))


def on_response(sa: AddingKeys, response: Response, env: Env) -> Step:
    """The peer has answered; take its share of the keys and go on."""
    if (error := response.error()) is not None:
        reason, evidence = f"the peer answered {error.notify_type.name}", Refusal(error.notify_type, IKE_INTERMEDIATE)
        down = IkeSaDown(sa.spi, sa.peer.name, reason, cause=Cause.REFUSED_BY_PEER, evidence=evidence)
        return Step(Closed(reason), (down,))
    ke = _key_exchange(response, sa.ke)
    assert sa.key_pair is not None
    opening = _with_response(sa.secured, sa.opening, response.payloads, response.octets)
    secured = _updated(sa.secured, opening, sa.key_pair.shared_secret(ke.data))
    step = ask_next(replace(sa, secured=secured, opening=opening), env)
    return Step(step.sa, (Secure(secured), *_exported(secured, env), *step.effects))


# --- responder ---------------------------------------------------------------------------------------------------


def on_request(sa: HalfOpen, request: Request, env: Env) -> Step:
    """Take part in the next key exchange; IkeError if it is not the one that was agreed on."""
    if not sa.left:
        raise InvalidSyntax("no further key exchange was agreed on")
    ke, *left = sa.left
    answer = dh.respond(ke, _key_exchange(request, ke).data, env.entropy)
    payloads = (KeyExchange(ke, answer.public),)
    opening = _with_request(sa.secured, sa.opening, request.payloads, request.octets)
    opening = _with_response(sa.secured, opening, payloads, encode_payloads(payloads)[1])
    secured = _updated(sa.secured, opening, answer.shared_secret)
    after = replace(sa, secured=secured, opening=opening, left=tuple(left))
    return Step(after, (Respond(request, payloads), Secure(secured), *_exported(secured, env)))


# --- both --------------------------------------------------------------------------------------------------------


def _key_exchange(message: Request | Response, agreed: Ke) -> KeyExchange:
    ke = message.need(KeyExchange)
    if ke.method != agreed:
        raise InvalidSyntax(f"KE payload of method {ke.method.name}, {agreed.name} comes next")
    return ke


def _updated(secured: Secured, opening: Opening, shared_secret: bytes) -> Secured:
    """With keys that this secret has gone into, too."""
    spis = secured.spi_i, secured.spi_r
    keys = derive_updated_ike_keys(secured.suite, secured.keys.sk_d, opening.ni, opening.nr, shared_secret, *spis)
    return replace(secured, keys=keys)


def _with_request(secured: Secured, opening: Opening, payloads: tuple[Payload, ...], chain: bytes) -> Opening:
    """With the initiator's next message; `chain` is how the payloads are written."""
    message = _covered(secured, Flag.INITIATOR, opening.intermediate + 1, payloads, chain)
    hashed = prf(secured.suite.prf, secured.keys.sk_pi, opening.int_auth_i + message)
    return replace(opening, intermediate=opening.intermediate + 1, int_auth_i=hashed)


def _with_response(secured: Secured, opening: Opening, payloads: tuple[Payload, ...], chain: bytes) -> Opening:
    """With the responder's answer to the request that has just been added."""
    message = _covered(secured, Flag.RESPONSE, opening.intermediate, payloads, chain)
    return replace(opening, int_auth_r=prf(secured.suite.prf, secured.keys.sk_pr, opening.int_auth_r + message))


def _covered(secured: Secured, flag: Flag, message_id: int, payloads: tuple[Payload, ...], chain: bytes) -> bytes:
    header = Header(secured.spi_i, secured.spi_r, IKE_INTERMEDIATE, flag, message_id)
    return unsealed(header, payloads[0].payload_type, chain)


def _exported(secured: Secured, env: Env) -> tuple[Effect | Directive, ...]:
    return (KeysDerived(secured),) if env.settings.export_keys else ()
