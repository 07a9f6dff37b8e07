from __future__ import annotations

import io
from datetime import UTC, date
from pathlib import Path

import pytest

from edgevpn.cli.editing import keys_of, now, one_of, read_secret, tables_of, whole
from edgevpn.config.errors import ConfigError, Refused
from tests.support.configs import OFFICE, toml

HERE = ("device", "phone")


def test_time_has_its_zone() -> None:
    assert now().tzinfo is UTC


def test_keys_and_values() -> None:
    words = ["owner=a=b", "v4=", "dns=192.0.2.1, 192.0.2.2", "expires=2027-03-31", "enabled=false", "login=psk"]
    assert keys_of(HERE, words) == {
        "owner": "a=b",
        "v4": None,
        "dns": ["192.0.2.1", "192.0.2.2"],
        "expires": date(2027, 3, 31),
        "enabled": False,
        "login": "psk",
    }


def test_commas_in_a_text_are_text() -> None:
    assert keys_of(HERE, ["owner=Smith, Anna"]) == {"owner": "Smith, Anna"}


@pytest.mark.parametrize("word", ["owner", "", "colour=red", "psk=hunter2", "=x"])
def test_what_is_no_key_and_value(word: str) -> None:
    with pytest.raises(Refused):
        keys_of(HERE, [word])


def test_a_secret_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse \r\nbattery\n"))
    assert read_secret() == "correct horse "
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(Refused):
        read_secret()


def test_tables(tmp_path: Path) -> None:
    file = tmp_path / "edgevpn.toml"
    assert tables_of(file) == {}
    file.write_text(toml(office=OFFICE))
    config, tables = whole(file)
    assert [site.name for site in config.sites] == ["office"]
    assert one_of(tables, "site", "office")["psk"] == "***"
    with pytest.raises(Refused, match='there is no site "branch"'):
        one_of(tables, "site", "branch")
    file.write_text("[")
    with pytest.raises(ConfigError):
        tables_of(file)
