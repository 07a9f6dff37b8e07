"""Whether a host behind a site answers: ICMP where the kernel lets us, and TCP, in which a refusal is an answer too.

Ping sockets need no capability but a group in net.ipv4.ping_group_range; TCP needs nothing, and fewer hosts answer it.
Nothing is bound to an address: the route into the tunnel says which of ours our packets have.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address

from edgevpn.daemon.transport import family

Host = IPv4Address | IPv6Address
Try = Callable[[Host], Awaitable[bool]]

PATIENCE = 3.0
"""Seconds for an answer."""
ECHO_PORT = 7
"""Of the echo service, which hardly anybody has."""
ECHO, ECHO_REPLY, ECHO_V6, ECHO_REPLY_V6 = 8, 0, 128, 129


async def by_icmp(host: Host) -> bool:
    """Whether it answers an echo request. The kernel fills in identifier and checksum, and sorts out what is ours."""
    kind, wanted, protocol = (
        (ECHO, ECHO_REPLY, socket.IPPROTO_ICMP)
        if host.version == 4
        else (ECHO_V6, ECHO_REPLY_V6, socket.IPPROTO_ICMPV6)
    )
    loop = asyncio.get_running_loop()
    try:
        with socket.socket(family(host), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol) as sock:
            sock.connect((str(host), 0))  # nothing to wait for; asyncio would look the address up as a name
            await loop.sock_sendall(sock, bytes([kind]) + bytes(7) + os.urandom(16))
            answer = await loop.sock_recv(sock, 64)
    except OSError:
        return False
    return answer[:1] == bytes([wanted])


async def by_tcp(host: Host) -> bool:
    """Whether it takes or refuses a connection."""
    try:
        with socket.socket(family(host), socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
            await asyncio.get_running_loop().sock_connect(sock, (str(host), ECHO_PORT))
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


BOTH = (by_icmp, by_tcp)


async def answers(host: Host, tries: Sequence[Try] = BOTH, patience: float = PATIENCE) -> bool:
    """Whether it answers in any way."""
    asked = [asyncio.ensure_future(each(host)) for each in tries]
    try:
        async with asyncio.timeout(patience):
            for each in asyncio.as_completed(asked):
                if await each:
                    return True
    except TimeoutError:
        return False
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return False
