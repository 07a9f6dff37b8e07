from pathlib import Path

import pytest

from edgevpn.config.credential import NtHash, Ppk, Psk, Secret
from edgevpn.config.errors import Findings, Problem
from edgevpn.config.secret import (
    LONGEST,
    NT_HASH,
    PASSWORD,
    PASSWORD_HASH,
    PPK,
    PSK,
    TOTP_SECRET,
    Slot,
    Sources,
    Stored,
    credential,
    one_of,
)

Any = Psk | Ppk | Secret | NtHash

HERE = ("site", "office")
NOTHING: Stored = {}
SECRET = "correct horse battery staple"


def read(
    environ: dict[str, str] | None = None,
    slots: tuple[Slot[Any], ...] = (PSK,),
    stored: Stored = NOTHING,
    **given: object,
) -> tuple[Any | None, Findings]:
    findings = Findings()
    return credential(slots, given, Sources(environ or {}, stored), HERE, findings), findings


def refused(
    environ: dict[str, str] | None = None,
    slots: tuple[Slot[Any], ...] = (PSK,),
    stored: Stored = NOTHING,
    **given: object,
) -> str:
    found, findings = read(environ, slots, stored, **given)
    assert found is None
    (problem,) = findings.errors
    return str(problem)


def key_file(folder: Path, content: bytes = SECRET.encode() + b"\n", mode: int = 0o600) -> Path:
    path = folder / "office.psk"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("written", "octets"),
    [
        (SECRET, SECRET.encode()),
        ("schlüssel und schloss", "schlüssel und schloss".encode()),
        ("0x000102030405060708090a0b0c0d0e0f", bytes(range(16))),
        ("0sAAECAwQFBgcICQoLDA0ODw==", bytes(range(16))),
        ("0X is text", b"0X is text"),
    ],
)
def test_inline(written: str, octets: bytes) -> None:
    psk, findings = read(psk=written)
    assert psk == Psk("psk", octets)
    assert not findings.errors


def test_from_a_file(tmp_path: Path) -> None:
    """Without the line end that an editor adds."""
    path = key_file(tmp_path)
    psk, findings = read(psk_file=path)
    assert psk == Psk(f"psk_file {path}", SECRET.encode())
    assert findings == Findings()


def test_from_the_environment() -> None:
    psk, findings = read({"OFFICE_PSK": SECRET}, psk_env="OFFICE_PSK")
    assert psk == Psk("psk_env OFFICE_PSK", SECRET.encode())
    assert findings == Findings()


def test_one_way_to_write_it() -> None:
    one = "allowed: one of psk, psk_file and psk_env"
    assert refused(psk=SECRET, psk_env="X") == f"site.office.psk: stands beside psk_env; {one}"
    assert refused(stored={HERE: {"psk": SECRET}}, psk_env="X") == (
        f"site.office.psk_env: stands beside psk in secrets.toml; {one}"
    )
    both = (PASSWORD, NT_HASH)
    assert refused(slots=both, stored={HERE: {"nt_hash": "00" * 16, "password": SECRET}}) == (
        "site.office.password: stands beside nt_hash in secrets.toml;"
        " allowed: one of password, password_file, password_env and nt_hash"
    )


def test_none_at_all() -> None:
    """Whether one is needed is for others to say."""
    assert read() == (None, Findings())
    assert one_of((PSK,)) == "one of psk, psk_file and psk_env"
    assert one_of((NT_HASH,)) == "nt_hash"


def test_from_the_store() -> None:
    assert read(stored={HERE: {"psk": SECRET}}) == (Psk("secrets.toml", SECRET.encode()), Findings())
    assert read(stored={("site", "branch"): {"psk": SECRET}}) == (None, Findings())
    assert refused(stored={HERE: {"psk": "0xabcdx"}}) == (
        'site.office.psk = *** in secrets.toml: the key begins with "0x" and does not go on in hexadecimal'
    )


def test_passwords(tmp_path: Path) -> None:
    both = (PASSWORD, NT_HASH)
    assert read(slots=both, password=SECRET) == (Secret("password", SECRET), Findings())
    path = key_file(tmp_path)
    assert read(slots=both, password_file=path) == (Secret(f"password_file {path}", SECRET), Findings())
    assert read({"WORD": SECRET}, both, password_env="WORD") == (Secret("password_env WORD", SECRET), Findings())
    assert read(slots=both, nt_hash="0f" * 16) == (NtHash("nt_hash", bytes([15] * 16)), Findings())
    assert refused({"WORD": "x" * (LONGEST + 1)}, both, password_env="WORD") == (
        f'site.office.password_env = "WORD": it has 1 to {LONGEST} characters'
    )


def test_short_passwords_are_warned_of() -> None:
    _, findings = read(slots=(PASSWORD,), password="hunter2")
    assert [str(warning) for warning in findings.warnings] == [
        "site.office.password = ***: the password has fewer than 8 characters and can be guessed; make a longer one"
    ]


def test_secrets_of_the_panel() -> None:
    hashed = "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
    assert read({"PANEL": hashed}, (PASSWORD_HASH,), password_hash_env="PANEL") == (
        Secret("password_hash_env PANEL", hashed),
        Findings(),
    )
    assert refused({"PANEL": SECRET}, (PASSWORD_HASH,), password_hash_env="PANEL") == (
        'site.office.password_hash_env = "PANEL": is of another form'
    )
    assert read(slots=(TOTP_SECRET,), totp_secret="A" * 32)[0] == Secret("totp_secret", "A" * 32)


def test_refusals_do_not_tell_the_secret() -> None:
    assert refused(psk="0xabcdx") == (
        'site.office.psk = ***: the key begins with "0x" and does not go on in hexadecimal'
    )
    assert refused(psk="0s?") == 'site.office.psk = ***: the key begins with "0s" and does not go on in Base64'
    assert refused(psk="0x") == f"site.office.psk = ***: a key has 1 to {LONGEST} octets"
    assert refused(psk="x" * (LONGEST + 1)) == f"site.office.psk = ***: a key has 1 to {LONGEST} octets"


def test_secret_is_not_printed() -> None:
    assert SECRET not in repr(Psk("psk", SECRET.encode()))
    assert SECRET not in repr(Secret("password", SECRET))
    assert "octets" not in repr(NtHash("nt_hash", bytes(16)))
    assert SECRET not in repr(Sources({}, {HERE: {"psk": SECRET}}))


def test_variable_that_is_not_set() -> None:
    assert refused(psk_env="NONE") == (
        'site.office.psk_env = "NONE": this variable is not set; set it for the service, or name another'
    )


def test_bad_files(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert refused(psk_file=missing) == (
        f'site.office.psk_file = "{missing}": cannot be read: No such file or directory;'
        " write the key into it, with mode 0600"
    )
    assert "cannot be read: Is a directory" in refused(psk_file=tmp_path)
    assert "is no regular file" in refused(psk_file=Path("/dev/null"))
    assert "a key has 1 to" in refused(psk_file=key_file(tmp_path, b"\n"))
    assert "holds octets that are no text" in refused(psk_file=key_file(tmp_path, b"\xff" * 20))


def test_file_that_others_can_change(tmp_path: Path) -> None:
    path = key_file(tmp_path, mode=0o602)
    assert refused(psk_file=path) == (
        f'site.office.psk_file = "{path}": can be changed by every user of this machine; chmod 600 {path}'
    )


def test_file_that_others_can_read(tmp_path: Path) -> None:
    path = key_file(tmp_path, mode=0o644)
    psk, findings = read(psk_file=path)
    assert psk is not None
    assert findings.warnings == [
        Problem(
            path=(*HERE, "psk_file"),
            value=f'"{path}"',
            fault="can be read by every user of this machine",
            cure=f"chmod 600 {path}",
        )
    ]


def test_short_keys_are_warned_of() -> None:
    psk, findings = read(psk="short")
    assert psk == Psk("psk", b"short")
    (warning,) = findings.warnings
    assert str(warning) == (
        "site.office.psk = ***: the key has fewer than 16 octets and can be guessed;"
        " make a new one with: openssl rand -base64 32"
    )


def test_post_quantum_keys() -> None:
    """Written as pre-shared keys are; and longer, as half of their strength is what a quantum computer leaves."""
    ppk, findings = read({"KEY": "0x" + "00" * 32}, (PPK,), ppk_env="KEY")
    assert ppk == Ppk("ppk_env KEY", bytes(32))
    assert not findings.warnings
    _, findings = read(slots=(PPK,), ppk=SECRET)
    (warning,) = findings.warnings
    assert str(warning) == (
        "site.office.ppk = ***: the key has fewer than 32 octets, which a quantum computer could guess;"
        " make a new one with: openssl rand -base64 32"
    )
