"""The control protocol: newline-delimited JSON-RPC 2.0 on a Unix socket. Its words, for both ends of the socket.

Every request has its parameters by name. After `subscribe` the daemon sends notifications whose method is "event" and
whose parameters are an `Event`. Times are Unix times in seconds, worked out when the answer is written, so that a
clock that is set later falsifies nothing; sizes are octets; SPIs are hexadecimal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, TypedDict

API_VERSION = 1
DEFAULT_SOCKET = Path("/var/run/edgevpn/control.sock")
SOCKET_VARIABLE = "EDGEVPN_SOCKET"
LONGEST_REQUEST = 64 * 1024
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
    """A request that was not carried out. `data` of CONFIG_INVALID is the list of problems, one text each."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class ChildStatus(TypedDict):
    """One CHILD SA. `bytes_in` and `bytes_out` count from its last rekeying on."""

    name: str
    spi_in: str
    spi_out: str
    local_ts: list[str]
    remote_ts: list[str]
    bytes_in: int
    bytes_out: int
    suite: str


class IkeStatus(TypedDict):
    """One IKE SA. `nat` tells which ends have a NAT before them."""

    spi_i: str
    spi_r: str
    local: str
    remote: str
    nat: Literal["none", "local", "remote", "both"]
    established: float
    suite: str
    children: list[ChildStatus]


class SiteStatus(TypedDict):
    """One site, with all its IKE SAs; there is more than one while one replaces another."""

    name: str
    state: Literal["up", "connecting", "down"]
    remote: str
    ike: list[IkeStatus]


class Status(TypedDict):
    """Result of `status`."""

    version: str
    started: float
    kernel: Literal["netlink", "memory"]
    sites: list[SiteStatus]


class Version(TypedDict):
    """Result of `version`."""

    version: str
    api: int


class Reloaded(TypedDict):
    """Result of `reload`: names of sites by what happened to them, and warnings about the file."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    unchanged: list[str]
    warnings: list[str]


class Subscription(TypedDict):
    """Result of `subscribe`: the topics that this connection now hears of."""

    topics: list[str]


class Event(TypedDict):
    """Parameters of an `event` notification."""

    topic: str
    data: Any


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """What a method takes, all by name and all needed, and what it answers."""

    doc: str
    result: Any
    params: Mapping[str, Any] = field(default_factory=dict)


METHODS: Mapping[str, MethodSpec] = {
    "version": MethodSpec("Which edgevpn answers.", Version),
    "status": MethodSpec("Everything that is up, coming up or down.", Status),
    "site.up": MethodSpec(
        "Bring a site up; answers once it is up, or fails with the reason.", SiteStatus, {"name": str}
    ),
    "site.down": MethodSpec("Close a site and leave it closed until `site.up` or a reload.", None, {"name": str}),
    "site.rekey": MethodSpec(
        "Give a site new keys: of its IKE SA, or of all its children; answers once they are in use.",
        SiteStatus,
        {"name": str, "what": Literal["ike", "child"]},
    ),
    "reload": MethodSpec("Read the configuration file again and apply the difference.", Reloaded),
    "subscribe": MethodSpec("Hear of these topics, and no longer of others.", Subscription, {"topics": list[str]}),
}
