import json
from pathlib import Path
from typing import Any

import pytest
import tomli
import tomlkit

from edgevpn.config.errors import Refused
from edgevpn.config.migrate import STEPS, Document, migrate, migrate_text, version_of
from edgevpn.config.model import VERSION
from edgevpn.config.nouns import NAME, NOUNS, paths
from edgevpn.config.show import complete
from tests.support.configs import OFFICE, document, faults_of, read

GOLDEN = Path(__file__).parent.parent / "vectors" / "config"

OLD = """\
# what we had
[gateway]
name = "gw"    # who we are

[tunnel.office]   # the head office
psk = "x"
"""


def rename_name(tables: Document) -> None:
    tables["gateway"]["id"] = tables["gateway"].pop("name")


def rename_tunnel(tables: Document) -> None:
    tables["site"] = tables.pop("tunnel")


CHAIN = {1: rename_name, 2: rename_tunnel}


def test_each_version_has_its_step() -> None:
    assert list(STEPS) == list(range(1, VERSION))


def test_old_tables_become_new_ones() -> None:
    tables: dict[str, Any] = {"gateway": {"name": "gw"}, "tunnel": {"office": {"psk": "x"}}, "odd": 1}
    assert migrate(tables, CHAIN, newest=3)
    assert tables == {"gateway": {"id": "gw"}, "site": {"office": {"psk": "x"}}, "odd": 1, "version": 3}


def test_only_the_steps_that_are_left_are_taken() -> None:
    tables: dict[str, Any] = {"version": 2, "gateway": {"id": "gw"}, "tunnel": {}}
    assert migrate(tables, CHAIN, newest=3)
    assert tables == {"version": 3, "gateway": {"id": "gw"}, "site": {}}
    assert not migrate(tables, CHAIN, newest=3)


def test_steps_work_on_documents_with_comments() -> None:
    tables = tomlkit.parse(OLD)
    assert migrate(tables, CHAIN, newest=3)
    assert tables.unwrap() == {"gateway": {"id": "gw"}, "site": {"office": {"psk": "x"}}, "version": 3}
    assert "# what we had" in tables.as_string()


@pytest.mark.parametrize(
    ("version", "fault"),
    [
        ("1", '"1" is no version'),
        (True, "true is no version"),
        (0, "0 is no version"),
        (-1, "-1 is no version"),
        (VERSION + 1, f"{VERSION + 1} is newer than this edgevpn knows"),
    ],
)
def test_versions_that_are_not_known(version: object, fault: str) -> None:
    with pytest.raises(Refused) as refusal:
        version_of({"version": version})
    assert refusal.value.fault == fault
    assert faults_of(document(version=version, site={"office": OFFICE}))[0].startswith(f"version: {fault}; ")


def test_text_keeps_its_comments() -> None:
    made = migrate_text(OLD, CHAIN, newest=3)
    assert tomli.loads(made) == {"gateway": {"id": "gw"}, "site": {"office": {"psk": "x"}}, "version": 3}
    assert "# what we had" in made
    assert migrate_text(made, CHAIN, newest=3) == made
    assert migrate_text(OLD) == OLD


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_file_of_each_version_means_what_it_always_meant(version: int) -> None:
    """It is golden: neither it nor what it means changes once the version is released."""
    text = (GOLDEN / f"v{version}.toml").read_text()
    meaning = json.loads((GOLDEN / f"v{version}.json").read_text())
    now = migrate_text(text)
    assert json.loads(json.dumps(complete(read(now), tomli.loads(now)))) == meaning
    assert read(text) == read(now)


def test_the_golden_file_of_this_version_has_every_key() -> None:
    tables = tomli.loads((GOLDEN / f"v{VERSION}.toml").read_text())
    written = {(noun.path, key) for noun in NOUNS for table in tables_at(tables, noun.path) for key in table}
    elsewhere = ("_file", "_env")
    assert {(noun.path, key) for noun, key, _ in paths() if not key.endswith(elsewhere)} <= written


def tables_at(tables: dict[str, Any], path: tuple[str, ...]) -> list[dict[str, Any]]:
    """All tables of one kind."""
    found = [tables]
    for part in path:
        found = [each for table in found for each in (table.values() if part == NAME else [table.get(part, {})])]
        found = [each for each in found if isinstance(each, dict)]
    return found


def test_no_version_is_the_first() -> None:
    assert version_of({}) == 1
    assert read(document(site={"office": OFFICE})) == read(document(version=VERSION, site={"office": OFFICE}))
