"""The bare cost of the cryptography, for one side: what no implementation can do without."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edgevpn.ike.crypto.dh import generate
from edgevpn.ike.crypto.signature import KeyKind, schemes, sign, verify
from edgevpn.ike.iana import HashAlgorithm, Ke
from tests.support.keys import private_key, public_key

PRFS = 1 + 6 + 2 + 2
"""SKEYSEED, SK_* (seven keys in as many blocks), KEYMAT of a child, and AUTH twice with its inner key."""

Cost = Callable[[int], float]
"""Measures the seconds of CPU of one, as the mean of so many."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What an operation needs: messages to open, and to seal; HMACs; and a key exchange."""

    opened: int = 1
    sealed: int = 1
    prfs: int = 0
    ke: Ke | None = None


OPERATIONS = {
    "rekey_child": Needs(2, 2, prfs=2),
    "rekey_ike": Needs(2, 2, prfs=1 + 6, ke=Ke.CURVE25519),
    "dpd": Needs(),
    "repeat": Needs(sealed=0),
}
"""With the Delete of what is old; the answer to a request that comes again has been sealed already."""


def handshake(ke: Ke, kind: KeyKind | None) -> Cost:
    """IKE_SA_INIT and IKE_AUTH, with a signature by such a key, or a pre-shared one."""
    return _cost(Needs(prfs=PRFS, ke=ke), _proof(kind))


def operation(name: str) -> Cost:
    """One of OPERATIONS."""
    return _cost(OPERATIONS[name])


def _cost(needs: Needs, prove: Callable[[], None] = lambda: None) -> Cost:
    theirs = generate(needs.ke, os.urandom).public if needs.ke else b""
    open_one, seal_one = _messages()

    def measured(times: int) -> float:
        begun = time.thread_time()
        for _ in range(times):
            if needs.ke:
                generate(needs.ke, os.urandom).shared_secret(theirs)
            for _ in range(needs.prfs):
                hmac.digest(b"k" * 32, b"s" * 64, hashlib.sha256)
            for _ in range(needs.opened):
                open_one()
            for _ in range(needs.sealed):
                seal_one()
            prove()
        return (time.thread_time() - begun) / times

    return measured


def _messages() -> tuple[Callable[[], object], Callable[[], object]]:
    """Opens a message of the size of IKE_AUTH, and seals one."""
    nonce = b"n" * 12
    sealed = AESGCM(b"k" * 16).encrypt(nonce, bytes(400), b"header")
    return (
        lambda: AESGCM(b"k" * 16).decrypt(nonce, sealed, b"header"),
        lambda: AESGCM(b"k" * 16).encrypt(nonce, bytes(300), b"header"),
    )


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
