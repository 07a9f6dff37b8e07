"""The control protocol: its words, for both ends of the socket."""

from __future__ import annotations

from edgevpn.api.methods import METHODS, TOPICS, MethodSpec
from edgevpn.api.protocol import (
    API_VERSION,
    DEFAULT_SOCKET,
    LONGEST_ANSWER,
    LONGEST_REQUEST,
    SOCKET_VARIABLE,
    ErrorCode,
    Event,
    RpcError,
)
from edgevpn.api.records import ChildStatus, IkeStatus, Reloaded, SiteStatus, Status, Subscription, Version

__all__ = (
    "API_VERSION",
    "DEFAULT_SOCKET",
    "LONGEST_ANSWER",
    "LONGEST_REQUEST",
    "METHODS",
    "SOCKET_VARIABLE",
    "TOPICS",
    "ChildStatus",
    "ErrorCode",
    "Event",
    "IkeStatus",
    "MethodSpec",
    "Reloaded",
    "RpcError",
    "SiteStatus",
    "Status",
    "Subscription",
    "Version",
)
