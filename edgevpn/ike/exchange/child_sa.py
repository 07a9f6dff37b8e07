"""Making a CHILD SA of what both sides offered, in whichever exchange that happens: RFC 7296 §1.2, §1.3.1, §2.17."""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import Effect, Endpoints, Env, KeysDerived, Request, Response
from edgevpn.ike.crypto import dh
from edgevpn.ike.crypto.dh import KeyPair
from edgevpn.ike.crypto.keymat import ChildKeys, derive_child_keys
from edgevpn.ike.crypto.suite import ChildSuite
from edgevpn.ike.errors import InvalidKePayload, InvalidSyntax
from edgevpn.ike.iana import Ke, NotifyType, ProtocolId
from edgevpn.ike.negotiate import (
    Chosen,
    check_answer,
    choose,
    ke_optional,
    narrow,
    narrow_policy,
    proposals,
    without_ke,
)
from edgevpn.ike.peer import NEVER, ChildPolicy, Mode
from edgevpn.ike.state import ChildOffer, ChildSa, Established, Promise, Secured
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR
from edgevpn.ike.wire.proposal import Proposal

# Our own choice.
NONCE_SIZE = 32


def make_offer(policy: ChildPolicy, ni: bytes, ke: Ke | None, env: Env) -> ChildOffer:
    """What we remember of a request for a child. `ke` is the method to guess, NONE to ask for no other.

    It is None within IKE_AUTH, where children get their keys from those of the IKE SA.
    """
    key_pair = dh.generate(ke, env.entropy) if ke else None
    if ke is Ke.NONE:
        policy = replace(policy, offers=ke_optional(policy.offers))
    return ChildOffer(policy, new_spi(env), ni, ke or Ke.NONE, key_pair)


def new_spi(env: Env) -> bytes:
    """An SPI for ESP; those below 256 are reserved (RFC 4303 §2.1)."""
    return (int.from_bytes(env.entropy(4), "big") | 0x100).to_bytes(4, "big")


def offer_payloads(offer: ChildOffer, in_ike_auth: bool) -> tuple[Payload, ...]:
    """What we ask for, and transport mode if that is wanted; nonce and keys are those of the IKE SA in IKE_AUTH."""
    policy, key_pair = offer.policy, offer.key_pair
    offers = without_ke(policy.offers) if in_ike_auth else policy.offers
    transport = (Notify(NotifyType.USE_TRANSPORT_MODE),) if policy.mode is Mode.TRANSPORT else ()
    return (
        *transport,
        SecurityAssociation(proposals(offers, ProtocolId.ESP, offer.spi_in)),
        *(() if in_ike_auth else (Nonce(offer.ni),)),
        *((KeyExchange(offer.ke, key_pair.public),) if key_pair else ()),
        TrafficSelectorsI(policy.ts_local),
        TrafficSelectorsR(policy.ts_remote),
    )


@dataclass(frozen=True, slots=True)
class Nonces:
    """What makes the keys of a child its own: the nonces of the exchange that it is made in (RFC 7296 §2.17)."""

    ni: bytes = field(repr=False)
    nr: bytes = field(repr=False)


def accept_answer(
    secured: Secured,
    offer: ChildOffer,
    response: Response,
    nr: bytes,
    in_ike_auth: bool,
    env: Env,
    additional: bytes = b"",
) -> ChildSa:
    """The child that the peer's answer makes of our offer; IkeError if the answer does not fit it.

    `additional` are the secrets of further key exchanges.
    """
    policy = offer.policy
    offers = without_ke(policy.offers) if in_ike_auth else policy.offers
    answer = response.need(SecurityAssociation).proposals
    chosen = check_answer(offers, answer, ProtocolId.ESP)
    shared_secret = _our_secret(chosen, offer.key_pair, response)
    ts_local = narrow(response.need(TrafficSelectorsI).selectors, policy.ts_local)
    ts_remote = narrow(response.need(TrafficSelectorsR).selectors, policy.ts_remote)
    narrowed = replace(policy, ts_local=ts_local, ts_remote=ts_remote, mode=_mode(response, policy))
    agreed = Agreed(narrowed, chosen, offer.spi_in, answer[0].spi, initiator=True)
    return _child(secured, agreed, Nonces(offer.ni, nr), shared_secret, env, additional)


@dataclass(frozen=True, slots=True)
class Answered:
    """A child, the payloads that tell the peer so, and the secret of the key exchange that is in its keys."""

    child: ChildSa
    payloads: tuple[Payload, ...]
    shared_secret: bytes = field(repr=False)


def answer_offer(
    secured: Secured,
    policies: tuple[ChildPolicy, ...],
    request: Request,
    nonces: Nonces,
    in_ike_auth: bool,
    env: Env,
) -> Answered:
    """The child that the peer's request may have of these policies, and the payloads that say so; IkeError if none."""
    asked = request.need(SecurityAssociation).proposals
    tsi, tsr = request.need(TrafficSelectorsI).selectors, request.need(TrafficSelectorsR).selectors
    policy = narrow_policy(policies, tsi, tsr)
    chosen = choose(without_ke(policy.offers) if in_ike_auth else policy.offers, asked, ProtocolId.ESP)
    ke_payload, shared_secret = _their_secret(chosen, request, env)
    narrowed = replace(policy, mode=_mode(request, policy))
    agreed = Agreed(narrowed, chosen, new_spi(env), _spi_of(asked, chosen), initiator=False)
    child = _child(secured, agreed, nonces, shared_secret, env)
    transport = (Notify(NotifyType.USE_TRANSPORT_MODE),) if child.mode is Mode.TRANSPORT else ()
    payloads = (
        *transport,
        SecurityAssociation(chosen.answer(ProtocolId.ESP, child.spi_in)),
        *(() if in_ike_auth else (Nonce(nonces.nr),)),
        *ke_payload,
        TrafficSelectorsI(child.ts_remote),
        TrafficSelectorsR(child.ts_local),
    )
    return Answered(child, payloads, shared_secret)


@dataclass(frozen=True, slots=True)
class Agreed:
    """All of a new child but its keys; `policy` is narrowed to what both sides want."""

    policy: ChildPolicy
    chosen: Chosen
    spi_in: bytes
    spi_out: bytes
    initiator: bool


def kept_promise(secured: Secured, promise: Promise) -> ChildSa:
    """The child that was promised, with the secrets of all its key exchanges in its keys (RFC 9370 §2.2.4)."""
    child, nonces = promise.what, Nonces(promise.ni, promise.nr)
    assert isinstance(child, ChildSa)
    return replace(child, keys=_keys(secured, child.suite, nonces, promise.shared_secret, promise.secrets))


def _keys(secured: Secured, suite: ChildSuite, nonces: Nonces, shared_secret: bytes, additional: bytes) -> ChildKeys:
    prf_id, sk_d = secured.suite.prf, secured.keys.sk_d
    return derive_child_keys(suite, prf_id, sk_d, nonces.ni, nonces.nr, shared_secret, additional)


def _child(
    secured: Secured, agreed: Agreed, nonces: Nonces, shared_secret: bytes, env: Env, additional: bytes = b""
) -> ChildSa:
    policy, suite = agreed.policy, agreed.chosen.child_suite()
    rekey_at = NEVER if policy.rekey_after == NEVER else env.soon(policy.rekey_after)
    return ChildSa(
        name=policy.name,
        spi_in=agreed.spi_in,
        spi_out=agreed.spi_out,
        suite=suite,
        keys=_keys(secured, suite, nonces, shared_secret, additional),
        initiator=agreed.initiator,
        ts_local=policy.ts_local,
        ts_remote=policy.ts_remote,
        mode=policy.mode,
        due=rekey_at,
        rekey_at=rekey_at,
    )


def _mode(message: Request | Response, policy: ChildPolicy) -> Mode:
    wanted = message.notify(NotifyType.USE_TRANSPORT_MODE) is not None and policy.mode is Mode.TRANSPORT
    return Mode.TRANSPORT if wanted else Mode.TUNNEL


def _spi_of(asked: tuple[Proposal, ...], chosen: Chosen) -> bytes:
    return next(proposal.spi for proposal in asked if proposal.number == chosen.number)


def _our_secret(chosen: Chosen, key_pair: KeyPair | None, response: Response) -> bytes:
    ke = response.first(KeyExchange)
    if chosen.ke == Ke.NONE:
        return b""
    if key_pair is None or ke is None or ke.method != chosen.ke:
        raise InvalidSyntax(f"{chosen.ke.name} is chosen, but its KE payload is missing")
    return key_pair.shared_secret(ke.data)


def _their_secret(chosen: Chosen, request: Request, env: Env) -> tuple[tuple[Payload, ...], bytes]:
    if chosen.ke == Ke.NONE:
        return (), b""
    ke = request.first(KeyExchange)
    if ke is None or ke.method != chosen.ke:
        raise InvalidKePayload(chosen.ke)
    answer = dh.respond(chosen.ke, ke.data, env.entropy)
    return (KeyExchange(chosen.ke, answer.public),), answer.shared_secret


def ends(sa: Established) -> Endpoints:
    """What the data plane must know of the IKE SA around its children."""
    esp_remote = sa.mobility.esp_remote if sa.mobility else None
    path = replace(sa.path, remote=esp_remote) if esp_remote else sa.path
    return Endpoints(sa.peer.name, path, bool(sa.nat))


def exported(secured: Secured, child: ChildSa, env: Env) -> tuple[Effect, ...]:
    """The keys of a new child for a decoder, if that is wanted."""
    return (KeysDerived(secured, child),) if env.settings.export_keys else ()
