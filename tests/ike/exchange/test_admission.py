"""edgevpn.ike.exchange.admission: what a peer gets that has shown who it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.ike.contract import (
    Env,
    IkeSaUp,
    InstallInbound,
    InstallOutbound,
    KeysDerived,
    Reconfigure,
    Report,
    Request,
    Settings,
)
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.errors import Cause, TsUnacceptable
from edgevpn.ike.exchange import create_child_sa, ike_auth
from edgevpn.ike.exchange.create_child_sa import create_child
from edgevpn.ike.iana import ConfigAttribute, ConfigType, ExchangeType, IdType, NotifyType
from edgevpn.ike.peer import (
    NEVER,
    Certified,
    ChildPolicy,
    KeyRing,
    Login,
    NetworkSettings,
    Offer,
    Password,
    Peer,
    Signing,
    Unique,
    Wants,
)
from edgevpn.ike.proving import LeasingAddress
from edgevpn.ike.questions import Configured, Lease, Leased, Release
from edgevpn.ike.session import Given
from edgevpn.ike.state import Closed, CreateChild, Established, Nat, RekeyIke
from edgevpn.ike.steps import Call, Respond, Step, Supersede, Suspect
from edgevpn.ike.wire.configuration import Attribute, Configuration
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import (
    Authentication,
    Identification,
    IdR,
    SecurityAssociation,
    TrafficSelectorsI,
    TrafficSelectorsR,
)
from tests.support.handshake import RIGHT_PATH, Opened, an_env, contents, errors_of, kinds, open_sa, the
from tests.support.pair import Pair
from tests.support.peers import CBC, ESP_OFFER, KEY, LAN, LEFT_ID, NO_ESN, SHA256, TO_LEFT, TO_RIGHT, selectors
from tests.support.states import an_sa
from tests.support.world import World, credential, holding, trusting

SA_AND_TS = [SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR]
V4, V4_TOO, V6 = ip_address("10.9.0.7"), ip_address("10.9.0.8"), ip_address("fd00::7")
TOLD = NetworkSettings(dns=(ip_address("10.9.0.1"),), domains=("lan.example",))

ALL = ChildPolicy("all", selectors("0.0.0.0/0", "::/0"), selectors("0.0.0.0/0", "::/0"), (ESP_OFFER,))
CLIENT = replace(TO_RIGHT, children=(ALL,), wants=Wants(True, True))
POOL = replace(TO_LEFT, children=(ALL,), pool=TOLD, unique=Unique.SHARE)


def both(peer: Peer = TO_RIGHT, other: Peer = TO_LEFT, initial_contact: bool = True) -> Opened:
    return open_sa(peer, (other,), initial_contact=initial_contact)


def established(step: Step) -> Established:
    assert isinstance(step.sa, Established)
    return step.sa


# --- the child -----------------------------------------------------------------------------------------------------


def test_times_of_a_new_sa() -> None:
    """Liveness, rekey and keepalive count from the moment of establishment; rekey is early by a part of chance."""
    opened = both(other=replace(TO_LEFT, liveness=30.0, rekey_after=1000.0))
    half_open = replace(opened.half_open, nat=Nat(local=True))
    sa = ike_auth.on_request(half_open, opened.request(), replace(opened.right, now=50.0)).sa

    assert isinstance(sa, Established)
    assert (sa.since, sa.heard, sa.probe_at, sa.keepalive_at) == (50.0, 50.0, 80.0, 70.0)
    assert 950.0 <= sa.rekey_at <= 1050.0
    assert [child.due for child in sa.children] == [NEVER]


def test_keys_of_the_child_are_told_if_wanted() -> None:
    opened = both()
    exporting = replace(opened.right, settings=Settings(export_keys=True))
    answered = ike_auth.on_request(opened.half_open, opened.request(), exporting)
    assert isinstance(answered.sa, Established)
    assert the(KeysDerived, answered) == KeysDerived(answered.sa.secured, answered.sa.children[0])


def test_without_a_child() -> None:
    """An IKE SA may stand alone (RFC 6023)."""
    opened = both(replace(TO_RIGHT, children=()))
    assert not opened.request().first(SecurityAssociation)
    answered = opened.answered()
    assert kinds(answered) == [IkeSaUp, Supersede, Respond]
    assert isinstance(answered.sa, Established)
    assert answered.sa.children == ()


UNFIT = {
    "selectors": (replace(LAN, ts_remote=selectors("10.9.0.0/24")), NotifyType.TS_UNACCEPTABLE),
    "cipher": (replace(LAN, offers=(Offer((CBC, SHA256, NO_ESN)),)), NotifyType.NO_PROPOSAL_CHOSEN),
}


@pytest.mark.parametrize(("policy", "notify"), UNFIT.values(), ids=UNFIT)
def test_child_refused(policy: ChildPolicy, notify: NotifyType) -> None:
    """The IKE SA stands without it, and the peer is told who we are all the same (§2.21.2)."""
    answered = both(replace(TO_RIGHT, children=(policy,))).answered()
    assert kinds(answered) == [IkeSaUp, Supersede, Respond, Report]
    assert contents(the(Respond, answered).payloads) == [IdR, Authentication]
    assert errors_of(answered) == [Notify(notify)]
    assert the(Report, answered).cause in (Cause.NO_COMMON_SELECTORS, Cause.NO_COMMON_PROPOSAL)


# --- addresses -----------------------------------------------------------------------------------------------------


def leased(
    opened: Opened,
    *addresses: object,
    settings: NetworkSettings | None = None,
    unique: Unique | None = None,
    env: Env | None = None,
) -> Step:
    """What comes of the answer to `Lease`."""
    step = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert isinstance(step.sa, LeasingAddress)
    answer = Leased(step.sa.spi, addresses, settings, unique)  # type: ignore[arg-type]
    return ike_auth.on_answer(step.sa, answer, env or opened.right)


def test_lease() -> None:
    """The world is asked with all that is known of the client; the answer narrows the child and goes into CFG_REPLY."""
    opened = both(CLIENT, POOL)
    step = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
    assert step.effects == (Lease(opened.half_open.spi, "left", LEFT_ID, "", Wants(True, True), RIGHT_PATH.remote),)

    answered = leased(opened, V4, V6)
    assert kinds(answered) == [IkeSaUp, InstallInbound, InstallOutbound, Respond]
    payloads = the(Respond, answered).payloads
    assert contents(payloads) == [IdR, Authentication, Configuration, *SA_AND_TS]
    (reply,) = (payload for payload in payloads if isinstance(payload, Configuration))
    assert reply.of_type(ConfigAttribute.INTERNAL_IP4_ADDRESS) == (V4.packed,)
    assert reply.of_type(ConfigAttribute.INTERNAL_DNS_DOMAIN) == (b"lan.example",)
    assert isinstance(answered.sa, Established)
    assert answered.sa.session.lent == Given((V4, V6), TOLD)
    assert answered.sa.children[0].ts_remote == selectors("10.9.0.7/32", "fd00::7/128")
    assert answered.sa.peer.children[0].ts_remote == selectors("10.9.0.7/32", "fd00::7/128")


def test_settings_of_one_client() -> None:
    """A client of its own settings: a split tunnel where the pool has a full one."""
    split = replace(TOLD, networks=(ip_network("10.1.0.0/16"),))
    answered = leased(both(CLIENT, POOL), V4, settings=split)
    assert isinstance(answered.sa, Established)
    assert answered.sa.children[0].ts_local == selectors("10.1.0.0/16")
    assert the(IkeSaUp, answered).session.lent == Given((V4,), split)


def test_no_address_left() -> None:
    """INTERNAL_ADDRESS_FAILURE: no child, but the IKE SA stands (§3.15.4)."""
    answered = leased(both(CLIENT, POOL))
    assert isinstance(answered.sa, Established)
    assert answered.sa.children == ()
    assert errors_of(answered) == [Notify(NotifyType.INTERNAL_ADDRESS_FAILURE)]
    assert the(Report, answered).cause is Cause.NO_ADDRESS


def test_address_must_be_asked_for() -> None:
    """FAILED_CP_REQUIRED: no child, but the IKE SA stands (§2.19)."""
    answered = both(replace(CLIENT, wants=None), POOL).answered()
    assert isinstance(answered.sa, Established)
    assert errors_of(answered) == [Notify(NotifyType.FAILED_CP_REQUIRED)]
    assert the(Report, answered).cause is Cause.ADDRESS_NOT_ASKED


WITHOUT_ADDRESS: dict[str, Callable[[], Step]] = {
    "it asks for none": lambda: both(replace(CLIENT, wants=None), POOL).answered(),
    "it asks for no child either": lambda: both(replace(CLIENT, wants=None, children=()), POOL).answered(),
    "there is none left": lambda: leased(both(CLIENT, POOL)),
}


@pytest.mark.parametrize("admitted", WITHOUT_ADDRESS.values(), ids=WITHOUT_ADDRESS)
def test_no_child_afterwards_for_an_address_that_is_not_lent(admitted: Callable[[], Step]) -> None:
    """Who is in without one could ask for that of another device, or for everybody's."""
    anothers = replace(ALL, ts_local=selectors("10.9.0.8/32"))
    asking = create_child(an_sa(peer=replace(TO_RIGHT, children=(anothers,))), CreateChild("all"), an_env())
    request = Request(ExchangeType.CREATE_CHILD_SA, 2, the(Call, asking).payloads, RIGHT_PATH)
    with pytest.raises(TsUnacceptable):
        create_child_sa.on_request(established(admitted()), request, an_env())


def test_site_that_asks_for_an_address() -> None:
    """Where there is no pool the request is passed over; the client decides what that means to it."""
    answered = both(CLIENT, replace(POOL, pool=None)).answered()
    assert isinstance(answered.sa, Established)
    assert not any(isinstance(p, Configuration) for p in the(Respond, answered).payloads)


def test_address_for_later() -> None:
    """A client that makes its children afterwards gets its address now (RFC 6023, §2.19)."""
    opened = both(replace(CLIENT, children=()), POOL)
    answered = leased(opened, V4)
    assert kinds(answered) == [IkeSaUp, Respond]
    assert contents(the(Respond, answered).payloads) == [IdR, Authentication, Configuration]


# --- other IKE SAs of the same peer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initial_contact", "unique", "expected"),
    [
        (False, Unique.KEEP, []),
        (True, Unique.KEEP, [Supersede("left", LEFT_ID, silently=True)]),
        (False, Unique.REPLACE, [Supersede("left", LEFT_ID, silently=False)]),
        (True, Unique.SHARE, []),
        (True, Unique.REFUSE, [Supersede("left", LEFT_ID, silently=True)]),
    ],
    ids=["both stay", "the peer began anew", "the new one replaces the old", "one name, several devices", "anew"],
)
def test_earlier_sas(initial_contact: bool, unique: Unique, expected: list[Supersede]) -> None:
    answered = both(other=replace(TO_LEFT, unique=unique), initial_contact=initial_contact).answered()
    assert [effect for effect in answered.effects if isinstance(effect, Supersede)] == expected


def test_second_is_refused() -> None:
    opened = both(other=replace(TO_LEFT, unique=Unique.REFUSE), initial_contact=False)
    env = replace(opened.right, stands=lambda peer, identity: (peer, identity) == ("left", LEFT_ID))
    step = ike_auth.on_request(opened.half_open, opened.request(), env)
    assert isinstance(step.sa, Closed)
    assert the(Report, step).cause is Cause.SECOND_REFUSED
    assert isinstance(opened.answered().sa, Established)


def standing(count: int) -> Callable[[str, object], int]:
    return lambda peer, identity: count


@pytest.mark.parametrize("unique", [Unique.KEEP, Unique.SHARE])
def test_one_login_is_for_so_many(unique: Unique) -> None:
    """Whoever has it may be many devices, but not without end. Thousands are not asked whether they are there."""
    opened = both(other=replace(TO_LEFT, unique=unique), initial_contact=False)
    most = opened.right.settings.sessions_of_one
    for count, state in ((most - 1, Established), (most, Closed)):
        env = replace(opened.right, stands=standing(count))
        step = ike_auth.on_request(opened.half_open, opened.request(), env)
        assert isinstance(step.sa, state)
    assert the(Report, step).cause is Cause.TOO_MANY_SAS
    assert not any(isinstance(effect, Suspect) for effect in step.effects)
    assert the(Respond, step).payloads == (Notify(NotifyType.AUTHENTICATION_FAILED),)


def test_what_takes_the_place_of_others_is_not_one_too_many() -> None:
    for peer, anew in ((replace(TO_LEFT, unique=Unique.REPLACE), False), (TO_LEFT, True)):
        opened = both(other=peer, initial_contact=anew)
        env = replace(opened.right, stands=standing(10_000))
        assert isinstance(ike_auth.on_request(opened.half_open, opened.request(), env).sa, Established)


@pytest.mark.parametrize(
    ("count", "order"),
    [(0, [InstallInbound, InstallOutbound, Respond]), (1, [InstallInbound, Respond, InstallOutbound])],
    ids=["the first", "another"],
)
def test_when_packets_go_over_the_child(count: int, order: list[type[object]]) -> None:
    """At once, so that the first is answered; where another IKE SA carries them, not before the peer has it."""
    opened = both(other=replace(TO_LEFT, unique=Unique.SHARE), initial_contact=False)
    step = ike_auth.on_request(opened.half_open, opened.request(), replace(opened.right, stands=standing(count)))
    assert kinds(step) == [IkeSaUp, *order]


def test_another_device_of_the_same_name() -> None:
    """It says INITIAL_CONTACT, as every device does, and knows nothing of the first one, which is told that it goes."""
    replacing = leased(both(CLIENT, replace(POOL, unique=Unique.REPLACE)), V4)
    assert the(Supersede, replacing) == Supersede("left", LEFT_ID, silently=False)

    opened = both(CLIENT, replace(POOL, unique=Unique.REFUSE))
    env = replace(opened.right, stands=lambda peer, identity: (peer, identity) == ("left", LEFT_ID))
    step = leased(opened, V4, env=env)
    assert the(Report, step).cause is Cause.SECOND_REFUSED
    assert the(Release, step) == Release(opened.half_open.spi, (V4,))


def test_a_device_differs_from_its_pool() -> None:
    """What a second session means is its own affair."""
    for pool, device in itertools.permutations((Unique.SHARE, Unique.REPLACE, Unique.REFUSE), 2):
        opened = both(CLIENT, replace(POOL, unique=pool))
        step = leased(opened, V4, unique=device, env=replace(opened.right, stands=lambda peer, identity: True))
        assert isinstance(step.sa, Closed) == (device is Unique.REFUSE)
        assert bool([each for each in step.effects if isinstance(each, Supersede)]) == (device is Unique.REPLACE)


def test_a_message_of_the_wrong_shape_costs_no_address() -> None:
    opened = both(CLIENT, POOL)
    request = opened.request()
    asked = tuple(each for each in request.payloads if not isinstance(each, TrafficSelectorsI))
    step = ike_auth.on_request(opened.half_open, replace(request, payloads=asked), opened.right)
    assert isinstance(step.sa, Closed)
    assert kinds(step) == [Respond, Report]


# --- two endpoints -------------------------------------------------------------------------------------------------


def client_and_pool(*addresses: object, client: Peer = CLIENT, pool: Peer = POOL) -> Pair:
    pair = Pair((client,), (pool,))
    pair.right.world = World(free=addresses)  # type: ignore[arg-type]
    return pair


def test_client_gets_an_address() -> None:
    pair = client_and_pool(V4, V6)
    pair.left.initiate("right")
    pair.run(1)
    assert pair.agree()
    client = pair.left.sa
    assert client.session.got == Given((V4, V6), TOLD)
    assert client.children[0].ts_local == selectors("10.9.0.7/32", "fd00::7/128")
    assert client.children[0].ts_remote == selectors("0.0.0.0/0", "::/0")
    assert [told for told in pair.left.told if isinstance(told, Configured)] == [
        Configured(pair.left.ups[0].spi, "right", client.session.got)
    ]


def test_address_lasts_over_rekeying_and_comes_back_in_the_end() -> None:
    pair = client_and_pool(V4)
    pair.left.initiate("right")
    pair.run(1)
    for side in pair.sides:
        side.ask(RekeyIke())
        pair.run(3)
        assert pair.agree()
        assert pair.right.sa.session.lent.addresses == pair.left.sa.session.got.addresses == (V4,)
    assert pair.right.ups[-1].replaces == pair.right.ups[-2].spi
    assert pair.right.ups[-1].session == pair.right.sa.session
    assert pair.right.world.released == []

    last = pair.right.sa.spi
    pair.left.terminate()
    pair.run(1)
    assert pair.right.world.released == [Release(last, (V4,))]


def test_both_rekey_at_once() -> None:
    """Of the two new IKE SAs one keeps the address; nothing comes back before the end."""
    pair = client_and_pool(V4)
    pair.left.initiate("right")
    pair.run(1)
    pair.left.ask(RekeyIke())
    pair.right.ask(RekeyIke())
    pair.run(100)
    assert pair.agree()
    assert pair.right.sa.session.lent.addresses == (V4,)
    assert pair.right.world.released == []


@pytest.mark.parametrize("end", ["we close it", "the peer is gone"])
def test_address_comes_back_however_it_ends(end: str) -> None:
    pair = client_and_pool(V4, pool=replace(POOL, liveness=10.0))
    pair.left.initiate("right")
    pair.run(1)
    if end == "we close it":
        pair.right.terminate()
    else:
        pair.fate = lambda number, octets: ()
    pair.run(300)
    assert [release.addresses for release in pair.right.world.released] == [(V4,)]


def test_lease_that_comes_too_late() -> None:
    """The client has gone while the world looked for an address: it is given back at once."""
    pair = client_and_pool(V4)
    pair.right.holds = True
    pair.left.initiate("right")
    pair.run(300)
    (question,) = pair.right.open
    pair.right.answer()
    assert pair.right.world.released == [Release(question.spi, (V4,))]


def test_later_children_are_narrowed_too() -> None:
    """CREATE_CHILD_SA cannot get at packets of another client's."""
    pair = client_and_pool(V4)
    pair.left.initiate("right")
    pair.run(1)
    assert pair.right.sa.peer.child("all") is not None
    assert pair.right.sa.peer.children[0].ts_remote == selectors("10.9.0.7/32")


def test_client_cannot_do_without() -> None:
    """Without an address the client closes what it has opened, and says why (§3.15.4)."""
    pair = client_and_pool()
    pair.left.initiate("right")
    pair.run(1)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [report.cause for report in pair.left.reports("address_not_given")] == [Cause.ADDRESS_NOT_GIVEN]
    assert "INTERNAL_ADDRESS_FAILURE" in pair.left.downs[0].reason


def test_client_of_a_gateway_without_addresses() -> None:
    pair = client_and_pool(V4, pool=replace(POOL, pool=None))
    pair.left.initiate("right")
    pair.run(1)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert "says nothing" in pair.left.downs[0].reason


def test_one_user_with_two_devices() -> None:
    """Two phones log in as the same user, each says that it has no other IKE SA: both stay, each with an address."""
    gateway = credential("gateway")
    phones = [
        replace(
            CLIENT,
            name=name,
            local_id=Identification(IdType.KEY_ID, name.encode()),
            local_auth=Password("alice", nt_password_hash("x")),
            remote_auth=Certified(),
        )
        for name in ("one", "two")
    ]
    pool = replace(POOL, remote_id=None, local_auth=Signing((gateway,)), remote_auth=Login())
    pair = Pair(tuple(phones), (pool,))
    pair.left.world = World(trusted=trusting(gateway))
    pair.right.world = World(keys=holding(gateway), users={"alice": "x"}, free=(V4, V4_TOO))
    for phone in phones:
        pair.left.initiate(phone.name)
        pair.run(2)
    assert pair.agree()
    assert [sa.session.lent.addresses for sa in pair.right.sas] == [(V4,), (V4_TOO,)]
    assert {sa.identity for sa in pair.right.sas} == {"alice"}


def test_strange_configuration_payload() -> None:
    """CFG_SET is no request for an address (§3.15.1)."""
    opened = both(replace(CLIENT, wants=None), POOL)
    request = opened.request(Configuration(ConfigType.SET, (Attribute(ConfigAttribute.INTERNAL_IP4_ADDRESS),)))
    step = ike_auth.on_request(opened.half_open, request, opened.right)
    assert the(Report, step).cause is Cause.ADDRESS_NOT_ASKED


# --- another configuration meanwhile ---------------------------------------------------------------------------------


def test_peer_that_is_removed_while_it_logs_in() -> None:
    """It has shown who it is, and is nobody by now."""
    pair = Pair((TO_RIGHT,), (replace(TO_LEFT, remote_id=None, local_auth=KeyRing(), remote_auth=KeyRing()),))
    pair.right.world.psks = {LEFT_ID.data: KEY.key}
    pair.right.holds = True
    pair.left.initiate("right")
    pair.run(1)
    pair.right.tell(Reconfigure(()))
    pair.right.answer()
    pair.run(1)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [told.cause for told in pair.right.reports("ike_auth_refused")] == [Cause.IDENTITY_UNKNOWN]
