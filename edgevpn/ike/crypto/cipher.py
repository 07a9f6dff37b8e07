"""What seals and opens the Encrypted payload: IV, ciphertext, ICV; RFC 7296 §3.14, RFC 5282, RFC 7634, RFC 5930.

A cipher keeps octets, not the cryptography library's key objects: those take up to 2.5 kB for each direction of each
SA, to save one or two microseconds for each of its few messages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import partial
from hmac import compare_digest
from typing import ClassVar, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, GCM

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.mac import INTEGRITY_MACS, Mac
from edgevpn.ike.crypto.suite import CIPHERS, INTEGRITIES, IkeSuite
from edgevpn.ike.errors import Discard
from edgevpn.ike.iana import Encr

AES_BLOCK = 16
FIRST_COUNTER = b"\0\0\0\1"  # RFC 3686 §4


class Aead(Protocol):
    """The interface of the AEADs of cryptography: the ICV follows the ciphertext."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class AeadCipher:
    """One direction of an IKE SA with an AEAD, RFC 5282. The nonce is the salt and then the IV (§4)."""

    counter_iv: ClassVar[bool] = True

    iv_length: int
    icv_length: int
    make_aead: Callable[[bytes], Aead]
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    def sealed_length(self, plaintext_length: int) -> int:
        """Octets of IV, ciphertext and ICV for so many octets of plaintext."""
        return self.iv_length + plaintext_length + 1 + self.icv_length

    def seal(self, associated: bytes, plaintext: bytes, iv: bytes) -> bytes:
        """IV, ciphertext and ICV; `iv` must never come twice."""
        return iv + self.make_aead(self.key).encrypt(self.salt + iv, plaintext + b"\0", associated)

    def open(self, associated: bytes, body: bytes) -> bytes:
        """The plaintext without padding; Discard if ICV or padding are wrong."""
        if len(body) < self.sealed_length(0):
            raise Discard(f"encrypted payload of {len(body)} octets")
        iv, sealed = body[: self.iv_length], body[self.iv_length :]
        try:
            padded = self.make_aead(self.key).decrypt(self.salt + iv, sealed, associated)
        except InvalidTag as error:
            raise Discard("wrong ICV") from error
        return _unpadded(padded)


@dataclass(frozen=True, slots=True)
class EncryptThenMac:
    """One direction of an IKE SA with AES in CBC or counter mode and an integrity algorithm, RFC 7296 §3.14."""

    iv_length: int
    icv_length: int
    counter_iv: bool
    block_length: int
    make_mode: Callable[[bytes, bytes], CBC | CTR]
    mac: Mac
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    integrity_key: bytes = field(repr=False)

    def sealed_length(self, plaintext_length: int) -> int:
        """Octets of IV, padded ciphertext and ICV for so many octets of plaintext."""
        return self.iv_length + plaintext_length + self._padding(plaintext_length) + 1 + self.icv_length

    def seal(self, associated: bytes, plaintext: bytes, iv: bytes) -> bytes:
        """IV, ciphertext and ICV; padding and its length are added to the plaintext.

        Nobody may foresee `iv`, or if `counter_iv` it must never come twice.
        """
        padding = self._padding(len(plaintext))
        encryptor = self._cipher(iv).encryptor()
        sealed = iv + encryptor.update(plaintext + bytes(padding) + bytes([padding])) + encryptor.finalize()
        return sealed + self._icv(associated + sealed)

    def open(self, associated: bytes, body: bytes) -> bytes:
        """The plaintext without padding; Discard if ICV or padding are wrong."""
        sealed, icv = body[: -self.icv_length], body[-self.icv_length :]
        if not compare_digest(icv, self._icv(associated + sealed)):
            raise Discard("wrong ICV")
        iv, ciphertext = sealed[: self.iv_length], sealed[self.iv_length :]
        if len(ciphertext) % self.block_length or not ciphertext:
            raise Discard(f"ciphertext of {len(ciphertext)} octets")
        decryptor = self._cipher(iv).decryptor()
        return _unpadded(decryptor.update(ciphertext) + decryptor.finalize())

    def _padding(self, plaintext_length: int) -> int:
        return -(plaintext_length + 1) % self.block_length

    def _cipher(self, iv: bytes) -> Cipher[CBC | CTR]:
        return Cipher(AES(self.key), self.make_mode(self.salt, iv))

    def _icv(self, octets: bytes) -> bytes:
        return self.mac(self.integrity_key, octets)[: self.icv_length]


SkCipher = AeadCipher | EncryptThenMac


def sk_cipher(suite: IkeSuite, encryption_key: bytes, integrity_key: bytes) -> SkCipher:
    """One direction of an IKE SA, from SK_ei and SK_ai or SK_er and SK_ar; ValueError if a key has another length."""
    if len(encryption_key) != suite.encr_key_length or len(integrity_key) != suite.integ_key_length:
        raise ValueError(f"keys of {len(encryption_key)} and {len(integrity_key)} octets for {suite}")
    cipher = CIPHERS[suite.encr]
    salt_at = len(encryption_key) - cipher.salt_length
    key, salt = encryption_key[:salt_at], encryption_key[salt_at:]
    if suite.encr in AEADS:
        return AeadCipher(cipher.iv_length, cipher.icv_length, AEADS[suite.encr], key, salt)
    return EncryptThenMac(
        cipher.iv_length,
        INTEGRITIES[suite.integ].icv_length,
        cipher.counter_iv,
        cipher.block_length,
        MODES[suite.encr],
        INTEGRITY_MACS[suite.integ],
        key,
        salt,
        integrity_key,
    )


@dataclass(frozen=True, slots=True)
class ShortTagGcm:
    """AES-GCM with a tag of 8 or 12 octets, which AESGCM of cryptography does not have."""

    key: bytes = field(repr=False)
    tag_length: int

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        encryptor = Cipher(AES(self.key), GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag[: self.tag_length]

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        ciphertext, tag = data[: -self.tag_length], data[-self.tag_length :]
        decryptor = Cipher(AES(self.key), GCM(nonce, tag, self.tag_length)).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        return decryptor.update(ciphertext) + decryptor.finalize()


def _cbc(_salt: bytes, iv: bytes) -> CBC:
    return CBC(iv)


def _ctr(nonce: bytes, iv: bytes) -> CTR:
    return CTR(nonce + iv + FIRST_COUNTER)


AEADS: dict[Encr, Callable[[bytes], Aead]] = {
    Encr.AES_CCM_8: partial(AESCCM, tag_length=8),
    Encr.AES_CCM_12: partial(AESCCM, tag_length=12),
    Encr.AES_CCM_16: partial(AESCCM, tag_length=16),
    Encr.AES_GCM_8: partial(ShortTagGcm, tag_length=8),
    Encr.AES_GCM_12: partial(ShortTagGcm, tag_length=12),
    Encr.AES_GCM_16: AESGCM,
    Encr.CHACHA20_POLY1305: ChaCha20Poly1305,
}
MODES: dict[Encr, Callable[[bytes, bytes], CBC | CTR]] = {Encr.AES_CBC: _cbc, Encr.AES_CTR: _ctr}
"""By salt and IV; the others take a key."""


def _unpadded(padded: bytes) -> bytes:
    """What is before padding and pad length; the padding itself may hold anything."""
    padding = padded[-1]
    if padding >= len(padded):
        raise Discard(f"padding of {padding} octets in {len(padded)}")
    return padded[: len(padded) - 1 - padding]
