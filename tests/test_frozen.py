"""What edgevpn.frozen makes is what `dataclasses` makes: both are asked the same."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any, ClassVar

import pytest

from edgevpn import frozen


def declared(dataclass: Callable[..., Any]) -> tuple[type[Any], type[Any], type[Any]]:
    """A record with everything that records have, one that inherits from it, and one without fields."""

    @dataclass(frozen=True, slots=True)
    class Lease:
        """A record."""

        kind: ClassVar = "lease"

        holder: str
        key: bytes = field(repr=False)
        since: float = 0.0
        seen: list[str] = field(default_factory=list)
        note: str = field(default="", compare=False)

        def __post_init__(self) -> None:
            if self.since < 0:
                raise ValueError("before all time")

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Longer(Lease):
        """One that has more."""

        until: float

    @dataclass(frozen=True, slots=True)
    class Nothing:
        """Only itself."""

    return Lease, Longer, Nothing


OURS, THEIRS = declared(frozen.dataclass), declared(dataclasses.dataclass)
LEASE, LONGER, NOTHING = OURS

ASKED: dict[str, Callable[[type[Any], type[Any], type[Any]], object]] = {
    "shown, without what is secret": lambda lease, longer, nothing: repr(lease("phone", b"secret")),
    "shown by its own name": lambda lease, longer, nothing: repr(longer("phone", b"", until=2.0)),
    "shown without fields": lambda lease, longer, nothing: repr(nothing()),
    "values": lambda lease, longer, nothing: dataclasses.asdict(lease("phone", b"key", seen=["here"])),
    "order of fields": lambda lease, longer, nothing: [each.name for each in fields(longer)],
    "patterns": lambda lease, longer, nothing: (lease.__match_args__, longer.__match_args__, nothing.__match_args__),
    "slots": lambda lease, longer, nothing: (lease.__slots__, longer.__slots__, nothing.__slots__),
    "equal": lambda lease, longer, nothing: lease("phone", b"key") == lease("phone", b"key", 0.0, [], "not compared"),
    "another value": lambda lease, longer, nothing: lease("phone", b"key") == lease("phone", b"other"),
    "another class": lambda lease, longer, nothing: lease("phone", b"") == longer("phone", b"", until=0.0),
    "no record": lambda lease, longer, nothing: lease("phone", b"") == "phone",
    "without fields they are equal": lambda lease, longer, nothing: (nothing() == nothing(), {nothing(): 1}[nothing()]),
    "replaced": lambda lease, longer, nothing: repr(replace(longer("phone", b"", until=1.0), since=5.0, until=9.0)),
    "declared beside": lambda lease, longer, nothing: (lease("phone", b"").kind, lease.__doc__),
}


@pytest.mark.parametrize("question", ASKED.values(), ids=ASKED)
def test_as_the_library(question: Callable[..., object]) -> None:
    assert repr(question(*OURS)) == repr(question(*THEIRS))


FAULTS: dict[str, Callable[[type[Any], type[Any], type[Any]], object]] = {
    "too little": lambda lease, longer, nothing: lease("phone"),
    "too much": lambda lease, longer, nothing: nothing(1),
    "no such field": lambda lease, longer, nothing: lease("phone", b"", until=1.0),
    "by name alone": lambda lease, longer, nothing: longer("phone", b"", 0.0, [], "", 1.0),
    "refused by itself": lambda lease, longer, nothing: lease("phone", b"", -1.0),
    "set": lambda lease, longer, nothing: setattr(lease("phone", b""), "holder", "tablet"),
    "deleted": lambda lease, longer, nothing: delattr(lease("phone", b""), "holder"),
    "no hash of a list": lambda lease, longer, nothing: hash(lease("phone", b"")),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_refuses_as_the_library(fault: Callable[..., object]) -> None:
    with pytest.raises((TypeError, ValueError, FrozenInstanceError)) as theirs:
        fault(*THEIRS)
    with pytest.raises(theirs.type) as ours:
        fault(*OURS)
    assert str(ours.value) == str(theirs.value)


CHANGES: dict[str, Callable[[type[Any], type[Any], type[Any], Callable[..., object]], object]] = {
    "one": lambda lease, longer, nothing, replace: replace(lease("phone", b"key", note="here"), since=5.0),
    "all": lambda lease, longer, nothing, replace: replace(
        lease("phone", b""), holder="tablet", key=b"key", since=1.0, seen=["here"], note="there"
    ),
    "by name alone": lambda lease, longer, nothing, replace: replace(longer("phone", b"", until=1.0), until=9.0),
    "none": lambda lease, longer, nothing, replace: replace(nothing()),
    "no such field": lambda lease, longer, nothing, replace: replace(lease("phone", b""), until=1.0),
    "to what is refused": lambda lease, longer, nothing, replace: replace(lease("phone", b""), since=-1.0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_replaces_as_the_library(change: Callable[..., object]) -> None:
    def outcome(records: tuple[type[Any], ...], replace: Callable[..., object]) -> str:
        try:
            return repr(change(*records, replace))
        except (TypeError, ValueError) as fault:
            return repr(fault)

    assert outcome(OURS, frozen.replace) == outcome(THEIRS, replace)


@frozen.dataclass(frozen=True, slots=True)
class Place:
    """One that can be found by its name, as pickling needs it."""

    host: str
    port: int


def test_a_class_that_inherits_and_is_no_record_itself() -> None:
    class Own(LEASE):  # type: ignore[misc, valid-type]
        """With the same slots."""

        __slots__ = ()

    own = frozen.replace(Own("phone", b"key"), note="here")
    assert (type(own), own.holder, own.note) == (Own, "phone", "here")
    with pytest.raises(FrozenInstanceError):
        own.holder = "tablet"


def test_hash() -> None:
    assert hash(Place("gate", 500)) == hash(Place("gate", 500)) != hash(Place("gate", 4500))


def test_a_factory_makes_anew() -> None:
    assert LEASE("phone", b"").seen is not LEASE("phone", b"").seen


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda place: pickle.loads(pickle.dumps(place))])  # noqa: S301
def test_copies(through: Callable[[Place], Place]) -> None:
    assert through(Place("gate", 500)) == Place("gate", 500)


def test_its_own_methods_stay() -> None:
    @frozen.dataclass(frozen=True, slots=True)
    class Name:
        """Names are the same in capital letters."""

        text: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Name) and self.text.lower() == other.text.lower()

        def __hash__(self) -> int:
            return hash(self.text.lower())

        def __repr__(self) -> str:
            return self.text

    assert {Name("Anna"): 1}[Name("ANNA")] == 1
    assert repr(Name("Anna")) == "Anna"
