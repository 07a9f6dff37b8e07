"""IKE_SA_INIT: agree on algorithms and keys with somebody unknown, RFC 7296 §1.2, §2.6, §2.7, §2.23.

Its messages are in clear and AUTH covers their octets, so these handlers write octets where others speak in payloads.

    Initiator                          Responder
    HDR, SAi1, KEi, Ni, N+  -->
                            <--  HDR, SAr1, KEr, Nr, N+            keys are agreed; IKE_INTERMEDIATE or IKE_AUTH
                        or  <--  HDR, N(COOKIE)                    ask again and show the cookie
                        or  <--  HDR, N(INVALID_KE_PAYLOAD)        ask again with that method
                        or  <--  HDR, N(NO_PROPOSAL_CHOSEN)
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.clients import recognise_init
from edgevpn.ike.contract import (
    Effect,
    Env,
    IkeSaDown,
    Initiate,
    KeysDerived,
    Request,
    Response,
    Send,
    refused,
)
from edgevpn.ike.crypto import dh
from edgevpn.ike.crypto.keymat import derive_ike_keys
from edgevpn.ike.crypto.signature import OFFERED_HASHES
from edgevpn.ike.errors import Cause, IkeError, InvalidKePayload, InvalidSyntax
from edgevpn.ike.evidence import OtherMethod, Refusal
from edgevpn.ike.exchange import extensions, nat, ppk, redirect
from edgevpn.ike.exchange.ike_intermediate import ask_next
from edgevpn.ike.exchange.proof import certificate_request, hashes_of
from edgevpn.ike.iana import ExchangeType, Flag, HashAlgorithm, Ke, NotifyType, ProtocolId
from edgevpn.ike.matching import agreed, near, wraps
from edgevpn.ike.negotiate import check_answer, methods, proposals
from edgevpn.ike.peer import Offer, Peer
from edgevpn.ike.proving import AddingKeys
from edgevpn.ike.state import Closed, HalfOpen, Initiating, Opening, Secured
from edgevpn.ike.steps import CallOpen, Directive, Secure, Step
from edgevpn.ike.wire.message import Header, encode_message
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation, VendorId

NO_SPI = bytes(8)

# Our own choices.
NONCE_SIZE = 32
REFUSED_LATELY = 10.0  # seconds for which a refusal counts as one that is half-open does: it is more work than a cookie
MAX_TRIES = 4  # a COOKIE, an INVALID_KE_PAYLOAD, and each once more because they may alternate (§2.6.1)


# --- initiator ---------------------------------------------------------------------------------------------------


def initiate(peer: Peer, ask: Initiate, initial_contact: bool, env: Env) -> Step:
    """Ask the peer for an IKE SA. `initial_contact`: we have no other with it, and shall say so (RFC 7296 §2.4)."""
    if ask.redirects >= redirect.MAX_REDIRECTS:
        peer = replace(peer, redirects=False)
    ke = methods(peer.offers)[0]
    names = ask.children or tuple(child.name for child in peer.children)
    sa = Initiating(
        peer=peer,
        path=ask.path,
        spi_i=env.entropy(8),
        ni=env.entropy(NONCE_SIZE),
        key_pair=dh.generate(ke, env.entropy),
        ke=ke,
        request=b"",
        children=names,
        initial_contact=initial_contact,
        redirected_from=ask.redirected_from,
    )
    return _ask(sa)


def spi_of(initiated: Step) -> bytes:
    """By which SPI we know what `initiate` has made."""
    assert isinstance(initiated.sa, Initiating)
    return initiated.sa.spi_i


def _ask(sa: Initiating) -> Step:
    cookie = (Notify(NotifyType.COOKIE, sa.cookie),) if sa.cookie else ()
    payloads = (
        *cookie,
        SecurityAssociation(proposals(_guessed_first(sa.peer.offers, sa.ke), ProtocolId.IKE, b"")),
        KeyExchange(sa.ke, sa.key_pair.public),
        Nonce(sa.ni),
        *_notifies(sa),
        *map(VendorId, sa.peer.manners.vendors),
    )
    request = encode_message(Header(sa.spi_i, NO_SPI, ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0), payloads)
    return Step(replace(sa, request=request), (CallOpen(request, sa.path),))


def _notifies(sa: Initiating) -> tuple[Notify, ...]:
    """What we can do; who we are talking to is not settled yet, so it is said to everybody."""
    manners = sa.peer.manners
    notifies = (
        *nat.detection((sa.spi_i, NO_SPI), sa.path, sa.peer.force_encapsulation),
        *extensions.in_init_request(sa.peer, sa.redirected_from),
        *_hashes(manners.hashes),
    )
    if not manners.redirect_first:
        return notifies
    return tuple(sorted(notifies, key=lambda notify: notify.notify_type != NotifyType.REDIRECT_SUPPORTED))


def _guessed_first(offers: tuple[Offer, ...], ke: Ke) -> tuple[Offer, ...]:
    """Offers that hold the method of our KE payload come first, so that the peer sees it belongs to them."""
    return tuple(sorted(offers, key=lambda offer: ke not in methods((offer,))))


def on_response(sa: Initiating, response: Response, env: Env) -> Step:
    """The peer agreed, or wants the question put differently."""
    if (cookie := response.notify(NotifyType.COOKIE)) is not None and response.first(KeyExchange) is None:
        return _again(replace(sa, cookie=cookie.data))
    if (elsewhere := response.notify(NotifyType.REDIRECT)) is not None:
        return redirect.on_init(sa, elsewhere)
    if (refusal := response.notify(NotifyType.INVALID_KE_PAYLOAD)) is not None:
        return _with_method(sa, Ke(int.from_bytes(refusal.data, "big")), env)
    if (error := response.error()) is not None:
        # Anybody could have sent this; wait for a better answer until the tries are used up (§2.21.1).
        name, evidence = error.notify_type.name, Refusal(error.notify_type, ExchangeType.IKE_SA_INIT)
        told = refused("ike_sa_init_refused", Cause.REFUSED_BY_PEER, evidence, peer=sa.peer.name, notify=name)
        return Step(replace(sa, refused=(f"the peer answered {name}", Cause.REFUSED_BY_PEER)), (told,))
    return _agreed(sa, response, env)


def _with_method(sa: Initiating, ke: Ke, env: Env) -> Step:
    if ke == sa.ke or ke not in methods(sa.peer.offers):
        reason = f"the peer wants key exchange method {ke.name}, which is not offered"
        evidence = OtherMethod(ke, methods(sa.peer.offers))
        down = IkeSaDown(sa.spi, sa.peer.name, reason, cause=Cause.OTHER_KE, evidence=evidence)
        return Step(Closed(reason), (down,))
    return _again(replace(sa, ke=ke, key_pair=dh.generate(ke, env.entropy)))


def _again(sa: Initiating) -> Step:
    if sa.tries >= MAX_TRIES:
        reason = "the peer keeps turning IKE_SA_INIT back"
        return Step(Closed(reason), (IkeSaDown(sa.spi, sa.peer.name, reason, cause=Cause.REFUSED_BY_PEER),))
    return _ask(replace(sa, tries=sa.tries + 1))


def _agreed(sa: Initiating, response: Response, env: Env) -> Step:
    header = Header.decode(response.octets)
    chosen = check_answer(
        _guessed_first(sa.peer.offers, sa.ke), response.need(SecurityAssociation).proposals, ProtocolId.IKE
    )
    ke, nr = response.need(KeyExchange), response.need(Nonce).data
    if not chosen.ke == ke.method == sa.ke:
        raise InvalidSyntax(f"KE payload of method {ke.method.name}, chosen is {chosen.ke.name}")
    extensions.check_intermediate(chosen, response)
    ppk.check(sa.peer, response)
    suite = chosen.ike_suite()
    shared_secret = sa.key_pair.shared_secret(ke.data)
    keys = derive_ike_keys(suite, sa.ni, nr, shared_secret, sa.spi_i, header.spi_r)
    secured = Secured(sa.spi_i, header.spi_r, True, suite, keys, extensions.fragments(sa.peer, response))
    found = nat.detected(response, (sa.spi_i, header.spi_r), sa.path, sa.peer.force_encapsulation)
    floats = found or (sa.peer.mobike and found.supported)  # RFC 4555 §3.3
    path = nat.floated(sa.path, env.settings) if floats else sa.path
    opening = Opening(sa.request, response.octets, sa.ni, nr)
    step = ask_next(AddingKeys(sa, response, secured, found, path, opening, chosen.additional_methods), env)
    return Step(step.sa, (Secure(secured), *_exported(secured, env), *step.effects))


# --- responder ---------------------------------------------------------------------------------------------------


def on_request(request: Request, header: Header, octets: bytes, env: Env) -> Step:
    """Agree with somebody unknown; IkeError says why not, and is answered without keeping anything."""
    remote = request.path.remote.host
    peers = near(env.peers, request.path.local.host, remote)
    intermediate = request.notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED) is not None
    chosen = agreed(peers, remote, request.need(SecurityAssociation).proposals, intermediate=intermediate)
    ke, ni = request.need(KeyExchange), request.need(Nonce).data
    if ke.method != chosen.ke:
        raise InvalidKePayload(chosen.ke)
    key_exchange = dh.respond(chosen.ke, ke.data, env.entropy)
    spi_i, spi_r, nr = header.spi_i, env.entropy(8), env.entropy(NONCE_SIZE)
    suite = chosen.ike_suite()
    keys = derive_ike_keys(suite, ni, nr, key_exchange.shared_secret, spi_i, spi_r)
    force, hashes = wraps(peers), hashes_of(request)
    uses_ppk = bool(ppk.in_init_response(peers, request))
    payloads = (
        SecurityAssociation(chosen.answer(ProtocolId.IKE, b"")),
        KeyExchange(chosen.ke, key_exchange.public),
        Nonce(nr),
        *nat.detection((spi_i, spi_r), request.path, force),
        *extensions.in_init_response(peers, request, chosen),
        *_hashes(OFFERED_HASHES if hashes is not None else None),
        *certificate_request(peers),
    )
    answer = encode_message(Header(spi_i, spi_r, ExchangeType.IKE_SA_INIT, Flag.RESPONSE, 0), payloads)
    secured = Secured(spi_i, spi_r, False, suite, keys, extensions.fragments_of_any(peers, request))
    found = nat.detected(request, (spi_i, NO_SPI), request.path, force)
    due = env.now + env.settings.half_open_timeout
    client = recognise_init(request.payloads)
    opening = Opening(octets, answer, ni, nr)
    sa = HalfOpen(secured, request.path, found, opening, due, client, hashes, chosen.additional_methods, uses_ppk)
    return Step(sa, (Secure(secured), *_exported(secured, env), Send(request.path, answer)))


def refusal(header: Header, error: IkeError) -> bytes:
    """The unprotected answer to an IKE_SA_INIT request that is refused, or to a later major version (§2.5, §2.21.1)."""
    return _notify(header, Notify(error.notify, error.data))


def _notify(header: Header, notify: Notify) -> bytes:
    answer = Header(header.spi_i, header.spi_r, header.exchange, Flag.RESPONSE, header.message_id)
    return encode_message(answer, (notify,))


# --- both --------------------------------------------------------------------------------------------------------


def _hashes(announced: tuple[HashAlgorithm, ...] | None) -> tuple[Notify, ...]:
    """We speak RFC 7427, with these hashes; None to say nothing of it."""
    if announced is None:
        return ()
    return (Notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, b"".join(each.to_bytes(2, "big") for each in announced)),)


def _exported(secured: Secured, env: Env) -> tuple[Effect | Directive, ...]:
    return (KeysDerived(secured),) if env.settings.export_keys else ()
