"""What the catalogue says of a cause: who can mend it, how grave it is, what happened and what helps, in two languages.

Texts name what they need of a case as `{setting}`; a case brings it as a `Finding`. Nothing is ever read out of a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from string import Formatter
from typing import Literal

from edgevpn.diagnosis.codes import Code
from edgevpn.frozen import dataclass

LONGEST = 160
"""Characters of a value that stands in a text."""


class Side(Enum):
    """Where the cure is to be applied, as a rule."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"
    PATH = "path"

    @property
    def value(self) -> Literal["ours", "theirs", "both", "path"]:
        """As programs know it."""
        known: Literal["ours", "theirs", "both", "path"] = self._value_
        return known


class Severity(Enum):
    """Nothing to do, something that may pass or matter, or something that keeps somebody out."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Language(Enum):
    """Languages of the texts, by their ISO 639-1 codes."""

    ENGLISH = "en"
    JAPANESE = "ja"


class Field(Enum):
    """What texts may want to know of a case."""

    SETTING = "setting"  # the key of the configuration: "site.office.psk"
    PEER = "peer"  # our name for who it is: a site, a pool, a device
    REMOTE = "remote"  # its address
    IDENTITY = "identity"  # who it says to be
    DEVICE = "device"  # the device that it is, as a shell takes its name; NAME if nobody knows
    EXPECTED = "expected"
    OURS = "ours"
    THEIRS = "theirs"
    DIFFERS = "differs"  # the kind of algorithm, or the end of the tunnel
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class Text:
    """The same in every language."""

    english: str
    japanese: str

    def __getitem__(self, language: Language) -> str:
        return self.japanese if language is Language.JAPANESE else self.english

    def fields(self, language: Language) -> frozenset[Field]:
        """What the text wants to know."""
        return frozenset(Field(name) for _, name, _, _ in Formatter().parse(self[language]) if name)


@dataclass(frozen=True, slots=True)
class Entry:
    """One cause.

    `fact` is the standard or the habit of clients that the sentence rests on; a mere reference is the same everywhere.
    """

    code: Code
    side: Side
    severity: Severity
    sentence: Text
    cure: Text
    fact: Text | str

    def fact_in(self, language: Language) -> str:
        """The fact in this language."""
        return self.fact if isinstance(self.fact, str) else self.fact[language]

    @property
    def wants(self) -> frozenset[Field]:
        """What a finding of this code has to bring."""
        return self.sentence.fields(Language.ENGLISH) | self.cure.fields(Language.ENGLISH)


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause at work: its code, and what is known of the case."""

    code: Code
    fields: Mapping[Field, str]

    def get(self, field: Field) -> str:
        """What is known, printable and not too long: strangers may have sent it."""
        return shown(self.fields.get(field, ""))


def shown(text: str, longest: int = LONGEST) -> str:
    """A text, perhaps a stranger's, on one line: nothing in it commands a terminal or marks up a page."""
    plain = "".join(c if c.isprintable() and c not in "<>" else c.encode("unicode_escape").decode() for c in text)
    plain = plain.replace("<", "\\x3c").replace(">", "\\x3e")
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."
