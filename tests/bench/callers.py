"""Devices that call a daemon and log in. Most leave without a word, and so a session behind."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum

from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.repeats import MOMENT
from edgevpn.ike.contract import Ask, Datagram, Effect, Input, Send
from edgevpn.ike.iana import Encr, Esn, HashAlgorithm, Ke, Prf, TransformType
from edgevpn.ike.peer import Offer
from edgevpn.ike.state import Probe
from edgevpn.ike.wire.message import Header
from edgevpn.ike.wire.proposal import Transform
from edgevpn.pki.bundle import read_parts
from edgevpn.simulate.clients import IOS
from edgevpn.simulate.conversation import Conversation
from edgevpn.simulate.offers import Setup
from edgevpn.simulate.user import ByCertificate, ByPsk, Secret, Typed, Unable
from edgevpn.simulate.wire import KEEPALIVE
from tests.bench.served import HERE, LAPTOP, SERVER, Papers, Served, tablet
from tests.support.visitors import PSK

T = TransformType
GCM = Transform(T.ENCR, Encr.AES_GCM_16, 128)
TRIES, SOON = 20, 0.1
"""How often a request is sent until it is answered again, and seconds between."""
ESP = (Offer((GCM, Transform(T.ESN, Esn.NO_ESN))),)


class Login(Enum):
    """How a device shows who it is."""

    PSK = "psk"
    CERTIFICATE = "certificate"


class Device(Conversation):
    """A device that can ask for more than people do. `_last` is its last request, `_heard` counts datagrams."""

    _last: Send
    _heard = 0

    async def probe(self) -> None:
        """Ask whether the gateway is there."""
        self._feed(Ask(self._spi, Probe()))
        await self._until(self._is_idle)

    async def repeat(self) -> None:
        """Send the last request again, as if its answer were lost, and wait until the answer comes again.

        Not at once: edgevpn does not look at what comes again so soon, and charon overlooks one that comes before its
        thread has put the IKE SA away.
        """
        await asyncio.sleep(MOMENT)
        before = self._heard
        for _ in range(TRIES):
            self._wire.send(self._last.path, self._last.octets)
            with suppress(Unable):
                await self._until(lambda: self._heard > before, within=SOON)
                return
        raise Unable("a request that comes again is not answered again")

    async def rest(self) -> None:
        """Wait until what has been begun is done, Deletes of the old too."""
        await self._until(self._is_idle)

    def _handle(self, event: Input) -> None:
        self._heard += isinstance(event, Datagram)
        super()._handle(event)

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Send) and effect.octets != KEEPALIVE and not Header.decode(effect.octets).is_response:
            self._last = effect
        super()._carry_out(effect)


def calling(ports: Ports, papers: Papers, login: Login, ke: Ke, number: int) -> Device:
    """The laptop, or the tablet of that number; it offers AES-128-GCM, HMAC-SHA-256 and one key exchange."""
    ike = (Offer((GCM, Transform(T.PRF, Prf.HMAC_SHA2_256), Transform(T.KE, ke))),)
    manners = replace(IOS.manners, hashes=(HashAlgorithm.SHA2_256,))
    client = replace(IOS, by_hand=Setup(ike, ESP, "the benchmark"), manners=manners)
    psk = login is Login.PSK
    secret: Secret = ByPsk(PSK.encode()) if psk else ByCertificate(papers.laptop)
    anchors = read_parts(papers.ca).certificates
    typed = Typed(SERVER, secret, tablet(number) if psk else LAPTOP, anchors, by_hand=True)
    return Device(client, typed, HERE, (ports.ike, ports.nat))


async def connect(served: Served, papers: Papers, login: Login, ke: Ke, times: int) -> None:
    """So many handshakes, one after the other: IKE_SA_INIT, IKE_AUTH and the first child."""
    for number in range(times):
        async with calling(served.ports, papers, login, ke, number) as device:
            await device.connect()


def handshakes(served: Served, papers: Papers, login: Login, ke: Ke, times: int) -> float:
    """Seconds of the daemon's CPU for one of so many handshakes."""
    before = served.cpu()
    asyncio.run(connect(served, papers, login, ke, times))
    return (served.cpu() - before) / times


def latency(served: Served, papers: Papers, times: int) -> float:
    """Seconds until a handshake is done, for the one who calls; the mean of so many, one after the other."""
    begun = time.perf_counter()
    asyncio.run(connect(served, papers, Login.PSK, Ke.CURVE25519, times))
    return (time.perf_counter() - begun) / times


def visits(served: Served, papers: Papers, times: int) -> float:
    """Seconds of the daemon's CPU for one of so many devices that come, and go again."""

    async def come_and_go() -> None:
        for number in range(times):
            async with calling(served.ports, papers, Login.PSK, Ke.CURVE25519, number % 10) as device:
                await device.connect()
                await device.disconnect()

    before = served.cpu()
    asyncio.run(come_and_go())
    return (served.cpu() - before) / times


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that a device does; `often`: how many of it take about as long as one with new keys."""

    act: Callable[[Device], Awaitable[None]]
    often: float = 1


OPERATIONS = {
    "rekey_child": Operation(Device.rekey),
    "rekey_ike": Operation(lambda device: device.rekey(ike=True)),
    "dpd": Operation(Device.probe, 5),
    "repeat": Operation(Device.repeat, 0.1),
}
"""What goes on in a session, begun by the device: new keys and the Delete of the old, a probe, a request sent again."""


def operations(device: Device, times: int, cpu: Callable[[], float]) -> dict[str, float]:
    """Seconds of the gateway's CPU, which `cpu` tells, for one of so many of each, in one session."""

    async def session() -> dict[str, float]:
        costs = {}
        async with device:
            await device.connect()
            for name, operation in OPERATIONS.items():
                before, count = cpu(), max(round(times * operation.often), 1)
                for _ in range(count):
                    await operation.act(device)
                await device.rest()
                costs[name] = (cpu() - before) / count
        return costs

    return asyncio.run(session())


def datagrams(served: Served, octets: list[bytes]) -> float:
    """Seconds of the daemon's CPU for one of these datagrams to its first port."""
    before = served.cpu()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((str(HERE), served.ports.ike))
        for number, each in enumerate(octets):
            sock.send(each)
            if number % 64 == 0:  # as fast as the daemon, so that none is dropped on the way
                with served.client() as client:
                    client.version()
    with served.client() as client:
        client.version()
    return (served.cpu() - before) / len(octets)
