"""A message of the peer's, once window and endpoint have read the datagram: its payloads, and where it came from."""

from __future__ import annotations

from dataclasses import field
from typing import TypeVar

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import ExchangeType, NotifyType
from edgevpn.ike.state import Path
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify

P = TypeVar("P")


class Payloads:
    """How handlers look into a message."""

    __slots__ = ()
    payloads: tuple[Payload, ...]

    def all(self, kind: type[P]) -> tuple[P, ...]:
        """The payloads of that kind, in their order."""
        return tuple(payload for payload in self.payloads if isinstance(payload, kind))

    def first(self, kind: type[P]) -> P | None:
        """The first payload of that kind."""
        for payload in self.payloads:
            if isinstance(payload, kind):
                return payload
        return None

    def need(self, kind: type[P]) -> P:
        """The first payload of that kind; InvalidSyntax if there is none."""
        payload = self.first(kind)
        if payload is None:
            raise InvalidSyntax(f"no {kind.__name__} payload")
        return payload

    def notify(self, notify_type: NotifyType) -> Notify | None:
        """The first Notify of that type."""
        for payload in self.payloads:
            if isinstance(payload, Notify) and payload.notify_type == notify_type:
                return payload
        return None

    def error(self) -> Notify | None:
        """The first Notify that reports an error."""
        return next((n for n in self.payloads if isinstance(n, Notify) and n.notify_type.is_error), None)


@dataclass(frozen=True, slots=True)
class Request(Payloads):
    """The peer asks something; its ICV was right. `octets` is what AUTH covers of it: as in `Response`."""

    exchange: ExchangeType
    message_id: int
    payloads: tuple[Payload, ...]
    path: Path
    octets: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Response(Payloads):
    """The peer answers what we are waiting for.

    `octets` is what AUTH covers of it: in IKE_SA_INIT the datagram itself, in IKE_INTERMEDIATE the chain of payloads.
    """

    exchange: ExchangeType
    payloads: tuple[Payload, ...]
    path: Path
    octets: bytes = field(default=b"", repr=False)
