from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config.errors import Refused
from edgevpn.config.keywords import KEYWORDS, Role
from edgevpn.config.proposals import LEGACY_ESP, LEGACY_IKE, Proposal, cipher, esp_proposal, ike_proposal

BOTH = ("esn", "noesn")

IKE = {
    "aes256gcm16-prfsha384-x25519": Proposal(("aes256gcm16",), ("prfsha384",), (), ("x25519",), ()),
    "aes256-sha256-modp2048": Proposal(("aes256",), ("prfsha256",), ("sha256",), ("modp2048",), ()),
    "aes256-sha256-prfsha512-modp2048": Proposal(("aes256",), ("prfsha512",), ("sha256",), ("modp2048",), ()),
    "aes256gcm16-sha256-ecp256": Proposal(("aes256gcm16",), ("prfsha256",), (), ("ecp256",), ()),
    " AES256GCM128-prfsha256-Curve25519 ": Proposal(("aes256gcm16",), ("prfsha256",), (), ("x25519",), ()),
    "aes256gcm16-prfsha384-x25519-ke2_ecp384-ke1_mlkem768-ke1_none": Proposal(
        ("aes256gcm16",), ("prfsha384",), (), ("x25519",), (), ("ke1_mlkem768", "ke1_none", "ke2_ecp384")
    ),
    "aes256-aes128-sha512-sha256-x25519-ecp384": Proposal(
        ("aes256", "aes128"), ("prfsha512", "prfsha256"), ("sha512", "sha256"), ("x25519", "ecp384"), ()
    ),
}

ESP = {
    "aes256gcm16": Proposal(("aes256gcm16",), (), (), (), BOTH),
    "aes256gcm16-x25519-none-noesn": Proposal(("aes256gcm16",), (), (), ("x25519", "none"), ("noesn",)),
    "aes128-sha256-esn": Proposal(("aes128",), (), ("sha256",), (), ("esn",)),
    "aes256gcm16-x25519-ke1_mlkem768": Proposal(("aes256gcm16",), (), (), ("x25519",), BOTH, ("ke1_mlkem768",)),
    "chacha20poly1305-none": Proposal(("chacha20poly1305",), (), (), (), BOTH),
}

IKE_REFUSED = {
    "": '"" is no algorithm that we know',
    "aes256gcm16--x25519": '"" is no algorithm that we know',
    "prfsha256-x25519": "no cipher is named",
    "aes256gcm16-x25519": "no PRF is named",
    "aes256gcm16-prfsha256": "no key exchange is named",
    "aes256-prfsha256-x25519": "no integrity algorithm is named",
    "aes256-aes256gcm16-sha256-x25519": "AEAD ciphers and others cannot share a proposal",
    "aes256gcm16-sha256-prfsha256-x25519": "an AEAD cipher has its own integrity check",
    "aes256-sha256-x25519-none": "IKE cannot do without a key exchange",
    "aes256-sha256-x25519-esn": "sequence numbers are chosen for ESP",
    "aes256-sha256-x25519-curve25519": '"x25519" stands twice',
    "aes256-sha256-modp1024": '"modp1024" is refused: groups below 2048 bits can be computed by an observer',
    "3des-sha256-modp2048": '"3des" is refused: 3DES has 64-bit blocks that repeat within one busy hour',
    "aes256gcm16-prfsha384-ke1_mlkem768": "no key exchange is named",
    "aes256gcm16-prfsha384-mlkem768": '"mlkem768" is no algorithm that we know',
    "aes256-md5-modp2048": '"md5" is refused: MD5 is broken',
}

ESP_REFUSED = {
    "x25519": "no cipher is named",
    "aes256": "no integrity algorithm is named",
    "aes256gcm16-sha256": "an AEAD cipher has its own integrity check",
    "aes256gcm16-prfsha256": "ESP has no PRF",
    "aes256gcm16-ke1_mlkem768": "additional key exchanges come after a first one",
    "aes256gcm16-x25519-none-ke1_mlkem768": "additional key exchanges come after a first one",
    "null-sha256": '"null" is refused: NULL does not encrypt',
    "des-sha256": '"des" is refused: DES keys can be tried out',
}


@pytest.mark.parametrize("text", IKE)
def test_ike_proposal(text: str) -> None:
    assert ike_proposal(text) == IKE[text]


@pytest.mark.parametrize("text", ESP)
def test_esp_proposal(text: str) -> None:
    assert esp_proposal(text) == ESP[text]


@pytest.mark.parametrize("text", IKE_REFUSED)
def test_ike_refuses(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        ike_proposal(text)
    assert refusal.value.fault == IKE_REFUSED[text]


@pytest.mark.parametrize("text", ESP_REFUSED)
def test_esp_refuses(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        esp_proposal(text)
    assert refusal.value.fault == ESP_REFUSED[text]


def test_misspelling_is_recognised() -> None:
    with pytest.raises(Refused) as refusal:
        esp_proposal("aes256gcm17")
    assert refusal.value.cure == 'did you mean "aes256gcm16"?'


def test_weaknesses_are_said_once() -> None:
    assert len(ike_proposal("aes256-sha1-modp2048").weaknesses) == 1
    assert ike_proposal("aes256-sha256-modp2048").weaknesses == ()


def some(role: Role, *, aead: bool | None = None, least: int = 0) -> st.SearchStrategy[list[str]]:
    words = [
        word
        for word, keyword in KEYWORDS.items()
        if keyword.role is role and aead in (None, keyword.aead) and word != "none"
    ]
    return st.lists(st.sampled_from(words), min_size=least, max_size=3, unique=True)


AEAD = some(Role.ENCR, aead=True, least=1)
WITH_INTEG = st.tuples(some(Role.ENCR, aead=False, least=1), some(Role.INTEG, least=1)).map(
    lambda both: both[0] + both[1]
)


@given(st.one_of(AEAD, WITH_INTEG), some(Role.PRF, least=1), some(Role.KE, least=1), st.randoms(use_true_random=False))
def test_ike_proposal_is_read_back(ciphers: list[str], prf: list[str], ke: list[str], order: Random) -> None:
    """In whatever order the kinds of algorithm are mixed."""
    words = ciphers + prf + ke
    order.shuffle(words)
    proposal = ike_proposal("-".join(words))
    assert sorted(proposal.keywords) == sorted(words)
    assert ike_proposal(str(proposal)) == proposal


@given(st.one_of(AEAD, WITH_INTEG), some(Role.KE), some(Role.ESN))
def test_esp_proposal_is_read_back(ciphers: list[str], ke: list[str], esn: list[str]) -> None:
    proposal = esp_proposal("-".join(ciphers + ke + esn))
    assert esp_proposal(str(proposal)) == proposal


def test_ciphers_alone() -> None:
    assert cipher(" AES256GCM128 ") == "aes256gcm16"
    for word, fault in (
        ("sha256", '"sha256" is no cipher but an integrity algorithm'),
        ("esn", '"esn" is no cipher but a sequence numbers'),
    ):
        with pytest.raises(Refused) as refusal:
            cipher(word)
        assert refusal.value.fault == fault


def test_legacy_is_weak() -> None:
    assert any("2048 bits" in each for each in LEGACY_IKE.weaknesses)
    assert any("SHA-1" in each for each in LEGACY_ESP.weaknesses)
