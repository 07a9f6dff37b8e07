"""edgevpn.ike.exchange.login: EAP within IKE_AUTH, mostly as two endpoints have it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import Env, Report, Request, Terminate
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.errors import Cause
from edgevpn.ike.exchange import ike_auth
from edgevpn.ike.exchange.eap import MAX_ROUNDS
from edgevpn.ike.iana import AuthMethod, EapCode, EapType, ExchangeType, NotifyType
from edgevpn.ike.peer import Certified, Login, Password, Peer, Signing
from edgevpn.ike.proving import AskedIdentity, Confirming, EapAnswering, EapAsking, EapLookingUp, EapProving
from edgevpn.ike.questions import FindPassword, PasswordFound
from edgevpn.ike.session import ByEap, BySignature
from edgevpn.ike.state import Closed
from edgevpn.ike.steps import Respond, Step
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.mschapv2 import ChallengeResponse
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Authentication, Eap
from tests.support.chart import without_numbers
from tests.support.handshake import RIGHT_PATH, open_sa, the
from tests.support.pair import Pair
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.world import World, credential, holding, trusting

AUTHORITY = b"A" * 20
GATEWAY = credential("gateway", authority=AUTHORITY)
ALICE = Password("alice", nt_password_hash("correct horse"))
BY_PASSWORD = replace(TO_RIGHT, local_auth=ALICE, remote_auth=Certified((AUTHORITY,)))
POOL = replace(TO_LEFT, name="pool", remote_id=None, local_auth=Signing((GATEWAY,)), remote_auth=Login())
WORLD = World(keys=holding(GATEWAY), trusted=trusting(GATEWAY), users={"alice": "correct horse"})


def pair_of(client: Peer, *pools: Peer, world: World = WORLD) -> Pair:
    pair = Pair((client,), pools or (POOL,))
    for side in pair.sides:
        side.world = replace(world)
    return pair


def connect(client: Peer = BY_PASSWORD, *pools: Peer, world: World = WORLD) -> Pair:
    pair = pair_of(client, *pools, world=world)
    pair.left.initiate("right")
    pair.run(3)
    return pair


# --- two endpoints -------------------------------------------------------------------------------------------------


def test_login() -> None:
    pair = connect()
    assert pair.agree()
    gateway, client = pair.right.sa, pair.left.sa
    assert (gateway.session.user, gateway.identity) == ("alice", "alice")
    assert gateway.session.theirs == client.session.ours == ByEap(EapType.MSCHAPV2)
    assert isinstance(gateway.session.ours, BySignature)
    assert gateway.session.ours == client.session.theirs


def test_login_without_an_identity() -> None:
    """The EAP identity is empty, as Android has it; the MSCHAPv2 response names the user."""
    pair = connect(replace(BY_PASSWORD, local_auth=replace(ALICE, identity="")))
    assert pair.agree()
    assert pair.right.sa.session.user == "alice"
    assert pair.right.ups[0].session.user == "alice"
    assert (
        without_numbers(pair.chart())
        == """\
--> IKE_SA_INIT request: SA, KEi, Ni, N(SIGNATURE_HASH_ALGORITHMS)
<-- IKE_SA_INIT response: SA, KEr, Nr, N(CHILDLESS_IKEV2_SUPPORTED), N(SIGNATURE_HASH_ALGORITHMS)
--> IKE_AUTH request: IDi, CERTREQ, IDr, SA, TSi, TSr, N(INITIAL_CONTACT)
<-- IKE_AUTH response: IDr, CERT, AUTH, EAP
--> IKE_AUTH request: EAP
<-- IKE_AUTH response: EAP
--> IKE_AUTH request: EAP
<-- IKE_AUTH response: EAP
--> IKE_AUTH request: EAP
<-- IKE_AUTH response: EAP
--> IKE_AUTH request: AUTH
<-- IKE_AUTH response: AUTH, SA, TSi, TSr"""
    )


def test_login_alone() -> None:
    """EAP shows both sides who the other is (RFC 5998); the gateway needs no key and the client no authority."""
    client = replace(BY_PASSWORD, local_auth=replace(ALICE, alone=True), remote_auth=Certified())
    pair = connect(client, replace(POOL, remote_auth=Login(alone=True)), world=World(users=WORLD.users))
    assert pair.agree()
    assert pair.right.sa.session.ours == pair.left.sa.session.theirs == ByEap(EapType.MSCHAPV2)


@pytest.mark.parametrize(("asks", "allowed"), [(True, False), (False, True), (False, False)])
def test_login_with_a_signature_where_one_of_them_wants_it(*, asks: bool, allowed: bool) -> None:
    """Whoever asks for EAP alone still gets in where that is not agreed to: the signature is verified as ever."""
    client = replace(BY_PASSWORD, local_auth=replace(ALICE, alone=asks))
    pair = connect(client, replace(POOL, remote_auth=Login(alone=allowed)))
    assert pair.agree()
    assert isinstance(pair.right.sa.session.ours, BySignature)
    assert pair.left.sa.session.theirs == pair.right.sa.session.ours


def test_wrong_password() -> None:
    """EAP(Failure) is the end; no Notify goes with it (§2.21), and the owner is told which it was."""
    pair = connect(replace(BY_PASSWORD, local_auth=Password("alice", nt_password_hash("a guess"))))
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.cause for down in pair.left.downs] == [Cause.WRONG_PASSWORD]
    (told,) = pair.right.reports("ike_auth_refused")
    assert told.cause is Cause.WRONG_PASSWORD
    assert ("user", "alice") in told.fields
    assert pair.chart().splitlines()[-1].endswith("EAP")


def test_unknown_user_looks_like_a_wrong_password() -> None:
    """The same messages of the same lengths; only the gateway's owner sees the difference."""
    wrong = connect(replace(BY_PASSWORD, local_auth=Password("alice", nt_password_hash("a guess"))))
    unknown = connect(replace(BY_PASSWORD, local_auth=Password("mason", nt_password_hash("a guess"))))
    assert [report.cause for report in unknown.right.reports("ike_auth_refused")] == [Cause.USER_UNKNOWN]
    assert [len(octets) for octets in wrong.sent] == [len(octets) for octets in unknown.sent]
    assert [down.cause for down in unknown.left.downs] == [Cause.WRONG_PASSWORD]


def test_user_of_another_pool() -> None:
    """Two pools look alike until the login; the world tells whose user it is."""
    pair = connect(BY_PASSWORD, POOL, replace(POOL, name="guests"), world=replace(WORLD, peer="guests"))
    assert pair.agree()
    assert pair.right.sa.peer.name == "guests"
    asked = [question for question in pair.right.world.asked if isinstance(question, FindPassword)]
    assert [question.peers for question in asked] == [("pool", "guests")]


def test_user_of_no_pool_that_it_may_come_by() -> None:
    pair = connect(world=replace(WORLD, peer="elsewhere"))
    assert [report.cause for report in pair.right.reports("ike_auth_refused")] == [Cause.USER_UNKNOWN]


def test_gateway_that_does_not_know_the_password() -> None:
    """It lets in whoever comes, and cannot prove that it knows the user."""
    other = replace(BY_PASSWORD, local_auth=Password("alice", nt_password_hash("another")))
    pair = connect(other)
    assert [down.cause for down in pair.left.downs] == [Cause.WRONG_PASSWORD]


def test_repeated_request_while_the_password_is_looked_up() -> None:
    pair = pair_of(BY_PASSWORD)
    pair.left.initiate("right")
    pair.right.holds = True
    pair.run(0.1)
    pair.right.answer()  # our signature
    pair.run(8)
    assert [type(question) for question in pair.right.open] == [FindPassword]
    sent = len(pair.sent)
    pair.right.answer()
    assert len(pair.sent) == sent + 1
    pair.run(1)
    assert pair.agree()


def test_peer_goes_away_in_the_middle() -> None:
    pair = pair_of(BY_PASSWORD)
    pair.left.initiate("right")
    pair.run(0.05)
    pair.fate = lambda number, octets: ()
    pair.run(300)
    assert pair.right.endpoint.sas == ()
    assert [report.cause for report in pair.right.reports("ike_auth_refused")] == [Cause.TOO_LATE]
    assert [down.cause for down in pair.left.downs] == [Cause.NO_ANSWER]


def test_client_is_told_to_stop_in_the_middle() -> None:
    pair = pair_of(BY_PASSWORD)
    pair.left.initiate("right")
    pair.run(0.05)
    (sa,) = pair.left.others
    assert isinstance(sa, EapAnswering)
    pair.left.tell(Terminate(sa.spi))
    assert pair.left.endpoint.sas == ()
    assert [(down.asked, down.cause) for down in pair.left.downs] == [(True, Cause.ASKED)]


# --- the responder, step by step -----------------------------------------------------------------------------------


def asking() -> tuple[EapAsking, Env]:
    """A gateway that has asked who the client is."""
    opened = open_sa(BY_PASSWORD, (POOL,), world=WORLD)
    sa = opened.answered(WORLD).sa
    assert isinstance(sa, EapAsking)
    return sa, opened.right


def said(*payloads: Payload, message_id: int = 2) -> Request:
    return Request(ExchangeType.IKE_AUTH, message_id, payloads, RIGHT_PATH)


def identity(sa: EapAsking) -> Request:
    return said(Eap(EapCode.RESPONSE, sa.eap.identifier, EapType.IDENTITY, b"alice"))


def response(sa: EapAsking) -> Request:
    packet = ChallengeResponse(1, bytes(16), bytes(24), b"alice")
    return said(Eap(EapCode.RESPONSE, sa.eap.identifier, EapType.MSCHAPV2, packet.encode()))


def ended(step: Step) -> tuple[Cause | None, Payload]:
    """Why it ended, and what the peer was told."""
    assert isinstance(step.sa, Closed)
    (payload,) = the(Respond, step).payloads
    return the(Report, step).cause, payload


def test_person_takes_their_time() -> None:
    """From one message to the next there is a minute, however long the whole takes."""
    sa, env = asking()
    later = replace(env, now=50.0)
    sa_2 = ike_auth.on_request(sa, identity(sa), later).sa
    assert isinstance(sa_2, EapAsking)
    assert (sa.due, sa_2.due) == (60.0, 110.0)


def test_nobody_takes_for_ever() -> None:
    """A login that is drawn out holds one of the places for half-open IKE SAs; that has an end."""
    sa, env = asking()
    last = ike_auth.on_request(sa, identity(sa), replace(env, now=250.0)).sa
    assert isinstance(last, EapAsking)
    assert last.due == env.settings.half_open_timeout + env.settings.login_limit == 270.0


def test_password_is_asked_for() -> None:
    sa, env = asking()
    challenged = ike_auth.on_request(sa, identity(sa), env).sa
    assert isinstance(challenged, EapAsking)
    request = response(challenged)
    step = ike_auth.on_request(challenged, request, env)
    assert isinstance(step.sa, EapLookingUp)
    assert step.effects == (FindPassword(sa.spi, ("pool",), "alice", request.path.remote),)
    assert step.sa.request is request


def test_wrong_password_settles_nothing() -> None:
    """The next try may be that of a user of another pool."""
    sa, env = asking()
    sa = replace(sa, claim=replace(sa.claim, peers=(POOL, replace(POOL, name="guests"))))
    challenged = ike_auth.on_request(sa, identity(sa), env).sa
    assert isinstance(challenged, EapAsking)
    looking = ike_auth.on_request(challenged, response(challenged), env).sa
    assert isinstance(looking, EapLookingUp)
    after = ike_auth.on_answer(looking, PasswordFound(sa.spi, "guests", bytes(16)), env).sa
    assert isinstance(after, EapAsking)
    assert after.claim.names == ("pool", "guests")


def test_eap_goes_on_and_on() -> None:
    sa, env = asking()
    step = ike_auth.on_request(replace(sa, rounds=MAX_ROUNDS), identity(sa), env)
    assert ended(step) == (Cause.EAP_ABANDONED, Notify(NotifyType.AUTHENTICATION_FAILED))


def test_no_eap_in_the_request() -> None:
    sa, env = asking()
    assert ended(ike_auth.on_request(sa, said(), env)) == (Cause.MALFORMED, Notify(NotifyType.INVALID_SYNTAX))


def test_peer_has_no_such_method() -> None:
    sa, env = asking()
    challenged = ike_auth.on_request(sa, identity(sa), env).sa
    assert isinstance(challenged, EapAsking)
    nak = Eap(EapCode.RESPONSE, challenged.eap.identifier, EapType.NAK, bytes([EapType.TLS]))
    cause, told = ended(ike_auth.on_request(challenged, said(nak), env))
    assert cause is Cause.NO_COMMON_METHOD
    assert told == Eap(EapCode.FAILURE, challenged.eap.identifier)


def test_login_must_be_bound() -> None:
    """EAP alone proves nothing of this IKE SA: AUTH must be made with its key (§2.16)."""
    sa, env = asking()
    confirming = replace(sa, eap=Confirming(9, "alice", b"m" * 64))
    success = said(Eap(EapCode.RESPONSE, 9, EapType.MSCHAPV2, b"\x03"))
    step = ike_auth.on_request(confirming, success, env)
    assert isinstance(step.sa, EapProving)
    assert the(Respond, step).payloads == (Eap(EapCode.SUCCESS, 9),)
    for wrong in (
        Authentication(AuthMethod.SHARED_KEY, bytes(32)),
        Authentication(AuthMethod.RSA_SIGNATURE, bytes(256)),
    ):
        cause, told = ended(ike_auth.on_request(step.sa, said(wrong), env))
        assert (cause, told) == (Cause.WRONG_KEY, Notify(NotifyType.AUTHENTICATION_FAILED))
    assert "mmmm" not in repr(step.sa)


def test_nothing_can_be_skipped() -> None:
    """AUTH before EAP has come to its end is no message of this conversation."""
    sa, env = asking()
    assert isinstance(sa.eap, AskedIdentity)
    early = said(Authentication(AuthMethod.SHARED_KEY, bytes(32)))
    assert ended(ike_auth.on_request(sa, early, env))[0] is Cause.MALFORMED
