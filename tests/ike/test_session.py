"""edgevpn.ike.session."""

from __future__ import annotations

from ipaddress import ip_address

from edgevpn.ike.crypto.signature import RSA_SHA1
from edgevpn.ike.iana import EapType
from edgevpn.ike.session import BY_KEYS, ByEap, ByKey, BySignature, Given, Session
from tests.support.states import an_sa


def test_proofs_in_words() -> None:
    """As status shows them: SHA-1 is named where it was used."""
    assert str(ByKey()) == "pre-shared key"
    assert str(BySignature(RSA_SHA1)) == "RSASSA-PKCS1-v1_5 SHA1 (RSA_SIGNATURE)"
    assert str(ByEap(EapType.MSCHAPV2)) == "EAP-MSCHAPV2"


def test_nothing_is_given_without_an_address() -> None:
    assert not Given()
    assert Given((ip_address("10.9.0.7"),))


def test_identity_is_who_logged_in() -> None:
    """Else it is the identity of IKE, which for a Windows client says nothing."""
    sa = an_sa(session=Session(user="alice"))
    assert sa.identity == "alice"
    assert an_sa(session=BY_KEYS).identity == sa.remote_id
