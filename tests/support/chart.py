"""What two endpoints said to each other, in the notation of RFC 7296 §1.2, a line for each message.

    --> IKE_SA_INIT request 0: SA, KEi, Ni
    <-- CREATE_CHILD_SA response 2: SA, Nr, TSi, TSr
    --> INFORMATIONAL request 3: D(ESP) lost
    --> [2] INFORMATIONAL request 0:            on the second IKE SA that spoke

The Notifies of NAT detection are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from edgevpn.ike.errors import Discard
from edgevpn.ike.iana import ExchangeType, NotifyType, PayloadType
from edgevpn.ike.state import Secured
from edgevpn.ike.window import Seal
from edgevpn.ike.wire.message import Header, Payload, decode_message, decode_payloads
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete, KeyExchange, Nonce
from edgevpn.ike.wire.protected import open_fragment, open_message

LEFT_OUT = (NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP)
SHORT = {PayloadType.IDI: "IDi", PayloadType.IDR: "IDr", PayloadType.TSI: "TSi", PayloadType.TSR: "TSr"}


@dataclass
class Chart:
    """Collects datagrams, and opens them when it is read."""

    _said: list[tuple[bool, bytes, bool]] = field(default_factory=list)
    _spis: list[bytes] = field(default_factory=list)

    def add(self, from_left: bool, octets: bytes, lost: bool) -> None:
        self._said.append((from_left, octets, lost))

    def text(self, secrets: dict[tuple[bytes, bytes], list[Secured]]) -> str:
        """The lines since the last call."""
        lines = [self._line(from_left, octets, lost, secrets) for from_left, octets, lost in self._said]
        self._said.clear()
        return "\n".join(lines)

    def _line(
        self, from_left: bool, octets: bytes, lost: bool, secrets: dict[tuple[bytes, bytes], list[Secured]]
    ) -> str:
        header = Header.decode(octets)
        if header.spi_i not in self._spis:
            self._spis.append(header.spi_i)
        which = self._spis.index(header.spi_i) + 1
        parts = [
            "-->" if from_left else "<--",
            *([f"[{which}]"] if which > 1 else []),
            header.exchange.name,
            "response" if header.is_response else "request",
            f"{header.message_id}:",
            _content(header, octets, secrets.get((header.spi_i, header.spi_r), [])),
            *(["lost"] if lost else []),
        ]
        return " ".join(part for part in parts if part)


def without_numbers(chart: str) -> str:
    """The same chart without message IDs, for where only the order of the conversation counts."""
    return re.sub(r" \d+:", ":", chart)


def _content(header: Header, octets: bytes, secrets: list[Secured]) -> str:
    if header.exchange == ExchangeType.IKE_SA_INIT:
        return _names(decode_message(header, octets), header)
    for secured in secrets:
        with suppress(Discard):
            return _opened(header, octets, secured)
    raise AssertionError("sealed with keys that nobody has told")


def _opened(header: Header, octets: bytes, secured: Secured) -> str:
    seal = Seal.of(secured)
    cipher = seal.outgoing if header.from_initiator == secured.initiator else seal.incoming
    if header.next_payload == PayloadType.SKF:
        fragment = open_fragment(octets, header, cipher)
        return f"fragment {fragment.number} of {fragment.total}"
    return _names(decode_payloads(*open_message(octets, header, cipher)), header)


def _names(payloads: Iterable[Payload], header: Header) -> str:
    names = (_name(payload, header.is_response) for payload in payloads)
    return ", ".join(name for name in names if name)


def _name(payload: Payload, response: bool) -> str:
    match payload:
        case Notify(notify_type=notify_type):
            return "" if notify_type in LEFT_OUT else f"N({notify_type.name})"
        case Delete(protocol=protocol):
            return f"D({protocol.name})"
        case KeyExchange():
            return "KEr" if response else "KEi"
        case Nonce():
            return "Nr" if response else "Ni"
        case _:
            return SHORT.get(payload.payload_type, payload.payload_type.name)
