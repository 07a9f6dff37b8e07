from __future__ import annotations

import pytest

from edgevpn.config.credential import PASSWORD_HASH_SHAPE
from edgevpn.web.passwords import (
    CHEAPEST,
    DEAREST,
    NOBODYS,
    PATIENCE,
    Cost,
    UnfitPassword,
    WrongPassword,
    check,
    chosen_cost,
    fit,
    hashed,
)

SALT = b"NaCl"
CHEAP = Cost(4)
HASH = hashed("correct horse", SALT * 4, CHEAP)


def test_published_vector() -> None:
    """RFC 7914 §12, the second one, to its first 32 octets."""
    known = hashed("password", SALT, Cost(10, 8, 16))
    assert known == "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI"


def test_the_configuration_takes_it() -> None:
    assert PASSWORD_HASH_SHAPE.read(HASH) == HASH
    assert PASSWORD_HASH_SHAPE.read(NOBODYS) == NOBODYS


def test_right_and_wrong() -> None:
    check("correct horse", HASH)
    with pytest.raises(WrongPassword):
        check("correct horse ", HASH)


BROKEN = {
    "none": "",
    "another format": "$2b$12$abcdefghijklmnopqrstuv",
    "dearer than a router can bear": HASH.replace("ln=4", "ln=30"),
    "more blocks than a router can bear": HASH.replace("r=8", "r=99"),
    "nobody's": NOBODYS,
    "with more after it": HASH + "$",
    "without cost": HASH.replace("ln=4,", ""),
}


@pytest.mark.parametrize("stored", BROKEN.values(), ids=BROKEN)
def test_no_password_fits_what_is_no_hash(stored: str) -> None:
    """And the work is done all the same: how long it takes tells nothing."""
    for password in ("", "correct horse"):
        with pytest.raises(WrongPassword):
            check(password, stored)


@pytest.mark.parametrize(
    ("seconds", "log2_n"), [(0.01, DEAREST), (PATIENCE / 3, CHEAPEST + 1), (PATIENCE, CHEAPEST), (5.0, CHEAPEST)]
)
def test_as_dear_as_the_machine_bears(seconds: float, log2_n: int) -> None:
    assert chosen_cost(lambda _: seconds) == Cost(log2_n)


def test_what_can_be_a_password() -> None:
    assert fit("長い合言葉です。。") == "長い合言葉です。。"
    for unfit in ("short", "x" * 257, "with\na line", "with\0nothing"):
        with pytest.raises(UnfitPassword):
            fit(unfit)
