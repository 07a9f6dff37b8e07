"""edgevpn.simulate.user: what is typed, and whom the client then calls."""

from __future__ import annotations

import pytest

from edgevpn.ike.iana import IdType
from edgevpn.ike.peer import Password, Psk
from edgevpn.ike.wire.payloads import Identification
from edgevpn.simulate.clients import CLIENTS
from edgevpn.simulate.user import ByPassword, ByPsk, Typed, Unable, identification, peer_of

SHAPES = {
    "phone": Identification(IdType.FQDN, b"phone"),
    "@phone.example.org": Identification(IdType.FQDN, b"phone.example.org"),
    "anna@example.org": Identification(IdType.RFC822_ADDR, b"anna@example.org"),
    "@@anna@example.org": Identification(IdType.RFC822_ADDR, b"anna@example.org"),
    "@#cafe": Identification(IdType.KEY_ID, b"\xca\xfe"),
    "key:anna": Identification(IdType.KEY_ID, b"key:anna"),
    "192.0.2.1": Identification(IdType.IPV4_ADDR, bytes([192, 0, 2, 1])),
    "2001:db8::1": Identification(IdType.IPV6_ADDR, bytes.fromhex("20010db8000000000000000000000001")),
}
ANNA = Typed("vpn.example.org", ByPassword("anna", "horse"))


@pytest.mark.parametrize(("text", "meant"), SHAPES.items(), ids=SHAPES)
def test_shapes(text: str, meant: Identification) -> None:
    assert identification(text) == meant


def test_no_shape() -> None:
    with pytest.raises(Unable, match="hexadecimal"):
        identification("@#phone")


def test_windows_names_nobody() -> None:
    """Its name is its address, and it asks for no name of the gateway's."""
    peer = peer_of(CLIENTS["windows11"], ANNA)
    assert (peer.local_id, peer.remote_id) == (None, None)
    assert isinstance(peer.local_auth, Password)
    assert peer.local_auth.identity is None


def test_android_keeps_the_user_for_itself() -> None:
    peer = peer_of(CLIENTS["android12"], ANNA)
    assert (peer.local_id, peer.remote_id) == (identification("anna"), identification("vpn.example.org"))
    assert isinstance(peer.local_auth, Password)
    assert peer.local_auth.identity == ""


def test_psk() -> None:
    typed = Typed("vpn.example.org", ByPsk(b"a key"), "tablet")
    assert peer_of(CLIENTS["ios"], typed).local_auth == Psk(b"a key")
    with pytest.raises(Unable, match="Windows 11 has no login by psk: take password or certificate"):
        peer_of(CLIENTS["windows11"], typed)
    with pytest.raises(Unable, match="needs an identifier"):
        peer_of(CLIENTS["ios"], Typed("vpn.example.org", ByPsk(b"a key")))


def test_secrets_are_not_shown() -> None:
    assert "horse" not in repr(ANNA)
    assert "a key" not in repr(ByPsk(b"a key"))
