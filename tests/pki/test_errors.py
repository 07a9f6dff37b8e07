from edgevpn.pki.errors import LONGEST_SHOWN, PkiError, Reason, shown


def test_says_what_is_wrong_where_and_what_helps() -> None:
    error = PkiError(Reason.EXPIRED, "CN=gw", "validity.notAfter", "2026-01-01", "issue a new one")
    assert str(error) == "CN=gw has expired (validity.notAfter: 2026-01-01); issue a new one"
    assert str(PkiError(Reason.DAMAGED, "issued.json")) == "issued.json is damaged"


def test_a_strangers_text_is_one_short_printable_line() -> None:
    assert shown("a\nb\x1b[31m\u202e") == "a\\nb\\x1b[31m\\u202e"
    assert shown("事務所") == "事務所"
    assert len(shown("x" * 64_000)) == LONGEST_SHOWN
    assert "\n" not in str(PkiError(Reason.BLOCKED, "CN=\n2027-01-01 INFO all is well"))
