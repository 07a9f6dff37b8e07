"""Signatures of OpenWrt's usign: Ed25519 keys and signatures in two lines of text."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# struct seckey { char pkalg[2], kdfalg[2]; uint32_t kdfrounds;
#                 uint8_t salt[16], checksum[8], fingerprint[8], seckey[64]; }
SECRET = Struct(">2s2sI16s8s8s64s")
# struct pubkey { char pkalg[2]; uint8_t fingerprint[8], pubkey[32]; }
PUBLIC = Struct(">2s8s32s")
# struct sig { char pkalg[2]; uint8_t fingerprint[8], sig[64]; }
SIGNATURE = Struct(">2s8s64s")
ALGORITHM, NO_KDF = b"Ed", b"BK"


class NoSigningKey(Exception):  # noqa: N818 - named for what the user sees
    """The file holds no secret key of usign without a passphrase."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair of usign."""

    fingerprint: bytes
    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """A new one."""
        return cls(secrets.token_bytes(8), secrets.token_bytes(32))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The one in a file. Raises NoSigningKey."""
        lines = path.read_text().splitlines()
        octets = b64decode(lines[1]) if len(lines) > 1 else b""
        if len(octets) != SECRET.size:
            raise NoSigningKey(f"{path} is no secret key of usign")
        algorithm, kdf, rounds, _, _, fingerprint, key = SECRET.unpack(octets)
        if (algorithm, kdf, rounds) != (ALGORITHM, NO_KDF, 0):
            raise NoSigningKey(f"{path} has a passphrase, or another algorithm; make a key with: usign -G")
        return cls(fingerprint, key[:32])

    @property
    def name(self) -> str:
        """What the public key is called below /etc/opkg/keys."""
        return self.fingerprint.hex()

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def _public(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def secret_text(self) -> str:
        """The file for the one who signs."""
        key = self.seed + self._public
        checksum = hashlib.sha512(key).digest()[:8]
        return self._text("secret", SECRET.pack(ALGORITHM, NO_KDF, 0, bytes(16), checksum, self.fingerprint, key))

    def public_text(self) -> str:
        """The file for routers."""
        return self._text("public", PUBLIC.pack(ALGORITHM, self.fingerprint, self._public))

    def signature_text(self, content: bytes) -> str:
        """Packages.sig for Packages."""
        signature = SIGNATURE.pack(ALGORITHM, self.fingerprint, self._private.sign(content))
        return f"untrusted comment: signed by key {self.name}\n{b64encode(signature).decode()}\n"

    def _text(self, kind: str, octets: bytes) -> str:
        return f"untrusted comment: {kind} key {self.name}\n{b64encode(octets).decode()}\n"
