"""What is answered over HTTP: JSON, and for what was refused an object that says why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from edgevpn.api import ErrorCode, RpcError

STATUS_OF = {
    ErrorCode.NOT_FOUND: (404, "not_found"),
    ErrorCode.INVALID_PARAMS: (400, "invalid"),
    ErrorCode.FAILED: (409, "failed"),
    ErrorCode.CONFIG_INVALID: (422, "config_invalid"),
    ErrorCode.TOO_MANY_CLIENTS: (503, "busy"),
    ErrorCode.METHOD_NOT_FOUND: (501, "not_served"),
}
"""What a refusal of the daemon is over HTTP; any other is its fault, or ours."""
ITS_FAULT = (502, "daemon_fault")


class Refused(Exception):  # noqa: N818 - named for what it is
    """A request that is not carried out, for reasons that its sender may know."""

    def __init__(
        self, status: int, code: str, message: str, problems: Sequence[str] = (), retry_after: float = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.problems = tuple(problems)
        self.retry_after = retry_after


def answer(value: object) -> web.Response:
    """A value as JSON; nothing for None."""
    if value is None:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    return web.Response(body=_encoded(value), content_type="application/json")


def refusal(refused: Refused) -> web.Response:
    """The answer to what was refused."""
    error: dict[str, object] = {"code": refused.code, "message": refused.message, "problems": list(refused.problems)}
    response = web.Response(body=_encoded({"error": error}), status=refused.status, content_type="application/json")
    if refused.retry_after:
        response.headers["Retry-After"] = str(int(refused.retry_after) + 1)
    return response


def from_daemon(error: RpcError) -> Refused:
    """What the daemon refused."""
    status, code = STATUS_OF.get(ErrorCode(error.code), ITS_FAULT) if _known(error.code) else ITS_FAULT
    problems = [str(problem) for problem in error.data] if isinstance(error.data, list) else []
    return Refused(status, code, error.message, problems)


def from_http(error: web.HTTPException) -> Refused:
    """What aiohttp refused: no such path, no such method, too much of something."""
    return Refused(error.status, error.reason.lower().replace(" ", "_"), error.reason)


def _known(code: int) -> bool:
    return code in ErrorCode.__members__.values()


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
