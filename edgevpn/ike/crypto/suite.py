"""The algorithms that we know, by their numbers and sizes, and the suites of them that protect an IKE or CHILD SA.

What to think of an algorithm is told by RFC 8247 for IKE and RFC 8221 for ESP. It is either supported, or supported
but weak, and then used only where the owner has named it, or refused and known only so that we can say why.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto import mlkem
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, TransformType

TransformId = Encr | Prf | Integ | Ke | Esn


@dataclass(frozen=True, slots=True)
class Cipher:
    """Sizes of an encryption algorithm in octets.

    `key_sizes` maps each Key Length attribute in bits, 0 for a transform without one, to the size of the key. The
    salt, which RFC 3686 calls nonce, follows the key in the keying material. Only an AEAD has an ICV of its own.
    """

    key_sizes: Mapping[int, int]
    salt_length: int
    iv_length: int
    block_length: int = 1
    icv_length: int = 0

    @property
    def is_aead(self) -> bool:
        """True if it protects integrity by itself, so that no integrity algorithm goes with it (RFC 5282 §8)."""
        return self.icv_length > 0

    @property
    def counter_iv(self) -> bool:
        """True if an IV must only never come twice; False if nobody may foresee it either (CBC)."""
        return self.salt_length > 0

    def key_length(self, key_bits: int) -> int:
        """Octets of keying material, salt included, for a Key Length attribute."""
        return self.key_sizes[key_bits] + self.salt_length


@dataclass(frozen=True, slots=True)
class Integrity:
    """Sizes of an integrity algorithm in octets."""

    key_length: int
    icv_length: int


AES_KEYS: Mapping[int, int] = MappingProxyType({128: 16, 192: 24, 256: 32})
CHACHA20_KEY: Mapping[int, int] = MappingProxyType({0: 32})

CIPHERS: Mapping[Encr, Cipher] = {
    Encr.AES_CBC: Cipher(AES_KEYS, salt_length=0, iv_length=16, block_length=16),  # RFC 3602
    Encr.AES_CTR: Cipher(AES_KEYS, salt_length=4, iv_length=8),  # RFC 3686, RFC 5930
    Encr.AES_CCM_8: Cipher(AES_KEYS, salt_length=3, iv_length=8, icv_length=8),  # RFC 4309, RFC 5282
    Encr.AES_CCM_12: Cipher(AES_KEYS, salt_length=3, iv_length=8, icv_length=12),
    Encr.AES_CCM_16: Cipher(AES_KEYS, salt_length=3, iv_length=8, icv_length=16),
    Encr.AES_GCM_8: Cipher(AES_KEYS, salt_length=4, iv_length=8, icv_length=8),  # RFC 4106, RFC 5282
    Encr.AES_GCM_12: Cipher(AES_KEYS, salt_length=4, iv_length=8, icv_length=12),
    Encr.AES_GCM_16: Cipher(AES_KEYS, salt_length=4, iv_length=8, icv_length=16),
    Encr.CHACHA20_POLY1305: Cipher(CHACHA20_KEY, salt_length=4, iv_length=8, icv_length=16),  # RFC 7634
}

INTEGRITIES: Mapping[Integ, Integrity] = {
    Integ.NONE: Integrity(0, 0),
    Integ.HMAC_SHA1_96: Integrity(20, 12),  # RFC 2404
    Integ.AES_XCBC_96: Integrity(16, 12),  # RFC 3566
    Integ.AES_CMAC_96: Integrity(16, 12),  # RFC 4494
    Integ.HMAC_SHA2_256_128: Integrity(32, 16),  # RFC 4868
    Integ.HMAC_SHA2_384_192: Integrity(48, 24),
    Integ.HMAC_SHA2_512_256: Integrity(64, 32),
}

PRF_KEY_LENGTHS: Mapping[Prf, int] = {
    Prf.HMAC_SHA1: 20,
    Prf.AES128_XCBC: 16,  # RFC 4434
    Prf.HMAC_SHA2_256: 32,  # RFC 4868
    Prf.HMAC_SHA2_384: 48,
    Prf.HMAC_SHA2_512: 64,
    Prf.AES128_CMAC: 16,  # RFC 4615
}
"""Octets of the preferred key, RFC 7296 §2.13; with all of them also of the output."""

PUBLIC_LENGTHS: Mapping[Ke, int] = {
    Ke.MODP_1024: 128,  # RFC 2409 §6.2
    Ke.MODP_1536: 192,  # RFC 3526
    Ke.MODP_2048: 256,
    Ke.MODP_3072: 384,
    Ke.MODP_4096: 512,
    Ke.ECP_256: 64,  # RFC 5903 §7: x and y
    Ke.ECP_384: 96,
    Ke.ECP_521: 132,
    Ke.CURVE25519: 32,  # RFC 8031 §3.1
    Ke.CURVE448: 56,
}
"""Octets of Key Exchange Data; of ML-KEM, which differs by side, see `mlkem`."""

_SMALL_BLOCKS = "its 64-bit blocks repeat within one busy hour"
_SMALL_GROUP = "an observer with means can compute groups below 2048 bits"
_UNKNOWN_ORIGIN = "nobody can tell how its prime was made, and its subgroup is small"
_OLD_HASH = "SHA-1 is at the end of its life"

WEAKNESSES: Mapping[tuple[TransformType, int], str] = {
    (TransformType.ENCR, Encr.DES): "DES keys can be tried out",
    (TransformType.ENCR, Encr.TRIPLE_DES): _SMALL_BLOCKS,
    (TransformType.ENCR, Encr.CAST): _SMALL_BLOCKS,
    (TransformType.ENCR, Encr.BLOWFISH): _SMALL_BLOCKS,
    (TransformType.ENCR, Encr.NULL): "NULL does not encrypt",
    (TransformType.INTEG, Integ.HMAC_MD5_96): "MD5 is broken",
    (TransformType.INTEG, Integ.HMAC_SHA1_96): _OLD_HASH,
    (TransformType.PRF, Prf.HMAC_MD5): "MD5 is broken",
    (TransformType.PRF, Prf.HMAC_SHA1): _OLD_HASH,
    (TransformType.KE, Ke.MODP_768): "anyone can compute groups of 768 bits",
    (TransformType.KE, Ke.MODP_1024): _SMALL_GROUP,
    (TransformType.KE, Ke.MODP_1536): _SMALL_GROUP,
    (TransformType.KE, Ke.MODP_1024_160): _UNKNOWN_ORIGIN,
    (TransformType.KE, Ke.MODP_2048_224): _UNKNOWN_ORIGIN,
    (TransformType.KE, Ke.MODP_2048_256): _UNKNOWN_ORIGIN,
}


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A transform by its values. `key_length` is in bits, 0 where there is no such attribute."""

    transform_type: TransformType
    transform_id: TransformId
    key_length: int = 0


@dataclass(frozen=True, slots=True)
class IkeSuite:
    """What protects an IKE SA. `key_length` is the Key Length attribute in bits, 0 if the cipher has none.

    `additional` are the key exchanges after that of `ke`, in the order of their types (RFC 9370 §2.2.1).
    ValueError if an algorithm is not supported, or if an AEAD has an integrity algorithm or another cipher has none.
    """

    encr: Encr
    key_length: int
    integ: Integ
    prf: Prf
    ke: Ke
    additional: tuple[Algorithm, ...] = ()

    def __post_init__(self) -> None:
        _check(self.algorithms, self.encr, self.integ)
        if self.ke == Ke.NONE:
            raise ValueError("IKE cannot do without a key exchange")

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """The transforms of the suite."""
        return (
            Algorithm(TransformType.ENCR, self.encr, self.key_length),
            Algorithm(TransformType.INTEG, self.integ),
            Algorithm(TransformType.PRF, self.prf),
            Algorithm(TransformType.KE, self.ke),
            *self.additional,
        )

    @property
    def encr_key_length(self) -> int:
        """Octets of SK_ei and SK_er, salt included."""
        return CIPHERS[self.encr].key_length(self.key_length)

    @property
    def integ_key_length(self) -> int:
        """Octets of SK_ai and SK_ar."""
        return INTEGRITIES[self.integ].key_length


@dataclass(frozen=True, slots=True)
class ChildSuite:
    """What protects a CHILD SA. `key_length` and `additional` are as in IkeSuite; `ke` is NONE without PFS.

    ValueError if an algorithm is not supported, or if an AEAD has an integrity algorithm or another cipher has none.
    """

    encr: Encr
    key_length: int
    integ: Integ
    esn: bool
    ke: Ke = Ke.NONE
    additional: tuple[Algorithm, ...] = ()

    def __post_init__(self) -> None:
        _check(self.algorithms, self.encr, self.integ)

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """The transforms of the suite."""
        return (
            Algorithm(TransformType.ENCR, self.encr, self.key_length),
            Algorithm(TransformType.INTEG, self.integ),
            Algorithm(TransformType.KE, self.ke),
            *self.additional,
            Algorithm(TransformType.ESN, Esn(self.esn)),
        )

    @property
    def encr_key_length(self) -> int:
        """Octets of an encryption key, salt included, as the kernel takes it."""
        return CIPHERS[self.encr].key_length(self.key_length)

    @property
    def integ_key_length(self) -> int:
        """Octets of an integrity key."""
        return INTEGRITIES[self.integ].key_length


def is_supported(transform_type: TransformType, transform_id: int, key_length: int | None = None) -> bool:
    """True if we have the algorithm, be it weak; `key_length` in bits, None or 0 where there is no such attribute."""
    match transform_type:
        case TransformType.ENCR:
            cipher = CIPHERS.get(Encr(transform_id))
            return cipher is not None and (key_length or 0) in cipher.key_sizes
        case TransformType.PRF:
            known = transform_id in PRF_KEY_LENGTHS
        case TransformType.INTEG:
            known = transform_id in INTEGRITIES
        case kind if kind == TransformType.KE or kind.is_additional:
            known = transform_id in PUBLIC_LENGTHS or transform_id in mlkem.AVAILABLE or transform_id == Ke.NONE
        case TransformType.ESN:
            known = transform_id in (Esn.NO_ESN, Esn.ESN)
        case _:
            known = False
    return known and not key_length


def weakness(transform_type: TransformType, transform_id: int) -> str:
    """What is wrong with an algorithm, empty if nothing is."""
    return WEAKNESSES.get((transform_type, transform_id), "")


def _check(algorithms: tuple[Algorithm, ...], encr: Encr, integ: Integ) -> None:
    for each in algorithms:
        if not is_supported(each.transform_type, each.transform_id, each.key_length):
            raise ValueError(f"{each.transform_type.name} {each.transform_id.name} {each.key_length} is not supported")
    if CIPHERS[encr].is_aead != (integ == Integ.NONE):
        raise ValueError(f"cipher {encr.name} with integrity algorithm {integ.name}")
