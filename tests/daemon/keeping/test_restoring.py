from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgevpn.config.errors import ConfigError
from edgevpn.daemon.keeping.backup import BackupError
from edgevpn.daemon.keeping.holdings import CONFIG, SECRETS
from edgevpn.daemon.keeping.restoring import judge
from edgevpn.pki.errors import PkiError
from edgevpn.pki.keys import KeyKind
from edgevpn.pki.office import Office
from edgevpn.pki.store import Store
from tests.support.certificates import NOW
from tests.support.services import HOME

PATH = Path("/etc/edgevpn/edgevpn.toml")


@pytest.fixture
def good(tmp_path: Path) -> dict[str, bytes]:
    """What a gateway has."""
    office = Office(Store(tmp_path))
    office.init("Our CA", KeyKind.ECDSA_P256, NOW)
    office.enrol_device("phone", "phone@example.org", NOW, kind=KeyKind.ECDSA_P256)
    pki = {f"pki/{path.name}": path.read_bytes() for path in tmp_path.iterdir()}
    secrets = b'[device.ben]\nnt_hash = "00112233445566778899aabbccddeeff"\n'
    config = HOME.encode() + b"\n[device.ben]\n"
    return {CONFIG: config, SECRETS: secrets, **pki, "state/usage.json": b'{"version": 1, "devices": {}}'}


def judged(files: dict[str, bytes]) -> None:
    judge(files, PATH, datetime.now(UTC), {})


def test_what_is_good_is_taken(good: dict[str, bytes]) -> None:
    judged(good)
    judged({CONFIG: HOME.encode()})


def test_a_configuration_is_needed(good: dict[str, bytes]) -> None:
    del good[CONFIG]
    with pytest.raises(BackupError, match="no configuration"):
        judged(good)


def test_a_bad_configuration(good: dict[str, bytes]) -> None:
    for config in (b"[pond]\n", b"\xff", b"["):
        with pytest.raises(ConfigError):
            judged({**good, CONFIG: config})


def test_secrets_that_are_missing(good: dict[str, bytes]) -> None:
    del good[SECRETS]
    with pytest.raises(ConfigError, match=r"device\.ben"):
        judged(good)


@pytest.mark.parametrize("name", ["pki/ca.pem", "pki/issued.json", "pki/ca.crl"])
def test_damaged_certificates(good: dict[str, bytes], name: str) -> None:
    with pytest.raises((PkiError, BackupError)):
        judged({**good, name: b"damaged"})


@pytest.mark.parametrize("content", [b"[", b"[]", b'{"version": 99}', b"\xff"])
def test_damaged_state(good: dict[str, bytes], content: bytes) -> None:
    with pytest.raises(BackupError, match=r"state/usage\.json in this backup is damaged"):
        judged({**good, "state/usage.json": content})
