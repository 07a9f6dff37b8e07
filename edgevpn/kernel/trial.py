"""Whether the kernel's ciphers carry real packets, and how fast: through SAs between two namespaces made for it.

A program of its own, as there is no way back out of a namespace: `python -m edgevpn.kernel.trial` prints what it found
as JSON, or ends with status 3 and the reason where no namespace can be made.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

from edgevpn.frozen import dataclass
from edgevpn.kernel.crypto_api import driver_of
from edgevpn.kernel.errors import KernelError, NotSupported
from edgevpn.kernel.framework import ifinfmsg, nlmsg
from edgevpn.kernel.namespaces import enter_new_network
from edgevpn.kernel.netlink import NETLINK_ROUTE, Flag, NetlinkSocket, open_socket, request
from edgevpn.kernel.network_codec import RtMsg, address_message, link_by_name, made_up
from edgevpn.kernel.network_spec import AddressSpec
from edgevpn.kernel.spec import (
    OURS_REQID,
    Aead,
    Direction,
    Encryption,
    Integrity,
    PolicyKey,
    PolicySpec,
    SaKey,
    SaSpec,
    Selector,
    Template,
)
from edgevpn.kernel.trial_results import Result, Verdict
from edgevpn.kernel.xfrm import Xfrm

IMPOSSIBLE = 3
"""Exit status where no namespace can be made."""

NEAR, FAR = ip_address("192.0.2.1"), ip_address("192.0.2.2")
HERE = Path("/proc/thread-self/ns/net")
NEAR_LINK, FAR_LINK = "near", "far"
REQID, PORT, UDP = OURS_REQID.start, 7, 17
FIRST_SPI = 0x0EDE_0001
NEW = Flag.CREATE | Flag.EXCLUSIVE

SIZES = (1, 64, 511, 1024, 1372)
"""Octets in datagrams that must arrive as they were sent; the last one fills a packet of 1,400."""
PATIENCE = 0.5
"""Seconds for one of them to arrive."""
ROUNDS, ROUND = 4, 0.05
"""Each cipher is measured so often, for so many seconds, by turns; its best round counts."""
BURST = 16
SETTLE = 0.05
"""Seconds for an engine to finish what it has been given."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cipher to try. `name` is what proposals call it, `api` what the crypto API does."""

    name: str
    api: str
    cipher: Aead | Encryption
    integrity: Integrity | None = None


def candidates() -> tuple[Candidate, ...]:
    """All that are tried, with new keys."""
    gcm, chacha = "rfc4106(gcm(aes))", "rfc7539esp(chacha20,poly1305)"
    cbc, sha = Encryption("cbc(aes)", os.urandom(32)), Integrity("hmac(sha256)", os.urandom(32), 128)
    return (
        Candidate("aes256gcm16", gcm, Aead(gcm, os.urandom(36), 128)),
        Candidate("chacha20poly1305", chacha, Aead(chacha, os.urandom(36), 128)),
        Candidate("aes128gcm16", gcm, Aead(gcm, os.urandom(20), 128)),
        Candidate("aes256-sha256", "authenc(hmac(sha256),cbc(aes))", cbc, sha),
    )


def spis() -> Mapping[str, int]:
    """The SPI that each cipher is tried with."""
    return {each.name: FIRST_SPI + number for number, each in enumerate(candidates())}


@dataclass(frozen=True, slots=True)
class Bench:
    """Two namespaces joined by a cable. Datagrams go from near to far, in ESP alone."""

    near: Xfrm
    far: Xfrm
    sender: socket.socket
    receiver: socket.socket

    @contextmanager
    def carried_by(self, candidate: Candidate) -> Iterator[SaKey]:
        """For the length of a block, one SA at each end. Raises KernelError; NotSupported: the kernel lacks it."""
        spec = SaSpec(
            source=NEAR,
            destination=FAR,
            spi=spis()[candidate.name],
            reqid=REQID,
            cipher=candidate.cipher,
            integrity=candidate.integrity,
        )
        self.far.add_sa(spec)
        try:
            self.near.add_sa(spec)
            yield spec.key
        finally:
            for end in (self.near, self.far):
                with suppress(KernelError):
                    end.delete_sa(spec.key)

    def send(self, octets: bytes) -> None:
        """Put one datagram on its way; one that the kernel refuses is one that is lost."""
        with suppress(OSError):
            self.sender.send(octets)

    def empty(self) -> None:
        """Forget what has arrived and was not read."""
        self.receiver.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.receiver.recv(1)
        self.receiver.settimeout(PATIENCE)


@contextmanager
def bench() -> Iterator[Bench]:
    """Takes the calling thread into one namespace after the other, and leaves it in the far one. Raises OSError."""
    with ExitStack() as opened:
        enter_new_network()
        route = opened.enter_context(closing(NetlinkSocket(NETLINK_ROUTE, open_socket)))
        route.do(request(RtMsg.NEWLINK, cable(), NEW))
        settle_end(route, NEAR_LINK, NEAR)
        near, sender = opened.enter_context(closing(Xfrm(open_socket))), opened.enter_context(udp_socket())
        enter_new_network()
        beyond = opened.enter_context(closing(NetlinkSocket(NETLINK_ROUTE, open_socket)))
        far, receiver = opened.enter_context(closing(Xfrm(open_socket))), opened.enter_context(udp_socket())
        route.do(request(RtMsg.SETLINK, fetched(opened.enter_context(HERE.open("rb")).fileno())))
        settle_end(beyond, FAR_LINK, FAR)
        receiver.bind((str(FAR), PORT))
        receiver.settimeout(PATIENCE)
        near.add_policy(policy(Direction.OUT))
        far.add_policy(policy(Direction.IN))
        sender.connect((str(FAR), PORT))
        yield Bench(near, far, sender, receiver)


def fetched(namespace: int) -> nlmsg:
    """SETLINK: the far end goes into the namespace of a descriptor."""
    message = link_by_name(FAR_LINK)
    message["attrs"].append(("IFLA_NET_NS_FD", namespace))
    return message


def udp_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


def cable() -> nlmsg:
    """NEWLINK: two ends, both here for now."""
    message = ifinfmsg()
    peer = {"attrs": [("IFLA_IFNAME", FAR_LINK)]}
    kind = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]})]
    message["attrs"] = [("IFLA_IFNAME", NEAR_LINK), ("IFLA_LINKINFO", {"attrs": kind})]
    return message


def settle_end(route: NetlinkSocket, link: str, address: object) -> None:
    route.do(request(RtMsg.NEWADDR, address_message(AddressSpec(link, ip_interface(f"{address}/30"))), NEW))
    route.do(request(RtMsg.SETLINK, made_up(link_by_name(link))))


def policy(direction: Direction) -> PolicySpec:
    """The datagrams pass in the SA, or not at all."""
    selector = Selector(ip_network(NEAR), ip_network(FAR), UDP)
    return PolicySpec(key=PolicyKey(selector, direction), priority=1, templates=(Template(NEAR, FAR, REQID),))


def try_all(at: Bench) -> tuple[Result, ...]:
    """All ciphers, one after the other, and then by turns for their speed. One packet lost by chance condemns none."""
    tried = [(each, try_one(at, each)) for each in candidates()]
    tried = [(each, found if found.verdict is not Verdict.DROPS else try_one(at, each)) for each, found in tried]
    best = {each.name: (0.0, 0.0) for each, _ in tried}
    for _ in range(ROUNDS):
        for each, found in tried:
            if found.verdict is Verdict.WORKS:
                best[each.name] = max(best[each.name], speed(at, each))
    return tuple(finished(each, found, *best[each.name]) for each, found in tried)


def finished(candidate: Candidate, found: Result, bits: float, packets: float) -> Result:
    """With its speed and its driver, which is known only once it has been used."""
    driver = driver_of(candidate.api)
    return Result(
        found.name,
        found.verdict,
        found.detail,
        round(bits),
        round(packets),
        driver.name if driver else "",
        bool(driver and driver.is_async),
    )


def try_one(at: Bench, candidate: Candidate) -> Result:
    """Whether packets of all sizes arrive as they were sent."""
    try:
        with at.carried_by(candidate) as key:
            at.empty()
            for size in SIZES:
                sent = os.urandom(size)
                at.send(sent)
                if (fault := fault_of(at, key, sent)) is not None:
                    return Result(candidate.name, *fault)
    except NotSupported as error:
        return Result(candidate.name, Verdict.MISSING, str(error))
    except KernelError as error:
        return Result(candidate.name, Verdict.DROPS, str(error))
    return Result(candidate.name, Verdict.WORKS)


def fault_of(at: Bench, key: SaKey, sent: bytes) -> tuple[Verdict, str] | None:
    try:
        arrived = at.receiver.recv(len(sent) + 1)
    except TimeoutError:
        if at.far.get_sa(key).forged:
            return Verdict.CORRUPTS, f"a packet of {len(sent)} octets failed its integrity check"
        return Verdict.DROPS, f"a packet of {len(sent)} octets did not arrive"
    return None if arrived == sent else (Verdict.CORRUPTS, f"a packet of {len(sent)} octets arrived as another")


def speed(at: Bench, candidate: Candidate) -> tuple[float, float]:
    """Bits and packets a second that came out of the SA, in one round of packets with 1,400 octets."""
    payload = bytes(SIZES[-1])
    with at.carried_by(candidate) as key:
        begin, sent = time.monotonic(), 0
        while time.monotonic() - begin < ROUND:
            for _ in range(BURST):
                at.send(payload)
            sent += BURST
        took, state = time.monotonic() - begin, at.far.get_sa(key)
        while state.packets < sent and time.monotonic() - begin < ROUND + SETTLE:
            took, state = time.monotonic() - begin, at.far.get_sa(key)
    return 8 * state.octets / took, state.packets / took


def main() -> int:
    """Print what was found."""
    os.nice(10)
    try:
        with bench() as at:
            json.dump([result.to_json() for result in try_all(at)], sys.stdout)
    except (OSError, KernelError) as error:
        sys.stderr.write(f"{error}\n")
        return IMPOSSIBLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
