"""The algorithm keywords of `ike_proposals` and `esp_proposals`, spelled as strongSwan spells them.

Each names its transform by the member of the IANA registry, so that whoever builds the transform needs no second
table: `Keyword(Role.ENCR, "AES_GCM_16", 256)` is ENCR transform AES_GCM_16 with a Key Length attribute of 256.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from edgevpn.frozen import dataclass, replace


class Role(Enum):
    """What a keyword chooses: one of the Transform Types 1 to 12."""

    ENCR = "cipher"
    PRF = "PRF"
    INTEG = "integrity algorithm"
    KE = "key exchange"
    ESN = "sequence numbers"
    ADDKE1 = "additional key exchange 1"
    ADDKE2 = "additional key exchange 2"
    ADDKE3 = "additional key exchange 3"
    ADDKE4 = "additional key exchange 4"
    ADDKE5 = "additional key exchange 5"
    ADDKE6 = "additional key exchange 6"
    ADDKE7 = "additional key exchange 7"


ADDITIONAL = tuple(role for role in Role if role.name.startswith("ADDKE"))
"""Key exchanges after the first, in their order (RFC 9370)."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """One algorithm. `key_bits` is 0 where the transform carries no Key Length; `weak` says what is wrong with it."""

    role: Role
    registry_name: str
    key_bits: int = 0
    aead: bool = False
    weak: str = ""


_SHA1 = "SHA-1 is at the end of its life; take sha256 as soon as the peer can"

_CIPHERS_AND_HASHES: Mapping[str, Keyword] = {
    "aes128gcm16": Keyword(Role.ENCR, "AES_GCM_16", 128, aead=True),
    "aes192gcm16": Keyword(Role.ENCR, "AES_GCM_16", 192, aead=True),
    "aes256gcm16": Keyword(Role.ENCR, "AES_GCM_16", 256, aead=True),
    "aes128gcm12": Keyword(Role.ENCR, "AES_GCM_12", 128, aead=True),
    "aes192gcm12": Keyword(Role.ENCR, "AES_GCM_12", 192, aead=True),
    "aes256gcm12": Keyword(Role.ENCR, "AES_GCM_12", 256, aead=True),
    "aes128gcm8": Keyword(Role.ENCR, "AES_GCM_8", 128, aead=True),
    "aes192gcm8": Keyword(Role.ENCR, "AES_GCM_8", 192, aead=True),
    "aes256gcm8": Keyword(Role.ENCR, "AES_GCM_8", 256, aead=True),
    "chacha20poly1305": Keyword(Role.ENCR, "CHACHA20_POLY1305", aead=True),
    "aes128": Keyword(Role.ENCR, "AES_CBC", 128),
    "aes192": Keyword(Role.ENCR, "AES_CBC", 192),
    "aes256": Keyword(Role.ENCR, "AES_CBC", 256),
    "aes128ctr": Keyword(Role.ENCR, "AES_CTR", 128),
    "aes192ctr": Keyword(Role.ENCR, "AES_CTR", 192),
    "aes256ctr": Keyword(Role.ENCR, "AES_CTR", 256),
    "sha256": Keyword(Role.INTEG, "HMAC_SHA2_256_128"),
    "sha384": Keyword(Role.INTEG, "HMAC_SHA2_384_192"),
    "sha512": Keyword(Role.INTEG, "HMAC_SHA2_512_256"),
    "sha1": Keyword(Role.INTEG, "HMAC_SHA1_96", weak=_SHA1),
    "prfsha256": Keyword(Role.PRF, "HMAC_SHA2_256"),
    "prfsha384": Keyword(Role.PRF, "HMAC_SHA2_384"),
    "prfsha512": Keyword(Role.PRF, "HMAC_SHA2_512"),
    "prfsha1": Keyword(Role.PRF, "HMAC_SHA1", weak=_SHA1),
    "prfaesxcbc": Keyword(Role.PRF, "AES128_XCBC"),
}
_KEY_EXCHANGES: Mapping[str, Keyword] = {
    "x25519": Keyword(Role.KE, "CURVE25519"),
    "ecp256": Keyword(Role.KE, "ECP_256"),
    "ecp384": Keyword(Role.KE, "ECP_384"),
    "ecp521": Keyword(Role.KE, "ECP_521"),
    "modp2048": Keyword(Role.KE, "MODP_2048"),
    "modp3072": Keyword(Role.KE, "MODP_3072"),
    "modp4096": Keyword(Role.KE, "MODP_4096"),
    "none": Keyword(Role.KE, "NONE"),
}
_ADDITIONAL_ALONE: Mapping[str, Keyword] = {  # too long for the first message, and too new to be the only one
    "mlkem768": Keyword(Role.KE, "ML_KEM_768"),
    "mlkem1024": Keyword(Role.KE, "ML_KEM_1024"),
}

KEYWORDS: Mapping[str, Keyword] = {
    **_CIPHERS_AND_HASHES,
    **_KEY_EXCHANGES,
    **{
        f"ke{place}_{word}": replace(keyword, role=role)
        for place, role in enumerate(ADDITIONAL, 1)
        for word, keyword in {**_KEY_EXCHANGES, **_ADDITIONAL_ALONE}.items()
    },
    "esn": Keyword(Role.ESN, "ESN"),
    "noesn": Keyword(Role.ESN, "NO_ESN"),
}

ALIASES: Mapping[str, str] = {
    "aes": "aes128",
    "aes128gcm": "aes128gcm16",
    "aes192gcm": "aes192gcm16",
    "aes256gcm": "aes256gcm16",
    "aes128gcm128": "aes128gcm16",
    "aes192gcm128": "aes192gcm16",
    "aes256gcm128": "aes256gcm16",
    "aes128gcm96": "aes128gcm12",
    "aes192gcm96": "aes192gcm12",
    "aes256gcm96": "aes256gcm12",
    "aes128gcm64": "aes128gcm8",
    "aes192gcm64": "aes192gcm8",
    "aes256gcm64": "aes256gcm8",
    "sha": "sha1",
    "sha2_256": "sha256",
    "sha2_384": "sha384",
    "sha2_512": "sha512",
    "curve25519": "x25519",
}

BROKEN: Mapping[str, str] = {
    "3des": "3DES has 64-bit blocks that repeat within one busy hour",
    "des": "DES keys can be tried out",
    "blowfish128": "Blowfish has 64-bit blocks that repeat within one busy hour",
    "cast128": "CAST has 64-bit blocks that repeat within one busy hour",
    "null": "NULL does not encrypt",
    "md5": "MD5 is broken",
    "prfmd5": "MD5 is broken",
    "modp768": "groups below 2048 bits can be computed by an observer",
    "modp1024": "groups below 2048 bits can be computed by an observer",
    "modp1536": "groups below 2048 bits can be computed by an observer",
    "modp1024s160": "groups below 2048 bits can be computed by an observer",
    "modp2048s224": "its subgroup is of unknown origin and small",
    "modp2048s256": "its subgroup is of unknown origin and small",
}
"""Known, and refused with the reason; RFC 8247, RFC 8221."""

LEGACY: Mapping[str, Keyword] = {"modp1024": Keyword(Role.KE, "MODP_1024", weak=BROKEN["modp1024"])}
"""What only the legacy switch of a pool lets in; no proposal of the file may name it."""

ALGORITHMS: Mapping[str, Keyword] = {**KEYWORDS, **LEGACY}
"""All that a `Proposal` can hold."""

PRF_OF_INTEG: Mapping[str, str] = {
    "sha1": "prfsha1",
    "sha256": "prfsha256",
    "sha384": "prfsha384",
    "sha512": "prfsha512",
}
"""The PRF that goes with an integrity algorithm where a proposal names no PRF of its own."""
