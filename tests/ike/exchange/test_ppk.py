"""edgevpn.ike.exchange.ppk: post-quantum pre-shared keys, as two endpoints have them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.errors import Cause
from edgevpn.ike.exchange import ike_auth
from edgevpn.ike.exchange.ppk import text_of
from edgevpn.ike.iana import NotifyType
from edgevpn.ike.peer import Certified, KeyRing, Login, Password, Peer, Ppk, PpkRing, Psk, Signing
from edgevpn.ike.state import Closed, RekeyIke
from edgevpn.ike.wire.notify import Notify
from tests.support.chart import without_numbers
from tests.support.handshake import open_sa
from tests.support.pair import Pair
from tests.support.peers import LEFT_ID, TO_LEFT, TO_RIGHT
from tests.support.world import World, credential, holding, trusting

PPK = Ppk(b"winter", b"octets that are older than the tunnel")
OPTIONAL = replace(PPK, required=False)
WRONG = replace(PPK, key=b"other octets")
UNKNOWN = replace(PPK, ppk_id=b"summer")

LEFT_CERT, RIGHT_CERT = credential("left", authority=b"A" * 20), credential("right", authority=b"A" * 20)
CERTIFIED = Certified((b"A" * 20,))
OTHER_PSK = Psk(b"another key altogether")
WAYS: dict[str, tuple[Peer, Peer]] = {
    "psk": (TO_RIGHT, TO_LEFT),
    "ring": (TO_RIGHT, replace(TO_LEFT, local_auth=KeyRing(), remote_auth=KeyRing())),
    "certificate": (
        replace(TO_RIGHT, local_auth=Signing((LEFT_CERT,)), remote_auth=CERTIFIED),
        replace(TO_LEFT, local_auth=Signing((RIGHT_CERT,)), remote_auth=CERTIFIED),
    ),
    "eap": (
        replace(TO_RIGHT, local_auth=Password("alice", nt_password_hash("correct horse")), remote_auth=CERTIFIED),
        replace(TO_LEFT, remote_id=None, local_auth=Signing((RIGHT_CERT,)), remote_auth=Login()),
    ),
}
"""How the left proves itself to the right."""
WORLD = World(
    keys=holding(LEFT_CERT, RIGHT_CERT),
    trusted=trusting(LEFT_CERT, RIGHT_CERT),
    psks={LEFT_ID.data: b"a key that both have"},
    users={"alice": "correct horse"},
)
BY_THE_WORLD = ("ring", "eap", "certificate")
"""Ways in which the world may tell the key of who was found."""


def connect(way: str, left: Ppk | None, right: Ppk | PpkRing | None, told: Ppk | None = None) -> Pair:
    """What comes of it when the left calls; `told` is what the right's world has for it."""
    to_right, to_left = WAYS[way]
    pair = Pair((replace(to_right, ppk=left),), (replace(to_left, ppk=right),))
    pair.left.world, pair.right.world = replace(WORLD), replace(WORLD, ppk=told)
    pair.left.initiate("right")
    pair.run(3)
    return pair


def ppk_ids(pair: Pair) -> tuple[bytes, bytes]:
    return pair.left.sa.secured.ppk_id, pair.right.sa.secured.ppk_id


def refused(pair: Pair) -> Cause | None:
    """Why the right has not let the left in; nothing stands."""
    pair.run(120)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    (told,) = pair.right.reports("ike_auth_refused")
    return told.cause


# --- both have it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ours", [PPK, OPTIONAL])
@pytest.mark.parametrize("theirs", [PPK, OPTIONAL])
def test_both_have_it(way: str, ours: Ppk, theirs: Ppk) -> None:
    pair = connect(way, ours, theirs)
    assert pair.agree()
    assert pair.ping()
    assert ppk_ids(pair) == (b"winter", b"winter")


def test_chart() -> None:
    """RFC 8784 §3; the AUTH without it goes along where the initiator could do without."""
    pair = connect("psk", OPTIONAL, PPK)
    assert (
        without_numbers(pair.chart())
        == """\
--> IKE_SA_INIT request: SA, KEi, Ni, N(USE_PPK), N(SIGNATURE_HASH_ALGORITHMS)
<-- IKE_SA_INIT response: SA, KEr, Nr, N(USE_PPK), N(CHILDLESS_IKEV2_SUPPORTED), N(SIGNATURE_HASH_ALGORITHMS)
--> IKE_AUTH request: IDi, IDr, AUTH, N(PPK_IDENTITY), N(NO_PPK_AUTH), SA, TSi, TSr, N(INITIAL_CONTACT)
<-- IKE_AUTH response: IDr, AUTH, SA, TSi, TSr, N(PPK_IDENTITY)"""
    )


def test_chart_with_eap() -> None:
    """It comes with AUTH, which is the last request; the signature before it does without (§3)."""
    pair = connect("eap", PPK, PPK)
    first, *between, asked, answered = without_numbers(pair.chart()).splitlines()[2:]
    assert "PPK" not in first + "".join(between)
    assert asked == "--> IKE_AUTH request: AUTH, N(PPK_IDENTITY)"
    assert answered == "<-- IKE_AUTH response: AUTH, SA, TSi, TSr, N(PPK_IDENTITY)"


def test_keys_without_it_are_others() -> None:
    """The children's keys follow from SK_d, which has it in; the same chance makes the same nonces and exchange."""
    mixed, plain = connect("psk", PPK, PPK), connect("psk", None, None)
    assert mixed.left.child.keys != plain.left.child.keys


def test_it_lasts_when_keys_are_renewed() -> None:
    """It goes in once (§3); what follows from SK_d has it in."""
    pair = connect("psk", PPK, PPK)
    pair.left.ask(RekeyIke())
    pair.run(3)
    assert pair.agree()
    assert ppk_ids(pair) == (b"winter", b"winter")


@pytest.mark.parametrize("way", BY_THE_WORLD)
def test_the_world_tells_it_of_who_was_found(way: str) -> None:
    pair = connect(way, PPK, PpkRing(), told=PPK)
    assert pair.agree()
    assert ppk_ids(pair) == (b"winter", b"winter")


# --- one can do without --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("left", "right"),
    [(OPTIONAL, None), (None, OPTIONAL), (OPTIONAL, replace(UNKNOWN, required=False))],
    ids=["only the initiator has one", "only the responder has one", "each has another"],
)
def test_without(way: str, left: Ppk | None, right: Ppk | None) -> None:
    """Up as ever, and the owner of one that was of no use is told."""
    pair = connect(way, left, right)
    assert pair.agree()
    assert ppk_ids(pair) == (b"", b"")
    for side, has in ((pair.left, left), (pair.right, right)):
        assert len(side.reports("ppk_not_used")) == (1 if has else 0)


@pytest.mark.parametrize("way", BY_THE_WORLD)
def test_device_without_one_beside_others_with(way: str) -> None:
    """The right says that it knows of such keys before it knows who is calling (§3, table 1)."""
    pair = connect(way, OPTIONAL, PpkRing())
    assert pair.agree()
    assert ppk_ids(pair) == (b"", b"")


# --- one cannot ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_responder_must_have_it(way: str) -> None:
    assert refused(connect(way, None, PPK)) is Cause.PPK_MISSING


@pytest.mark.parametrize("way", BY_THE_WORLD)
def test_device_must_have_it(way: str) -> None:
    """Whatever else it proves: that is seen when it is known who it is."""
    assert refused(connect(way, None, PpkRing(), told=PPK)) is Cause.PPK_MISSING


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("left", "right"), [(UNKNOWN, OPTIONAL), (replace(UNKNOWN, required=False), PPK)])
def test_unknown_name(way: str, left: Ppk, right: Ppk) -> None:
    assert refused(connect(way, left, right)) is Cause.PPK_UNKNOWN


def test_initiator_must_have_it_and_the_peer_knows_of_none() -> None:
    """It goes on asking, for anybody could have answered (§6); in the end that is the reason."""
    pair = connect("psk", PPK, None)
    pair.run(120)
    assert [down.cause for down in pair.left.downs] == [Cause.PPK_MISSING]
    assert "IKE_AUTH" not in pair.chart()


@pytest.mark.parametrize("way", ["psk", "certificate"])
def test_initiator_must_have_it_and_the_peer_does_without(way: str) -> None:
    """A responder that does not keep to the rules: the peer is told, by INFORMATIONAL, that this is no proof."""
    to_right, to_left = WAYS[way]
    opened = open_sa(replace(to_right, ppk=OPTIONAL), (replace(to_left, ppk=UNKNOWN_OPTIONAL),), world=WORLD)
    answered = opened.answered(WORLD)
    strict = replace(opened, authenticating=replace(opened.authenticating, ppk=PPK))
    with pytest.raises(Exception, match="does not use the post-quantum pre-shared key") as refusal:
        strict.done(answered, WORLD)
    assert refusal.value.cause is Cause.PPK_MISSING  # type: ignore[attr-defined]


UNKNOWN_OPTIONAL = replace(UNKNOWN, required=False)


def test_both_say_that_they_can_and_the_initiator_names_none() -> None:
    """§3: AUTHENTICATION_FAILED, even where it could do without."""
    opened = open_sa(replace(TO_RIGHT, ppk=OPTIONAL), (replace(TO_LEFT, ppk=OPTIONAL),))
    unnamed = tuple(p for p in opened.request().payloads if not _is_of_ppk(p))
    step = ike_auth.on_request(opened.half_open, replace(opened.request(), payloads=unnamed), opened.right)
    assert isinstance(step.sa, Closed)
    assert "names none" in step.sa.reason


# --- another key ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("left", [WRONG, replace(WRONG, required=False)])
def test_wrong_key(way: str, left: Ppk) -> None:
    """Of the right name: whoever could do without does not come in by that."""
    assert refused(connect(way, left, OPTIONAL)) is Cause.WRONG_PPK


def test_the_other_key_is_wrong_too() -> None:
    """NO_PPK_AUTH tells which of the two it is."""
    pair = Pair(
        (replace(TO_RIGHT, ppk=OPTIONAL),), (replace(TO_LEFT, ppk=PPK, local_auth=OTHER_PSK, remote_auth=OTHER_PSK),)
    )
    pair.left.initiate("right")
    assert refused(pair) is Cause.WRONG_KEY


# --- what people see -----------------------------------------------------------------------------------------------


def test_names() -> None:
    assert text_of("Grüße".encode()) == "Grüße"
    assert text_of(b"\xff\x01a") == "\\xff\x01a"


def _is_of_ppk(payload: object) -> bool:
    types = (NotifyType.PPK_IDENTITY, NotifyType.NO_PPK_AUTH)
    return isinstance(payload, Notify) and payload.notify_type in types
