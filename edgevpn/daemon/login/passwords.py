"""What is kept of a password that a device logs in with."""

from __future__ import annotations

from edgevpn.ike.crypto.mschapv2 import nt_password_hash


def nt_hash(password: str) -> str:
    """The value of the key `nt_hash`. It is as good as the password: EAP-MSCHAPv2 asks for no more."""
    return nt_password_hash(password).hex()
