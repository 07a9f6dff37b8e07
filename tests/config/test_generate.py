from random import Random

from edgevpn.config.generate import ALPHABET, new_password, new_psk


def test_characters_are_equally_likely_and_told_apart() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 32
    assert not set("l1o0") & set(ALPHABET)
    made = new_psk(lambda count: bytes(range(count)))
    assert made == ALPHABET


def test_password_in_groups() -> None:
    assert new_password(lambda count: bytes(range(count))) == "abcd-efgh-ijkm-npqr-stuv"
    assert new_password(lambda count: bytes(count)) == new_password(lambda count: bytes([32] * count))


def test_no_two_are_the_same() -> None:
    chance = Random(1)
    assert (
        len({new_psk(chance.randbytes) for _ in range(100)} | {new_password(chance.randbytes) for _ in range(100)})
        == 200
    )
    assert len(new_psk(chance.randbytes)) == 32
