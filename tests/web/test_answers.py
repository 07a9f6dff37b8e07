from __future__ import annotations

import json

import pytest
from aiohttp import web

from edgevpn.api import ErrorCode, RpcError
from edgevpn.web.answers import Refused, answer, from_daemon, from_http, refusal


def body(response: web.Response) -> object:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_json_or_nothing() -> None:
    assert body(answer({"a": [1]})) == {"a": [1]}
    assert answer([]).status == 200
    nothing = answer(None)
    assert (nothing.status, nothing.body) == (204, None)


def test_a_refusal_says_why() -> None:
    response = refusal(Refused(422, "config_invalid", "it is bad", ["line 1"], retry_after=1.2))
    assert response.status == 422
    assert body(response) == {"error": {"code": "config_invalid", "message": "it is bad", "problems": ["line 1"]}}
    assert response.headers["Retry-After"] == "2"
    assert "Retry-After" not in refusal(Refused(400, "invalid", "it is bad")).headers


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        (ErrorCode.NOT_FOUND, 404, "not_found"),
        (ErrorCode.INVALID_PARAMS, 400, "invalid"),
        (ErrorCode.FAILED, 409, "failed"),
        (ErrorCode.CONFIG_INVALID, 422, "config_invalid"),
        (ErrorCode.TOO_MANY_CLIENTS, 503, "busy"),
        (ErrorCode.METHOD_NOT_FOUND, 501, "not_served"),
        (ErrorCode.INTERNAL_ERROR, 502, "daemon_fault"),
        (-1, 502, "daemon_fault"),
    ],
)
def test_what_the_daemon_refuses(code: int, status: int, word: str) -> None:
    refused = from_daemon(RpcError(code, "because", ["one", 2]))
    assert (refused.status, refused.code, refused.message) == (status, word, "because")
    assert refused.problems == ("one", "2")
    assert from_daemon(RpcError(code, "because", "no list")).problems == ()


def test_what_aiohttp_refuses() -> None:
    refused = from_http(web.HTTPMethodNotAllowed("PUT", ["GET"]))
    assert (refused.status, refused.code) == (405, "method_not_allowed")
