"""Frozen records: what `@dataclass(frozen=True, slots=True)` of the standard library makes, in half of the time.

A start makes more than 400 of them, which was half of it. `dataclasses` writes and compiles six methods for each; here
that is `__init__` and what `replace` copies by, when they are first called; the others work on the names of the fields.
To the type checker it is the library's own.

A handshake makes more than 200 records. To set a field past the refusal to set fields is a call each. So where there
are more than a few, a record is filled while it is of its open twin, a class with the same slots and no refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from dataclasses import dataclass as bare
from operator import attrgetter
from types import new_class
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
        changed = record.__open_copy__()
        try:
            for name, value in changes.items():
                setattr(changed, name, value)
        except AttributeError:  # what is no field, `__init__` refuses
            return record.__class__(**{each.name: getattr(record, each.name) for each in fields(record)} | changes)
        _become(changed, record.__class__)
        if hasattr(changed, "__post_init__"):
            changed.__post_init__()
        return changed


FEW = 3
"""Fields that are sooner set one by one than by way of the twin."""

OPEN = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
_become: Callable[[object, type[Any]], None] = vars(object)["__class__"].__set__
"""Makes an object one of another class with the same slots."""


def _completed(record: Any) -> Any:
    """With all methods that are the same for every record; those that it has itself stay."""
    own = vars(record)
    made = {"__init__": _first_init(record), "__repr__": _repr, **_comparing(record)}
    for name, method in made.items():
        if own.get(name) is None:
            setattr(record, name, method)
    record.__getstate__, record.__setstate__, record.__open_copy__ = _getstate, _setstate, _first_open_copy(record)
    record.__setattr__, record.__delattr__ = _refuse_to_set, _refuse_to_delete
    return record


def _first_init(record: Any) -> Callable[..., None]:
    """Has the true one written, which takes its place; most records are never made."""

    def init(self: Any, *values: object, **named: object) -> None:
        record.__init__ = _init(record)
        record.__init__(self, *values, **named)

    return init


def _init(record: type[Any]) -> Any:
    """Has the fields as parameters, and fills the slots directly."""
    scope: dict[str, Any] = {"_MISSING": MISSING, "_become": _become}
    plain, by_name, lines = ["self"], list[str](), list[str]()
    is_long = len(fields(record)) > FEW
    for field in fields(record):
        name = parameter = value = field.name
        if field.default is not MISSING:
            scope[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        elif field.default_factory is not MISSING:
            scope[f"_make_{name}"] = field.default_factory
            parameter, value = f"{name}=_MISSING", f"_make_{name}() if {name} is _MISSING else {name}"
        (by_name if field.kw_only else plain).append(parameter)
        if is_long:
            lines.append(f"    self.{name} = {value}")
        else:
            scope[f"_set_{name}"] = getattr(record, name).__set__
            lines.append(f"    _set_{name}(self, {value})")
    if is_long:
        scope["_twin"] = _twin(record)
        lines = ["    _kind = self.__class__", "    _become(self, _twin)", *lines, "    _become(self, _kind)"]
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


def _twin(record: Any) -> Any:
    """A class with the same slots whose fields can be set."""
    bases = vars(record).get("__orig_bases__", record.__bases__)
    return new_class(record.__name__, bases, exec_body=lambda body: body.update(__slots__=record.__slots__, **OPEN))


def _first_open_copy(record: type[Any]) -> Callable[[Any], Any]:
    """For `replace`: a copy that is of the open twin yet. Here, too, the true one is written at the first call."""

    def open_copy(self: Any) -> Any:
        lines = [f"    copied.{field.name} = self.{field.name}" for field in fields(record)]
        text = "\n".join(("def open_copy(self):", "    copied = _new(_twin)", *lines, "    return copied"))
        scope: dict[str, Any] = {"_new": object.__new__, "_twin": _twin(record)}
        exec(text, scope)  # noqa: S102 - nothing is in it but names of fields
        record.__open_copy__ = scope["open_copy"]
        return record.__open_copy__(self)

    return open_copy


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
