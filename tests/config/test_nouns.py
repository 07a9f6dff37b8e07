import pytest

from edgevpn.config.errors import Refused, dotted
from edgevpn.config.model import Child, Gateway, Site
from edgevpn.config.nouns import CHILD, DEVICE, HEAD, NOUNS, SITE, TABLES, noun_at, paths, setting_at, written_path
from edgevpn.config.setting import Setting, settings_of

KEYS = {f"{written_path(noun)}.{key}": setting for noun, key, setting in paths()}


@pytest.mark.parametrize("each", KEYS.values(), ids=KEYS)
def test_every_key_is_documented(each: Setting) -> None:
    assert each.doc.endswith(".")
    assert each.doc[0].isupper()
    assert each.kind.allowed
    assert bool(each.default_text) == (each.default is not None)


def test_no_key_means_two_things() -> None:
    """Keys of a child may stand in the site's table, those of secrets beside the others."""
    assert not SITE.settings.keys() & settings_of(Child).keys()
    assert SITE.keys.keys() == {*SITE.settings, *settings_of(Child)}
    assert "child" not in SITE.keys


def test_every_table_is_known() -> None:
    assert TABLES == ("gateway", "pki", "pool", "device", "site", "crypto", "firewall", "web")
    assert list(HEAD.keys) == ["version"]


def test_noun_of_a_path() -> None:
    assert noun_at(("site", "office")) is SITE
    assert noun_at(("site", "office", "child", "lan")) is CHILD
    assert noun_at(("device", "Anna's phone")) is DEVICE
    assert noun_at(()) is HEAD
    assert noun_at(("site",)) is None
    assert noun_at(("site", "office", "kid", "lan")) is None


def test_setting_of_a_path() -> None:
    assert setting_at(("gateway", "listen")) is settings_of(Gateway)["listen"]
    assert setting_at(("site", "office", "mtu")) is settings_of(Site)["mtu"]
    assert setting_at(("site", "office", "routes")) == settings_of(Child)["routes"]
    assert setting_at(("version",)).default_text == "1"


@pytest.mark.parametrize(
    ("path", "fault", "cure"),
    [
        (("site", "office", "mtuu"), " is not a key", "did you mean mtu?"),
        (("site", "office", "child", "lan", "route"), " is not a key", "did you mean routes?"),
        (("sites", "office", "mtu"), " is not a key", "did you mean site?"),
        (("gateway",), " is a table, not a key", "name a key in it: gateway.KEY"),
        (("site",), " is a table, not a key", "name a key in it: site.KEY"),
        (("site", "office"), " is a table, not a key", "name a key in it: site.office.KEY"),
        (("verison",), " is not a key", "did you mean version?"),
    ],
)
def test_what_is_no_setting(path: tuple[str, ...], fault: str, cure: str) -> None:
    with pytest.raises(Refused) as refusal:
        setting_at(path)
    assert (refusal.value.fault, refusal.value.cure) == (dotted(path) + fault, cure)


def test_secrets_are_known() -> None:
    assert SITE.secrets == ("psk", "password", "ppk")
    assert DEVICE.secrets == ("psk", "password", "nt_hash", "ppk")


def test_paths_as_documentation_writes_them() -> None:
    assert written_path(CHILD) == "site.NAME.child.NAME"
    assert "site.NAME.child.NAME.routes" in KEYS
    assert len(KEYS) == sum(len(noun.settings) for noun in NOUNS)
