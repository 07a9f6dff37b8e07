import pytest

from edgevpn.config.credential import PASSWORD_HASH_SHAPE, NtHashKeys, PasswordKeys, PpkKeys, PskKeys, WebKeys
from edgevpn.config.errors import Refused
from edgevpn.config.setting import settings_of

REFUSED_HASHES = [
    "hunter2",
    "$2b$12$abcdefghijklmnopqrstuv",
    "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0",
    "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$short",
    "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$" + "A" * 1000,
]


def test_what_is_written_inline_is_secret_and_the_way_to_it_is_not() -> None:
    for record in (PskKeys, PpkKeys, PasswordKeys, NtHashKeys, WebKeys):
        for key, setting in settings_of(record).items():
            assert setting.secret == (not key.endswith(("_file", "_env")))


@pytest.mark.parametrize("written", REFUSED_HASHES)
def test_hashes_that_are_none(written: str) -> None:
    with pytest.raises(Refused):
        PASSWORD_HASH_SHAPE.read(written)


@pytest.mark.parametrize("written", ["two\nlines", "", "tab\t", "nul\0"])
def test_a_password_is_one_line(written: str) -> None:
    with pytest.raises(Refused):
        settings_of(PasswordKeys)["password"].kind.read(written)
