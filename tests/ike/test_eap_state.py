from __future__ import annotations

from edgevpn.ike.eap_state import Challenged, Confirming, TlsConfirming, TlsTalking, TlsTurn


def test_who_logs_in_as_far_as_that_has_come_out() -> None:
    """The EAP identity may be empty; a response names somebody, too, perhaps another."""
    assert Challenged(1, "alice", b"c" * 16).user == "alice"
    assert Challenged(1, "alice", b"c" * 16, tried="mallory").user == "mallory"
    assert TlsTurn(TlsTalking(1, "laptop"), b"hello").user == "laptop"


def test_keys_and_what_is_under_seal_do_not_show() -> None:
    states = (
        Confirming(1, "alice", b"mmmm"),
        TlsConfirming(1, "laptop", b"mmmm", b"mmmm"),
        TlsTalking(1, "laptop", b"mmmm", b"mmmm"),
        TlsTurn(TlsTalking(1, "laptop"), b"mmmm"),
    )
    assert not [state for state in states if "mmmm" in repr(state)]
