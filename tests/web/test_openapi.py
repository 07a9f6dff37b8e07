"""edgevpn/web/openapi.yaml says what the panel answers; here it is compared with what there is."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
import yaml

from edgevpn.api import METHODS, records
from edgevpn.web.guard import API, OPEN_API
from edgevpn.web.routes import ROUTES
from tests.support.panel import Stage, stage

FILE = Path(__file__).parent.parent.parent / "edgevpn/web/openapi.yaml"
PLAIN_KINDS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    types.NoneType: {"type": "null"},
}


def schema_of(shape: Any) -> dict[str, Any]:
    """A kind of the control protocol as JSON Schema; records by reference."""
    if is_typeddict(shape):
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    if shape in PLAIN_KINDS:
        return PLAIN_KINDS[shape]
    match get_origin(shape), get_args(shape):
        case origin, words if origin is Literal:
            return {"type": "string", "enum": list(words)}
        case origin, (item,) if origin is list:
            return {"type": "array", "items": schema_of(item)}
        case origin, (_, value) if origin is dict:
            return {"type": "object"} | ({} if value is Any else {"additionalProperties": schema_of(value)})
        case origin, parts if origin in (Union, types.UnionType):
            return {"anyOf": [schema_of(part) for part in parts]}
    raise TypeError(shape)


def record_schema(record: Any) -> dict[str, Any]:
    """A record as JSON Schema: all keys are there, and no others."""
    properties = {key: schema_of(shape) for key, shape in get_type_hints(record).items()}
    schema = {"type": "object", "description": (record.__doc__ or "").split("\n")[0], "additionalProperties": False}
    return schema | {"properties": properties, "required": list(properties)}


def references(schema: object) -> Iterator[str]:
    """The names of records that a schema refers to."""
    match schema:
        case {"$ref": str(path)}:
            yield path.rsplit("/", 1)[1]
        case dict():
            for each in schema.values():
                yield from references(each)
        case list():
            for each in schema:
                yield from references(each)


def components() -> dict[str, Any]:
    """The records that are answered, those in them included."""
    known: dict[str, Any] = {}
    waiting = [
        name for route in ROUTES if route.spec.result is not None for name in references(schema_of(route.spec.result))
    ]
    while waiting:
        name = waiting.pop()
        if name not in known:
            known[name] = record_schema(getattr(records, name))
            waiting += references(known[name])
    return dict(sorted(known.items()))


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(FILE.read_text())


@pytest.fixture
async def panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def test_paths_are_routes(document: Any, panel: Stage) -> None:
    pages = {"/", "/app.js"}
    routes = {
        (route.method, route.resource.canonical)
        for route in panel.panel.app.router.routes()
        if route.resource is not None and route.resource.canonical not in pages
    }
    described = {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs}
    assert described == routes


def test_what_is_open_is_said_to_be(document: Any) -> None:
    without = {
        path for path, verbs in document["paths"].items() for each in verbs.values() if each.get("security") == []
    }
    assert without == {*OPEN_API, "/d/{token}/{file}"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.verb} {route.path}")
def test_an_operation_is_its_method(document: Any, route: Any) -> None:
    operation = document["paths"][API + route.path][route.verb.lower()]
    assert operation["summary"] == route.spec.doc
    sent = {each["name"] for each in operation.get("parameters", [])}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    sent |= body.get("properties", {}).keys()
    assert sent == route.spec.params.keys() | route.spec.optional.keys()
    for name, schema in body.get("properties", {}).items():
        assert schema == schema_of({**route.spec.params, **route.spec.optional}[name])
    if route.spec.result is None:
        assert "204" in operation["responses"]
    else:
        answered = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert (answered["properties"][route.key] if route.key else answered) == schema_of(route.spec.result)


def test_records_are_those_of_the_control_protocol(document: Any) -> None:
    described = {
        name: schema for name, schema in document["components"]["schemas"].items() if name not in ("Error", "Qr")
    }
    assert described == components()


def test_every_method_has_words(document: Any) -> None:
    assert all(METHODS[route.method].doc for route in ROUTES)
