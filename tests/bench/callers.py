"""Devices that call a daemon, log in, and leave without a word: each leaves a session behind."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from enum import Enum

from edgevpn.ike.iana import Encr, Esn, HashAlgorithm, Ke, Prf, TransformType
from edgevpn.ike.peer import Offer
from edgevpn.ike.wire.proposal import Transform
from edgevpn.pki.bundle import read_parts
from edgevpn.simulate.clients import IOS
from edgevpn.simulate.conversation import Conversation
from edgevpn.simulate.offers import Setup
from edgevpn.simulate.user import ByCertificate, ByPsk, Secret, Typed
from tests.bench.served import HERE, LAPTOP, SERVER, Papers, Served, tablet
from tests.support.visitors import PSK

T = TransformType
GCM = Transform(T.ENCR, Encr.AES_GCM_16, 128)
ESP = (Offer((GCM, Transform(T.ESN, Esn.NO_ESN))),)


class Login(Enum):
    """How a device shows who it is."""

    PSK = "psk"
    CERTIFICATE = "certificate"


def calling(served: Served, papers: Papers, login: Login, ke: Ke, number: int) -> Conversation:
    """The laptop, or the tablet of that number; it offers AES-128-GCM, HMAC-SHA-256 and one key exchange."""
    ike = (Offer((GCM, Transform(T.PRF, Prf.HMAC_SHA2_256), Transform(T.KE, ke))),)
    manners = replace(IOS.manners, hashes=(HashAlgorithm.SHA2_256,))
    client = replace(IOS, by_hand=Setup(ike, ESP, "the benchmark"), manners=manners)
    psk = login is Login.PSK
    secret: Secret = ByPsk(PSK.encode()) if psk else ByCertificate(papers.laptop)
    anchors = read_parts(papers.ca).certificates
    typed = Typed(SERVER, secret, tablet(number) if psk else LAPTOP, anchors, by_hand=True)
    return Conversation(client, typed, HERE, (served.ports.ike, served.ports.nat))


async def connect(served: Served, papers: Papers, login: Login, ke: Ke, times: int) -> None:
    """So many handshakes, one after the other: IKE_SA_INIT, IKE_AUTH and the first child."""
    for number in range(times):
        async with calling(served, papers, login, ke, number) as device:
            await device.connect()


def handshakes(served: Served, papers: Papers, login: Login, ke: Ke, times: int) -> float:
    """Seconds of the daemon's CPU for one of so many handshakes."""
    before = served.cpu()
    asyncio.run(connect(served, papers, login, ke, times))
    return (served.cpu() - before) / times


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
