from edgevpn.config.keywords import ADDITIONAL, ALGORITHMS, ALIASES, BROKEN, KEYWORDS, LEGACY, PRF_OF_INTEG, Role
from edgevpn.ike import iana

REGISTRY = {
    Role.ENCR: iana.Encr,
    Role.PRF: iana.Prf,
    Role.INTEG: iana.Integ,
    Role.KE: iana.Ke,
    Role.ESN: iana.Esn,
    **dict.fromkeys(ADDITIONAL, iana.Ke),
}


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


def test_additional_key_exchanges_are_those_and_ml_kem() -> None:
    """Written as strongSwan writes them, for each of seven places (RFC 9370)."""
    first = {word for word, keyword in KEYWORDS.items() if keyword.role is Role.KE}
    for place, role in enumerate(ADDITIONAL, 1):
        words = {word for word, keyword in KEYWORDS.items() if keyword.role is role}
        assert words == {f"ke{place}_{word}" for word in (*first, "mlkem768", "mlkem1024")}
    assert len(ADDITIONAL) == 7


def test_legacy_is_weak_and_apart() -> None:
    """Only the switch of a pool lets it in; as part of a proposal it is refused."""
    assert LEGACY.keys() <= BROKEN.keys()
    assert ALGORITHMS == {**KEYWORDS, **LEGACY}
    assert all(keyword.weak for keyword in LEGACY.values())
    assert all(keyword.registry_name in REGISTRY[keyword.role].__members__ for keyword in LEGACY.values())
