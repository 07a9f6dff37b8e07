"""ML-KEM as a key exchange method, FIPS 203, draft-ietf-ipsecme-ikev2-mlkem: where the library has it.

The initiator's Key Exchange Data is an encapsulation key, the responder's the ciphertext that it has made with that.
`cryptography` has ML-KEM-768 and ML-KEM-1024 from 47.0 on, over an OpenSSL or AWS-LC that has them too; where it has
not, `AVAILABLE` is empty and nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from cryptography.exceptions import UnsupportedAlgorithm

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import Ke

try:
    from cryptography.hazmat.primitives.asymmetric.mlkem import (
        MLKEM768PrivateKey,
        MLKEM768PublicKey,
        MLKEM1024PrivateKey,
        MLKEM1024PublicKey,
    )

    MLKEM768PrivateKey.from_seed_bytes(bytes(64))  # the library under it may lack what it has
    AVAILABLE = frozenset((Ke.ML_KEM_768, Ke.ML_KEM_1024))
except (ImportError, UnsupportedAlgorithm):  # pragma: no cover - depends on the library
    AVAILABLE = frozenset()

SEED = 64  # octets: d and z of FIPS 203 §7.1


@dataclass(frozen=True, slots=True)
class MlKemKeyPair:
    """The initiator's decapsulation key; what the peer answers to `public` is a ciphertext."""

    public: bytes
    decapsulate: Callable[[bytes], bytes] = field(repr=False)

    @classmethod
    def generate(cls, ke: Ke, entropy: Callable[[int], bytes]) -> MlKemKeyPair:
        private = MLKEM1024PrivateKey if ke == Ke.ML_KEM_1024 else MLKEM768PrivateKey
        key = private.from_seed_bytes(entropy(SEED))
        return cls(key.public_key().public_bytes_raw(), key.decapsulate)

    def shared_secret(self, ciphertext: bytes) -> bytes:
        """InvalidSyntax for a wrong length alone: another ciphertext leads to another secret (FIPS 203 §6.3)."""
        try:
            return self.decapsulate(ciphertext)
        except ValueError as error:
            raise InvalidSyntax(f"ciphertext of {len(ciphertext)} octets") from error


def encapsulate(ke: Ke, public: bytes) -> tuple[bytes, bytes]:
    """A ciphertext for this encapsulation key and the shared secret in it; InvalidSyntax if it is none (§7.2).

    The library draws the secret itself, and takes none from us.
    """
    kind = MLKEM1024PublicKey if ke == Ke.ML_KEM_1024 else MLKEM768PublicKey
    try:
        key = kind.from_public_bytes(public)
    except ValueError as error:
        raise InvalidSyntax(f"{len(public)} octets that are no encapsulation key of {ke.name}") from error
    secret, ciphertext = key.encapsulate()
    return ciphertext, secret
