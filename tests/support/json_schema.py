"""JSON Schema as programs read it: an independent judge of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator


def takes(schema: Mapping[str, Any], value: object) -> bool:
    """True if the schema lets the value pass, dates being strings as in JSON."""
    return Draft202012Validator(schema).is_valid(as_json(value))


def as_json(value: object) -> Any:
    """What a TOML value is in JSON."""
    return json.loads(json.dumps(value, default=str))
