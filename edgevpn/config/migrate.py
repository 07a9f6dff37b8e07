"""From older forms of the file to the present one, a version at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import tomli

from edgevpn.config.errors import Refused, shown
from edgevpn.config.model import VERSION

Document = MutableMapping[str, Any]
Step = Callable[[Document], None]
"""Changes a document of one version, in place, into one of the next; it need not touch the key `version`.

It works on plain tables as on tomlkit's, and keeps what it does not know.
"""

STEPS: Mapping[int, Step] = {}
"""By the version that each begins with. A step never changes once it is released."""


def version_of(document: Document, newest: int = VERSION) -> int:
    """The version that a document says it is of; 1 if it says nothing. Raises Refused for one that is not known."""
    version = document.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Refused(f"{shown(version)} is no version", f"take it out, or write version = {newest}")
    if version > newest:
        raise Refused(f"{version} is newer than this edgevpn knows", "install a newer edgevpn, or roll the file back")
    return int(version)


def migrate(document: Document, steps: Mapping[int, Step] = STEPS, newest: int = VERSION) -> bool:
    """Bring a document up to date in place; True if it was not. Raises Refused."""
    begun = version_of(document, newest)
    for version in range(begun, newest):
        steps[version](document)
        document["version"] = version + 1
    return begun < newest


def migrate_text(text: str, steps: Mapping[int, Step] = STEPS, newest: int = VERSION) -> str:
    """The text of a file in the present form, with its comments; the very same if it is of that already.

    Raises Refused.
    """
    if version_of(tomli.loads(text), newest) == newest:
        return text
    import tomlkit  # seldom needed, and it takes a tenth of a start

    document = tomlkit.parse(text)
    migrate(document, steps, newest)
    return document.as_string()
