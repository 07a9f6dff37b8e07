import string
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edgevpn.config.errors import ConfigError
from edgevpn.config.nouns import NAME, NOUNS, paths
from edgevpn.config.reader import parse
from edgevpn.config.schema import schema
from tests.support.configs import BRANCH, OFFICE, PHONE, PUBLIC, STAFF, document, toml
from tests.support.json_schema import as_json

JUDGE = Draft202012Validator(schema())

ALL = {
    "version": 1,
    "gateway": {"listen": ["192.0.2.1", "::"], "nat_keepalive": "20s", "log_level": "debug"},
    "pki": PUBLIC | {"ca_validity": "3650d", "revocation": "strict"},
    "pool": {"staff": STAFF | {"logins": ["password", "psk"], "mode": "split", "networks": "10.1.0.0/24"}},
    "device": {"Anna's 電話": PHONE | {"v4": "10.9.0.7", "expires": "2027-03-31"}},
    "site": {"office": OFFICE | {"child": {"lan": {"protocol": "tcp", "local_ports": 443}}}, "branch": BRANCH},
    "crypto": {"order": ["aes128gcm16"], "offload": "off"},
    "firewall": {"forward": ["pool-lan"], "lan": "br-lan"},
    "web": {"listen": "192.168.1.1", "port": 8443},
}

WRONG = {
    "unknown table": {"sites": {}},
    "unknown key": {"gateway": {"colour": "red"}},
    "no table": {"gateway": 1},
    "not a choice": {"gateway": {"log_level": "loud"}},
    "not a flag": {"web": {"enabled": "yes"}},
    "too small": {"site": {"office": OFFICE | {"mtu": 1}}},
    "not a time": {"gateway": {"nat_keepalive": "soon"}},
    "an empty list": {"gateway": {"listen": []}},
    "what a site needs": {"site": {"office": {"psk": "x"}}},
    "unknown key of a child": {"site": {"office": OFFICE | {"child": {"lan": {"mtu": 1400}}}}},
    "no name of a site": {"site": {"head office": OFFICE}},
    "no name of a device": {"device": {"a/b": PHONE}},
    "no name": {"device": {"": PHONE}},
    "no hash": {"web": {"password_hash": "hunter2"}},
    "a newer version": {"version": 99},
}


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_a_good_file_is_good() -> None:
    assert [error.message for error in JUDGE.iter_errors(as_json(ALL))] == []
    parse(document(**ALL), "test.toml", {})


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_wrong(wrong: dict[str, Any]) -> None:
    assert not JUDGE.is_valid(as_json(wrong))
    with pytest.raises(ConfigError):
        parse(document(**wrong), "test.toml", {})


def properties_at(path: tuple[str, ...]) -> dict[str, Any]:
    here: dict[str, Any] = schema()
    for part in path:
        if part == NAME:
            (here,) = here["patternProperties"].values()
        else:
            here = here["properties"][part]
    found: dict[str, Any] = here["properties"]
    return found


def test_every_key_is_in_it_with_its_words() -> None:
    for noun, key, setting in paths():
        described = properties_at(noun.path)[key]
        assert described["description"].startswith(setting.doc)
        assert described.get("writeOnly", False) == setting.secret


def test_defaults_are_told_and_taken() -> None:
    for noun in NOUNS:
        for key, setting in noun.settings.items():
            described = properties_at(noun.path)[key]
            if "default" in described:
                assert Draft202012Validator(described).is_valid(described["default"])
                assert tomli.loads(f"v = {setting.default_text}") == {"v": described["default"]}


NAMES = st.text(string.ascii_letters, min_size=1, max_size=5)
ANYTHING = st.recursive(
    st.one_of(st.booleans(), st.integers(0, 99), st.sampled_from(["", "any", "10.9.0.0/24", "1h", "full", "lan"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=3,
)


@given(st.sampled_from(list(paths())), ANYTHING)
def test_what_the_reader_takes_the_schema_takes(where: Any, value: object) -> None:
    """It refuses nothing that is right."""
    noun, key, setting = where
    try:
        setting.kind.read(value)
    except ValueError:
        return
    assert Draft202012Validator(properties_at(noun.path)[key]).is_valid(value)


def test_a_file_for_the_simplest_gateway() -> None:
    assert JUDGE.is_valid(as_json(tomli.loads(toml(office=OFFICE))))
