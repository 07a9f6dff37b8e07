"""Published vectors: tests/vectors/NAME.ini, where each section is a case, named for its source, with octets in hex."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "vectors"


@dataclass(frozen=True, slots=True)
class Vector:
    """One case: its source, and its values by name."""

    source: str
    values: Mapping[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def octets(self, name: str) -> bytes:
        """A value as octets; long ones have several lines."""
        return bytes.fromhex(self.values[name])

    def __str__(self) -> str:
        return self.source


def vectors(name: str) -> list[Vector]:
    """All cases of tests/vectors/NAME.ini."""
    cases = ConfigParser(interpolation=None)
    cases.read_string((FOLDER / f"{name}.ini").read_text())
    return [Vector(source, dict(cases[source])) for source in cases.sections()]


def each_vector(name: str, having: str | None = None) -> pytest.MarkDecorator:
    """Runs a test with each case as `vector`; `having` leaves out those without that value."""
    cases = [vector for vector in vectors(name) if having is None or having in vector]
    return pytest.mark.parametrize("vector", cases, ids=str)
