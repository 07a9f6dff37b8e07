"""edgevpn.ike.crypto.names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.config.keywords import ADDITIONAL, KEYWORDS, Role
from edgevpn.config.proposals import esp_proposal, ike_proposal
from edgevpn.ike import iana
from edgevpn.ike.crypto.names import algorithm_name, suite_name, weak_points
from edgevpn.ike.crypto.suite import CIPHERS, Algorithm, ChildSuite, IkeSuite, TransformId
from edgevpn.ike.iana import Encr, Integ, Ke, Prf, TransformType

REGISTRY: dict[Role, type[TransformId]] = {
    Role.ENCR: iana.Encr,
    Role.PRF: iana.Prf,
    Role.INTEG: iana.Integ,
    Role.KE: iana.Ke,
    Role.ESN: iana.Esn,
    **dict.fromkeys(ADDITIONAL, iana.Ke),
}


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_an_algorithm_is_called_as_the_owner_writes_it(keyword: str) -> None:
    """What a log names can be copied into the configuration."""
    role, name, bits = KEYWORDS[keyword].role, KEYWORDS[keyword].registry_name, KEYWORDS[keyword].key_bits
    assert algorithm_name(TransformType[role.name], REGISTRY[role][name], bits) == keyword


NAMES: dict[str, tuple[TransformType, TransformId | int, int | None]] = {
    "3des": (TransformType.ENCR, Encr.TRIPLE_DES, None),
    "modp1024": (TransformType.KE, Ke.MODP_1024, None),
    "camellia256": (TransformType.ENCR, Encr.CAMELLIA_CBC, 256),
    "ENCR AES_CBC": (TransformType.ENCR, Encr.AES_CBC, None),
    "ENCR CHACHA20_POLY1305 256": (TransformType.ENCR, Encr.CHACHA20_POLY1305, 256),
    "ENCR UNKNOWN_77 128": (TransformType.ENCR, Encr(77), 128),
    "mlkem768": (TransformType.KE, Ke.ML_KEM_768, None),
    "ke1_mlkem512": (TransformType.ADDKE1, Ke.ML_KEM_512, None),
    "KE UNKNOWN_38": (TransformType.KE, Ke(38), None),
    "INTEG NONE": (TransformType.INTEG, Integ.NONE, None),
    "UNKNOWN_99 5": (TransformType(99), 5, None),
}


@pytest.mark.parametrize(("name", "algorithm"), NAMES.items(), ids=NAMES)
def test_other_algorithms(name: str, algorithm: tuple[TransformType, TransformId | int, int | None]) -> None:
    """What peers may offer and no configuration asks for, so that a refusal can name it."""
    assert algorithm_name(*algorithm) == name


def test_no_two_algorithms_share_a_name() -> None:
    algorithms = [(TransformType.ENCR, encr, bits) for encr, cipher in CIPHERS.items() for bits in cipher.key_sizes]
    assert len({algorithm_name(*algorithm) for algorithm in algorithms}) == len(algorithms)


def test_suite_of_ike() -> None:
    aead = IkeSuite(Encr.AES_GCM_16, 256, Integ.NONE, Prf.HMAC_SHA2_384, Ke.CURVE25519)
    assert suite_name(aead) == str(ike_proposal(suite_name(aead))) == "aes256gcm16-prfsha384-x25519"
    more = (Algorithm(TransformType.ADDKE1, Ke.ECP_384), Algorithm(TransformType.ADDKE7, Ke.CURVE448))
    assert suite_name(replace(aead, additional=more)) == "aes256gcm16-prfsha384-x25519-ke1_ecp384-ke7_x448"
    assert str(ike_proposal("aes256gcm16-prfsha384-x25519-ke1_ecp384")) == "aes256gcm16-prfsha384-x25519-ke1_ecp384"
    cbc = IkeSuite(Encr.AES_CBC, 128, Integ.HMAC_SHA1_96, Prf.HMAC_SHA1, Ke.MODP_2048)
    assert suite_name(cbc) == str(ike_proposal(suite_name(cbc))) == "aes128-sha1-prfsha1-modp2048"


def test_suite_of_a_child() -> None:
    plain = ChildSuite(Encr.CHACHA20_POLY1305, 0, Integ.NONE, esn=True)
    assert suite_name(plain) == str(esp_proposal(suite_name(plain))) == "chacha20poly1305-esn"
    pfs = ChildSuite(Encr.AES_CTR, 192, Integ.HMAC_SHA2_512_256, esn=False, ke=Ke.ECP_521)
    assert suite_name(pfs) == str(esp_proposal(suite_name(pfs))) == "aes192ctr-sha512-ecp521-noesn"


def test_weak_points() -> None:
    """Each is said once, whichever suite has it; a strong suite has none."""
    legacy = IkeSuite(Encr.AES_CBC, 256, Integ.HMAC_SHA1_96, Prf.HMAC_SHA1, Ke.MODP_1024)
    child = ChildSuite(Encr.AES_CBC, 256, Integ.HMAC_SHA1_96, esn=False)
    weak = weak_points(legacy, child)
    assert [each.partition(": ")[0] for each in weak] == ["sha1", "prfsha1", "modp1024"]
    assert all(each.partition(": ")[2] for each in weak)
    assert weak_points(ChildSuite(Encr.AES_GCM_16, 128, Integ.NONE, esn=True)) == ()
