"""edgevpn.ike.contract."""

from __future__ import annotations

import pytest

from edgevpn.ike.contract import (
    Env,
    KeysDerived,
    Level,
    Report,
    Request,
    Send,
    Settings,
    report,
)
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import ExchangeType, NotifyType
from edgevpn.ike.steps import Secure
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, Nonce
from tests.support.handshake import LEFT_PATH
from tests.support.states import a_child, secured

COOKIE, REFUSED = Notify(NotifyType.COOKIE, b"biscuit"), Notify(NotifyType.NO_PROPOSAL_CHOSEN)
NONCE = Nonce(bytes(32))
REQUEST = Request(ExchangeType.CREATE_CHILD_SA, 3, (COOKIE, NONCE, REFUSED, Nonce(b"x" * 32)), LEFT_PATH)


def test_first_payload_of_a_kind() -> None:
    assert REQUEST.first(Nonce) is NONCE
    assert REQUEST.first(KeyExchange) is None


def test_needed_payload() -> None:
    assert REQUEST.need(Nonce) is NONCE
    with pytest.raises(InvalidSyntax, match="no KeyExchange payload"):
        REQUEST.need(KeyExchange)


def test_notifies() -> None:
    """Those of the error half report an error; a status does not (RFC 7296 §3.10.1)."""
    assert REQUEST.notify(NotifyType.COOKIE) is COOKIE
    assert REQUEST.notify(NotifyType.REKEY_SA) is None
    assert REQUEST.error() is REFUSED
    assert Request(REQUEST.exchange, 3, (COOKIE, NONCE), LEFT_PATH).error() is None


@pytest.mark.parametrize(("chance", "at"), [(b"\x00\x00", 200.0), (b"\x80\x00", 195.0), (b"\xff\xff", 190.0)])
def test_soon_is_a_little_early(chance: bytes, at: float) -> None:
    """A tenth of the time at most, so that the two sides do not do the same at the same moment."""
    env = Env(100.0, lambda size: chance[:size], settings=Settings(jitter=0.1))
    assert env.soon(100.0) == pytest.approx(at, abs=0.001)


def test_report_by_names() -> None:
    assert report(Level.INFO, "up", peer="right", spi="00") == Report(
        Level.INFO, "up", (("peer", "right"), ("spi", "00"))
    )


def test_secrets_are_not_shown() -> None:
    """Keys, and datagrams that could be anything, are in no repr."""
    shown = repr(
        (secured(), a_child(), Secure(secured()), KeysDerived(secured(), a_child()), Send(LEFT_PATH, b"octets"))
    )
    assert "eeee" not in shown
    assert "iiii" not in shown
    assert "octets" not in shown
