"""EAP-TLS inside IKE_AUTH, as its authenticator: RFC 5216, with TLS 1.3 RFC 9190.

    Peer (initiator)                         Authenticator (responder)
                                        <--  Request/TLS, start           or the peer NAKs, naming what it has
    Response/TLS (ClientHello)          -->
                                        <--  Request/TLS (first fragment of ServerHello, Certificate, ...)
    Response/TLS, empty                 -->
                                        <--  Request/TLS (last fragment)
    Response/TLS (Certificate, ...)     -->                               or fragments, an empty request after each
                                        <--  Request/TLS (Finished)       or Failure: the certificate is not good
    Response/TLS, empty                 -->
                                        <--  Success

TLS itself is the world's: it is given whole messages, and says what to answer, and in the end who that was and which
key came of it. How long a message may be, and how many packets it takes, is bounded here.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.eap_state import TlsConfirming, TlsTalking, TlsTurn
from edgevpn.ike.errors import Cause, InvalidSyntax
from edgevpn.ike.evidence import Verdict
from edgevpn.ike.exchange.eap_outcome import Ask, Failed, NeedTls, Succeeded, failed, following
from edgevpn.ike.iana import EapCode, EapType
from edgevpn.ike.questions import TlsAnswered, TlsRefused, TlsSucceeded
from edgevpn.ike.wire.eap_tls import TlsPacket
from edgevpn.ike.wire.payloads import Eap

# Our own choices.
FRAGMENT = 1024  # octets of TLS in one packet: with all around them they fit any path
MAX_MESSAGE = 65536  # octets of a message of the peer's: eight certificates of the longest that we look at
MAX_ROUNDS = 160  # EAP requests in one conversation: such a message in fragments of half a kilobyte, and ours


def start(identifier: int, identity: str) -> Ask:
    """Ask the peer to begin with TLS."""
    packet = TlsPacket(start=True)
    return Ask(TlsTalking(identifier, identity), _request(identifier, packet))


def on_response(state: TlsTalking, eap: Eap) -> Ask | NeedTls:
    """What the peer's packet leads to; InvalidSyntax if it is none that can come now."""
    packet = _packet(eap)
    if state.sending:
        _check_empty(packet)
        return _send(replace(state, begun=True))
    received = state.received + packet.data
    total = packet.total or state.total or len(received)
    if total > MAX_MESSAGE or len(received) > total:
        raise InvalidSyntax(f"a message of TLS with {max(total, len(received))} octets")
    if packet.more:
        if not packet.data:
            raise InvalidSyntax("a fragment of TLS without data")
        identifier = following(state.identifier)
        waiting = replace(
            state, identifier=identifier, received=received, total=packet.total or state.total, begun=True
        )
        return Ask(waiting, _request(identifier, TlsPacket()))
    if len(received) < total or not received:
        raise InvalidSyntax(f"a message of TLS ends after {len(received)} of {total} octets")
    return NeedTls(TlsTurn(replace(state, received=b"", total=0, begun=True), received))


def on_confirmed(state: TlsConfirming, eap: Eap) -> Ask | Succeeded:
    """The peer has seen a fragment of the last that TLS had to say, or all of it."""
    _check_empty(_packet(eap))
    if state.sending:
        return _send(state)
    return Succeeded(Eap(EapCode.SUCCESS, eap.identifier), state.user, state.msk, EapType.TLS)


def on_answer(turn: TlsTurn, eap: Eap, answer: TlsAnswered | TlsSucceeded | TlsRefused) -> Ask | Failed:
    """Go on with what TLS has to say, or come to the end. `eap` is the response that is under answer."""
    match answer:
        case TlsAnswered(octets=octets):
            return _send(replace(turn.talking, sending=octets), first=True)
        case TlsSucceeded(user=user, msk=msk, octets=octets):
            return _send(TlsConfirming(turn.talking.identifier, user, msk, octets), first=True)
        case TlsRefused(cause=cause, reason=reason):
            evidence = Verdict(reason) if cause is Cause.CERTIFICATE_REFUSED else None
            return failed(eap, cause, turn.user, evidence)


def _send(state: TlsTalking | TlsConfirming, *, first: bool = False) -> Ask:
    """The next fragment of what is to be sent; the first of several says how long the whole is."""
    data, left = state.sending[:FRAGMENT], state.sending[FRAGMENT:]
    total = len(state.sending) if first and left else None
    identifier = following(state.identifier)
    packet = TlsPacket(data, total, more=bool(left))
    return Ask(replace(state, identifier=identifier, sending=left), _request(identifier, packet))


def _packet(eap: Eap) -> TlsPacket:
    if eap.eap_type != EapType.TLS:
        raise InvalidSyntax(f"EAP response of type {eap.eap_type}, expected is TLS")
    packet = TlsPacket.decode(eap.data)
    if packet.start:
        raise InvalidSyntax("an EAP-TLS peer does not say when to start")
    return packet


def _check_empty(packet: TlsPacket) -> None:
    if packet.data or packet.more:
        raise InvalidSyntax("an acknowledgement is expected, and data of TLS has come")


def _request(identifier: int, packet: TlsPacket) -> Eap:
    return Eap(EapCode.REQUEST, identifier, EapType.TLS, packet.encode())
