"""edgevpn.simulate.clients: the gateway knows each for what it is, and every habit has its source."""

from __future__ import annotations

import pytest

from edgevpn.ike.clients import ANDROID, APPLE, WINDOWS, ClientKind, recognise_init
from edgevpn.ike.contract import Initiate, Send
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.wire.message import Header, decode_message
from edgevpn.simulate.clients import CLIENTS, Way
from edgevpn.simulate.user import GATEWAY, ByPassword, Typed, peer_of
from tests.support.chance import Chance
from tests.support.handshake import LEFT_PATH

KINDS = [
    ("windows11", True, ClientKind.WINDOWS_UNTOUCHED),
    ("windows11", False, ClientKind.WINDOWS),
    ("ios", True, ClientKind.APPLE),
    ("ios", False, ClientKind.APPLE),
    ("macos", True, ClientKind.APPLE),
    ("macos", False, ClientKind.APPLE),
    ("android11", False, ClientKind.ANDROID),
    ("android12", False, ClientKind.ANDROID),
]
KNOWN = {each.kind: each for each in (WINDOWS, APPLE, ANDROID)}


@pytest.mark.parametrize(("name", "by_hand", "kind"), KINDS)
def test_first_message(name: str, by_hand: bool, kind: ClientKind) -> None:
    typed = Typed("vpn.example.org", ByPassword("anna", "secret"), by_hand=by_hand)
    endpoint = Endpoint((peer_of(CLIENTS[name], typed),), Chance(1))
    (octets,) = (e.octets for e in endpoint.handle(Initiate(GATEWAY, LEFT_PATH), 0.0) if isinstance(e, Send))
    assert recognise_init(decode_message(Header.decode(octets), octets)).kind is kind


def test_who_refuses_child_rekeyings_is_known_for_it() -> None:
    """What the gateway knows of a client, and what is played, are the same."""
    for name, client in CLIENTS.items():
        kind = next(kind for each, by_hand, kind in KINDS if each == name and not by_hand)
        assert (client.manners.refuses_child_rekey is None) is KNOWN[kind].takes_child_rekey


def test_every_client() -> None:
    assert list(CLIENTS) == ["windows11", "ios", "macos", "android11", "android12"]
    for name, client in CLIENTS.items():
        assert client.name == name
        assert len(client.facts) >= 4
        assert client.setup(by_hand=True) is client.by_hand
        assert client.setup(by_hand=False) is (client.exported or client.by_hand)
    assert Way.PSK not in CLIENTS["windows11"].ways
    assert set(CLIENTS["ios"].ways) == set(Way)
