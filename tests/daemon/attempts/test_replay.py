"""edgevpn.daemon.attempts.replay: the same configuration finds the same again, a mended one gets past it.

Every attempt is a real one, see `support.replays`; what our witness has kept of it goes through JSON as in a bundle.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config.model import Config
from edgevpn.daemon.attempts.asked import Negotiation, read
from edgevpn.daemon.attempts.replay import COVERS, JUDGED, OF_DEVICES, OF_PPKS, Judge, Judgement, Need, Outcome
from edgevpn.daemon.peers import peers
from edgevpn.diagnosis.attempts import Attempt
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Field
from edgevpn.ike.evidence import Asked
from edgevpn.ike.peer import Peer, Psk, Wants
from tests.daemon.attempts.test_asked import anything_asked
from tests.support.certificates import NOW
from tests.support.peers import TO_RIGHT, selectors
from tests.support.provocations import (
    OFFICE,
    OTHER_CIPHER,
    OTHER_ESP,
    OTHER_NETWORK,
    Watched,
    answering_to_all,
    peer_wants_other_method,
)
from tests.support.replays import (
    BY_CERTIFICATE,
    BY_KEY,
    CASES,
    DEVICE,
    HAS_PPK,
    KEYED,
    PPK,
    SITE,
    STRANGER,
    VISITOR,
    Table,
    our,
    played,
    road,
    site,
)
from tests.support.visitors import LAPTOP, PHONE, TABLET, gateway


def judged(attempt: Attempt, by: Config) -> Judgement:
    """What a bundle with that attempt tells with another file."""
    assert attempt.finding is not None
    negotiation = read(json.loads(attempt.asked))
    return Judge(by, lambda: NOW).judge(negotiation, attempt.finding.code)


@pytest.mark.parametrize("code", CASES, ids=lambda code: code.value)
def test_same_file_same_cause(code: Code) -> None:
    case = CASES[code]
    attempt = played(case.left, case.ours, case.after)
    assert attempt.finding is not None
    assert attempt.finding.code is code
    judgement = judged(attempt, case.ours)
    assert judgement.outcome is Outcome.FAILS
    assert judgement.finding is not None
    for each in (Field.SETTING, Field.IDENTITY, Field.OURS, Field.THEIRS, Field.EXPECTED):
        assert judgement.finding.get(each) == attempt.finding.get(each)
    assert judgement.finding.code is code


@pytest.mark.parametrize("code", CASES, ids=lambda code: code.value)
def test_mended_file_gets_past_it(code: Code) -> None:
    case = CASES[code]
    judgement = judged(played(case.left, case.ours, case.after), case.mended)
    assert (judgement.finding, judgement.outcome) == (None, Outcome.PASSES)


EVERYBODY = gateway(
    {"phone": PHONE, "tablet": TABLET, "laptop": LAPTOP}, site={"office": {**SITE, "remote": "any", "remote_id": "any"}}
)


EVERYBODYS = Judge(EVERYBODY, lambda: NOW)


@given(anything_asked(), st.sampled_from(Code))
def test_whatever_was_asked_is_judged(asked: Asked, code: Code) -> None:
    """A bundle may come from anybody."""
    for each in (asked, replace(asked, peer="office")):
        assert EVERYBODYS.judge(Negotiation(each), code).outcome in Outcome


def test_every_cause_is_judged_or_not() -> None:
    """Those that we find as the caller are below."""
    assert CASES.keys() | {Code.OTHER_KE, Code.OTHER_IDENTITY} == JUDGED
    covered = frozenset[Code]().union(*COVERS.values())
    assert covered.isdisjoint(JUDGED - OF_DEVICES - OF_PPKS)


# --- what comes after ----------------------------------------------------------------------------------------------


def test_next_fault_is_told() -> None:
    """The name is right now; and what the peer asks for after that was wrong as well."""
    left = replace(OTHER_NETWORK, local_id=STRANGER)
    judgement = judged(played(left, site()), site(remote_id="who.example"))
    assert judgement.outcome is Outcome.FAILS
    assert judgement.finding is not None
    assert judgement.finding.code is Code.NO_COMMON_SELECTORS


def test_what_was_not_seen_is_said() -> None:
    """Of a peer that was refused at its first message no name is known."""
    assert judged(played(OTHER_CIPHER, site()), CASES[Code.NO_COMMON_IKE_PROPOSAL].mended).needs == (Need.REST,)


OTHER_PPK = replace(HAS_PPK, key=b"another")
SECRETS: dict[str, tuple[Peer, Config, Code, Need]] = {
    "another key": (replace(TO_RIGHT, local_auth=Psk(b"another")), site(), Code.WRONG_KEY, Need.KEY),
    "another key of a device": (
        replace(BY_KEY, local_auth=Psk(b"another")),
        road(KEYED),
        Code.WRONG_KEY,
        Need.KEY,
    ),
    "another password": (VISITOR, road(DEVICE | {"password": "another"}), Code.WRONG_PASSWORD, Need.PASSWORD),
    "no certificate of ours": (BY_CERTIFICATE, road({"login": "certificate"}), Code.CERT_REFUSED, Need.CERTIFICATE),
    "another post-quantum key": (replace(TO_RIGHT, ppk=OTHER_PPK), site(**PPK), Code.WRONG_PPK, Need.SAME_PPK),
    "another post-quantum key of a device": (
        replace(VISITOR, ppk=OTHER_PPK),
        road(DEVICE | PPK),
        Code.WRONG_PPK,
        Need.SAME_PPK,
    ),
    "an empty pool": (VISITOR, road(DEVICE, v4="10.9.0.0/30", v6=None), Code.NO_ADDRESS_LEFT, Need.ADDRESS),
}


@pytest.mark.parametrize(("left", "ours", "code", "need"), SECRETS.values(), ids=SECRETS)
def test_what_no_bundle_holds_is_not_judged(left: Peer, ours: Config, code: Code, need: Need) -> None:
    attempt = played(left, ours, lambda watched: watched.call(5))
    assert attempt.finding is not None
    assert attempt.finding.code is code
    judgement = judged(attempt, ours)
    assert judgement.outcome is Outcome.UNKNOWN
    assert need in judgement.needs


# --- post-quantum pre-shared keys ------------------------------------------------------------------------------------

OPTIONAL: Table = PPK | {"ppk_required": False}
BOTH_HAVE_IT = replace(OTHER_NETWORK, ppk=HAS_PPK)
"""A site that fails by something else."""


@pytest.mark.parametrize(
    ("left", "mended", "need"),
    [
        (VISITOR, road(DEVICE | OPTIONAL), None),
        (replace(BY_KEY, ppk=HAS_PPK), road(KEYED | PPK), Need.SAME_PPK),
        (replace(BY_KEY, ppk=replace(HAS_PPK, ppk_id=b"summer", required=False)), road(KEYED | OPTIONAL), None),
        (replace(BY_KEY, ppk=replace(HAS_PPK, required=False)), road(KEYED), None),
    ],
    ids=["we can do without", "the same name", "both can do without", "we have none"],
)
def test_keys_that_go_together(left: Peer, mended: Config, need: Need | None) -> None:
    """Of whatever was refused for its key. That the octets are the same nobody has written down."""
    device = KEYED if left.local_auth == BY_KEY.local_auth else DEVICE
    attempt = played(left, road(device | PPK | {"ppk_id": "autumn"}))
    judgement = judged(attempt, mended)
    assert (judgement.finding, judgement.outcome) == (None, Outcome.PASSES)
    assert [each for each in judgement.needs if each in (Need.PPK, Need.SAME_PPK)] == ([need] if need else [])
    assert "42" * 16 not in attempt.asked


def test_site_with_another_key_or_none() -> None:
    """It is the next fault that is told."""
    attempt = played(BOTH_HAVE_IT, site(**PPK))
    for ours, code in ((site(**PPK | {"ppk_id": "summer"}), Code.PPK_UNKNOWN), (site(**PPK), Code.NO_COMMON_SELECTORS)):
        finding = judged(attempt, ours).finding
        assert finding is not None
        assert finding.code is code


def test_key_that_the_peer_was_not_asked_to_name() -> None:
    """Nobody here had one: it has said no more than that it could."""
    attempt = played(replace(OTHER_NETWORK, ppk=replace(HAS_PPK, required=False)), site())
    judgement = judged(attempt, site(remote_networks=["10.77.0.0/24"], **PPK))
    assert judgement.finding is None
    assert Need.PPK in judgement.needs


def test_device_without_a_key_beside_one_that_has_one() -> None:
    """The key is the device's own."""
    both = gateway({"phone": KEYED, "tablet": KEYED | PPK | {"id": "bob"}})
    attempt = played(replace(BY_KEY, local_id=STRANGER), both)
    assert (
        Need.PPK not in judged(attempt, gateway({"phone": KEYED | {"id": "who.example"}, "tablet": KEYED | PPK})).needs
    )


# --- who it may be, and what it may have -----------------------------------------------------------------------------

BOTH = gateway({"phone": KEYED}, site={"office": {**SITE, "remote_id": "any"}})
"""A site that may be anybody, and a device: who proves itself by a key may be either."""
CERTIFIED = DEVICE | {"login": "certificate", "password": None}


def holding_certificate(**keys: Any) -> Config:
    return road({key: value for key, value in (CERTIFIED | keys).items() if value is not None})


def judged_as(left: Peer, ours: Config, by: Config) -> Judgement:
    return judged(played(left, ours), by)


def test_device_or_site() -> None:
    """The device whose name it says, else the site."""
    device = judged_as(BY_KEY, road(), BOTH)
    assert (device.finding, Need.ADDRESS in device.needs) == (None, True)
    site_ = judged_as(replace(BY_KEY, local_id=STRANGER), road(), BOTH)
    assert site_.finding is None
    assert Need.ADDRESS not in site_.needs


def test_holder_of_a_certificate() -> None:
    """It is known by its name, which is all that is left of its certificate."""
    refused = holding_certificate(enabled=False)
    attempt = played(BY_CERTIFICATE, road())
    known = judged(attempt, holding_certificate())
    assert (known.finding, Need.HOLDER in known.needs) == (None, False)
    assert Need.HOLDER in judged(attempt, road()).needs
    kept_out = judged(attempt, refused).finding
    assert kept_out is not None
    assert kept_out.code is Code.DEVICE_DISABLED


def test_site_with_a_certificate() -> None:
    """Whether that is good is not judged, what it asks for is."""
    ours = site(auth="certificate", psk=None, remote_id="alice")
    judgement = judged_as(BY_CERTIFICATE, road(), ours)
    assert judgement.finding is None
    assert judgement.needs == (Need.TRUST, Need.CERTIFICATE, Need.WORLD)


def test_user_that_was_not_asked_yet() -> None:
    """Who is told before the login that it is called otherwise has given no user name."""
    left = replace(VISITOR, remote_id=STRANGER)
    assert (
        Need.USER in judged_as(left, road(DEVICE), gateway({"phone": DEVICE}, pki={"public_name": "who.example"})).needs
    )


def test_pool_that_has_no_such_address() -> None:
    """Nobody would get one, be it empty."""
    left = replace(BY_KEY, wants=Wants(ipv4=False, ipv6=True))
    judgement = judged_as(left, road(), road(KEYED, v6=None))
    assert judgement.finding is not None
    assert judgement.finding.code is Code.NO_ADDRESS_LEFT


def test_child_of_a_peer_that_is_no_more() -> None:
    case = CASES[Code.PFS_DIFFERS]
    attempt = played(case.left, case.ours, case.after)
    assert judged(attempt, our()) == Judgement(Outcome.UNKNOWN, None, (Need.SITE,))


# --- we have called ------------------------------------------------------------------------------------------------


def failed_call(ours: Config, right: Peer) -> Attempt:
    """We call, and it comes to nothing."""
    (us,) = peers(ours, {})
    watched = Watched(us, right).call(60)
    return next(each for each in watched.left if each.finding is not None)


REFUSES: dict[Code, tuple[Config, Peer, Config]] = {
    # What the peer says no to, and what else could be asked.
    Code.IKE_PROPOSAL_REFUSED: (
        our(),
        replace(OFFICE, offers=OTHER_CIPHER.offers),
        our(ike_proposals="aes256-sha256-prfsha384-x25519"),
    ),
    Code.ESP_PROPOSAL_REFUSED: (
        our(),
        replace(OFFICE, children=(replace(OFFICE.children[0], offers=OTHER_ESP.children[0].offers),)),
        our(esp_proposals="aes256-sha256"),
    ),
    Code.SELECTORS_REFUSED: (
        our(),
        replace(OFFICE, children=(replace(OFFICE.children[0], ts_remote=selectors("10.77.0.0/24")),)),
        our(local_networks=["10.77.0.0/24"]),
    ),
}


@pytest.mark.parametrize("code", REFUSES, ids=lambda code: code.value)
def test_peer_that_is_asked_the_same_refuses_the_same(code: Code) -> None:
    """What it would say to something else nobody knows."""
    ours, right, other = REFUSES[code]
    attempt = failed_call(ours, right)
    again = judged(attempt, ours)
    assert attempt.finding is not None
    assert again.finding is not None
    assert (again.outcome, again.finding.code, attempt.finding.code) == (Outcome.FAILS, code, code)
    assert again.finding.get(Field.SETTING) == attempt.finding.get(Field.SETTING)
    assert judged(attempt, other) == Judgement(Outcome.UNKNOWN, None, (Need.ANSWER,))


def test_peer_that_does_not_accept_us() -> None:
    attempt = failed_call(our(psk="another key, which is long enough"), OFFICE)
    assert judged(attempt, our()) == Judgement(Outcome.UNKNOWN, None, (Need.SAME_KEYS,))


def test_site_that_is_no_more() -> None:
    attempt = failed_call(our(), REFUSES[Code.SELECTORS_REFUSED][1])
    assert judged(attempt, site()) == Judgement(Outcome.UNKNOWN, None, (Need.SITE,))


def test_peer_that_is_somebody_else() -> None:
    attempt = failed_call(our(remote_id="who.example"), answering_to_all(OFFICE))
    again = judged(attempt, our(remote_id="who.example"))
    assert again.finding is not None
    assert (again.outcome, again.finding.code) == (Outcome.FAILS, Code.OTHER_IDENTITY)
    assert judged(attempt, our()).outcome is Outcome.PASSES


def test_method_that_the_peer_wants() -> None:
    (attempt,) = peer_wants_other_method()
    again = judged(attempt, our())
    assert again.finding is not None
    assert (again.outcome, again.finding.code) == (Outcome.FAILS, Code.OTHER_KE)
    assert judged(attempt, our(ike_proposals="aes256gcm16-prfsha256-x25519-ecp384")).outcome is Outcome.PASSES
