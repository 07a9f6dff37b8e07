"""What a method is called with, compared with what the contract says that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal, get_args, get_origin

from edgevpn.api import ErrorCode, MethodSpec, RpcError

DEEPEST = 8
"""Levels of a value: no key of the configuration has more than three."""
LONGEST_NAME = 40
"""Characters of a strange parameter's name that are repeated to whoever has sent it."""

KINDS = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}


def checked(method: str, spec: MethodSpec, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, if none is missing or strange and each is of its kind. Raises RpcError; no value is repeated."""
    shapes = {**spec.params, **spec.optional}
    if strange := [name for name in params if name not in shapes]:
        raise _refused(f"{method} does not take {strange[0][:LONGEST_NAME]!r}; {_taken(spec)}")
    if missing := [name for name in spec.params if name not in params]:
        raise _refused(f"{method}: {missing[0]} is missing; allowed: {allowed(shapes[missing[0]])}")
    for name, value in params.items():
        if not _fits(value, shapes[name]):
            raise _refused(f"{method}: {name} is of another kind; allowed: {allowed(shapes[name])}")
        if fault := _oddity(value):
            raise _refused(f"{method}: {name} holds {fault}")
    return dict(params)


def allowed(shape: Any) -> str:
    """What may stand in a parameter, in words."""
    match get_origin(shape):
        case None:
            return KINDS[shape]
        case origin if origin is Literal:
            *some, last = (f'"{word}"' for word in get_args(shape))
            return f"{', '.join(some)} or {last}" if some else last
        case origin if origin is list:
            return f"a list, each of it {allowed(get_args(shape)[0])}"
        case _:
            return "an object of keys and their values"


def _taken(spec: MethodSpec) -> str:
    """What a method takes, in words."""
    needed = ", ".join(spec.params) or "no parameter"
    return f"it takes {needed}" + (f", and if you like {', '.join(spec.optional)}" if spec.optional else "")


def _fits(value: object, shape: Any) -> bool:
    match get_origin(shape):
        case None:
            kind = (int, float) if shape is float else shape
            return isinstance(value, kind) and (shape is bool or not isinstance(value, bool))
        case origin if origin is Literal:
            return isinstance(value, str) and value in get_args(shape)
        case origin if origin is list:
            return isinstance(value, list) and all(_fits(each, get_args(shape)[0]) for each in value)
        case _:
            return isinstance(value, dict)


def _oddity(value: object, depth: int = 0) -> str:
    """What JSON can carry and no file can hold, in words; "" where there is none of it."""
    if depth > DEEPEST:
        return f"more than {DEEPEST} levels"
    match value:
        case str():
            return "" if _is_text(value) else "half a character (a lone surrogate)"
        case float():
            return "" if isfinite(value) else "a number that is too large"
        case dict():
            parts = [*value.keys(), *value.values()]
        case list():
            parts = value
        case _:
            return ""
    return next((fault for each in parts if (fault := _oddity(each, depth + 1))), "")


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _refused(message: str) -> RpcError:
    return RpcError(ErrorCode.INVALID_PARAMS, message)
