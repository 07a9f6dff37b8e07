"""How the control socket is spoken: newline-delimited JSON-RPC 2.0. Places, limits, errors, events."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Any, TypedDict

API_VERSION = 1
DEFAULT_SOCKET = Path("/var/run/edgevpn/control.sock")
SOCKET_VARIABLE = "EDGEVPN_SOCKET"
LONGEST_REQUEST = 1024 * 1024
LONGEST_ANSWER = 64 * 1024 * 1024
"""Octets of a line, its end included."""


class ErrorCode(IntEnum):
    """Error codes: those of JSON-RPC 2.0 §5.1, then ours."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    NOT_PERMITTED = -32001
    TOO_MANY_CLIENTS = -32002
    NOT_FOUND = -32003
    FAILED = -32004
    CONFIG_INVALID = -32005


class RpcError(Exception):
    """A request that was not carried out. `data` of CONFIG_INVALID is the list of problems, one text each.

    Where the message is the only one of them, the request itself was refused; else the file would have been bad.
    """

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Event(TypedDict):
    """Parameters of an `event` notification."""

    topic: str
    data: Any
