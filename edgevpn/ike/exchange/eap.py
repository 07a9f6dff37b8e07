"""EAP inside IKE_AUTH, on either side: Identity, the choice of a method, and MSCHAPv2; RFC 3748, RFC 7296 §2.16.

EAP-TLS, the other method of an authenticator, is in `eap_tls`.

    Peer (initiator)                         Authenticator (responder)
                                        <--  Request/Identity
    Response/Identity (may be empty)    -->
                                        <--  Request/MSCHAPv2 Challenge       or the peer NAKs, naming what it has
    Response/MSCHAPv2 Response          -->
                                        <--  Request/MSCHAPv2 Success         the password is right
    Response/MSCHAPv2 Success           -->
                                        <--  Success
                                        <--  Request/MSCHAPv2 Failure         it is not; the peer may try again, or
    Response/MSCHAPv2 Failure           -->                                   confirms that it has seen this
                                        <--  Failure

Whether a user exists is nothing that a stranger may learn: for who is not there the same is computed with a hash that
nobody has, and every message is the same.

The user is who the MSCHAPv2 response names, for that is what the password proves. The EAP identity may be empty
(Android); where it names somebody, it must be the same.
"""

from __future__ import annotations

import hmac
from dataclasses import field

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import Env
from edgevpn.ike.crypto.mschapv2 import CHALLENGE_SIZE, NT_HASH_SIZE, authenticator_response, msk, nt_response
from edgevpn.ike.errors import Cause, InvalidSyntax
from edgevpn.ike.exchange import eap_tls
from edgevpn.ike.exchange.eap_outcome import Ask, Failed, NeedPassword, NeedTls, Succeeded, failed, following
from edgevpn.ike.iana import EapCode, EapType
from edgevpn.ike.peer import Login, Password
from edgevpn.ike.proving import (
    AskedIdentity,
    Challenged,
    Confirming,
    EapClient,
    EapFresh,
    EapResponded,
    EapServer,
    EapTrusting,
    LookUp,
    Refusing,
    TlsConfirming,
    TlsTalking,
)
from edgevpn.ike.wire.mschapv2 import (
    Acknowledgement,
    Challenge,
    ChallengeResponse,
    Failure,
    OpCode,
    Success,
    decode_request,
    decode_response,
)
from edgevpn.ike.wire.payloads import Eap

# From RFC 2759 §6.
ERROR_AUTHENTICATION_FAILURE = 691

# Our own choices.
MAX_TRIES = 3  # passwords in one conversation
MAX_ROUNDS = 16  # EAP requests in one conversation; three tries need eight
NAME = b"gateway"  # ours, in a challenge: RFC 2759 §3 wants one, and nobody does anything with it but miss it
SUCCESS_TEXT, FAILURE_TEXT = b"Welcome", b"User name or password is wrong"
MAX_IDENTITY = 256

NAKS = (EapType.NAK, EapType.EXPANDED)  # the latter can be nothing but an expanded NAK


# --- authenticator ------------------------------------------------------------------------------------------------


def begin(env: Env) -> Ask:
    """Ask who the peer is: Windows does not go on without being asked."""
    identifier = env.entropy(1)[0]
    return Ask(AskedIdentity(identifier), Eap(EapCode.REQUEST, identifier, EapType.IDENTITY))


def on_response(
    state: EapServer, eap: Eap, login: Login, env: Env
) -> Ask | NeedPassword | NeedTls | Succeeded | Failed:
    """What the peer's response leads to; InvalidSyntax if it is none to what we asked."""
    if eap.code is not EapCode.RESPONSE or eap.identifier != state.identifier or eap.eap_type is None:
        raise InvalidSyntax(f"EAP {eap.code.name} {eap.identifier}, expected is a response {state.identifier}")
    match state:
        case AskedIdentity():
            return _on_identity(state, eap, login, env)
        case Challenged(failed=()) | TlsTalking(begun=False) if eap.eap_type in NAKS:
            return _on_nak(state, eap, login, env)
        case Challenged():
            return _on_challenged(state, eap)
        case TlsTalking():
            return eap_tls.on_response(state, eap)
        case TlsConfirming():
            return eap_tls.on_confirmed(state, eap)
        case Confirming(user=user, msk=key):
            if eap.eap_type == EapType.MSCHAPV2 and decode_response(eap.data) == Acknowledgement(OpCode.SUCCESS):
                return Succeeded(Eap(EapCode.SUCCESS, eap.identifier), user, key, EapType.MSCHAPV2)
            return failed(eap, Cause.EAP_ABANDONED, user)
        case Refusing(cause=cause, user=user):
            return failed(eap, cause, user)


def on_password(look_up: LookUp, nt_hash: bytes | None, env: Env) -> Ask:
    """Judge the peer's response; `nt_hash` is None if there is no such user."""
    challenged, response = look_up.challenged, look_up.response
    spoken = named(response.name)
    used = nt_hash if nt_hash is not None else env.entropy(NT_HASH_SIZE)
    expected = nt_response(challenged.challenge, response.peer_challenge, _bare(response.name), used)
    proof = authenticator_response(
        used, response.nt_response, response.peer_challenge, challenged.challenge, _bare(response.name)
    )
    right = hmac.compare_digest(expected, response.nt_response)
    same = challenged.identity in ("", spoken) or spoken == ""
    identifier = following(challenged.identifier)
    if right and same and nt_hash is not None:
        success = Success(response.identifier, proof, SUCCESS_TEXT)
        state = Confirming(identifier, look_up.user, msk(nt_hash, response.nt_response))
        return Ask(state, _request(identifier, success))
    cause = Cause.USER_UNKNOWN if nt_hash is None else Cause.WRONG_PASSWORD if same else Cause.OTHER_USER
    return _refuse(challenged, response.identifier, cause, look_up.user, env)


def _on_identity(state: AskedIdentity, eap: Eap, login: Login, env: Env) -> Ask | Failed:
    if eap.eap_type != EapType.IDENTITY or len(eap.data) > MAX_IDENTITY:
        raise InvalidSyntax("the EAP response is no identity")
    return _begin(login.methods[:1], state.identifier, named(eap.data), eap, env)


def _on_nak(state: Challenged | TlsTalking, eap: Eap, login: Login, env: Env) -> Ask | Failed:
    """The peer wants another method, if we have it (RFC 3748 §5.3.1); an expanded NAK can name none of ours."""
    refused = EapType.MSCHAPV2 if isinstance(state, Challenged) else EapType.TLS
    wanted = eap.data if eap.eap_type == EapType.NAK else b""
    methods = tuple(each for each in map(EapType, wanted) if each in login.methods and each != refused)
    return _begin(methods, state.identifier, state.identity, eap, env)


def _begin(methods: tuple[EapType, ...], before: int, identity: str, eap: Eap, env: Env) -> Ask | Failed:
    """With the first of these methods, after the request of that identifier."""
    identifier = following(before)
    match methods[:1]:
        case (EapType.MSCHAPV2,):
            challenge = env.entropy(CHALLENGE_SIZE)
            asked = Challenged(identifier, identity, challenge)
            return Ask(asked, _request(identifier, Challenge(identifier, challenge, NAME)))
        case (EapType.TLS,):
            return eap_tls.start(identifier, identity)
        case _:
            return failed(eap, Cause.NO_COMMON_METHOD, identity)


def _on_challenged(state: Challenged, eap: Eap) -> NeedPassword | Failed:
    if eap.eap_type in NAKS:
        return failed(eap, Cause.NO_COMMON_METHOD, state.user)
    if eap.eap_type != EapType.MSCHAPV2:
        raise InvalidSyntax(f"EAP response of type {eap.eap_type}, expected is MSCHAPV2")
    response = decode_response(eap.data)
    if not isinstance(response, ChallengeResponse):
        cause = state.failed[-1] if state.failed else Cause.EAP_ABANDONED
        return failed(eap, cause, state.user)
    return NeedPassword(LookUp(state, response, named(response.name) or state.identity))


def _refuse(state: Challenged, identifier: int, cause: Cause, user: str, env: Env) -> Ask:
    """Say no; with another challenge, as long as the peer may try again."""
    challenge, causes = env.entropy(CHALLENGE_SIZE), (*state.failed, cause)
    retry = len(causes) < MAX_TRIES
    failure = Failure(identifier, ERROR_AUTHENTICATION_FAILURE, retry, challenge, FAILURE_TEXT)
    number = following(state.identifier)
    again = replace(state, identifier=number, challenge=challenge, failed=causes, tried=user)
    return Ask(again if retry else Refusing(number, user, cause), _request(number, failure))


def named(octets: bytes) -> str:
    """A user name as it was typed, without the domain before it; what is no text keeps its octets as escapes."""
    return _bare(octets).decode("utf-8", "backslashreplace")


def _bare(octets: bytes) -> bytes:
    return octets.rpartition(b"\\")[2]


def _request(identifier: int, packet: Challenge | Success | Failure) -> Eap:
    return Eap(EapCode.REQUEST, identifier, EapType.MSCHAPV2, packet.encode())


# --- peer ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """The conversation goes on with this message."""

    state: EapClient
    message: Eap


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The authenticator has let us in, after it had shown that it knows the password."""

    msk: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """We do not come in, or do not want to."""

    cause: Cause
    text: str


def on_request(state: EapClient, eap: Eap, password: Password, env: Env) -> Answer | LoggedIn | Rejected:
    """What the authenticator's message leads to; InvalidSyntax if it is none that can come now."""
    match eap.code:
        case EapCode.SUCCESS:
            if isinstance(state, EapTrusting):
                return LoggedIn(state.msk)
            return Rejected(Cause.SERVER_NOT_PROVEN, "the peer lets us in without knowing the password")
        case EapCode.FAILURE:
            return Rejected(Cause.WRONG_PASSWORD, "the peer does not accept the password, or does not know the user")
        case EapCode.RESPONSE:
            raise InvalidSyntax("an EAP response from an authenticator")
    match eap.eap_type:
        case EapType.IDENTITY:
            shown = password.user if password.identity is None else password.identity
            return Answer(state, _response(eap, shown.encode(), EapType.IDENTITY))
        case EapType.NOTIFICATION:
            return Answer(state, _response(eap, b"", EapType.NOTIFICATION))
        case EapType.MSCHAPV2:
            return _on_mschapv2(state, eap, password, env)
        case _:
            return Answer(state, _response(eap, bytes([EapType.MSCHAPV2]), EapType.NAK))


def _on_mschapv2(state: EapClient, eap: Eap, password: Password, env: Env) -> Answer | Rejected:
    packet, user = decode_request(eap.data), password.user.encode()
    match packet, state:
        case Challenge(identifier, challenge), EapFresh():
            ours = env.entropy(CHALLENGE_SIZE)
            shown = nt_response(challenge, ours, _bare(user), password.nt_hash)
            response = ChallengeResponse(identifier, ours, shown, user)
            return Answer(EapResponded(ours, challenge, shown), _response(eap, response.encode(), EapType.MSCHAPV2))
        case Success(proof=proof), EapResponded(ours, challenge, shown):
            expected = authenticator_response(password.nt_hash, shown, ours, challenge, _bare(user))
            if not hmac.compare_digest(expected, proof):
                return Rejected(Cause.SERVER_NOT_PROVEN, "the peer does not know the password itself")
            seen = Acknowledgement(OpCode.SUCCESS).encode()
            return Answer(EapTrusting(msk(password.nt_hash, shown)), _response(eap, seen, EapType.MSCHAPV2))
        case Failure(), EapResponded():  # another try with the same password would end as this one
            seen = Acknowledgement(OpCode.FAILURE).encode()
            return Answer(state, _response(eap, seen, EapType.MSCHAPV2))
        case _:
            raise InvalidSyntax(f"MSCHAPv2 {type(packet).__name__} while {type(state).__name__}")


def _response(eap: Eap, data: bytes, eap_type: EapType) -> Eap:
    return Eap(EapCode.RESPONSE, eap.identifier, eap_type, data)
