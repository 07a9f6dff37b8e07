from __future__ import annotations

from edgevpn.ike.crypto.mschapv2 import authenticator_response, msk, nt_password_hash, nt_response

# RFC 2759 §9.2.
USER, PASSWORD = b"User", "clientPass"
AUTHENTICATOR_CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
NT_HASH = bytes.fromhex("44EBBA8D5312B8D611474411F56989AE")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
AUTHENTICATOR_RESPONSE = bytes.fromhex("407A5589115FD0D6209F510FE9C04566932CDA56")

# RFC 3079 §3.5.3: SendStartKey128 of the server for the same user; what the server sends, the client receives.
SERVER_SENDS = bytes.fromhex("8B7CDC149B993A1BA118CB153F56DCCB")


def test_rfc_2759() -> None:
    assert nt_password_hash(PASSWORD) == NT_HASH
    assert nt_response(AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE, USER, NT_HASH) == NT_RESPONSE
    proof = authenticator_response(NT_HASH, NT_RESPONSE, PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, USER)
    assert proof == AUTHENTICATOR_RESPONSE


def test_rfc_3079() -> None:
    """The MSK holds the client's send key, the server's send key, and 32 zeros."""
    key = msk(NT_HASH, NT_RESPONSE)
    assert len(key) == 64
    assert key[16:32] == SERVER_SENDS
    assert key[:16] not in (SERVER_SENDS, bytes(16))
    assert key[32:] == bytes(32)


def test_password_outside_the_bmp() -> None:
    """UTF-16 writes such a character as two."""
    assert nt_password_hash("\U0001f511") == nt_password_hash("\ud83d\udd11")
