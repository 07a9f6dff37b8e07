"""What can be wrong with a configuration file, said so that its owner can put it right."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import field

from edgevpn.frozen import dataclass

Path = tuple[str, ...]
"""Where a key stands: ("site", "office", "remote")."""

MASKED = "***"
LONGEST_VALUE = 80
MOST = 1000
"""Problems that are told of one file."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: Path) -> str:
    """The key as TOML writes it: bare where it can be, quoted where it must be, cut where it has no end."""
    return ".".join(part if len(part) <= LONGEST_VALUE and _BARE_KEY.fullmatch(part) else shown(part) for part in path)


def shown(value: object) -> str:
    """A value as one printable line of at most `LONGEST_VALUE` characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault: where it stands, what it says, what is allowed there, and how to cure it.

    `line` counts from 1 and is 0 when the whole file is meant; `value` is masked when it is a secret.
    """

    path: Path = ()
    fault: str
    value: str = ""
    allowed: str = ""
    cure: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        key = dotted(self.path) + (f" = {self.value}" if self.value else "")
        allowed = f"allowed: {self.allowed}" if self.allowed else ""
        return place + (f"{key}: " if key else "") + "; ".join(filter(None, (self.fault, allowed, self.cure)))


def plain(problem: Problem) -> dict[str, object]:
    """A problem for programs: what it has, as JSON has it."""
    whole = {
        "file": problem.file,
        "line": problem.line,
        "key": dotted(problem.path),
        "value": problem.value,
        "fault": problem.fault,
        "allowed": problem.allowed,
        "cure": problem.cure,
    }
    return {name: part for name, part in whole.items() if part}


class ConfigError(Exception):
    """The file cannot be used; `problems` holds all that is wrong with it, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Refused(ValueError):  # noqa: N818 - a verdict on a value
    """A value that its key does not take, why not, and what to do about it. Never quotes a secret."""

    def __init__(self, fault: str, cure: str = "") -> None:
        super().__init__(fault)
        self.fault = fault
        self.cure = cure


class RefusedItems(ValueError):  # noqa: N818 - several of them
    """A list some of whose items are refused, each with its value."""

    def __init__(self, items: tuple[tuple[object, Refused], ...]) -> None:
        super().__init__(f"{len(items)} items are refused")
        self.items = items


@dataclasses.dataclass(slots=True)
class Findings:
    """Collects what is wrong while a file is read, so that its owner sees all of it at once, or `MOST` of it."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """True if no more errors are noted: somebody has given us the wrong file."""
        return len(self.errors) >= MOST

    def blames(self, path: Path) -> bool:
        """Whether an error is noted of this key, or of a key in this table."""
        return any(problem.path[: len(path)] == path for problem in self.errors)

    def refuse(self, path: Path, fault: str, *, value: str = "", allowed: str = "", cure: str = "") -> None:
        """Note an error."""
        if not self.is_full:
            self.errors.append(Problem(path=path, fault=fault, value=value, allowed=allowed, cure=cure))

    def warn(self, path: Path, fault: str, *, value: str = "", cure: str = "") -> None:
        """Note what works but should not stay so."""
        if len(self.warnings) < MOST:
            self.warnings.append(Problem(path=path, fault=fault, value=value, cure=cure))
