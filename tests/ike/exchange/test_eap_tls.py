"""edgevpn.ike.exchange.eap_tls: packets of EAP-TLS, and whole logins by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import Env, IkeSaUp, Report
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.eap_state import TlsConfirming, TlsTalking, TlsTurn
from edgevpn.ike.errors import Cause, InvalidSyntax
from edgevpn.ike.exchange import eap_tls, ike_auth
from edgevpn.ike.exchange.eap_outcome import Ask, Failed, NeedTls, Succeeded
from edgevpn.ike.exchange.proof import key_auth, our_octets
from edgevpn.ike.iana import EapCode, EapType, ExchangeType, NotifyType
from edgevpn.ike.peer import Certified, Login, Password, Peer, Ppk, PpkRing, Signing
from edgevpn.ike.proving import EapAsking, EapLookingUp, EapProving
from edgevpn.ike.questions import FindPassword, TalkTls, TlsAnswered, TlsRefused, TlsSucceeded
from edgevpn.ike.session import ByEap, BySignature
from edgevpn.ike.state import Closed, Established
from edgevpn.ike.steps import IkeSa, Respond
from edgevpn.ike.wire.eap_tls import TlsPacket
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Certificate, Eap
from tests.support.handshake import RIGHT_PATH, Opened, asking, open_sa, the
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.world import MSK, World, credential, holding, trusting

SPI = b"8 octets"
START = TlsTalking(1, "laptop")
LONG = bytes(range(256)) * 10


def packet(identifier: int, *, data: bytes = b"", total: int | None = None, more: bool = False) -> Eap:
    return Eap(EapCode.RESPONSE, identifier, EapType.TLS, TlsPacket(data, total, more).encode())


def sent(outcome: object) -> TlsPacket:
    """What the peer is asked."""
    assert isinstance(outcome, Ask)
    assert outcome.message.code is EapCode.REQUEST
    assert outcome.message.identifier == outcome.state.identifier
    return TlsPacket.decode(outcome.message.data)


# --- packets -------------------------------------------------------------------------------------------------------


def test_begin() -> None:
    asked = eap_tls.start(7, "laptop")
    assert asked.state == TlsTalking(7, "laptop")
    assert sent(asked) == TlsPacket(start=True)


def test_message_in_one_packet() -> None:
    needed = eap_tls.on_response(START, packet(1, data=b"ClientHello"))
    assert isinstance(needed, NeedTls)
    assert needed.turn == TlsTurn(replace(START, begun=True), b"ClientHello")


def test_message_in_fragments() -> None:
    """Each is acknowledged by an empty request, the last by what TLS answers (RFC 5216 §2.1.5)."""
    state, got = START, b""
    for at in (0, 1000):
        asked = eap_tls.on_response(
            state, packet(state.identifier, data=LONG[at : at + 1000], total=len(LONG) if at == 0 else None, more=True)
        )
        assert sent(asked) == TlsPacket()
        assert isinstance(asked, Ask)
        assert isinstance(asked.state, TlsTalking)
        state = asked.state
    needed = eap_tls.on_response(state, packet(state.identifier, data=LONG[2000:]))
    assert isinstance(needed, NeedTls)
    got = needed.turn.octets
    assert got == LONG
    assert needed.turn.talking.received == b""


def test_answer_in_fragments() -> None:
    """The first says how long the whole is, and each but the last that there is more."""
    turn = TlsTurn(replace(START, begun=True), b"ClientHello")
    asked = eap_tls.on_answer(turn, packet(1), TlsAnswered(SPI, LONG))
    parts = [sent(asked)]
    while isinstance(asked, Ask) and isinstance(asked.state, TlsTalking) and asked.state.sending:
        asked = eap_tls.on_response(asked.state, packet(asked.state.identifier))  # type: ignore[assignment]
        parts.append(sent(asked))
    assert b"".join(part.data for part in parts) == LONG
    assert [part.total for part in parts] == [len(LONG), None, None]
    assert [part.more for part in parts] == [True, True, False]


def test_end() -> None:
    """The last of TLS has to be seen before EAP succeeds."""
    turn = TlsTurn(replace(START, begun=True), b"Finished")
    asked = eap_tls.on_answer(turn, packet(1), TlsSucceeded(SPI, LONG[:1500], "pool", "laptop", MSK))
    assert isinstance(asked, Ask)
    assert isinstance(asked.state, TlsConfirming)
    again = eap_tls.on_confirmed(asked.state, packet(2))
    assert isinstance(again, Ask)
    assert isinstance(again.state, TlsConfirming)
    done = eap_tls.on_confirmed(again.state, packet(3))
    assert done == Succeeded(Eap(EapCode.SUCCESS, 3), "laptop", MSK, EapType.TLS)


def test_refusal() -> None:
    turn = TlsTurn(replace(START, begun=True), b"Certificate")
    done = eap_tls.on_answer(turn, packet(4), TlsRefused(SPI, Cause.NO_CERTIFICATE))
    assert done == Failed(Eap(EapCode.FAILURE, 4), Cause.NO_CERTIFICATE, "laptop")


WAITING = replace(START, received=b"half", total=8, begun=True)
NONSENSE: dict[str, tuple[TlsTalking, Eap]] = {
    "another method": (START, Eap(EapCode.RESPONSE, 1, EapType.MSCHAPV2, b"\x02")),
    "a peer that says when to start": (START, Eap(EapCode.RESPONSE, 1, EapType.TLS, b"\x20")),
    "nothing where TLS is to begin": (START, packet(1)),
    "a fragment without data": (START, packet(1, more=True)),
    "more than it has said": (WAITING, packet(1, data=b"and too much")),
    "less than it has said": (WAITING, packet(1, data=b"ab")),
    "more than anybody has to say": (START, packet(1, data=b"a", total=eap_tls.MAX_MESSAGE + 1, more=True)),
    "more than anybody has to say, without saying so": (
        replace(START, received=bytes(eap_tls.MAX_MESSAGE)),
        packet(1, data=b"a", more=True),
    ),
    "data where a fragment is to be acknowledged": (replace(START, sending=b"more"), packet(1, data=b"a")),
}


@pytest.mark.parametrize(("state", "eap"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense(state: TlsTalking, eap: Eap) -> None:
    with pytest.raises(InvalidSyntax):
        eap_tls.on_response(state, eap)


def test_data_after_the_end() -> None:
    with pytest.raises(InvalidSyntax):
        eap_tls.on_confirmed(TlsConfirming(1, "laptop", MSK), packet(1, data=b"more"))


# --- logins --------------------------------------------------------------------------------------------------------

AUTHORITY = b"A" * 20
GATEWAY = credential("gateway", authority=AUTHORITY)
CLIENT = replace(TO_RIGHT, local_auth=Password("laptop", nt_password_hash("none")), remote_auth=Certified((AUTHORITY,)))
ASKS_FOR_EAP_ALONE = replace(CLIENT, local_auth=Password("laptop", nt_password_hash("none"), alone=True))
BY_TLS = replace(
    TO_LEFT, name="pool/eap-tls", remote_id=None, local_auth=Signing((GATEWAY,)), remote_auth=Login((EapType.TLS,))
)
BY_PASSWORD = replace(BY_TLS, name="pool/password", remote_auth=Login())
WORLD = World(keys=holding(GATEWAY), trusted=trusting(GATEWAY), users={"laptop": "", "alice": "correct horse"})


class Talk:
    """A client that does EAP by hand, and a gateway with its world."""

    def __init__(self, *pools: Peer, client: Peer = CLIENT, world: World = WORLD) -> None:
        self.world = replace(world)
        self.opened: Opened = open_sa(client, pools, world=self.world)
        self.env: Env = self.opened.right
        self.step = self.opened.answered(self.world)
        self.identifier = self.asked.identifier
        self.message_id = 1

    @property
    def sa(self) -> IkeSa:
        return self.step.sa

    @property
    def asked(self) -> Eap:
        return next(p for p in the(Respond, self.step).payloads if isinstance(p, Eap))

    def say(self, *payloads: Payload) -> None:
        """The next request, and what comes of it once the world has answered."""
        self.message_id += 1
        request = ike_auth_request(self.message_id, payloads)
        assert isinstance(self.sa, EapAsking | EapProving)
        self.step = asking(ike_auth.on_request(self.sa, request, self.env), self.env, self.world)

    def respond(self, eap_type: EapType, data: bytes) -> Eap:
        """Respond to what was asked; returns what is asked next."""
        self.say(Eap(EapCode.RESPONSE, self.asked.identifier, eap_type, data))
        return self.asked

    def tls(self, data: bytes = b"") -> TlsPacket:
        asked = self.respond(EapType.TLS, TlsPacket(data).encode())
        return TlsPacket.decode(asked.data) if asked.code is EapCode.REQUEST else TlsPacket()

    def bind(self, ppk: Ppk | None = None) -> None:
        """AUTH with the key that has come of it."""
        first = self.opened.authenticating
        secured = first.secured.mixed(ppk) if ppk else first.secured
        octets = our_octets(secured, first.opening, first.peer.identity_at(first.path.local.host))
        named = (Notify(NotifyType.PPK_IDENTITY, b"\x02" + ppk.ppk_id),) if ppk else ()
        self.say(key_auth(secured, MSK, octets), *named)

    def refused(self) -> Cause | None:
        assert isinstance(self.sa, Closed)
        assert self.asked.code is EapCode.FAILURE
        return the(Report, self.step).cause


def ike_auth_request(message_id: int, payloads: tuple[Payload, ...]):  # type: ignore[no-untyped-def]
    from edgevpn.ike.contract import Request

    return Request(ExchangeType.IKE_AUTH, message_id, payloads, RIGHT_PATH)


def logged_in(talk: Talk) -> IkeSaUp:
    """The rest of a login by TLS, once it has been asked for."""
    assert TlsPacket.decode(talk.asked.data) == TlsPacket(start=True)
    assert talk.tls(b"hello").data == b"who are you?"
    assert talk.tls(b"I am laptop").data == b"welcome"
    assert talk.respond(EapType.TLS, TlsPacket().encode()).code is EapCode.SUCCESS
    talk.bind()
    assert isinstance(talk.sa, Established)
    return the(IkeSaUp, talk.step)


def test_login() -> None:
    """RFC 5216 §2.1.1, in RFC 7296 §2.16; who it is says the certificate."""
    talk = Talk(BY_TLS)
    assert talk.respond(EapType.IDENTITY, b"whoever").eap_type == EapType.TLS
    up = logged_in(talk)
    assert (up.peer, up.session.user, up.session.theirs) == ("pool/eap-tls", "laptop", ByEap(EapType.TLS))
    assert isinstance(up.session.ours, BySignature)
    asked = [each for each in talk.world.asked if isinstance(each, TalkTls)]
    assert [(each.peers, each.octets) for each in asked] == [
        (("pool/eap-tls",), b"hello"),
        (("pool/eap-tls",), b"I am laptop"),
    ]


def test_long_messages() -> None:
    talk = Talk(BY_TLS, world=replace(WORLD, tls_greeting=LONG))
    talk.respond(EapType.IDENTITY, b"")
    got, part = b"", talk.tls(b"hello")
    while part.more:
        got += part.data
        part = talk.tls()
    assert got + part.data == LONG


def test_certificate_is_refused() -> None:
    """The owner is told why; the peer nothing but that it has failed."""
    talk = Talk(BY_TLS)
    talk.respond(EapType.IDENTITY, b"laptop")
    talk.tls(b"hello")
    talk.tls(b"I am mallory")
    assert talk.refused() is Cause.CERTIFICATE_REFUSED
    assert "REVOKED_LEAF" in str(the(Report, talk.step).evidence)


def test_login_alone() -> None:
    """TLS shows the peer who we are, too: no certificate in IKE, where both want it so (RFC 5998)."""
    alone = replace(BY_TLS, remote_auth=Login((EapType.TLS,), alone=True))
    talk = Talk(alone, client=ASKS_FOR_EAP_ALONE)
    assert not [each for each in the(Respond, talk.step).payloads if isinstance(each, Certificate)]
    talk.respond(EapType.IDENTITY, b"laptop")
    up = logged_in(talk)
    assert up.session.ours == up.session.theirs == ByEap(EapType.TLS)


@pytest.mark.parametrize(
    ("pools", "client"),
    [((BY_TLS,), ASKS_FOR_EAP_ALONE), ((replace(BY_TLS, remote_auth=Login((EapType.TLS,), alone=True)),), CLIENT)],
)
def test_not_alone(pools: tuple[Peer, ...], client: Peer) -> None:
    talk = Talk(*pools, client=client)
    assert [each for each in the(Respond, talk.step).payloads if isinstance(each, Certificate)]


# --- which method --------------------------------------------------------------------------------------------------


def test_nak_leads_to_tls() -> None:
    """The password is asked for first; Windows with a smart card names what it has (RFC 3748 §5.3.1)."""
    talk = Talk(BY_PASSWORD, BY_TLS)
    assert talk.respond(EapType.IDENTITY, b"laptop").eap_type == EapType.MSCHAPV2
    assert talk.respond(EapType.NAK, bytes([EapType.PEAP, EapType.TLS])).eap_type == EapType.TLS
    assert logged_in(talk).peer == "pool/eap-tls"


def test_nak_leads_to_a_password() -> None:
    talk = Talk(BY_TLS, BY_PASSWORD)
    assert talk.respond(EapType.IDENTITY, b"alice").eap_type == EapType.TLS
    assert talk.respond(EapType.NAK, bytes([EapType.MSCHAPV2])).eap_type == EapType.MSCHAPV2
    talk.respond(EapType.MSCHAPV2, bytes.fromhex("0201003b31") + bytes(49) + b"alice")
    (asked,) = (each for each in talk.world.asked if isinstance(each, FindPassword))
    assert (asked.peers, asked.user) == (("pool/password",), "alice")


@pytest.mark.parametrize(
    "wanted", [bytes([EapType.PEAP]), b"\x00", b"", bytes([EapType.MSCHAPV2])], ids=["another", "none", "nothing", "it"]
)
def test_nak_that_leads_nowhere(wanted: bytes) -> None:
    """Nor does one that names what it refuses."""
    talk = Talk(BY_PASSWORD, BY_TLS)
    talk.respond(EapType.IDENTITY, b"laptop")
    talk.respond(EapType.NAK, wanted)
    assert talk.refused() is Cause.NO_COMMON_METHOD


def test_nak_comes_too_late() -> None:
    """Once the peer has begun, it has chosen."""
    talk = Talk(BY_TLS, BY_PASSWORD)
    talk.respond(EapType.IDENTITY, b"laptop")
    talk.tls(b"hello")
    talk.say(Eap(EapCode.RESPONSE, talk.asked.identifier, EapType.NAK, bytes([EapType.MSCHAPV2])))
    assert isinstance(talk.sa, Closed)
    assert the(Report, talk.step).cause is Cause.MALFORMED


def test_it_takes_longer_than_a_password_and_not_for_ever() -> None:
    talk = Talk(BY_TLS)
    talk.respond(EapType.IDENTITY, b"laptop")
    assert isinstance(talk.sa, EapAsking)
    talk.step = replace(talk.step, sa=replace(talk.sa, rounds=eap_tls.MAX_ROUNDS - 1))
    assert talk.tls(b"hello").data
    talk.say(Eap(EapCode.RESPONSE, talk.asked.identifier, EapType.TLS, TlsPacket(b"I am laptop").encode()))
    assert the(Report, talk.step).cause is Cause.EAP_ABANDONED


# --- with a post-quantum pre-shared key ------------------------------------------------------------------------------


def test_ppk_of_who_was_found() -> None:
    ppk = Ppk(b"winter", b"octets that are older than the tunnel")
    client = replace(CLIENT, ppk=ppk)
    talk = Talk(replace(BY_TLS, ppk=PpkRing()), client=client, world=replace(WORLD, ppk=ppk))
    talk.respond(EapType.IDENTITY, b"laptop")
    talk.tls(b"hello")
    talk.tls(b"I am laptop")
    talk.respond(EapType.TLS, TlsPacket().encode())
    talk.bind(ppk)
    assert isinstance(talk.sa, Established)
    assert talk.sa.secured.ppk_id == b"winter"


def test_world_names_another_peer() -> None:
    """It may name one of those alone that it was asked about."""
    talk = Talk(BY_TLS, world=replace(WORLD, peer="elsewhere"))
    talk.respond(EapType.IDENTITY, b"laptop")
    talk.tls(b"hello")
    talk.say(Eap(EapCode.RESPONSE, talk.asked.identifier, EapType.TLS, TlsPacket(b"I am laptop").encode()))
    assert isinstance(talk.sa, Closed)
    assert the(Report, talk.step).cause is Cause.CERTIFICATE_REFUSED


def test_what_is_waited_for() -> None:
    talk = Talk(BY_TLS)
    talk.respond(EapType.IDENTITY, b"laptop")
    assert isinstance(talk.sa, EapAsking)
    request = ike_auth_request(9, (Eap(EapCode.RESPONSE, talk.asked.identifier, EapType.TLS, b"\x00hello"),))
    step = ike_auth.on_request(talk.sa, request, talk.env)
    assert isinstance(step.sa, EapLookingUp)
    assert step.sa.request is request
