from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import (
    Call,
    ChildFailed,
    IkeSaDown,
    IkeSaUp,
    InstallInbound,
    InstallOutbound,
    KeysDerived,
    Report,
    Respond,
    Response,
    Settings,
    Supersede,
)
from edgevpn.ike.errors import AuthenticationFailed, InvalidSyntax
from edgevpn.ike.exchange import ike_auth
from edgevpn.ike.iana import AuthMethod, ExchangeType, IdType, NotifyType
from edgevpn.ike.peer import NEVER, ChildPolicy, Offer, Peer, Psk, Unique
from edgevpn.ike.state import Closed, CreateChild, Established, Nat
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import (
    Authentication,
    Identification,
    IdI,
    IdR,
    SecurityAssociation,
    TrafficSelectorsI,
    TrafficSelectorsR,
)
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, Opened, auth_response, kinds, open_sa, the
from tests.support.peers import CBC, ESP_OFFER, LAN, LEFT_ID, NO_ESN, RIGHT_ID, SHA256, TO_LEFT, TO_RIGHT, selectors

SA_AND_TS = (SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR)
OTHER_KEY = Psk(b"some other key altogether")


def both(peer: Peer = TO_RIGHT, other: Peer = TO_LEFT) -> Opened:
    return open_sa(peer, (other,))


# --- both roles ----------------------------------------------------------------------------------------------------


def test_request_by_key() -> None:
    """SK {IDi, [IDr], AUTH, SA, TSi, TSr, N(INITIAL_CONTACT)} (§1.2)."""
    opened = both()
    assert isinstance(opened.call, Call)
    assert [type(p) for p in opened.call.payloads] == [IdI, IdR, Authentication, *SA_AND_TS, Notify]
    request = opened.request()
    assert request.need(IdI).identification == LEFT_ID
    assert request.need(IdR).identification == RIGHT_ID
    assert request.need(Authentication).method == AuthMethod.SHARED_KEY
    assert request.notify(NotifyType.INITIAL_CONTACT)


def test_both_establish() -> None:
    opened = both()

    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert kinds(answered) == [IkeSaUp, Supersede, InstallInbound, Respond, InstallOutbound]
    assert the(IkeSaUp, answered) == IkeSaUp(opened.half_open.spi, "left", LEFT_ID, RIGHT_PATH)
    assert the(Supersede, answered) == Supersede("left", LEFT_ID, silently=True)
    assert [type(p) for p in the(Respond, answered).payloads] == [IdR, Authentication, *SA_AND_TS]
    assert isinstance(answered.sa, Established)

    done = ike_auth.on_response(opened.authenticating, auth_response(answered), opened.left)
    assert kinds(done) == [IkeSaUp, InstallInbound, InstallOutbound]
    assert the(IkeSaUp, done) == IkeSaUp(opened.authenticating.spi, "right", RIGHT_ID, LEFT_PATH)
    assert isinstance(done.sa, Established)
    (ours,), (theirs,) = done.sa.children, answered.sa.children
    assert (ours.spi_in, ours.spi_out, ours.keys) == (theirs.spi_out, theirs.spi_in, theirs.keys)
    assert (ours.ts_local, ours.ts_remote) == (theirs.ts_remote, theirs.ts_local) == (LAN.ts_local, LAN.ts_remote)


def test_times_of_a_new_sa() -> None:
    """Liveness, rekey and keepalive count from the moment of establishment; rekey is early by a part of chance."""
    opened = both(other=replace(TO_LEFT, liveness=30.0, rekey_after=1000.0))
    half_open = replace(opened.half_open, nat=Nat(local=True))
    sa = ike_auth.on_request(half_open, opened.request(), replace(opened.right, now=50.0)).sa

    assert isinstance(sa, Established)
    assert (sa.since, sa.heard, sa.probe_at, sa.keepalive_at) == (50.0, 50.0, 80.0, 70.0)
    assert 950.0 <= sa.rekey_at <= 1050.0


def test_keys_of_the_child_are_told_if_wanted() -> None:
    opened = both()
    exporting = Settings(export_keys=True)
    answered = ike_auth.on_request(opened.half_open, opened.request(), replace(opened.right, settings=exporting))
    done = ike_auth.on_response(
        opened.authenticating, auth_response(answered), replace(opened.left, settings=exporting)
    )
    for step in (answered, done):
        assert isinstance(step.sa, Established)
        assert the(KeysDerived, step) == KeysDerived(step.sa.secured, step.sa.children[0])


def test_further_children_are_asked_later() -> None:
    dmz = replace(LAN, name="dmz", ts_remote=selectors("10.3.0.0/24"))
    opened = both(replace(TO_RIGHT, children=(LAN, dmz)))
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    done = ike_auth.on_response(opened.authenticating, auth_response(answered), opened.left)

    assert isinstance(done.sa, Established)
    assert done.sa.todo == (CreateChild("dmz"),)


def test_without_a_child() -> None:
    """An IKE SA may stand alone (RFC 6023)."""
    opened = both(replace(TO_RIGHT, children=()))
    assert not opened.request().first(SecurityAssociation)
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert kinds(answered) == [IkeSaUp, Supersede, Respond]
    done = ike_auth.on_response(opened.authenticating, auth_response(answered), opened.left)

    assert kinds(done) == [IkeSaUp]
    for step in (answered, done):
        assert isinstance(step.sa, Established)
        assert step.sa.children == ()


# --- the child is refused ------------------------------------------------------------------------------------------

UNFIT = {
    "selectors": (replace(LAN, ts_remote=selectors("10.9.0.0/24")), NotifyType.TS_UNACCEPTABLE),
    "cipher": (replace(LAN, offers=(Offer((CBC, SHA256, NO_ESN)),)), NotifyType.NO_PROPOSAL_CHOSEN),
}


@pytest.mark.parametrize(("policy", "notify"), UNFIT.values(), ids=UNFIT)
def test_child_refused(policy: ChildPolicy, notify: NotifyType) -> None:
    """The IKE SA stands without it, on both sides (§1.2)."""
    opened = both(replace(TO_RIGHT, children=(policy,)))
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert kinds(answered) == [IkeSaUp, Supersede, Respond, Report]
    assert the(Respond, answered).payloads[-1] == Notify(notify)

    done = ike_auth.on_response(opened.authenticating, auth_response(answered), opened.left)
    assert kinds(done) == [IkeSaUp, Report, ChildFailed]
    assert the(Report, done).event == "child_refused"
    assert isinstance(done.sa, Established)
    assert done.sa.children == ()


def test_malformed_child_is_fatal() -> None:
    """A request without selectors is no refusal of a child, but a fault."""
    opened = both()
    with pytest.raises(InvalidSyntax):
        ike_auth.on_request(opened.half_open, opened.request(without=(TrafficSelectorsR,)), opened.right)


# --- who is it -----------------------------------------------------------------------------------------------------


def test_wrong_key() -> None:
    opened = both(other=replace(TO_LEFT, local_auth=OTHER_KEY, remote_auth=OTHER_KEY))
    with pytest.raises(AuthenticationFailed, match="another pre-shared key"):
        ike_auth.on_request(opened.half_open, opened.request(), opened.right)


def test_responder_with_wrong_key() -> None:
    opened = both()
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    sa = replace(opened.authenticating, peer=replace(TO_RIGHT, local_auth=OTHER_KEY, remote_auth=OTHER_KEY))
    with pytest.raises(AuthenticationFailed, match="another pre-shared key"):
        ike_auth.on_response(sa, auth_response(answered), opened.left)


def test_other_method_than_expected() -> None:
    opened = both()
    request = opened.request(Authentication(AuthMethod.RSA_SIGNATURE, b"signature"), without=(Authentication,))
    with pytest.raises(AuthenticationFailed):
        ike_auth.on_request(opened.half_open, request, opened.right)


def test_responder_is_somebody_else() -> None:
    opened = both()
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    stranger = IdR(Identification(IdType.FQDN, b"stranger.example"))
    with pytest.raises(AuthenticationFailed, match="expected is"):
        ike_auth.on_response(opened.authenticating, auth_response(answered, stranger, without=(IdR,)), opened.left)


def test_peer_refuses() -> None:
    opened = both()
    refusal = Response(ExchangeType.IKE_AUTH, (Notify(NotifyType.AUTHENTICATION_FAILED),), LEFT_PATH)
    step = ike_auth.on_response(opened.authenticating, refusal, opened.left)

    reason = "the peer answered AUTHENTICATION_FAILED"
    assert step.sa == Closed(reason)
    assert step.effects == (IkeSaDown(opened.authenticating.spi, "right", reason),)


def test_nobody_of_that_name() -> None:
    opened = both(replace(TO_RIGHT, local_id=Identification(IdType.FQDN, b"stranger.example")))
    with pytest.raises(AuthenticationFailed, match="no peer is known"):
        ike_auth.on_request(opened.half_open, opened.request(), opened.right)


def test_we_are_asked_for_by_another_name() -> None:
    opened = both(replace(TO_RIGHT, remote_id=Identification(IdType.FQDN, b"other.example")))
    with pytest.raises(AuthenticationFailed, match="no peer is known"):
        ike_auth.on_request(opened.half_open, opened.request(), opened.right)


def test_who_is_named_comes_first() -> None:
    """A peer of just that identity is preferred to one that may be anybody; each has its own key."""
    anybody = replace(TO_LEFT, name="anybody", remote_id=None, local_auth=OTHER_KEY, remote_auth=OTHER_KEY)
    opened = open_sa(TO_RIGHT, (anybody, TO_LEFT))
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert the(IkeSaUp, answered).peer == "left"

    stranger = replace(
        TO_RIGHT, local_id=Identification(IdType.FQDN, b"stranger.example"), local_auth=OTHER_KEY, remote_auth=OTHER_KEY
    )
    opened = open_sa(stranger, (anybody, TO_LEFT))
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert the(IkeSaUp, answered).peer == "anybody"


def test_peer_that_would_not_agree_to_the_suite() -> None:
    """The suite was agreed for all peers at that address; who would not have it does not authenticate with it."""
    generous = replace(TO_LEFT, name="generous", remote_id=RIGHT_ID)
    strict = replace(TO_LEFT, offers=(Offer((CBC, SHA256, *TO_LEFT.offers[0].transforms[1:])),))
    opened = open_sa(TO_RIGHT, (generous, strict))
    with pytest.raises(AuthenticationFailed):
        ike_auth.on_request(opened.half_open, opened.request(), opened.right)


def test_names_by_address() -> None:
    """Without a local_id we are the address that we are spoken to; without a remote_id none is asked for."""
    address = Identification(IdType.IPV4_ADDR, RIGHT_PATH.local.host.packed)
    opened = both(replace(TO_RIGHT, remote_id=None), replace(TO_LEFT, local_id=None))
    assert opened.request().first(IdR) is None
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    done = ike_auth.on_response(opened.authenticating, auth_response(answered), opened.left)
    assert the(IkeSaUp, done).remote_id == address


# --- other IKE SAs of the same peer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initial_contact", "unique", "expected"),
    [
        (False, Unique.KEEP, []),
        (True, Unique.KEEP, [Supersede("left", LEFT_ID, silently=True)]),
        (False, Unique.REPLACE, [Supersede("left", LEFT_ID, silently=False)]),
    ],
    ids=["both stay", "the peer began anew", "the new one replaces the old"],
)
def test_earlier_sas(initial_contact: bool, unique: Unique, expected: list[Supersede]) -> None:
    opened = open_sa(TO_RIGHT, (replace(TO_LEFT, unique=unique),), initial_contact=initial_contact)
    answered = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert [effect for effect in answered.effects if isinstance(effect, Supersede)] == expected


def test_unused_policy_times() -> None:
    """A child that is not rekeyed by time is never due."""
    opened = both(replace(TO_RIGHT, children=(replace(LAN, offers=(ESP_OFFER,)),)))
    sa = ike_auth.on_request(opened.half_open, opened.request(), opened.right).sa
    assert isinstance(sa, Established)
    assert [child.due for child in sa.children] == [NEVER]
