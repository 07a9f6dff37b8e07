"""What comes in over HTTP, read once: bounded JSON objects and queries that fit the parameters of a method.

Control characters, lone surrogates and what turns the direction of writing are refused everywhere: no name, password
or setting needs them, and each has broken something somewhere.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import isfinite
from typing import Any, Literal, NoReturn, get_args, get_origin

from aiohttp import web

from edgevpn.web.answers import Refused

SMALL = 64 * 1024
LARGE = 1000 * 1024
"""Octets of a body: of any, and of a backup that is to be restored, which has to fit in a line for the daemon."""
PATIENCE = 15.0
"""Seconds in which a body has to arrive."""

LINES = frozenset({"text", "content"})
"""Parameters that have more than one line."""

_ODD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")
_ODD_IN_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


def remote_of(request: web.BaseRequest) -> IPv4Address | IPv6Address:
    """Who asks, by the socket: headers are anybody's."""
    address = ip_address(request.remote or "::")
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


async def body_of(request: web.Request, limit: int = SMALL) -> dict[str, Any]:
    """The JSON object in a request. Raises Refused."""
    if request.content_type != "application/json":
        raise Refused(415, "not_json", "the body must be JSON, and say so")
    octets = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.content.iter_any():
                octets += part
                if len(octets) > limit:
                    raise Refused(413, "too_large", f"a body may have {limit} octets")
    except TimeoutError:
        raise Refused(408, "too_slow", "the body did not arrive in time") from None
    return _parsed(bytes(octets))


def _parsed(octets: bytes) -> dict[str, Any]:
    try:
        content = json.loads(octets.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid", "the body is not JSON") from None
    if not isinstance(content, dict):
        raise Refused(400, "invalid", "the body is no JSON object")
    for name, value in content.items():
        refuse_odd(name, name)
        refuse_odd(value, name)
    return content


def refuse_odd(value: object, name: str) -> None:
    """Raises Refused for text with characters that nobody types, however deep it is in there."""
    match value:
        case str():
            if (_ODD_IN_LINES if name in LINES else _ODD).search(value):
                raise Refused(400, "invalid", "control characters are not taken")
        case dict():
            for key, each in value.items():
                refuse_odd(key, "")
                refuse_odd(each, "")
        case list():
            for each in value:
                refuse_odd(each, "")


def fitting(given: Mapping[str, Any], needed: Mapping[str, Any], optional: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, if all that are needed are there, no others, and each is of its kind. Raises Refused."""
    if missing := needed.keys() - given.keys():
        raise Refused(400, "invalid", f"{min(missing)} is missing")
    shapes = {**needed, **optional}
    if strange := given.keys() - shapes.keys():
        raise Refused(400, "invalid", f"{min(strange)[:40]!r} is not taken here")
    for name, value in given.items():
        if not fits(value, shapes[name]):
            raise Refused(400, "invalid", f"{name} is not of the right kind")
    return dict(given)


def fits(value: object, shape: Any) -> bool:
    """Whether a value is of the kind that a parameter of the control protocol has."""
    match get_origin(shape):
        case None:
            return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
        case origin if origin is Literal:
            return value in get_args(shape)
        case origin if origin is list:
            return isinstance(value, list) and all(fits(each, get_args(shape)[0]) for each in value)
        case _:
            return isinstance(value, dict)


def query_of(request: web.Request, shapes: Mapping[str, Any]) -> dict[str, Any]:
    """The query, with numbers and truth values read. Raises Refused."""
    given: dict[str, Any] = {}
    for name, text in request.query.items():
        refuse_odd(text, "")
        if name in given:
            raise Refused(400, "invalid", "a parameter is there twice")
        given[name] = _read(text, shapes.get(name))
    return given


def _read(text: str, shape: object) -> object:
    if shape is int and re.fullmatch(r"\d{1,9}", text):
        return int(text)
    if shape is bool and text in ("true", "false"):
        return text == "true"
    return text


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _refuse_constant(text)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
