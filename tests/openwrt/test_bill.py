"""The bill of materials says what is in the packages, no more and no less, and is what others can read."""

from __future__ import annotations

import json
from email import message_from_bytes
from typing import Any

import pytest
from cyclonedx import spdx
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from openwrt.builder.__main__ import STORE
from openwrt.builder.bill import PARTS, bill
from openwrt.builder.vendor import Library, libraries, metadata
from tests.openwrt.conftest import EPOCH

PACKED = [library for listing, _ in PARTS.values() for library in libraries(listing)]
SAID = {
    "Apache 2.0": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""What libraries say that do not use the words of SPDX."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bill(EPOCH))
    return found


def parts_of(document: dict[str, Any], whole: str) -> set[str]:
    """What something is made of, by the references of the document."""
    (found,) = (each["dependsOn"] for each in document["dependencies"] if each["ref"] == whole)
    return set(found)


def test_it_is_cyclonedx() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill(EPOCH)) is None


def test_the_same_again() -> None:
    assert bill(EPOCH) == bill(EPOCH)


def test_all_that_is_packed(document: dict[str, Any]) -> None:
    for name, (listing, needed) in PARTS.items():
        assert parts_of(document, name) == {library.name for library in libraries(listing)} | set(needed)
    assert parts_of(document, "source") == PARTS.keys()


def test_by_name_version_and_hash(document: dict[str, Any]) -> None:
    """By which programs that know of faults look it up."""
    found = {each["name"]: each for each in document["components"] if "purl" in each}
    assert {name: (each["version"], each["hashes"][0]["content"]) for name, each in found.items()} == {
        library.name: (library.version, library.sha256) for library in PACKED
    }
    assert found["tomlkit"]["purl"].startswith("pkg:pypi/tomlkit@")


@pytest.mark.parametrize("library", PACKED, ids=lambda library: library.name)
def test_licences_are_what_the_libraries_say(library: Library) -> None:
    assert spdx.is_supported_id(library.licence) or spdx.is_expression(library.licence)
    told = message_from_bytes(metadata(library, STORE))
    by_class = [each for each in told.get_all("Classifier", []) if each.startswith("License ::")]
    said = next(
        each for each in (told["License-Expression"], told["License"], *by_class) if each not in (None, "UNKNOWN")
    )
    assert library.licence == SAID.get(said, said)
