"""`edgevpn simulate` against a gateway of the lab: clients as they are, by their command lines and in this process."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import TypeVar

from cryptography import x509

from edgevpn.ike.session import Given
from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.simulate.conversation import Conversation
from edgevpn.simulate.user import ByCertificate, ByPassword, ByPsk, Typed
from tests.lab.clients import LAPTOP
from tests.lab.namespace import Namespace
from tests.lab.peers.connection import Certificate
from tests.lab.peers.edgevpn import PROGRAM, EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.visitors import CHILD_UP, PASSWORD, PSK, PUBLIC_NAME, authority_of

T = TypeVar("T")

LIMIT = 120.0  # seconds for all that one client does
BREATH = 0.01  # seconds between pings that go on and on


def inside(namespace: Namespace, work: Coroutine[None, None, T]) -> T:
    """Have a coroutine done in a namespace, by a thread of its own: meanwhile the namespace takes other calls."""
    done: Future[T] = Future()

    def carry_out() -> None:
        try:
            done.set_result(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            done.set_exception(error)

    namespace.call(Thread(target=carry_out, daemon=True).start)
    return done.result(LIMIT)


def typed(way: str, gateway: EdgeVpn, proof: Certificate) -> Typed:
    """What the user of a client has typed for that way to log in."""
    anchors = tuple(x509.load_pem_x509_certificates(authority_of(gateway).read_bytes()))
    match way:
        case "password":
            return Typed(PUBLIC_NAME, ByPassword("phone", PASSWORD), anchors=anchors)
        case "psk":
            return Typed(PUBLIC_NAME, ByPsk(PSK.encode()), "tablet")
    both = proof.certificate.read_bytes() + proof.key.read_bytes()
    return Typed(PUBLIC_NAME, ByCertificate(bundle_of(read_parts(both))), LAPTOP, anchors)


async def come_in(conversation: Conversation, gateway: EdgeVpn) -> Given:
    """The client connects and is given addresses; when this returns, both ends can send."""
    before = gateway.log().count(CHILD_UP)
    given = await conversation.connect()

    def is_up() -> bool:
        return gateway.log().count(CHILD_UP) > before

    await asyncio.to_thread(eventually, is_up, within=5, what="the gateway can send")
    return given


@asynccontextmanager
async def pinging(conversation: Conversation, *targets: str) -> AsyncIterator[None]:
    """For the length of a block, ping through the tunnel without a pause; not one answer may be missing."""
    sent = lost = 0
    over = asyncio.Event()

    async def go_on() -> None:
        nonlocal sent, lost
        while not over.is_set():
            for target in targets:
                echoes = await conversation.ping(ip_address(target), 1)
                sent, lost = sent + 1, lost + echoes.sent - echoes.answered
            await asyncio.sleep(BREATH)

    async with asyncio.TaskGroup() as group:
        group.create_task(go_on())
        try:
            yield
        finally:
            over.set()
    assert sent
    assert lost == 0, f"{lost} of {sent} pings lost"


def by_password(gateway: EdgeVpn) -> tuple[str, ...]:
    """The phone's way to log in."""
    return "--user", "phone", "--password-file", str(_kept(gateway, "password", PASSWORD))


def by_psk(gateway: EdgeVpn) -> tuple[str, ...]:
    """The tablet's way to log in."""
    return "--id", "tablet", "--psk-file", str(_kept(gateway, "psk", PSK))


def by_certificate(gateway: EdgeVpn, proof: Certificate) -> tuple[str, ...]:
    """The laptop's way to log in."""
    both = proof.certificate.read_text() + proof.key.read_text()
    return "--id", LAPTOP, "--certificate", str(_kept(gateway, "certificate", both))


def login(way: str, gateway: EdgeVpn, proof: Certificate) -> tuple[str, ...]:
    """That way to log in: "password", "psk" or "certificate"."""
    match way:
        case "password":
            return by_password(gateway)
        case "psk":
            return by_psk(gateway)
    return by_certificate(gateway, proof)


def simulated(client: str, gateway: EdgeVpn, *login: str) -> tuple[str, ...]:
    """The command line that plays a client; it ends with status 0 if that was let in and could stay."""
    place = ("--server", PUBLIC_NAME, "--address", gateway.node.wan.v4, "--ca", str(authority_of(gateway)))
    return str(PROGRAM), "simulate", client, *place, *login


def _kept(gateway: EdgeVpn, name: str, text: str) -> Path:
    """A secret in a file of its owner's."""
    path = gateway.state / f"simulated-{name}"
    path.touch(mode=0o600)
    path.write_text(text)
    return path
