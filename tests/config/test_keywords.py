from edgevpn.config.keywords import ALGORITHMS, ALIASES, BROKEN, KEYWORDS, LEGACY, PRF_OF_INTEG, Role
from edgevpn.ike import iana

REGISTRY = {Role.ENCR: iana.Encr, Role.PRF: iana.Prf, Role.INTEG: iana.Integ, Role.KE: iana.Ke, Role.ESN: iana.Esn}


def test_every_keyword_names_a_registered_transform() -> None:
    for keyword in KEYWORDS.values():
        assert keyword.registry_name in REGISTRY[keyword.role].__members__


def test_no_two_keywords_mean_the_same() -> None:
    assert len(set(KEYWORDS.values())) == len(KEYWORDS)


def test_aliases_lead_to_keywords() -> None:
    assert set(ALIASES.values()) <= KEYWORDS.keys()
    assert not ALIASES.keys() & KEYWORDS.keys()


def test_nothing_is_both_broken_and_taken() -> None:
    assert not BROKEN.keys() & (KEYWORDS.keys() | ALIASES.keys())


def test_every_integrity_algorithm_has_its_prf() -> None:
    assert PRF_OF_INTEG.keys() == {word for word, keyword in KEYWORDS.items() if keyword.role is Role.INTEG}
    assert all(KEYWORDS[prf].role is Role.PRF for prf in PRF_OF_INTEG.values())


def test_only_ciphers_are_aead_and_have_key_bits() -> None:
    for keyword in KEYWORDS.values():
        assert keyword.role is Role.ENCR or not (keyword.aead or keyword.key_bits)


def test_legacy_is_weak_and_apart() -> None:
    """Only the switch of a pool lets it in; as part of a proposal it is refused."""
    assert LEGACY.keys() <= BROKEN.keys()
    assert ALGORITHMS == {**KEYWORDS, **LEGACY}
    assert all(keyword.weak for keyword in LEGACY.values())
    assert all(keyword.registry_name in REGISTRY[keyword.role].__members__ for keyword in LEGACY.values())
