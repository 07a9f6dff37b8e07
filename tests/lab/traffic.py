"""Traffic between nodes, made in this process: no program is started for a ping or a transfer."""

import hashlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import count as counter
from itertools import cycle
from random import Random

from tests.lab.namespace import Namespace

ECHO_REQUEST = {4: 8, 6: 128}
ECHO_REPLY = {4: 0, 6: 129}
IDENTIFIERS = counter(0x1000)
CHUNK = 1 << 16


@dataclass
class Echoes:
    """Echo requests sent and their answers: round-trip time in seconds by sequence number.

    `sent_at`: when each was sent, in seconds since the epoch.
    """

    sent: int = 0
    answered: dict[int, float] = field(default_factory=dict)
    sent_at: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self.sent - len(self.answered)

    @property
    def passed(self) -> bool:
        """All were answered."""
        return self.sent > 0 and self.lost == 0

    def lost_at(self) -> list[float]:
        """When those were sent that have no answer."""
        return [at for sequence, at in enumerate(self.sent_at) if sequence not in self.answered]

    def longest_gap(self) -> int:
        """The most requests in a row without an answer."""
        longest = current = 0
        for sequence in range(self.sent):
            current = 0 if sequence in self.answered else current + 1
            longest = max(longest, current)
        return longest


class Pinger:
    """An ICMP echo socket in a namespace, towards one address."""

    def __init__(self, namespace: Namespace, address: str, source: str = "", size: int = 56) -> None:
        self.version = ip_address(address).version
        self.address, self.payload, self.identifier = address, bytes(size), next(IDENTIFIERS) & 0xFFFF
        family, protocol = _icmp(self.version)
        self.socket = namespace.socket(family, socket.SOCK_RAW, protocol)
        if source:
            self.socket.bind((source, 0))
        self.echoes = Echoes()
        self.sent_at: dict[int, float] = {}

    def send(self) -> None:
        """One request; what the kernel refuses to send counts as lost."""
        sequence, self.echoes.sent = self.echoes.sent, self.echoes.sent + 1
        head = struct.pack(">BBHHH", ECHO_REQUEST[self.version], 0, 0, self.identifier, sequence & 0xFFFF)
        if self.version == 4:  # for IPv6 the kernel fills it in
            head = head[:2] + struct.pack(">H", _checksum(head + self.payload)) + head[4:]
        self.sent_at[sequence] = time.monotonic()
        self.echoes.sent_at.append(time.time())
        with suppress(OSError):
            self.socket.sendto(head + self.payload, (self.address, 0))

    def collect(self, until: float) -> None:
        """Take answers until a time (monotonic), or until none is outstanding after it."""
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return
            with suppress(OSError):  # an ICMP error that was queued on the socket
                self._take(self.socket.recv(0xFFFF))

    def finish(self, wait: float) -> Echoes:
        """Wait for late answers, at most `wait` seconds, and close."""
        until = time.monotonic() + wait
        while self.echoes.lost and time.monotonic() < until:
            self.collect(min(until, time.monotonic() + 0.02))
        self.socket.close()
        return self.echoes

    def _take(self, packet: bytes) -> None:
        message = packet[(packet[0] & 0x0F) * 4 :] if self.version == 4 else packet
        kind, identifier, sequence = message[0], *struct.unpack_from(">HH", message, 4)
        sequence += (self.echoes.sent - 1 - sequence) & ~0xFFFF  # of that number in 16 bits the last that was sent
        if kind == ECHO_REPLY[self.version] and identifier == self.identifier and sequence in self.sent_at:
            self.echoes.answered.setdefault(sequence, time.monotonic() - self.sent_at[sequence])


def ping(
    namespace: Namespace,
    address: str,
    *,
    count: int = 3,
    interval: float = 0.02,
    wait: float = 2.0,
    source: str = "",
    size: int = 56,
) -> Echoes:
    """Send `count` echo requests, one every `interval` seconds; the last may be answered up to `wait` seconds late."""
    pinger = Pinger(namespace, address, source, size)
    for _ in range(count):
        pinger.send()
        pinger.collect(time.monotonic() + interval)
    return pinger.finish(wait)


@contextmanager
def pinging(namespace: Namespace, *addresses: str, interval: float = 0.02, wait: float = 2.0) -> Iterator[Echoes]:
    """Ping all through the block, one address after the other; the counts are final when it has ended."""
    pinger = Pinger(namespace, addresses[0])
    stop = threading.Event()

    def keep_sending() -> None:
        for pinger.address in cycle(addresses):
            if stop.is_set():
                return
            due = time.monotonic() + interval
            pinger.send()
            pinger.collect(due)
            stop.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=keep_sending, daemon=True)
    thread.start()
    try:
        yield pinger.echoes
    finally:
        stop.set()
        thread.join()
        pinger.finish(wait)


def transfer(
    source: Namespace, target: Namespace, address: str, octets: int, *, port: int = 0, limit: float = 20.0
) -> float:
    """Send octets over TCP from one namespace to an address (and port) of another; returns bits per second.

    Raises OSError when it takes more than `limit` seconds, AssertionError when something else arrives.
    """
    family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    received = hashlib.sha256()
    with target.socket(family, socket.SOCK_STREAM) as listener, source.socket(family, socket.SOCK_STREAM) as sender:
        listener.settimeout(limit)
        listener.bind((address, port))
        listener.listen()
        thread = threading.Thread(target=_drain, args=(listener, limit, received.update), daemon=True)
        thread.start()
        start = time.monotonic()
        sender.settimeout(limit)
        sender.connect(listener.getsockname()[:2])
        sent = _pour(sender, octets)
        sender.shutdown(socket.SHUT_WR)
        thread.join(limit)
    assert received.digest() == sent, "what arrived is not what was sent"
    return octets * 8 / (time.monotonic() - start)


def _pour(sender: socket.socket, octets: int) -> bytes:
    digest, noise = hashlib.sha256(), Random(octets).randbytes(CHUNK)
    while octets:
        chunk = noise[: min(octets, CHUNK)]
        sender.sendall(chunk)
        digest.update(chunk)
        octets -= len(chunk)
    return digest.digest()


def _drain(listener: socket.socket, limit: float, update: Callable[[bytes], None]) -> None:
    with suppress(OSError), listener.accept()[0] as connection:  # what is missing then is missed by the sender
        connection.settimeout(limit)
        while chunk := connection.recv(CHUNK):
            update(chunk)


def _icmp(version: int) -> tuple[int, int]:
    return (socket.AF_INET, socket.IPPROTO_ICMP) if version == 4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)


def _checksum(octets: bytes) -> int:
    """The Internet checksum, RFC 1071."""
    padded = octets + bytes(len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
