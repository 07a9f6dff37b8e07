from pathlib import Path

import pytest

from edgevpn.config.credential import Psk
from edgevpn.config.errors import ConfigError
from edgevpn.config.reader import load, parse
from edgevpn.config.secret import Stored
from edgevpn.config.stored import load_stored, parse_stored, store_of
from tests.support.configs import OFFICE, bare, staff, toml

SECRETS = """\
[site.office]
psk = "correct horse battery staple"

[device."Anna's phone"]
nt_hash = "00112233445566778899aabbccddeeff"

[web]
totp_secret = "ABCDEFGHIJKLMNOP"
"""


def test_secrets_by_table() -> None:
    assert parse_stored(SECRETS) == {
        ("site", "office"): {"psk": "correct horse battery staple"},
        ("device", "Anna's phone"): {"nt_hash": "00112233445566778899aabbccddeeff"},
        ("web",): {"totp_secret": "ABCDEFGHIJKLMNOP"},
    }


def test_nothing_is_stored() -> None:
    assert parse_stored("") == {("web",): {}}


def test_nothing_but_secrets_is_stored() -> None:
    document = 'version = 1\n[site.office]\npsk = 7\nmtu = 1400\n[pool]\n[device]\nphone = "hunter2"\n'
    with pytest.raises(ConfigError) as error:
        parse_stored(document, "secrets.toml")
    assert str(error.value).split("\n") == [
        "secrets.toml:1: version: is not a key here",
        "secrets.toml:3: site.office.psk = ***: is a number, not a string;"
        " allowed: text, or octets as 0xHEX or 0sBASE64; put it in quotes",
        "secrets.toml:4: site.office.mtu: is not a key here",
        "secrets.toml:5: pool: is not a key here",
        "secrets.toml:7: device.phone: is not a table; begin it with [device.phone]",
    ]
    assert "hunter2" not in str(error.value)


def written(folder: Path, mode: int = 0o600) -> Path:
    """A configuration whose pre-shared key is in the store beside it."""
    path = folder / "edgevpn.toml"
    path.write_text(toml(office={key: value for key, value in OFFICE.items() if key != "psk"}))
    store = store_of(path)
    store.write_text('[site.office]\npsk = "correct horse battery staple"\n')
    store.chmod(mode)
    return path


def test_the_store_is_beside_the_file(tmp_path: Path) -> None:
    config = load(written(tmp_path), {})
    assert config.sites[0].psk == Psk("secrets.toml", b"correct horse battery staple")
    assert config.warnings == ()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_the_store_is_its_owners_alone(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, mode)
    with pytest.raises(ConfigError) as error:
        load(path, {})
    store = store_of(path)
    assert str(error.value) == f"{store}: holds secrets and is open to others than its owner; chmod 600 {store}"


def test_no_store(tmp_path: Path) -> None:
    assert load_stored(tmp_path / "secrets.toml") == {}


def test_leftovers_are_warned_of() -> None:
    stored: Stored = {("device", "phone"): {"password": "correct horse"}, ("device", "tablet"): {"password": "hunter2"}}
    config = parse(staff(devices={"phone": {}}), "test.toml", {}, stored)
    assert [bare(warning) for warning in config.warnings] == [
        "device.tablet: has secrets in secrets.toml and no table here; misspelt, or removed"
    ]
