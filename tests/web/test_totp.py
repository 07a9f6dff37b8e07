from __future__ import annotations

from base64 import b32encode

import pytest

from edgevpn.web.totp import NEVER, STEP, WrongCode, check, code, link, new_secret

SECRET = b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("now", "expected"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_published_vectors(now: int, expected: str) -> None:
    """RFC 6238 appendix B, the last six of eight digits."""
    assert code(SECRET, now // STEP) == expected


def test_clocks_may_differ_by_one_step() -> None:
    now = 59.0
    for step in (0, 1, 2):
        assert check(code(SECRET, step), SECRET, now, NEVER) == step
    with pytest.raises(WrongCode):
        check(code(SECRET, 3), SECRET, now, NEVER)


def test_each_code_counts_once() -> None:
    """RFC 6238 §5.2; nor does any before it."""
    used = check(code(SECRET, 2), SECRET, 60.0, NEVER)
    for step in (1, 2):
        with pytest.raises(WrongCode):
            check(code(SECRET, step), SECRET, 60.0, used)
    assert check(code(SECRET, 3), SECRET, 60.0, used) == 3


@pytest.mark.parametrize("given", ["", "28708", "2870820", "abcdef", "２８７０８２", " 287082"])
def test_what_is_no_code(given: str) -> None:
    with pytest.raises(WrongCode):
        check(given, SECRET, 59.0, NEVER)


def test_what_an_authenticator_reads() -> None:
    secret = new_secret(b"12345678901234567890")
    assert secret == SECRET
    assert link(secret, "router at home") == (
        f"otpauth://totp/edgevpn%3Arouter%20at%20home?secret={SECRET}&issuer=edgevpn"
    )
