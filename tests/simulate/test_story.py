"""edgevpn.simulate.story: what is told, and when the client gives up."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.ike.contract import (
    ChildFailed,
    Effect,
    Endpoints,
    IkeSaUp,
    Initiate,
    InstallOutbound,
    Level,
    Report,
    StopTimer,
)
from edgevpn.ike.errors import Cause
from edgevpn.ike.evidence import Refusal
from edgevpn.ike.exchange import ike_sa_init
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType
from edgevpn.ike.peer import NetworkSettings
from edgevpn.ike.questions import Configured
from edgevpn.ike.session import Given
from edgevpn.ike.state import Initiating
from edgevpn.simulate import story
from edgevpn.simulate.clients import CLIENTS
from edgevpn.simulate.pinging import Echoes
from edgevpn.simulate.user import ByPassword, Typed
from tests.support.handshake import LEFT_PATH, an_env
from tests.support.peers import LEFT_ID, TO_RIGHT
from tests.support.states import a_child

TYPED = Typed("vpn.example.org", ByPassword("anna", "secret"))
WINDOWS, ANDROID = CLIENTS["windows11"], CLIENTS["android12"]
HOST, ROUTER = ip_address("10.1.0.2"), ip_address("10.1.0.1")
GIVEN = Given(
    (ip_address("10.9.0.2"),), NetworkSettings(networks=(ip_network("10.0.0.0/8"),), domains=("example.org",))
)


def asking() -> Initiating:
    sa = ike_sa_init.initiate(TO_RIGHT, Initiate("right", LEFT_PATH), True, an_env()).sa
    assert isinstance(sa, Initiating)
    return sa


def turned_down(notify: NotifyType) -> Report:
    evidence = Refusal(notify, ExchangeType.IKE_SA_INIT)
    return Report(Level.WARNING, "ike_sa_init_refused", cause=Cause.REFUSED_BY_PEER, evidence=evidence)


def test_how_it_is_asked() -> None:
    sa = replace(asking(), ke=Ke.MODP_4096)
    assert [*story.of_state(None, sa)] == ["asks for an IKE SA, guessing that the key exchange will be MODP_4096"]
    assert [*story.of_state(sa, replace(sa, ke=Ke.MODP_2048))] == [
        "the gateway wants MODP_2048 rather than MODP_4096: asks again"
    ]
    assert [*story.of_state(sa, replace(sa, cookie=b"c"))] == ["the gateway wants to see a cookie: asks again"]
    assert [*story.of_state(sa, sa)] == []


TOLD: dict[str, tuple[Effect, list[str]]] = {
    "up": (
        IkeSaUp(bytes(8), "gateway", LEFT_ID, LEFT_PATH),
        [f"the IKE SA is up with {LEFT_ID}, which proved itself by pre-shared key"],
    ),
    "rekeyed": (IkeSaUp(bytes(8), "gateway", LEFT_ID, LEFT_PATH, replaces=bytes(8)), ["the IKE SA has new keys"]),
    "configured": (
        Configured(bytes(8), "gateway", GIVEN),
        [
            "has the addresses 10.9.0.2",
            "DNS servers: none",
            "for the domains example.org",
            "reaches the networks 10.0.0.0/8",
        ],
    ),
    "no child": (
        ChildFailed(bytes(8), "gateway", "everything", "the peer answered TS_UNACCEPTABLE"),
        ["there is no CHILD SA: the peer answered TS_UNACCEPTABLE"],
    ),
    "nothing of interest": (StopTimer(bytes(8)), []),
}


@pytest.mark.parametrize(("effect", "told"), TOLD.values(), ids=TOLD)
def test_effects(effect: Effect, told: list[str]) -> None:
    assert [*story.of_effect(effect)] == told


def test_child() -> None:
    effect = InstallOutbound(a_child(), Endpoints("gateway", LEFT_PATH, nat=True))
    (sentence,) = story.of_effect(effect)
    assert sentence.startswith("traffic is protected by ")


ECHOES = {
    "answered": (Echoes(HOST, 3, (0.0012, 0.002, 0.001)), "3 sent, 3 answered, 1.2 ms"),
    "one is lost": (Echoes(HOST, 3, (0.01, 0.02), ROUTER), "3 sent, 2 answered, 20.0 ms"),
    "nobody is there": (Echoes(HOST, 3), "3 sent, 0 answered"),
    "unreachable": (Echoes(HOST, 3, (), ROUTER), "3 sent, 0 answered; 10.1.0.1 says that it cannot be reached"),
}


@pytest.mark.parametrize(("echoes", "told"), ECHOES.values(), ids=ECHOES)
def test_echoes(echoes: Echoes, told: str) -> None:
    assert story.of_echoes(echoes) == f"pings 10.1.0.2 through the tunnel: {told}"


def test_when_to_give_up() -> None:
    """At once, as clients do, and with the cure."""
    by_hand = story.refusal(turned_down(NotifyType.NO_PROPOSAL_CHOSEN), WINDOWS, replace(TYPED, by_hand=True))
    assert by_hand is not None
    assert by_hand.endswith("set up by hand (key exchange by MODP_1024): " + WINDOWS.cure)
    ours = story.refusal(turned_down(NotifyType.NO_PROPOSAL_CHOSEN), WINDOWS, TYPED)
    assert ours is not None
    assert ours.endswith("as we set it up (key exchange by ECP_256): see the log of the gateway")
    android = story.refusal(turned_down(NotifyType.NO_PROPOSAL_CHOSEN), ANDROID, TYPED)
    assert android is not None
    assert android.endswith(ANDROID.cure)
    other = story.refusal(turned_down(NotifyType.INVALID_SYNTAX), WINDOWS, TYPED)
    assert other == "the gateway answered INVALID_SYNTAX; its log says why"
    assert story.refusal(TOLD["no child"][0], WINDOWS, TYPED) == TOLD["no child"][1][0]
    assert story.refusal(TOLD["up"][0], WINDOWS, TYPED) is None
