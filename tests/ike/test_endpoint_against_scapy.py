"""Every message that the core sends is opened with the exported keys by a decryption of its own, and read by scapy.

tests/lab/test_decoders.py does the same with Wireshark.
"""

from __future__ import annotations

import pytest

from edgevpn.daemon.base.key_log import ike_line
from edgevpn.ike.peer import Offer
from edgevpn.ike.wire.message import Header
from tests.support.conversations import (
    NOTIFIES,
    SUITES,
    TALKS,
    Conversation,
    Message,
    conversation,
    conversations,
    notifies,
)
from tests.support.second_opinion import Row, decrypt, header_by_scapy, read_by_scapy, read_by_us


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_every_cipher(suite: Offer) -> None:
    """A whole life of an IKE SA, payload by payload, value by value."""
    check(conversation("a whole life", suite))


@pytest.mark.parametrize("name", TALKS)
def test_every_conversation(name: str) -> None:
    """What goes wrong is told in messages of its own."""
    check(conversation(name, SUITES["AES-GCM-16"]))


def check(said: Conversation) -> None:
    """scapy reads what was meant."""
    table = {row.spis: row for row in map(Row.parse, map(ike_line, said.secrets))}
    for message in said.messages:
        first, chain = opened(message, table)
        assert read_by_scapy(message.datagrams[0], first, chain) == read_by_us(message.payloads())


def opened(message: Message, table: dict[tuple[str, str], Row]) -> tuple[int, bytes]:
    """The chain of payloads, which is in clear in IKE_SA_INIT."""
    octets = message.datagrams[0]
    if message.secured is None:
        return octets[16], octets[28:]
    return decrypt(message.datagrams, table[octets[:8].hex(), octets[8:16].hex()])


def test_scapy_reads_the_headers() -> None:
    for said in conversations(SUITES["AES-GCM-16"]):
        for octets in (octets for message in said.messages for octets in message.datagrams):
            header, length = Header.decode(octets), len(octets)
            spis_and_first = header.spi_i, header.spi_r, header.next_payload
            expected = (*spis_and_first, 0x20, header.exchange, header.flags, header.message_id, length)
            assert header_by_scapy(octets) == expected


def test_nothing_is_left_unsaid() -> None:
    """The conversations hold every kind of message."""
    said = list(conversations(SUITES["AES-GCM-16"]))
    assert set().union(*(notifies(message) for each in said for message in each.messages)) >= NOTIFIES
    assert {kind(message) for each in said for message in each.messages} >= {
        "IKE_SA_INIT request",
        "IKE_SA_INIT response",
        "IKE_AUTH request",
        "IKE_AUTH response",
        "CREATE_CHILD_SA request",
        "CREATE_CHILD_SA response",
        "INFORMATIONAL request",
        "INFORMATIONAL response",
    }
    assert both_sides(said)


def kind(message: Message) -> str:
    header = message.header
    return f"{header.exchange.name} {'response' if header.is_response else 'request'}"


def both_sides(said: list[Conversation]) -> bool:
    """Whether requests were made by the original initiator and by the original responder, of either exchange."""
    headers = [message.header for each in said for message in each.messages]
    requests = {(header.exchange.name, header.from_initiator) for header in headers if not header.is_response}
    return requests >= {(name, side) for name in ("CREATE_CHILD_SA", "INFORMATIONAL") for side in (True, False)}
