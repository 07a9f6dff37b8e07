from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.api import METHODS, ErrorCode, MethodSpec, RpcError
from edgevpn.daemon.control.parameters import DEEPEST, allowed, checked

SPEC = MethodSpec(
    "A trial.",
    None,
    {"name": str, "what": Literal["ike", "child"]},
    {"count": int, "flag": bool, "words": list[str], "settings": dict[str, Any]},
)
GOOD: dict[str, Any] = {"name": "office", "what": "ike"}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"name": "x"}, 'try: what is missing; allowed: "ike" or "child"'),
    "nothing": ({}, "try: name is missing; allowed: a text"),
    "strange": (
        GOOD | {"x" * 99: 1},
        f"try does not take '{'x' * 40}'; it takes name, what, and if you like count, flag, words, settings",
    ),
    "another kind": (GOOD | {"name": 7}, "try: name is of another kind; allowed: a text"),
    "null": (GOOD | {"name": None}, "try: name is of another kind; allowed: a text"),
    "no such word": (GOOD | {"what": "all"}, 'try: what is of another kind; allowed: "ike" or "child"'),
    "what cannot be a word": (GOOD | {"what": ["ike"]}, 'try: what is of another kind; allowed: "ike" or "child"'),
    "a truth value is no number": (GOOD | {"count": True}, "try: count is of another kind; allowed: a whole number"),
    "a number is no truth value": (GOOD | {"flag": 1}, "try: flag is of another kind; allowed: true or false"),
    "a fraction": (GOOD | {"count": 1.5}, "try: count is of another kind; allowed: a whole number"),
    "a list of others": (
        GOOD | {"words": ["a", 1]},
        "try: words is of another kind; allowed: a list, each of it a text",
    ),
    "a list for an object": (
        GOOD | {"settings": []},
        "try: settings is of another kind; allowed: an object of keys and their values",
    ),
    "half a character": (GOOD | {"name": "a\ud800"}, "try: name holds half a character (a lone surrogate)"),
    "half a character in a key": (
        GOOD | {"settings": {"\udfff": 1}},
        "try: settings holds half a character (a lone surrogate)",
    ),
    "beyond all numbers": (GOOD | {"settings": {"a": [1e999]}}, "try: settings holds a number that is too large"),
}


@pytest.mark.parametrize(("params", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(RpcError) as refusal:
        checked("try", SPEC, params)
    assert (refusal.value.code, refusal.value.message) == (ErrorCode.INVALID_PARAMS, message)


def test_deep_values_are_refused() -> None:
    value: Any = {}
    for _ in range(10_000):
        value = {"a": value}
    with pytest.raises(RpcError, match=f"settings holds more than {DEEPEST} levels"):
        checked("try", SPEC, GOOD | {"settings": value})


def test_taken_as_they_are() -> None:
    given: dict[str, Any] = GOOD | {"count": 2**70, "flag": False, "words": [], "settings": {"a": {"b": [None, 1.5]}}}
    assert checked("try", SPEC, given) == given


def test_every_parameter_has_its_words() -> None:
    for spec in METHODS.values():
        assert all(allowed(shape) for shape in (*spec.params.values(), *spec.optional.values()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(sorted(METHODS)), st.dictionaries(st.sampled_from(["name", "settings", "text", "x"]), JSON))
def test_anything_is_refused_or_fits(method: str, params: dict[str, Any]) -> None:
    taken: dict[str, Any] | None = None
    with suppress(RpcError):
        taken = checked(method, METHODS[method], params)
    assert taken is None or (taken == params and METHODS[method].params.keys() <= taken.keys())
