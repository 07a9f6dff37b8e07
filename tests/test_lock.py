"""requirements.lock holds all that edgevpn needs, each file by its hash; what is in packages, by the same version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from openwrt.builder.packages import DAEMON_LIBRARIES, WEB_LIBRARIES
from openwrt.builder.vendor import libraries

ROOT = Path(__file__).parent.parent
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+?))? \\\n(?P<hashes>(?:    --hash=.*\n)+)", re.M
)
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def locked() -> dict[str, str]:
    """Versions by name; there is nothing but entries in the file, and each has hashes."""
    text = (ROOT / "requirements.lock").read_text()
    entries = list(ENTRY.finditer(text))
    assert "".join(each[0] for each in entries) == re.sub(r"(?m)^#.*\n", "", text)
    for each in entries:
        assert all(HASH.fullmatch(line) for line in each["hashes"].splitlines()), each["name"]
    return {each["name"]: each["version"] for each in entries}


def test_all_that_is_needed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = locked()
    for text in (
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ):
        needed = Requirement(text)
        assert needed.specifier.contains(versions[canonicalize_name(needed.name)]), text


def test_as_in_the_packages() -> None:
    versions = locked()
    for library in (*libraries(DAEMON_LIBRARIES), *libraries(WEB_LIBRARIES)):
        assert versions[canonicalize_name(library.name)] == library.version
