"""Algorithms by name, for configuration and logs: the proposal keywords of strongSwan, which engineers know.

aes256gcm16-prfsha384-x25519
aes256-aes128-sha256-modp2048
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edgevpn.ike.crypto.suite import AES_KEYS, CIPHERS, Algorithm, ChildSuite, IkeSuite, TransformId, weakness
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, TransformType

ENCR, PRF, INTEG, KE, ESN = (
    TransformType.ENCR,
    TransformType.PRF,
    TransformType.INTEG,
    TransformType.KE,
    TransformType.ESN,
)

KEYWORDS: Mapping[str, Algorithm] = {
    **{f"aes{bits}gcm16": Algorithm(ENCR, Encr.AES_GCM_16, bits) for bits in AES_KEYS},
    **{f"aes{bits}gcm12": Algorithm(ENCR, Encr.AES_GCM_12, bits) for bits in AES_KEYS},
    **{f"aes{bits}gcm8": Algorithm(ENCR, Encr.AES_GCM_8, bits) for bits in AES_KEYS},
    **{f"aes{bits}ccm16": Algorithm(ENCR, Encr.AES_CCM_16, bits) for bits in AES_KEYS},
    **{f"aes{bits}ccm12": Algorithm(ENCR, Encr.AES_CCM_12, bits) for bits in AES_KEYS},
    **{f"aes{bits}ccm8": Algorithm(ENCR, Encr.AES_CCM_8, bits) for bits in AES_KEYS},
    "chacha20poly1305": Algorithm(ENCR, Encr.CHACHA20_POLY1305),
    **{f"aes{bits}": Algorithm(ENCR, Encr.AES_CBC, bits) for bits in AES_KEYS},
    **{f"aes{bits}ctr": Algorithm(ENCR, Encr.AES_CTR, bits) for bits in AES_KEYS},
    "sha256": Algorithm(INTEG, Integ.HMAC_SHA2_256_128),
    "sha384": Algorithm(INTEG, Integ.HMAC_SHA2_384_192),
    "sha512": Algorithm(INTEG, Integ.HMAC_SHA2_512_256),
    "sha1": Algorithm(INTEG, Integ.HMAC_SHA1_96),
    "aesxcbc": Algorithm(INTEG, Integ.AES_XCBC_96),
    "aescmac": Algorithm(INTEG, Integ.AES_CMAC_96),
    "prfsha256": Algorithm(PRF, Prf.HMAC_SHA2_256),
    "prfsha384": Algorithm(PRF, Prf.HMAC_SHA2_384),
    "prfsha512": Algorithm(PRF, Prf.HMAC_SHA2_512),
    "prfsha1": Algorithm(PRF, Prf.HMAC_SHA1),
    "prfaesxcbc": Algorithm(PRF, Prf.AES128_XCBC),
    "prfaescmac": Algorithm(PRF, Prf.AES128_CMAC),
    "x25519": Algorithm(KE, Ke.CURVE25519),
    "x448": Algorithm(KE, Ke.CURVE448),
    "ecp256": Algorithm(KE, Ke.ECP_256),
    "ecp384": Algorithm(KE, Ke.ECP_384),
    "ecp521": Algorithm(KE, Ke.ECP_521),
    "modp1024": Algorithm(KE, Ke.MODP_1024),
    "modp1536": Algorithm(KE, Ke.MODP_1536),
    "modp2048": Algorithm(KE, Ke.MODP_2048),
    "modp3072": Algorithm(KE, Ke.MODP_3072),
    "modp4096": Algorithm(KE, Ke.MODP_4096),
    "none": Algorithm(KE, Ke.NONE),
    "esn": Algorithm(ESN, Esn.ESN),
    "noesn": Algorithm(ESN, Esn.NO_ESN),
}

REFUSED: Mapping[str, Algorithm] = {
    "des": Algorithm(ENCR, Encr.DES),
    "3des": Algorithm(ENCR, Encr.TRIPLE_DES),
    "cast128": Algorithm(ENCR, Encr.CAST, 128),
    "blowfish128": Algorithm(ENCR, Encr.BLOWFISH, 128),
    "null": Algorithm(ENCR, Encr.NULL),
    "md5": Algorithm(INTEG, Integ.HMAC_MD5_96),
    "prfmd5": Algorithm(PRF, Prf.HMAC_MD5),
    "modp768": Algorithm(KE, Ke.MODP_768),
    "modp1024s160": Algorithm(KE, Ke.MODP_1024_160),
    "modp2048s224": Algorithm(KE, Ke.MODP_2048_224),
    "modp2048s256": Algorithm(KE, Ke.MODP_2048_256),
}

PRF_OF_INTEG: Mapping[TransformId, Prf] = {
    Integ.HMAC_SHA1_96: Prf.HMAC_SHA1,
    Integ.AES_XCBC_96: Prf.AES128_XCBC,
    Integ.AES_CMAC_96: Prf.AES128_CMAC,
    Integ.HMAC_SHA2_256_128: Prf.HMAC_SHA2_256,
    Integ.HMAC_SHA2_384_192: Prf.HMAC_SHA2_384,
    Integ.HMAC_SHA2_512_256: Prf.HMAC_SHA2_512,
}
"""The PRF that a proposal means when it names an integrity algorithm and no PRF."""

_NAMES: Mapping[Algorithm, str] = {algorithm: word for word, algorithm in (*KEYWORDS.items(), *REFUSED.items())}


def algorithm_name(transform_type: TransformType, transform_id: TransformId, key_length: int | None = None) -> str:
    """The keyword, or type, registry name and key length of what has none: "aes256gcm16", "ENCR CAMELLIA_CBC 256"."""
    algorithm = Algorithm(transform_type, transform_id, key_length or 0)
    size = f" {key_length}" if key_length else ""
    return _NAMES.get(algorithm) or f"{transform_type.name} {transform_id.name}{size}"


def suite_name(suite: IkeSuite | ChildSuite) -> str:
    """The suite as a proposal that leaves no choice: "aes256gcm16-prfsha384-x25519"."""
    return "-".join(_NAMES[algorithm] for algorithm in suite.algorithms if algorithm in _NAMES)


def parse_ike_proposal(text: str) -> tuple[Algorithm, ...]:
    """The algorithms of a proposal for IKE by type, each type in order of preference.

    Without a PRF the one that goes with the integrity algorithm is meant; an AEAD may name it by that alone.
    ValueError says which word is wrong and what is allowed.
    """
    groups = _groups(text, (ENCR, INTEG, PRF, KE))
    _need(groups, KE)
    if not groups[PRF]:
        groups[PRF] = [Algorithm(PRF, PRF_OF_INTEG[each.transform_id]) for each in groups[INTEG]]
        if _is_aead(groups):
            groups[INTEG] = []
    _need(groups, PRF)
    if Algorithm(KE, Ke.NONE) in groups[KE]:
        raise ValueError('"none": IKE cannot do without a key exchange')
    return _checked(groups)


def parse_esp_proposal(text: str) -> tuple[Algorithm, ...]:
    """The algorithms of a proposal for ESP by type, each type in order of preference; no `KE` means no PFS.

    ValueError says which word is wrong and what is allowed.
    """
    return _checked(_groups(text, (ENCR, INTEG, KE, ESN)))


def parse_ike_suite(text: str) -> IkeSuite:
    """The suite of a proposal that leaves no choice. Raises ValueError."""
    encr, key_length, chosen = _single(text, parse_ike_proposal(text))
    return IkeSuite(encr, key_length, Integ(chosen.get(INTEG, 0)), Prf(chosen[PRF]), Ke(chosen[KE]))


def parse_child_suite(text: str) -> ChildSuite:
    """The suite of a proposal that leaves no choice; without "esn" there is none. Raises ValueError."""
    encr, key_length, chosen = _single(text, parse_esp_proposal(text))
    return ChildSuite(
        encr, key_length, Integ(chosen.get(INTEG, 0)), chosen.get(ESN) == Esn.ESN, Ke(chosen.get(KE, Ke.NONE))
    )


Groups = dict[TransformType, list[Algorithm]]


def _groups(text: str, allowed: Sequence[TransformType]) -> Groups:
    groups: Groups = {transform_type: [] for transform_type in allowed}
    for word in text.strip().lower().split("-"):
        algorithm = _algorithm(word, allowed)
        group = groups[algorithm.transform_type]
        if algorithm in group:
            raise ValueError(f'"{word}" stands twice')
        group.append(algorithm)
    _need(groups, ENCR)
    return groups


def _algorithm(word: str, allowed: Sequence[TransformType]) -> Algorithm:
    if word in REFUSED:
        refused = REFUSED[word]
        raise ValueError(f'"{word}" is refused: {weakness(refused.transform_type, refused.transform_id)}')
    if word not in KEYWORDS or KEYWORDS[word].transform_type not in allowed:
        raise ValueError(f'"{word[:40]}" is not allowed here; {_choices(allowed)} are')
    return KEYWORDS[word]


def _choices(allowed: Iterable[TransformType]) -> str:
    return ", ".join(word for word, algorithm in KEYWORDS.items() if algorithm.transform_type in allowed)


def _need(groups: Groups, transform_type: TransformType) -> None:
    if not groups[transform_type]:
        raise ValueError(f"no {transform_type.name} algorithm; add one of {_choices([transform_type])}")


def _is_aead(groups: Groups) -> bool:
    """Whether the ciphers are AEADs; ValueError if only some are."""
    kinds = {CIPHERS[Encr(each.transform_id)].is_aead for each in groups[ENCR]}
    if len(kinds) > 1:
        raise ValueError("AEAD ciphers and others cannot share a proposal; write two")
    return kinds.pop()


def _checked(groups: Groups) -> tuple[Algorithm, ...]:
    """All algorithms, if integrity is protected exactly once (RFC 5282 §8)."""
    if not _is_aead(groups):
        _need(groups, INTEG)
    elif groups[INTEG]:
        raise ValueError(f'"{_NAMES[groups[INTEG][0]]}": an AEAD cipher takes no integrity algorithm')
    return tuple(algorithm for group in groups.values() for algorithm in group)


def _single(text: str, algorithms: Sequence[Algorithm]) -> tuple[Encr, int, dict[TransformType, int]]:
    """The cipher, its key length, and the algorithm of each type; ValueError if any type has two."""
    chosen: dict[TransformType, int] = {each.transform_type: each.transform_id for each in algorithms}
    if len(chosen) != len(algorithms):
        raise ValueError(f'"{text}" leaves a choice')
    return Encr(chosen[ENCR]), algorithms[0].key_length, chosen
