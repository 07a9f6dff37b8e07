"""Frozen records: what `@dataclass(frozen=True, slots=True)` of the standard library makes, in half of the time.

A start makes more than 400 of them, which was half of it. `dataclasses` writes and compiles six methods for each; here
that is `__init__` alone, the others work on the names of the fields. To the type checker it is the library's own.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, fields
from dataclasses import dataclass as bare
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:

    def dataclass(*, frozen, slots, kw_only=False):
        """A decorator of classes. Fields have defaults, factories and `repr=False`; `init=False` is not for records."""
        assert frozen
        assert slots
        fill = bare(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)
        return lambda declared: _completed(fill(declared))

    def replace(record, /, **changes):
        """A record as this one, but for these fields."""
        known, values, by_name = record.__fields_at_hand__
        if by_name or not changes.keys() <= known:  # what is no field, `__init__` refuses
            return record.__class__(**{**dict(zip(known, values(record), strict=True)), **changes})
        return record.__class__(*map(changes.get, known, values(record)))


def _completed(record: Any) -> Any:
    """With all methods that are the same for every record; those that it has itself stay."""
    own = vars(record)
    made = {"__init__": _init(record), "__repr__": _repr, **_comparing(record)}
    for name, method in made.items():
        if own.get(name) is None:
            setattr(record, name, method)
    record.__getstate__, record.__setstate__, record.__fields_at_hand__ = _getstate, _setstate, _fields_at_hand(record)
    record.__setattr__, record.__delattr__ = _refuse_to_set, _refuse_to_delete
    return record


def _init(record: type[Any]) -> Any:
    """The one method that is written for a record: it has the fields as parameters, and fills the slots directly."""
    scope: dict[str, Any] = {"_MISSING": MISSING}
    plain, by_name, lines = ["self"], list[str](), list[str]()
    for field in fields(record):
        name = parameter = value = field.name
        scope[f"_set_{name}"] = getattr(record, name).__set__
        if field.default is not MISSING:
            scope[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        elif field.default_factory is not MISSING:
            scope[f"_make_{name}"] = field.default_factory
            parameter, value = f"{name}=_MISSING", f"_make_{name}() if {name} is _MISSING else {name}"
        (by_name if field.kw_only else plain).append(parameter)
        lines.append(f"    _set_{name}(self, {value})")
    if hasattr(record, "__post_init__"):
        lines.append("    self.__post_init__()")
    parameters = ", ".join((*plain, "*", *by_name) if by_name else plain)
    text = "\n".join((f"def __init__({parameters}):", *(lines or ["    pass"])))
    exec(text, scope)  # noqa: S102 - nothing is in it but names of fields
    init = scope["__init__"]
    init.__qualname__ = f"{record.__qualname__}.__init__"
    return init


def _comparing(record: type[Any]) -> dict[str, Any]:
    """Equal are records of the same class with equal fields, but for those with `compare=False`."""
    names = [field.name for field in fields(record) if field.compare]
    values = attrgetter(*names) if names else lambda _: ()

    def eq(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": eq, "__hash__": hashed}


def _fields_at_hand(record: type[Any]) -> tuple[Any, Any, bool]:
    """For `replace`: the names, what gives all values of a record, and whether some fields have to be named.

    Each step of an IKE SA makes a record of twenty values, of which one is new: so the others go over at once.
    """
    known = {field.name: None for field in fields(record)}
    values = attrgetter(*known) if len(known) > 1 else lambda self: [getattr(self, name) for name in known]
    return known.keys(), values, any(field.kw_only for field in fields(record))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({shown})"


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


def _refuse_to_set(self: Any, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
