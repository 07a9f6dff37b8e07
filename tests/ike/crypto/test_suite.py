"""edgevpn.ike.crypto.suite."""

from __future__ import annotations

import pytest

from edgevpn.config.keywords import KEYWORDS, Role
from edgevpn.ike.crypto.dh import ECP_GROUPS
from edgevpn.ike.crypto.mlkem import AVAILABLE
from edgevpn.ike.crypto.modp import MODP_GROUPS
from edgevpn.ike.crypto.suite import (
    CIPHERS,
    INTEGRITIES,
    PRF_KEY_LENGTHS,
    PUBLIC_LENGTHS,
    WEAKNESSES,
    Algorithm,
    ChildSuite,
    IkeSuite,
    is_supported,
    weakness,
)
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, TransformType

ENCR, PRF, INTEG, KE, ESN = list(TransformType)[:5]

# Key material with its salt, IV, ICV, block; in octets, with the longest key. From the RFCs beside the table.
SIZES = {
    Encr.AES_CBC: (32, 16, 0, 16),  # RFC 3602 §2.4, §3
    Encr.AES_CTR: (36, 8, 0, 1),  # RFC 3686 §5.1, §3.1
    Encr.AES_CCM_8: (35, 8, 8, 1),  # RFC 4309 §7.1, §3.1
    Encr.AES_CCM_12: (35, 8, 12, 1),
    Encr.AES_CCM_16: (35, 8, 16, 1),
    Encr.AES_GCM_8: (36, 8, 8, 1),  # RFC 4106 §8.1, §3.1, §6
    Encr.AES_GCM_12: (36, 8, 12, 1),
    Encr.AES_GCM_16: (36, 8, 16, 1),
    Encr.CHACHA20_POLY1305: (36, 8, 16, 1),  # RFC 7634 §2
}


def test_sizes_of_ciphers() -> None:
    sizes = {
        encr: (cipher.key_length(max(cipher.key_sizes)), cipher.iv_length, cipher.icv_length, cipher.block_length)
        for encr, cipher in CIPHERS.items()
    }
    assert sizes == SIZES


def test_aes_has_three_key_lengths() -> None:
    assert {bits: CIPHERS[Encr.AES_CBC].key_length(bits) for bits in (128, 192, 256)} == {128: 16, 192: 24, 256: 32}
    assert list(CIPHERS[Encr.CHACHA20_POLY1305].key_sizes) == [0]


def test_ike_suite() -> None:
    suite = IkeSuite(Encr.AES_GCM_16, 192, Integ.NONE, Prf.HMAC_SHA2_512, Ke.ECP_521)
    assert suite.algorithms == (
        Algorithm(ENCR, Encr.AES_GCM_16, 192),
        Algorithm(INTEG, Integ.NONE),
        Algorithm(PRF, Prf.HMAC_SHA2_512),
        Algorithm(KE, Ke.ECP_521),
    )
    assert (suite.encr_key_length, suite.integ_key_length) == (28, 0)


def test_suites_with_additional_key_exchanges() -> None:
    more = (Algorithm(TransformType.ADDKE1, Ke.ECP_384), Algorithm(TransformType.ADDKE3, Ke.CURVE448))
    ike = IkeSuite(Encr.AES_GCM_16, 192, Integ.NONE, Prf.HMAC_SHA2_512, Ke.ECP_521, more)
    child = ChildSuite(Encr.AES_GCM_16, 192, Integ.NONE, esn=False, ke=Ke.ECP_521, additional=more)
    assert ike.algorithms[-3:] == (Algorithm(KE, Ke.ECP_521), *more)
    assert child.algorithms[-4:-1] == (Algorithm(KE, Ke.ECP_521), *more)


def test_child_suite() -> None:
    suite = ChildSuite(Encr.AES_CBC, 128, Integ.HMAC_SHA2_384_192, esn=True)
    assert suite.algorithms == (
        Algorithm(ENCR, Encr.AES_CBC, 128),
        Algorithm(INTEG, Integ.HMAC_SHA2_384_192),
        Algorithm(KE, Ke.NONE),
        Algorithm(ESN, Esn.ESN),
    )
    assert (suite.encr_key_length, suite.integ_key_length) == (16, 48)


NO_IKE_SUITE = {
    "AEAD and integrity": (Encr.AES_GCM_16, 256, Integ.HMAC_SHA2_256_128, Prf.HMAC_SHA2_256, Ke.CURVE25519),
    "no integrity at all": (Encr.AES_CBC, 256, Integ.NONE, Prf.HMAC_SHA2_256, Ke.CURVE25519),
    "no key exchange": (Encr.AES_GCM_16, 256, Integ.NONE, Prf.HMAC_SHA2_256, Ke.NONE),
    "cipher unknown": (Encr.TRIPLE_DES, 0, Integ.HMAC_SHA1_96, Prf.HMAC_SHA1, Ke.MODP_2048),
    "key length unknown": (Encr.AES_CBC, 512, Integ.HMAC_SHA1_96, Prf.HMAC_SHA1, Ke.MODP_2048),
    "key length missing": (Encr.AES_CBC, 0, Integ.HMAC_SHA1_96, Prf.HMAC_SHA1, Ke.MODP_2048),
    "key length of a cipher without": (Encr.CHACHA20_POLY1305, 256, Integ.NONE, Prf.HMAC_SHA1, Ke.MODP_2048),
    "integrity unknown": (Encr.AES_CBC, 128, Integ.HMAC_MD5_96, Prf.HMAC_SHA1, Ke.MODP_2048),
    "prf unknown": (Encr.AES_CBC, 128, Integ.HMAC_SHA1_96, Prf.HMAC_MD5, Ke.MODP_2048),
    "method unknown": (Encr.AES_CBC, 128, Integ.HMAC_SHA1_96, Prf.HMAC_SHA1, Ke.MODP_768),
}


@pytest.mark.parametrize("algorithms", NO_IKE_SUITE.values(), ids=NO_IKE_SUITE)
def test_no_ike_suite(algorithms: tuple[Encr, int, Integ, Prf, Ke]) -> None:
    with pytest.raises(ValueError, match=r"supported|with integrity|cannot do without"):
        IkeSuite(*algorithms)


def test_no_child_suite() -> None:
    with pytest.raises(ValueError, match="AES_GCM_16 with integrity algorithm HMAC_SHA1_96"):
        ChildSuite(Encr.AES_GCM_16, 128, Integ.HMAC_SHA1_96, esn=False)
    with pytest.raises(ValueError, match="AES_CTR with integrity algorithm NONE"):
        ChildSuite(Encr.AES_CTR, 128, Integ.NONE, esn=False)
    with pytest.raises(ValueError, match="KE ECP_192 0 is not supported"):
        ChildSuite(Encr.AES_GCM_16, 128, Integ.NONE, esn=False, ke=Ke.ECP_192)


SUPPORT = [
    (ENCR, Encr.AES_GCM_16, 256, True),
    (ENCR, Encr.AES_GCM_16, None, False),
    (ENCR, Encr.CHACHA20_POLY1305, None, True),
    (ENCR, Encr.CAMELLIA_CBC, 256, False),
    (ENCR, 4711, None, False),
    (PRF, Prf.AES128_XCBC, None, True),
    (PRF, Prf.HMAC_MD5, None, False),
    (PRF, Prf.HMAC_SHA1, 160, False),
    (INTEG, Integ.HMAC_SHA1_96, None, True),
    (INTEG, Integ.NONE, None, True),
    (INTEG, Integ.DES_MAC, None, False),
    (KE, Ke.MODP_1024, None, True),
    (KE, Ke.NONE, None, True),
    (KE, Ke.MODP_2048_256, None, False),
    (ESN, Esn.ESN, None, True),
    (ESN, 2, None, False),
    (KE, Ke.ML_KEM_768, None, Ke.ML_KEM_768 in AVAILABLE),
    (TransformType.ADDKE1, Ke.ML_KEM_768, None, Ke.ML_KEM_768 in AVAILABLE),
    (TransformType.ADDKE7, Ke.ECP_384, None, True),
    (TransformType.ADDKE1, Ke.NONE, None, True),
    (TransformType.ADDKE1, Ke.ML_KEM_512, None, False),
    (TransformType(99), 1, None, False),
]


@pytest.mark.parametrize(("transform_type", "transform_id", "key_length", "supported"), SUPPORT)
def test_support(transform_type: TransformType, transform_id: int, key_length: int | None, supported: bool) -> None:
    assert is_supported(transform_type, transform_id, key_length) is supported


def test_what_may_be_configured_is_supported() -> None:
    """The registry names of the keywords are ours; ML-KEM alone depends on the library."""
    registries = {Role.ENCR: (ENCR, Encr), Role.PRF: (PRF, Prf), Role.INTEG: (INTEG, Integ), Role.ESN: (ESN, Esn)}
    for keyword in KEYWORDS.values():
        transform_type, registry = registries.get(keyword.role, (TransformType[keyword.role.name], Ke))
        number = registry[keyword.registry_name]
        there = not number.name.startswith("ML_KEM") or number in AVAILABLE
        assert is_supported(transform_type, number, keyword.key_bits) is there


def test_every_method_can_be_carried_out() -> None:
    assert PUBLIC_LENGTHS.keys() == MODP_GROUPS.keys() | ECP_GROUPS.keys() | {Ke.CURVE25519, Ke.CURVE448}


def test_weaknesses_are_told() -> None:
    assert "repeat" in weakness(ENCR, Encr.TRIPLE_DES)
    assert "SHA-1" in weakness(PRF, Prf.HMAC_SHA1)
    assert "2048" in weakness(KE, Ke.MODP_1024)
    assert weakness(ENCR, Encr.AES_GCM_16) == ""
    assert weakness(KE, 4711) == ""


def test_nothing_is_refused_without_a_word() -> None:
    """Each algorithm that old peers like to offer, and that we have not, has its reason."""
    offered = [(ENCR, Encr.DES), (ENCR, Encr.TRIPLE_DES), (ENCR, Encr.NULL), (INTEG, Integ.HMAC_MD5_96)]
    offered += [(PRF, Prf.HMAC_MD5), (KE, Ke.MODP_768), (KE, Ke.MODP_2048_256)]
    assert all(not is_supported(*algorithm) and weakness(*algorithm) for algorithm in offered)


def test_weak_but_supported() -> None:
    """These work where the owner asks for them by name."""
    weak = {(kind, number) for kind, number in WEAKNESSES if is_supported(kind, number)}
    assert weak == {(INTEG, Integ.HMAC_SHA1_96), (PRF, Prf.HMAC_SHA1), (KE, Ke.MODP_1024), (KE, Ke.MODP_1536)}


def test_every_supported_algorithm_is_in_its_registry() -> None:
    for table, registry in ((CIPHERS, Encr), (INTEGRITIES, Integ), (PRF_KEY_LENGTHS, Prf), (PUBLIC_LENGTHS, Ke)):
        assert set(table) <= set(registry)
