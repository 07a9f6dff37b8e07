from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import IkeSaUp, InstallInbound, InstallOutbound, Report
from edgevpn.ike.crypto.signature import RSA_SHA1, Algorithm, KeyKind
from edgevpn.ike.errors import Cause
from edgevpn.ike.exchange import ike_auth
from edgevpn.ike.iana import AuthMethod, EapType, HashAlgorithm, IdType, NotifyType
from edgevpn.ike.peer import Certified, KeyRing, Login, Offer, Password, Peer, Psk, Signing
from edgevpn.ike.proving import CheckingCertificates, EapAsking, FindingKey, SigningAnswer, Waiting
from edgevpn.ike.questions import (
    Answer,
    CertificatesRefused,
    CertificatesVerified,
    FindPsk,
    Leased,
    PasswordFound,
    PskFound,
    Sign,
    Signed,
    VerifyCertificates,
)
from edgevpn.ike.session import BY_KEY, BySignature
from edgevpn.ike.state import Closed, Established
from edgevpn.ike.steps import Respond, Step, Supersede
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import (
    Authentication,
    Certificate,
    Eap,
    Identification,
    IdR,
    SecurityAssociation,
    TrafficSelectorsI,
    TrafficSelectorsR,
)
from tests.support.handshake import RIGHT_PATH, Opened, asking, contents, kinds, open_sa, the
from tests.support.keys import public_key
from tests.support.pair import Pair
from tests.support.peers import CBC, LEFT_ID, RIGHT_ID, SHA256, TO_LEFT, TO_RIGHT
from tests.support.world import World, certificate, credential, holding, trusting

SA_AND_TS = (SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR)
OTHER_KEY = Psk(b"some other key altogether")
STRANGER = Identification(IdType.FQDN, b"stranger.example")

LEFT_CERT, RIGHT_CERT = credential("left", authority=b"A" * 20), credential("right", authority=b"A" * 20)
CERTIFIED = Certified((b"A" * 20,))
BY_CERT = replace(TO_RIGHT, local_auth=Signing((LEFT_CERT,)), remote_auth=CERTIFIED)
OF_CERT = replace(TO_LEFT, local_auth=Signing((RIGHT_CERT,)), remote_auth=CERTIFIED)
WORLD = World(keys=holding(LEFT_CERT, RIGHT_CERT), trusted=trusting(LEFT_CERT, RIGHT_CERT))


def both(peer: Peer = TO_RIGHT, *others: Peer) -> Opened:
    return open_sa(peer, others or (TO_LEFT,), world=WORLD)


def refused(step: Step) -> Cause | None:
    """The cause that the owner is told; the peer is told nothing but that it does not come in."""
    assert isinstance(step.sa, Closed)
    assert the(Respond, step).payloads == (Notify(NotifyType.AUTHENTICATION_FAILED),)
    return the(Report, step).cause


# --- by key --------------------------------------------------------------------------------------------------------


def test_by_key() -> None:
    opened = both()

    answered = opened.answered()
    assert kinds(answered) == [IkeSaUp, Supersede, InstallInbound, InstallOutbound, Respond]
    up = the(IkeSaUp, answered)
    assert (up.spi, up.peer, up.remote_id, up.path) == (opened.half_open.spi, "left", LEFT_ID, RIGHT_PATH)
    assert (up.session.ours, up.session.theirs, up.session.user) == (BY_KEY, BY_KEY, "")
    assert contents(the(Respond, answered).payloads) == [IdR, Authentication, *SA_AND_TS]
    assert isinstance(answered.sa, Established)
    assert answered.sa.session == up.session


def test_wrong_key() -> None:
    opened = both(TO_RIGHT, replace(TO_LEFT, local_auth=OTHER_KEY, remote_auth=OTHER_KEY))
    assert refused(opened.answered()) is Cause.WRONG_KEY


def test_each_side_has_a_key_of_its_own() -> None:
    """The peer's is one, ours another: RFC 7296 §2.15 does not ask that they are the same."""
    opened = both(replace(TO_RIGHT, remote_auth=OTHER_KEY), replace(TO_LEFT, local_auth=OTHER_KEY))
    answered = opened.answered()
    assert isinstance(answered.sa, Established)
    assert isinstance(opened.done(answered).sa, Established)


def test_key_of_the_ring() -> None:
    """The world finds the key of who it claims to be, and we prove ourselves by the same."""
    opened = both(TO_RIGHT, replace(TO_LEFT, local_auth=KeyRing(), remote_auth=KeyRing()))
    step = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert isinstance(step.sa, FindingKey)
    assert step.effects == (FindPsk(opened.half_open.spi, ("left",), LEFT_ID, opened.request().path.remote),)

    answered = asking(step, opened.right, World(psks={LEFT_ID.data: b"a key that both have"}))
    assert isinstance(answered.sa, Established)
    assert isinstance(opened.done(answered).sa, Established)


@pytest.mark.parametrize(
    ("psks", "cause"),
    [({}, Cause.KEY_UNKNOWN), ({LEFT_ID.data: b"another key"}, Cause.WRONG_KEY)],
    ids=["none", "another"],
)
def test_key_of_the_ring_is_missing_or_wrong(psks: dict[bytes, bytes], cause: Cause) -> None:
    """The owner sees which; the peer sees the same in both cases."""
    opened = both(TO_RIGHT, replace(TO_LEFT, local_auth=KeyRing(), remote_auth=KeyRing()))
    assert refused(opened.answered(World(psks=psks))) is cause


def test_key_of_the_ring_for_who_signs_to_it() -> None:
    """We show a certificate, the peer its own key: a phone with a PSK of its own on a gateway that others log in to."""
    opened = both(replace(TO_RIGHT, remote_auth=CERTIFIED), replace(OF_CERT, remote_auth=KeyRing()))
    world = replace(WORLD, psks={LEFT_ID.data: b"a key that both have"})
    answered = opened.answered(world)
    assert isinstance(answered.sa, Established)
    assert answered.sa.session.theirs == BY_KEY
    assert isinstance(opened.done(answered, world).sa, Established)


# --- by certificate ------------------------------------------------------------------------------------------------


def test_by_certificate() -> None:
    """First the peer's certificate and signature, then ours: each asked of the world, each in a state of its own."""
    opened = both(BY_CERT, OF_CERT)
    request = opened.request()
    assert request.need(Certificate).data == certificate("left")

    step = ike_auth.on_request(opened.half_open, request, opened.right)
    assert isinstance(step.sa, CheckingCertificates)
    assert step.effects == (
        VerifyCertificates(opened.half_open.spi, ("left",), LEFT_ID, (certificate("left"),), server=False),
    )
    assert step.sa.due == opened.right.settings.half_open_timeout

    verified = CertificatesVerified(opened.half_open.spi, "left", public_key(KeyKind.RSA))
    step = ike_auth.on_answer(step.sa, verified, opened.right)
    assert isinstance(step.sa, SigningAnswer)
    asked = the(Sign, step)
    assert (asked.name, asked.scheme.algorithm) == ("right", Algorithm.PKCS1)

    answered = asking(step, opened.right, WORLD)
    assert kinds(answered) == [IkeSaUp, Supersede, InstallInbound, InstallOutbound, Respond]
    assert contents(the(Respond, answered).payloads) == [IdR, Certificate, Authentication, *SA_AND_TS]
    assert isinstance(answered.sa, Established)
    assert answered.sa.session.ours == BySignature(asked.scheme)


def test_certificate_refused() -> None:
    opened = both(BY_CERT, OF_CERT)
    step = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert isinstance(step.sa, CheckingCertificates)
    step = ike_auth.on_answer(step.sa, CertificatesRefused(opened.half_open.spi, "EXPIRED"), opened.right)
    assert refused(step) is Cause.CERTIFICATE_REFUSED
    assert "EXPIRED" in str(the(Report, step).fields)


def test_certificate_of_another_peer() -> None:
    """The world may name only one of the peers that it was asked about."""
    opened = both(BY_CERT, OF_CERT)
    assert refused(opened.answered(replace(WORLD, peer="nobody"))) is Cause.CERTIFICATE_REFUSED


def test_world_tells_which_peer_it_is() -> None:
    """Two pools trust the same authority: the certificate belongs to one of them."""
    opened = both(BY_CERT, replace(OF_CERT, remote_id=None), replace(OF_CERT, name="guests", remote_id=None))
    answered = opened.answered(replace(WORLD, peer="guests"))
    assert the(IkeSaUp, answered).peer == "guests"


def test_signature_of_another_key() -> None:
    opened = both(BY_CERT, OF_CERT)
    step = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert isinstance(step.sa, CheckingCertificates)
    wrong = CertificatesVerified(opened.half_open.spi, "left", public_key(KeyKind.RSA, 2))
    assert refused(ike_auth.on_answer(step.sa, wrong, opened.right)) is Cause.SIGNATURE_WRONG


def test_sha1_may_be_forbidden() -> None:
    """RSA by method 1, from a peer that does not speak RFC 7427."""
    opened = both(BY_CERT, OF_CERT)
    old = replace(opened.half_open, hashes=None)
    auth = Authentication(AuthMethod.RSA_SIGNATURE, bytes(256))
    request = opened.request(auth, without=(Authentication,))
    strict = replace(opened.right, peers=(replace(OF_CERT, remote_auth=Certified((b"A" * 20,), sha1=False)),))
    step = asking(ike_auth.on_request(old, request, strict), strict, WORLD)
    assert refused(step) is Cause.SIGNATURE_UNKNOWN
    assert (
        refused(asking(ike_auth.on_request(old, request, opened.right), opened.right, WORLD)) is Cause.SIGNATURE_WRONG
    )


def test_our_key_does_not_sign() -> None:
    opened = both(BY_CERT, OF_CERT)
    assert refused(opened.answered(replace(WORLD, keys={}))) is Cause.CANNOT_SIGN


def test_answer_to_another_question() -> None:
    """It changes nothing."""
    opened = both(BY_CERT, OF_CERT)
    sa = ike_auth.on_request(opened.half_open, opened.request(), opened.right).sa
    assert isinstance(sa, Waiting)
    stray: tuple[Answer, ...] = (
        Signed(b"", b""),
        PskFound(b"", "left", b""),
        PasswordFound(b"", "left", None),
        Leased(b"", ()),
    )
    for answer in stray:
        step = ike_auth.on_answer(sa, answer, opened.right)
        assert step.sa is sa
        assert kinds(step) == [Report]


# --- which peer is it ----------------------------------------------------------------------------------------------


def test_nobody_of_that_name() -> None:
    assert refused(both(replace(TO_RIGHT, local_id=STRANGER)).answered()) is Cause.IDENTITY_UNKNOWN


def test_we_are_asked_for_by_another_name() -> None:
    assert refused(both(replace(TO_RIGHT, remote_id=STRANGER)).answered()) is Cause.NOT_OUR_NAME


def test_one_of_our_other_names() -> None:
    """We answer under the name that we are asked for: a phone accepts no other than the one that was typed."""
    typed = Identification(IdType.IPV4_ADDR, bytes([198, 51, 100, 1]))
    opened = both(replace(TO_RIGHT, remote_id=typed), replace(TO_LEFT, aliases=(typed,)))
    answered = opened.answered()
    assert the(Respond, answered).payloads[0] == IdR(typed)
    assert the(IkeSaUp, opened.done(answered)).remote_id == typed


def test_other_way_than_it_should() -> None:
    for way in (CERTIFIED, Login()):
        assert refused(both(TO_RIGHT, replace(TO_LEFT, remote_auth=way)).answered()) is Cause.METHOD_NOT_ALLOWED


def test_way_that_nobody_knows() -> None:
    opened = both()
    request = opened.request(Authentication(AuthMethod.NULL, b""), without=(Authentication,))
    assert refused(ike_auth.on_request(opened.half_open, request, opened.right)) is Cause.METHOD_NOT_ALLOWED


def test_malformed_request_is_the_end() -> None:
    """A request without selectors is no refusal of a child, but a fault of the message; nothing is leased for it."""
    opened = both()
    request = opened.request(without=(TrafficSelectorsR,))
    step = ike_auth.on_request(opened.half_open, request, opened.right)
    assert isinstance(step.sa, Closed)
    assert the(Respond, step).payloads == (Notify(NotifyType.INVALID_SYNTAX),)


def test_who_is_named_comes_first() -> None:
    """A peer of just that identity is preferred to one that may be anybody, and leaves nothing to it."""
    anybody = replace(TO_LEFT, name="anybody", remote_id=None, local_auth=OTHER_KEY, remote_auth=OTHER_KEY)
    assert the(IkeSaUp, both(TO_RIGHT, anybody, TO_LEFT).answered()).peer == "left"

    usurper = replace(TO_RIGHT, local_auth=OTHER_KEY, remote_auth=OTHER_KEY)
    assert refused(both(usurper, anybody, TO_LEFT).answered()) is Cause.WRONG_KEY

    stranger = replace(usurper, local_id=STRANGER)
    assert the(IkeSaUp, both(stranger, anybody, TO_LEFT).answered()).peer == "anybody"


def test_key_tells_nameless_peers_apart() -> None:
    """Sites that may have any identity are told apart by what they prove."""
    one = replace(TO_LEFT, name="one", remote_id=None, local_auth=OTHER_KEY, remote_auth=OTHER_KEY)
    two = replace(TO_LEFT, name="two", remote_id=None)
    assert the(IkeSaUp, both(TO_RIGHT, one, two).answered()).peer == "two"


def test_peer_that_would_not_agree_to_the_suite() -> None:
    """The suite was agreed for all peers at that address; who would not have it does not authenticate with it."""
    generous = replace(TO_LEFT, name="generous", remote_id=RIGHT_ID)
    strict = replace(TO_LEFT, offers=(Offer((CBC, SHA256, *TO_LEFT.offers[0].transforms[1:])),))
    assert refused(both(TO_RIGHT, generous, strict).answered()) is Cause.IDENTITY_UNKNOWN


def test_names_by_address() -> None:
    """Without a local_id we are the address that we are spoken to; without a remote_id none is asked for."""
    address = Identification(IdType.IPV4_ADDR, RIGHT_PATH.local.host.packed)
    opened = both(replace(TO_RIGHT, remote_id=None), replace(TO_LEFT, local_id=None))
    assert opened.request().first(IdR) is None
    assert the(IkeSaUp, opened.done(opened.answered())).remote_id == address


def test_no_way_to_show_who_we_are() -> None:
    """Configurations that cannot work fail where they are used, and say so."""
    for way in (Password("gateway", bytes(16)), KeyRing()):
        opened = both(replace(BY_CERT, remote_auth=Psk(b"k")), replace(OF_CERT, local_auth=way))
        assert refused(opened.answered(WORLD)) is Cause.CANNOT_SIGN


# --- what we sign with ---------------------------------------------------------------------------------------------

P256 = credential("p256", KeyKind.P256, b"A" * 20)
ED25519 = credential("ed25519", KeyKind.ED25519, b"A" * 20)
MIXED = replace(OF_CERT, local_auth=Signing((ED25519, P256, RIGHT_CERT)))


def signs_with(opened: Opened, hashes: tuple[HashAlgorithm, ...] | None) -> Sign:
    step = ike_auth.on_request(replace(opened.half_open, hashes=hashes), opened.request(), opened.right)
    assert isinstance(step.sa, CheckingCertificates)
    answer = CertificatesVerified(opened.half_open.spi, "left", public_key(KeyKind.RSA))
    return the(Sign, ike_auth.on_answer(step.sa, answer, opened.right))


def test_rsa_for_who_says_nothing_of_other_keys() -> None:
    opened = both(BY_CERT, MIXED)
    assert signs_with(opened, (HashAlgorithm.SHA2_256,)).name == "right"


def test_ed25519_for_who_announces_the_identity_hash() -> None:
    opened = both(BY_CERT, MIXED)
    assert signs_with(opened, (HashAlgorithm.SHA2_256, HashAlgorithm.IDENTITY)).name == "ed25519"


def test_sha1_for_who_does_not_speak_rfc_7427() -> None:
    """As Windows; unless the owner has switched it off."""
    opened = both(BY_CERT, MIXED)
    assert signs_with(opened, None).scheme == RSA_SHA1
    strict = both(BY_CERT, replace(OF_CERT, local_auth=Signing((RIGHT_CERT,), sha1=False)))
    step = asking(
        ike_auth.on_request(replace(strict.half_open, hashes=None), strict.request(), strict.right),
        strict.right,
        WORLD,
    )
    assert refused(step) is Cause.CANNOT_SIGN


# --- EAP begins ----------------------------------------------------------------------------------------------------

BY_PASSWORD = replace(TO_RIGHT, local_auth=Password("alice", bytes(16)), remote_auth=CERTIFIED)
OF_PASSWORD = replace(OF_CERT, remote_auth=Login())


def test_we_sign_before_the_peer_logs_in() -> None:
    """SK {IDr, CERT, AUTH, EAP(Request/Identity)} (§2.16)."""
    opened = both(BY_PASSWORD, OF_PASSWORD)
    assert opened.request().first(Authentication) is None
    answered = opened.answered(WORLD)
    assert isinstance(answered.sa, EapAsking)
    assert kinds(answered) == [Respond]
    assert contents(the(Respond, answered).payloads) == [IdR, Certificate, Authentication, Eap]
    assert the(Respond, answered).payloads[-1].eap_type == EapType.IDENTITY  # type: ignore[union-attr]
    assert answered.sa.due == opened.right.settings.login_timeout


@pytest.mark.parametrize(("asks", "allowed"), [(True, True), (True, False), (False, True), (False, False)])
def test_eap_alone(asks: bool, allowed: bool) -> None:
    """Only where the peer asks for it and we agree is there no AUTH of ours before EAP (RFC 5998 §3)."""
    opened = both(
        replace(BY_PASSWORD, local_auth=Password("alice", bytes(16), alone=asks)),
        replace(OF_PASSWORD, remote_auth=Login(alone=allowed)),
    )
    assert (opened.request().notify(NotifyType.EAP_ONLY_AUTHENTICATION) is not None) is asks
    shown = contents(the(Respond, opened.answered(WORLD)).payloads)
    assert shown == ([IdR, Eap] if asks and allowed else [IdR, Certificate, Authentication, Eap])


def test_strongswan_asks_for_more_than_it_can() -> None:
    """It says so with every method, and takes MSCHAPv2 for no proof of ours: it is signed to all the same."""
    opened = both(
        replace(BY_PASSWORD, local_auth=Password("alice", bytes(16), alone=True)),
        replace(OF_PASSWORD, remote_auth=Login(alone=True)),
    )
    shown = opened.request(Notify(NotifyType.IKEV2_MESSAGE_ID_SYNC_SUPPORTED))
    answered = asking(ike_auth.on_request(opened.half_open, shown, opened.right), opened.right, WORLD)
    assert contents(the(Respond, answered).payloads) == [IdR, Certificate, Authentication, Eap]


def test_only_a_signature_comes_before_eap() -> None:
    """A pre-shared key of ours would be one that every user has."""
    opened = both(BY_PASSWORD, replace(OF_PASSWORD, local_auth=TO_LEFT.local_auth))
    assert refused(opened.answered(WORLD)) is Cause.CANNOT_SIGN


def test_pools_that_greet_alike_stay_open() -> None:
    """Which of them the user belongs to is seen later; one that would show another name is left out."""
    guests = replace(OF_PASSWORD, name="guests", remote_id=None)
    staff = replace(OF_PASSWORD, name="staff", remote_id=None)
    others = replace(OF_PASSWORD, name="others", remote_id=None, local_auth=Signing((P256,)))
    sa = both(BY_PASSWORD, guests, others, staff).answered(WORLD).sa
    assert isinstance(sa, EapAsking)
    assert sa.claim.names == ("guests", "staff")


# --- the whole, over the wire --------------------------------------------------------------------------------------


def signing_pair(left: KeyKind, right: KeyKind) -> Pair:
    ours, theirs = credential("ours", left), credential("theirs", right)
    pair = Pair(
        (replace(TO_RIGHT, local_auth=Signing((ours,)), remote_auth=CERTIFIED),),
        (replace(TO_LEFT, local_auth=Signing((theirs,)), remote_auth=CERTIFIED),),
    )
    for side in pair.sides:
        side.world = World(keys=holding(ours, theirs), trusted=trusting(ours, theirs))
    return pair


@pytest.mark.parametrize("left", KeyKind)
@pytest.mark.parametrize("right", [KeyKind.RSA, KeyKind.ED25519])
def test_every_kind_of_key_in_both_roles(left: KeyKind, right: KeyKind) -> None:
    for initiator, responder in ((left, right), (right, left)):
        pair = signing_pair(initiator, responder)
        pair.left.initiate("right")
        pair.run(1)
        assert pair.agree()
        assert len(pair.left.sas) == 1


def test_repeated_request_under_answer() -> None:
    """The world takes its time; the peer asks again and again, and gets one answer."""
    pair = signing_pair(KeyKind.RSA, KeyKind.RSA)
    pair.right.holds = True
    pair.left.initiate("right")
    pair.run(8)
    assert len(pair.right.open) == 1
    sent = len(pair.sent)
    pair.right.answer()  # the certificate is good
    pair.right.answer()  # our signature
    assert len(pair.sent) == sent + 1
    pair.run(1)
    assert pair.agree()
    assert len(pair.left.sas) == 1


def test_world_does_not_answer() -> None:
    """The request is given up in the end, and the owner is told where it stopped."""
    pair = signing_pair(KeyKind.RSA, KeyKind.RSA)
    pair.right.holds = True
    pair.left.initiate("right")
    pair.run(200)
    assert not pair.right.endpoint.sas
    assert [report.cause for report in pair.right.reports("ike_auth_refused")] == [Cause.TOO_LATE]
    pair.right.answer()
    pair.run(1)
    assert not pair.right.endpoint.sas


def test_half_open_until_proven() -> None:
    """An IKE SA that waits for the world still counts against the limits."""
    pair = signing_pair(KeyKind.RSA, KeyKind.RSA)
    pair.right.holds = True
    for _ in range(6):
        pair.left.initiate("right")
        pair.run(0.1)
    assert "N(COOKIE)" in pair.chart()
