import pytest

from edgevpn.config.errors import Refused
from edgevpn.config.explain import explain, reference
from edgevpn.config.nouns import NOUNS, paths, written_path

MTU = """\
site.NAME.mtu
    The MTU of that interface.
    allowed: 1280 to 9200 octets
    without it: what the path and the cipher leave
    a change holds at once; nothing drops"""


def test_one_key() -> None:
    for path in (("site", "NAME", "mtu"), ("site", "office", "mtu"), ("site", "mtu")):
        assert explain(path) == MTU


def test_a_key_of_several_tables() -> None:
    found = explain(("mtu",)).split("\n\n")
    assert [each.split("\n")[0] for each in found] == ["pool.NAME.mtu", "site.NAME.mtu"]
    assert found[1] == MTU


def test_a_needed_key() -> None:
    assert "\n    needed\n" in explain(("site", "remote"))


def test_a_secret_key() -> None:
    assert explain(("device", "nt_hash")).endswith("secret: never shown")


def test_keys_of_a_child_in_its_site() -> None:
    assert explain(("site", "office", "routes")).startswith("site.NAME.routes\n")
    assert explain(("routes",)).startswith("site.NAME.child.NAME.routes\n")


def test_a_table() -> None:
    text = explain(("crypto",))
    assert text.startswith("[crypto]\n`[crypto]`: how traffic is encrypted")
    assert "crypto.order\n" in text
    assert explain(("site",)).count("\n[site.NAME") == 1
    assert explain(("site", "NAME")).startswith("[site.NAME]\n")


def test_a_word_that_is_both_a_table_and_a_key() -> None:
    text = explain(("pool",))
    assert text.startswith("[pool.NAME]\n")
    assert "\n\ndevice.NAME.pool\n" in text


@pytest.mark.parametrize(
    ("path", "cure"),
    [(("site", "NAME", "mtuu"), "did you mean mtu?"), (("sites",), "did you mean site?"), (("zzz",), "")],
)
def test_what_there_is_not(path: tuple[str, ...], cure: str) -> None:
    with pytest.raises(Refused, match="is no key or table") as refusal:
        explain(path)
    assert refusal.value.cure == cure


def test_the_reference_is_complete() -> None:
    """Every table and every key, with its document, its range, its default, and what a change of it does."""
    text = reference()
    for noun, key, setting in paths():
        name = f"{written_path(noun)}.{key}" if noun.path else key
        entry = f"{name}\n    {setting.doc}\n    allowed: {setting.kind.allowed}\n"
        assert text.count(f"\n{entry}") == 1
        assert setting.default_text in text
    for noun in NOUNS:
        assert not noun.path or f"[{written_path(noun)}]\n" in text
    assert "\n\n\n" not in text
