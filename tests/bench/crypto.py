"""The bare cost of a handshake's cryptography, for one side: what no implementation can do without."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edgevpn.ike.crypto.dh import generate
from edgevpn.ike.crypto.signature import KeyKind, schemes, sign, verify
from edgevpn.ike.iana import HashAlgorithm, Ke
from tests.support.keys import private_key, public_key

PRFS = 1 + 6 + 2 + 2
"""SKEYSEED, SK_* (seven keys in as many blocks), KEYMAT of a child, and AUTH twice with its inner key."""


def cost(ke: Ke, kind: KeyKind | None) -> Callable[[int], float]:
    """Measures the seconds of CPU for one handshake, as the mean of so many."""
    theirs = generate(ke, os.urandom).public
    messages = _messages()
    prove = _proof(kind)

    def measured(times: int) -> float:
        begun = time.thread_time()
        for _ in range(times):
            generate(ke, os.urandom).shared_secret(theirs)
            for _ in range(PRFS):
                hmac.digest(b"k" * 32, b"s" * 64, hashlib.sha256)
            messages()
            prove()
        return (time.thread_time() - begun) / times

    return measured


def _messages() -> Callable[[], None]:
    """IKE_AUTH, opened and sealed."""
    cipher, nonce = AESGCM(b"k" * 16), b"n" * 12
    sealed = cipher.encrypt(nonce, bytes(400), b"header")

    def both() -> None:
        AESGCM(b"k" * 16).decrypt(nonce, sealed, b"header")
        AESGCM(b"k" * 16).encrypt(nonce, bytes(300), b"header")

    return both


def _proof(kind: KeyKind | None) -> Callable[[], None]:
    """A signature made, and the peer's and its certificate's verified; two HMACs with a pre-shared key."""
    octets = os.urandom(64)

    def by_key() -> None:
        for _ in range(2):
            hmac.digest(b"k" * 32, octets, hashlib.sha256)

    if kind is None:
        return by_key
    key, public = private_key(kind), public_key(kind)
    scheme = schemes(kind, (HashAlgorithm.SHA2_256,), sha1=False)[0]
    signature = sign(key, scheme, octets)

    def by_signature() -> None:
        sign(key, scheme, octets)
        for _ in range(2):
            verify(public, scheme, signature, octets)

    return by_signature
