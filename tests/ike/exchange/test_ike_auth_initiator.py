from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import (
    ChildFailed,
    IkeSaDown,
    IkeSaUp,
    InstallInbound,
    InstallOutbound,
    KeysDerived,
    Report,
    Response,
    Send,
    Settings,
    Terminate,
)
from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.errors import AuthenticationFailed, Cause, InvalidSyntax
from edgevpn.ike.evidence import Refusal
from edgevpn.ike.exchange import ike_auth_initiator, ike_sa_init
from edgevpn.ike.exchange.eap import MAX_ROUNDS
from edgevpn.ike.iana import AuthMethod, CertEncoding, ExchangeType, IdType, NotifyType
from edgevpn.ike.peer import Certified, KeyRing, Login, Offer, Password, Peer, Psk, Signing
from edgevpn.ike.proving import CheckingResponder, EapAnswering, EapProven, PreparingAuth
from edgevpn.ike.questions import CertificatesRefused, CertificatesVerified, Leased, Sign, Signed, VerifyCertificates
from edgevpn.ike.session import BY_KEY
from edgevpn.ike.state import Authenticating, Closed, CreateChild, Established, RekeyIke
from edgevpn.ike.steps import Call
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import (
    Authentication,
    Certificate,
    CertificateRequest,
    Eap,
    Identification,
    IdI,
    IdR,
    SecurityAssociation,
    TrafficSelectorsI,
    TrafficSelectorsR,
)
from tests.support.handshake import (
    LEFT_PATH,
    Opened,
    an_env,
    answer_init,
    auth_response,
    calling,
    contents,
    init_response,
    initiated,
    kinds,
    open_sa,
    the,
)
from tests.support.keys import public_key
from tests.support.pair import Pair
from tests.support.peers import CBC, LAN, LEFT_ID, NO_ESN, RIGHT_ID, SHA256, TO_LEFT, TO_RIGHT, selectors
from tests.support.world import World, certificate, credential, holding, trusting

SA_AND_TS = [SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR]
OTHER_KEY = Psk(b"some other key altogether")
AUTHORITY = b"A" * 20
LEFT_CERT, RIGHT_CERT = credential("left", authority=AUTHORITY), credential("right", authority=AUTHORITY)
CERTIFIED = Certified((AUTHORITY,))
BY_CERT = replace(TO_RIGHT, local_auth=Signing((LEFT_CERT,)), remote_auth=CERTIFIED)
OF_CERT = replace(TO_LEFT, local_auth=Signing((RIGHT_CERT,)), remote_auth=CERTIFIED)
WORLD = World(keys=holding(LEFT_CERT, RIGHT_CERT), trusted=trusting(LEFT_CERT, RIGHT_CERT))


def both(peer: Peer = TO_RIGHT, other: Peer = TO_LEFT) -> Opened:
    return open_sa(peer, (other,), world=WORLD)


# --- the first request ---------------------------------------------------------------------------------------------


def test_request_by_key() -> None:
    """SK {IDi, [IDr], AUTH, SA, TSi, TSr, N(INITIAL_CONTACT)} (§1.2)."""
    request = both().request()
    assert contents(request.payloads) == [IdI, IdR, Authentication, *SA_AND_TS]
    assert request.need(IdI).identification == LEFT_ID
    assert request.need(IdR).identification == RIGHT_ID
    assert request.need(Authentication).method == AuthMethod.SHARED_KEY
    assert request.notify(NotifyType.INITIAL_CONTACT)


def test_request_by_certificate() -> None:
    """Our signature is asked of the world first; then SK {IDi, CERTREQ, IDr, CERT, AUTH, SA, TSi, TSr, N+}."""
    env = an_env(BY_CERT)
    answered = answer_init(initiated(BY_CERT).request, an_env(OF_CERT, seed=2))
    step = ike_sa_init.on_response(initiated(BY_CERT), init_response(the(Send, answered).octets), env)
    assert isinstance(step.sa, PreparingAuth)
    assert step.sa.due == env.settings.half_open_timeout
    asked = the(Sign, step)
    assert asked.name == "left"

    step = ike_auth_initiator.on_answer(step.sa, WORLD.answer(asked), env)
    payloads = the(Call, step).payloads
    assert contents(payloads) == [
        IdI,
        CertificateRequest,
        IdR,
        Certificate,
        Authentication,
        *SA_AND_TS,
    ]
    assert payloads[1] == CertificateRequest(CertEncoding.X509_SIGNATURE, (AUTHORITY,))
    assert isinstance(step.sa, Authenticating)


def test_request_by_password() -> None:
    """No AUTH: we want to log in by EAP (§2.16)."""
    request = both(replace(TO_RIGHT, local_auth=Password("alice", bytes(16)), remote_auth=CERTIFIED)).request()
    assert contents(request.payloads) == [IdI, CertificateRequest, IdR, *SA_AND_TS]


def test_first_certificate_whose_authority_is_asked_for() -> None:
    """A responder that names the authorities that it trusts gets a certificate of theirs."""
    home = credential("home", KeyKind.P256, b"H" * 20)
    peer = replace(BY_CERT, local_auth=Signing((home, LEFT_CERT)))
    world = World(keys=holding(home, LEFT_CERT))
    assert open_sa(peer, (OF_CERT,), world=world).request().need(Certificate).data == certificate("left")
    anybody = replace(OF_CERT, remote_auth=Certified())
    assert open_sa(peer, (anybody,), world=world).request().need(Certificate).data == certificate("home")


@pytest.mark.parametrize("world", [World(), World(keys=holding(RIGHT_CERT))], ids=["no key", "another's key"])
def test_our_key_does_not_sign(world: World) -> None:
    with pytest.raises(AuthenticationFailed) as failed:
        open_sa(BY_CERT, (OF_CERT,), world=world)
    assert failed.value.cause is Cause.CANNOT_SIGN


def test_no_way_to_show_who_we_are() -> None:
    with pytest.raises(AuthenticationFailed) as failed:
        both(replace(TO_RIGHT, local_auth=KeyRing()))
    assert failed.value.cause is Cause.CANNOT_SIGN


# --- the answer ----------------------------------------------------------------------------------------------------


def test_established_by_key() -> None:
    opened = both()
    answered = opened.answered()
    done = opened.done(answered)
    assert kinds(done) == [IkeSaUp, InstallInbound, InstallOutbound]
    up = the(IkeSaUp, done)
    assert (up.spi, up.peer, up.remote_id, up.path) == (
        opened.authenticating.spi,
        "right",
        RIGHT_ID,
        opened.authenticating.path,
    )
    assert (up.session.ours, up.session.theirs) == (BY_KEY, BY_KEY)
    assert isinstance(done.sa, Established)
    assert isinstance(answered.sa, Established)
    (ours,), (theirs,) = done.sa.children, answered.sa.children
    assert (ours.spi_in, ours.spi_out, ours.keys) == (theirs.spi_out, theirs.spi_in, theirs.keys)
    assert (ours.ts_local, ours.ts_remote) == (theirs.ts_remote, theirs.ts_local) == (LAN.ts_local, LAN.ts_remote)


def test_established_by_certificate() -> None:
    opened = both(BY_CERT, OF_CERT)
    answered = opened.answered(WORLD)
    step = ike_auth_initiator.on_response(opened.authenticating, auth_response(answered), opened.left)
    assert isinstance(step.sa, CheckingResponder)
    assert step.effects == (
        VerifyCertificates(step.sa.spi, ("right",), RIGHT_ID, (certificate("right"),), server=True),
    )
    assert (step.sa.peer, step.sa.path) == (BY_CERT, opened.authenticating.path)
    assert step.sa.due == opened.left.settings.half_open_timeout

    done = opened.done(answered, WORLD)
    assert kinds(done) == [IkeSaUp, InstallInbound, InstallOutbound]


def test_keys_of_the_child_are_told_if_wanted() -> None:
    opened = both()
    exporting = replace(opened.left, settings=Settings(export_keys=True))
    done = ike_auth_initiator.on_response(opened.authenticating, auth_response(opened.answered()), exporting)
    assert isinstance(done.sa, Established)
    assert the(KeysDerived, done) == KeysDerived(done.sa.secured, done.sa.children[0])


def test_further_children_are_asked_later() -> None:
    dmz = replace(LAN, name="dmz", ts_remote=selectors("10.3.0.0/24"))
    opened = both(replace(TO_RIGHT, children=(LAN, dmz)))
    done = opened.done(opened.answered())
    assert isinstance(done.sa, Established)
    assert done.sa.todo == (CreateChild("dmz"),)


def test_without_a_child() -> None:
    """An IKE SA may stand alone (RFC 6023)."""
    opened = both(replace(TO_RIGHT, children=()))
    done = opened.done(opened.answered())
    assert kinds(done) == [IkeSaUp]


UNFIT = {
    "selectors": (replace(LAN, ts_remote=selectors("10.9.0.0/24")), "TS_UNACCEPTABLE"),
    "cipher": (replace(LAN, offers=(Offer((CBC, SHA256, NO_ESN)),)), "NO_PROPOSAL_CHOSEN"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_child_refused(name: str) -> None:
    """The IKE SA stands without it (§1.2)."""
    policy, notify = UNFIT[name]
    opened = both(replace(TO_RIGHT, children=(policy,)))
    done = opened.done(opened.answered())
    assert kinds(done) == [IkeSaUp, Report, ChildFailed]
    assert the(ChildFailed, done).reason == f"the peer answered {notify}"
    assert isinstance(done.sa, Established)
    assert done.sa.children == ()


# --- who is it -----------------------------------------------------------------------------------------------------


def test_peer_refuses() -> None:
    opened = both()
    refusal = Response(ExchangeType.IKE_AUTH, (Notify(NotifyType.AUTHENTICATION_FAILED),), LEFT_PATH)
    step = ike_auth_initiator.on_response(opened.authenticating, refusal, opened.left)
    reason = "the peer answered AUTHENTICATION_FAILED"
    assert step.sa == Closed(reason)
    says = Refusal(NotifyType.AUTHENTICATION_FAILED, ExchangeType.IKE_AUTH)
    down = IkeSaDown(opened.authenticating.spi, "right", reason, cause=Cause.REFUSED_BY_PEER, evidence=says)
    assert step.effects == (down,)


def failure(opened: Opened, response: Response, world: World = WORLD) -> Cause:
    """Why we do not believe that response."""
    with pytest.raises(AuthenticationFailed) as failed:
        calling(ike_auth_initiator.on_response(opened.authenticating, response, opened.left), opened.left, world)
    return failed.value.cause


def test_responder_is_somebody_else() -> None:
    opened = both()
    stranger = IdR(Identification(IdType.FQDN, b"stranger.example"))
    response = auth_response(opened.answered(), stranger, without=(IdR,))
    assert failure(opened, response) is Cause.OTHER_IDENTITY


def test_responder_with_another_key() -> None:
    opened = both()
    sa = replace(opened.authenticating, peer=replace(TO_RIGHT, remote_auth=OTHER_KEY))
    assert failure(replace(opened, authenticating=sa), auth_response(opened.answered())) is Cause.WRONG_KEY


def test_responder_does_not_show_who_it_is() -> None:
    """It goes on with EAP where it should sign first; only who has agreed to that goes along (RFC 5998)."""
    for way in (Psk(b"k"), Password("alice", bytes(16))):
        opened = both(replace(TO_RIGHT, local_auth=way, remote_auth=CERTIFIED))
        response = Response(ExchangeType.IKE_AUTH, (IdR(RIGHT_ID),), LEFT_PATH)
        assert failure(opened, response) is Cause.SERVER_NOT_PROVEN


def test_responder_with_a_certificate_that_is_refused() -> None:
    opened = both(BY_CERT, OF_CERT)
    assert failure(opened, auth_response(opened.answered(WORLD)), World()) is Cause.CERTIFICATE_REFUSED


def test_responder_with_another_signature() -> None:
    opened = both(BY_CERT, OF_CERT)
    step = ike_auth_initiator.on_response(opened.authenticating, auth_response(opened.answered(WORLD)), opened.left)
    assert isinstance(step.sa, CheckingResponder)
    wrong = CertificatesVerified(step.sa.spi, "right", public_key(KeyKind.RSA, 2))
    with pytest.raises(AuthenticationFailed) as failed:
        ike_auth_initiator.on_answer(step.sa, wrong, opened.left)
    assert failed.value.cause is Cause.SIGNATURE_WRONG


def test_ways_that_only_a_responder_takes() -> None:
    for way in (KeyRing(), Login()):
        opened = both(replace(TO_RIGHT, remote_auth=way))
        assert failure(opened, auth_response(opened.answered())) is Cause.METHOD_NOT_ALLOWED


def test_answer_to_another_question() -> None:
    opened = both(BY_CERT, OF_CERT)
    sa = ike_auth_initiator.on_response(opened.authenticating, auth_response(opened.answered(WORLD)), opened.left).sa
    assert isinstance(sa, CheckingResponder)
    for stray in (Signed(b"", b""), Leased(b"", ())):
        step = ike_auth_initiator.on_answer(sa, stray, opened.left)
        assert step.sa is sa
        assert kinds(step) == [Report]
    preparing = PreparingAuth(opened.authenticating, LEFT_CERT, WORLD_SCHEME, True, 1.0)
    assert kinds(ike_auth_initiator.on_answer(preparing, CertificatesRefused(b"", ""), opened.left)) == [Report]


WORLD_SCHEME = the(
    Sign,
    ike_sa_init.on_response(
        initiated(BY_CERT),
        init_response(the(Send, answer_init(initiated(BY_CERT).request, an_env(OF_CERT, seed=2))).octets),
        an_env(BY_CERT),
    ),
).scheme


# --- EAP -----------------------------------------------------------------------------------------------------------

LOGS_IN = replace(TO_RIGHT, local_auth=Password("alice", bytes(16), alone=True), remote_auth=CERTIFIED)
LETS_IN = replace(OF_CERT, remote_auth=Login(alone=True))


def test_eap_goes_on_and_on() -> None:
    """A gateway that asks for ever is left."""
    opened = both(LOGS_IN, LETS_IN)
    step = ike_auth_initiator.on_response(opened.authenticating, auth_response(opened.answered()), opened.left)
    assert isinstance(step.sa, EapAnswering)
    assert contents(the(Call, step).payloads) == [Eap]
    request = auth_response(opened.answered(), without=(IdR,))
    sa = replace(step.sa, rounds=MAX_ROUNDS - 1)
    last = ike_auth_initiator.on_response(sa, request, opened.left).sa
    assert isinstance(last, EapAnswering)
    with pytest.raises(AuthenticationFailed) as failed:
        ike_auth_initiator.on_response(last, request, opened.left)
    assert failed.value.cause is Cause.EAP_ABANDONED


def test_eap_without_eap() -> None:
    opened = both(LOGS_IN, LETS_IN)
    response = Response(ExchangeType.IKE_AUTH, (IdR(RIGHT_ID),), LEFT_PATH)
    with pytest.raises(InvalidSyntax):
        ike_auth_initiator.on_response(opened.authenticating, response, opened.left)


def test_eap_that_is_not_bound() -> None:
    """Whoever let us in must prove by the key of EAP that it is who answered our IKE_SA_INIT."""
    opened = both(LOGS_IN, LETS_IN)
    sa = EapProven(opened.authenticating, RIGHT_ID, None, bytes(64))
    wrong = Response(ExchangeType.IKE_AUTH, (Authentication(AuthMethod.SHARED_KEY, bytes(32)),), LEFT_PATH)
    with pytest.raises(AuthenticationFailed) as failed:
        ike_auth_initiator.on_response(sa, wrong, opened.left)
    assert failed.value.cause is Cause.SERVER_NOT_PROVEN


# --- over the wire -------------------------------------------------------------------------------------------------


def two(left: Peer, right: Peer, left_world: World, right_world: World) -> Pair:
    pair = Pair((left,), (right,))
    pair.left.world, pair.right.world = left_world, right_world
    pair.left.initiate("right")
    return pair


def test_certificate_of_the_gateway_is_refused() -> None:
    """We say so and are gone; the gateway, which had believed us, forgets us at once (§2.21.2)."""
    pair = two(BY_CERT, OF_CERT, World(keys=holding(LEFT_CERT)), WORLD)
    pair.run(1)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.cause for down in pair.left.downs] == [Cause.CERTIFICATE_REFUSED]
    assert [down.cause for down in pair.right.downs] == [Cause.LEFT_UNCONVINCED]
    assert pair.chart().splitlines()[-2] == "--> INFORMATIONAL request 2: N(AUTHENTICATION_FAILED), D(IKE)"


def test_certificate_of_the_gateway_is_refused_before_we_log_in() -> None:
    pair = two(
        replace(BY_CERT, local_auth=Password("alice", bytes(16))),
        replace(OF_CERT, remote_auth=Login()),
        World(),
        WORLD,
    )
    pair.run(1)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.cause for down in pair.left.downs] == [Cause.CERTIFICATE_REFUSED]
    assert [report.cause for report in pair.right.reports("ike_auth_refused")] == [Cause.LEFT_UNCONVINCED]


def test_our_key_does_not_sign_in_time() -> None:
    """Nothing has gone out that could be answered, so nobody is told but the owner."""
    pair = two(BY_CERT, OF_CERT, World(), WORLD)
    pair.run(1)
    assert [down.cause for down in pair.left.downs] == [Cause.CANNOT_SIGN]
    pair = two(BY_CERT, OF_CERT, WORLD, WORLD)
    pair.left.holds = True
    pair.run(0.5)
    pair.left.initiate("right")
    pair.run(100)
    assert Cause.TOO_LATE in [down.cause for down in pair.left.downs]
    assert not pair.left.others


def checking() -> Pair:
    """The gateway has answered, and the world has not said yet whether its certificate is good."""
    pair = two(BY_CERT, OF_CERT, WORLD, WORLD)
    pair.left.holds = True
    pair.run(0.5)
    pair.left.answer()  # our signature
    pair.run(0.5)
    assert [type(sa) for sa in pair.left.others] == [CheckingResponder]
    return pair


def test_told_to_stop_while_the_world_is_asked() -> None:
    pair = checking()
    (sa,) = pair.left.others
    assert isinstance(sa, CheckingResponder)
    assert [held.spi for held in pair.left.endpoint.sas_of("right")] == [sa.spi]
    pair.left.tell(Terminate(sa.spi))
    assert [(down.asked, down.cause) for down in pair.left.downs] == [(True, Cause.ASKED)]
    pair.left.answer()
    assert pair.left.endpoint.sas == ()


def test_peer_asks_while_we_check_it() -> None:
    """A gateway that uses the IKE SA before we know who it is has to wait: its request comes again."""
    pair = checking()
    pair.right.ask(RekeyIke())
    pair.run(1)
    assert isinstance(pair.left.others[0], CheckingResponder)
    pair.left.holds = False
    pair.left.answer()
    pair.run(10)
    assert pair.agree()
