"""Does a value have the shape that a type says: TypedDict, list, dict, union, Literal? For the control socket."""

from __future__ import annotations

import types
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict


def misfits(value: object, shape: Any, place: str = "result") -> list[str]:
    """What does not fit, each with its place; empty if all does. A whole number passes for a float."""
    if shape is Any:
        return []
    if is_typeddict(shape):
        return _misfits_of_record(value, get_type_hints(shape), place)
    match get_origin(shape):
        case None:
            expected = types.NoneType if shape is None else (int, float) if shape is float else shape
            fits = isinstance(value, expected) and (not isinstance(value, bool) or shape is bool)
        case origin if origin is Literal:
            fits = value in get_args(shape)
        case types.UnionType:
            fits = any(not misfits(value, each, place) for each in get_args(shape))
        case origin if origin is dict and isinstance(value, dict):
            _, item = get_args(shape)
            return [fault for key, each in value.items() for fault in misfits(each, item, f"{place}.{key}")]
        case origin if origin is list and isinstance(value, list):
            (item,) = get_args(shape)
            return [fault for index, each in enumerate(value) for fault in misfits(each, item, f"{place}[{index}]")]
        case _:
            fits = False
    return [] if fits else [f"{place}: {value!r} is no {shape}"]


def _misfits_of_record(value: object, hints: dict[str, Any], place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is no object"]
    strange = [f"{place}.{key}: is not in the contract" for key in value.keys() - hints.keys()]
    missing = [f"{place}.{key}: is missing" for key in hints.keys() - value.keys()]
    present = [
        fault for key in hints.keys() & value.keys() for fault in misfits(value[key], hints[key], f"{place}.{key}")
    ]
    return strange + missing + present
