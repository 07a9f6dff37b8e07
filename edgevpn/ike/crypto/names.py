"""Algorithms by name, for logs, status and diagnosis: the proposal keywords of strongSwan, which engineers know."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from edgevpn.ike.crypto.suite import ChildSuite, IkeSuite, TransformId, weakness
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, TransformType

# Our own bound: thousands of sessions have few suites among them.
SUITES = 64

KE_WORDS: Mapping[int, str] = {
    Ke.CURVE25519: "x25519",
    Ke.CURVE448: "x448",
    Ke.ECP_192: "ecp192",
    Ke.ECP_224: "ecp224",
    Ke.ECP_256: "ecp256",
    Ke.ECP_384: "ecp384",
    Ke.ECP_521: "ecp521",
    Ke.MODP_768: "modp768",
    Ke.MODP_1024: "modp1024",
    Ke.MODP_1024_160: "modp1024s160",
    Ke.MODP_1536: "modp1536",
    Ke.MODP_2048: "modp2048",
    Ke.MODP_2048_224: "modp2048s224",
    Ke.MODP_2048_256: "modp2048s256",
    Ke.MODP_3072: "modp3072",
    Ke.MODP_4096: "modp4096",
    Ke.MODP_6144: "modp6144",
    Ke.MODP_8192: "modp8192",
    Ke.ML_KEM_512: "mlkem512",
    Ke.ML_KEM_768: "mlkem768",
    Ke.ML_KEM_1024: "mlkem1024",
    Ke.NONE: "none",
}
# "{}" is the place of the Key Length attribute, in bits.
WORDS: Mapping[TransformType, Mapping[int, str]] = {
    TransformType.ENCR: {
        Encr.AES_GCM_16: "aes{}gcm16",
        Encr.AES_GCM_12: "aes{}gcm12",
        Encr.AES_GCM_8: "aes{}gcm8",
        Encr.AES_CCM_16: "aes{}ccm16",
        Encr.AES_CCM_12: "aes{}ccm12",
        Encr.AES_CCM_8: "aes{}ccm8",
        Encr.CHACHA20_POLY1305: "chacha20poly1305",
        Encr.AES_CBC: "aes{}",
        Encr.AES_CTR: "aes{}ctr",
        Encr.CAMELLIA_CBC: "camellia{}",
        Encr.CAMELLIA_CTR: "camellia{}ctr",
        Encr.TRIPLE_DES: "3des",
        Encr.DES: "des",
        Encr.CAST: "cast{}",
        Encr.BLOWFISH: "blowfish{}",
        Encr.NULL: "null",
    },
    TransformType.INTEG: {
        Integ.HMAC_SHA2_256_128: "sha256",
        Integ.HMAC_SHA2_384_192: "sha384",
        Integ.HMAC_SHA2_512_256: "sha512",
        Integ.HMAC_SHA1_96: "sha1",
        Integ.AES_XCBC_96: "aesxcbc",
        Integ.AES_CMAC_96: "aescmac",
        Integ.HMAC_MD5_96: "md5",
    },
    TransformType.PRF: {
        Prf.HMAC_SHA2_256: "prfsha256",
        Prf.HMAC_SHA2_384: "prfsha384",
        Prf.HMAC_SHA2_512: "prfsha512",
        Prf.HMAC_SHA1: "prfsha1",
        Prf.AES128_XCBC: "prfaesxcbc",
        Prf.AES128_CMAC: "prfaescmac",
        Prf.HMAC_MD5: "prfmd5",
    },
    TransformType.KE: KE_WORDS,
    TransformType.ESN: {Esn.ESN: "esn", Esn.NO_ESN: "noesn"},
    **{
        kind: {number: f"ke{place}_{word}" for number, word in KE_WORDS.items()}
        for place, kind in enumerate((kind for kind in TransformType if kind.is_additional), 1)
    },
}


def algorithm_name(
    transform_type: TransformType, transform_id: TransformId | int, key_length: int | None = None
) -> str:
    """The keyword; type, registry name and key length where no keyword says it all: "ENCR AES_CBC", "KE ML_KEM_768"."""
    word = WORDS.get(transform_type, {}).get(transform_id)
    if word is not None and ("{}" in word) == bool(key_length):
        return word.format(key_length)
    registered = transform_id.name if isinstance(transform_id, Enum) else str(transform_id)
    size = f" {key_length}" if key_length else ""
    return f"{transform_type.name} {registered}{size}"


@lru_cache(SUITES)
def suite_name(suite: IkeSuite | ChildSuite) -> str:
    """The suite as a proposal that leaves no choice: "aes256gcm16-prfsha384-x25519"."""
    left_out = ((TransformType.INTEG, Integ.NONE), (TransformType.KE, Ke.NONE))
    return "-".join(
        algorithm_name(each.transform_type, each.transform_id, each.key_length)
        for each in suite.algorithms
        if (each.transform_type, each.transform_id) not in left_out
    )


@lru_cache(SUITES)
def weak_points(*suites: IkeSuite | ChildSuite) -> tuple[str, ...]:
    """What is weak in these suites, and why, each said once: "modp1024: an observer can compute ..."."""
    found = (
        (algorithm_name(each.transform_type, each.transform_id, each.key_length), why)
        for suite in suites
        for each in suite.algorithms
        if (why := weakness(each.transform_type, each.transform_id))
    )
    return tuple(dict.fromkeys(f"{name}: {why}" for name, why in found))
