"""Clients as they are, with all that they do in a day: `edgevpn simulate` without a kernel, the gateway with one."""

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from edgevpn.ike.crypto.names import suite_name
from edgevpn.ike.iana import Encr, Esn, Integ, TransformType
from edgevpn.ike.peer import Offer
from edgevpn.ike.wire.proposal import Transform
from edgevpn.simulate.clients import ANDROID_12_CLIENT, CLIENTS, WINDOWS_11, SimulatedClient
from edgevpn.simulate.conversation import Conversation
from edgevpn.simulate.pinging import COUNT
from edgevpn.simulate.user import Typed
from tests.lab import xfrm
from tests.lab.clients import LAPTOP, OWNERS, gateway_for
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Certificate
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.simulated import come_in, inside, pinging, typed
from tests.lab.visitors import ROUTER_V4, ROUTER_V6
from tests.support.certificates import rsa_key

CASES = [
    pytest.param(client, way.value, id=f"{client.name}-{way.value}")
    for client in CLIENTS.values()
    for way in client.ways
]
PORTS = 500, 4500
ELSEWHERE = "10.9.1.77"
POOLS = ip_network("10.99.0.0/24"), ip_network("fd99::/64")
NOT_BEHIND_A_NAT = "notify=UNKNOWN_12345"


@pytest.fixture(scope="module")
def peers(network: Network) -> Iterator[Peers]:
    """One gateway for all: what one client leaves behind, the next one would find. It ends before its network."""
    assert network
    results = Path(os.environ["EDGEVPN_LAB_RESULTS"], "test_simulated")
    results.mkdir(parents=True, exist_ok=True)
    peers = Peers(results)
    yield peers
    peers.close()


@pytest.fixture(scope="module")
def proof(peers: Peers) -> Certificate:
    """The laptop's; with RSA, as Android has it alone."""
    root = authority("Company root")
    return Cabinet(peers.state / "certificates").proof(root, holder(LAPTOP, root, key=rsa_key(2048)))


@pytest.fixture(scope="module")
def gateway(peers: Peers, network: Network, proof: Certificate) -> EdgeVpn:
    """A device for each way to log in; who comes in anew takes over its own address."""
    return gateway_for(peers, network["gateway_a"], proof, unique="replace")


@pytest.fixture
def moving(phone: Node) -> Iterator[Callable[[], str]]:
    """Gives the phone another address, and tells it; it is where it was again afterwards."""
    before = phone.wan.v4

    def move() -> str:
        phone.readdress("wan", v4=ELSEWHERE)
        return ELSEWHERE

    yield move
    if phone.wan.v4 != before:
        phone.readdress("wan", v4=before)


class Day:
    """A client of a gateway, from its first call to its last."""

    def __init__(
        self, client: SimulatedClient, typed: Typed, gateway: EdgeVpn, host: Node, move: Callable[[], str]
    ) -> None:
        self.client = client
        self.typed = typed
        self.gateway = gateway
        self.hosts = host.lan.v4, host.lan.v6
        self.move = move
        self.told: list[str] = []
        self.given: list[str] = []
        self.logged = len(gateway.log())

    async def pass_by(self, device: str) -> None:
        """Everything, in the order in which it may happen."""
        async with self.calling() as conversation:
            await self.comes_in(conversation, device)
            async with pinging(conversation, *self.hosts):
                await conversation.rekey()
                await conversation.rekey(ike=True)
                await conversation.rekey()
                await self.is_rekeyed(conversation)
            await self.answered(conversation)
            elsewhere = await asyncio.to_thread(self.move)
            if self.client.mobike:
                await conversation.move(ip_address(elsewhere))
                await self.goes(conversation, device)
                return
        async with self.calling() as conversation:
            await self.comes_in(conversation, device)
            await self.goes(conversation, device)

    def calling(self) -> Conversation:
        place = ip_address(self.gateway.node.wan.v4)
        return Conversation(self.client, self.typed, place, PORTS, self.told.append)

    async def comes_in(self, conversation: Conversation, device: str) -> None:
        """It has addresses of both families and name servers, and reaches them and a host."""
        given, before = await come_in(conversation, self.gateway), self.given
        self.given = [*map(str, given.addresses)]
        assert [ip_address(each) in network for each, network in zip(self.given, POOLS, strict=True)] == [True, True]
        assert self.given == before or not before
        assert [*map(str, given.settings.dns)] == [ROUTER_V4, ROUTER_V6]
        await self.stands(device)
        await self.answered(conversation)

    async def answered(self, conversation: Conversation) -> None:
        for target in (*self.hosts, ROUTER_V4, ROUTER_V6):
            echoes = await conversation.ping(ip_address(target))
            assert echoes.answered == echoes.sent > 0, target

    async def is_rekeyed(self, conversation: Conversation) -> None:
        """The gateway's kernel wants new keys; behind a NAT Windows does not give them, and stays with the old ones."""
        before = newest(conversation)
        await self.eventually(lambda: self.sending_by(before), "the gateway sends by the newest pair")
        (state,) = self.sending_by(before)
        renewed = asyncio.create_task(conversation.renewed())
        await asyncio.sleep(0)
        xfrm.expire(self.gateway.node, state)
        if self.client is WINDOWS_11:
            await self.eventually(lambda: NOT_BEHIND_A_NAT in self.gateway.log()[self.logged :], "Windows refuses")
            renewed.cancel()
            assert newest(conversation) == before
        else:
            await renewed
            assert newest(conversation) != before
        await self.eventually(lambda: self.sending_by(newest(conversation)), "the gateway sends by the newest pair")

    def sending_by(self, spi: int) -> list[xfrm.State]:
        """The SA with that SPI in the gateway's kernel."""
        return [each for each in xfrm.states(self.gateway.node) if each.spi == spi]

    async def goes(self, conversation: Conversation, device: str) -> None:
        """Its last packets pass, none was ever dropped, and it says good-bye."""
        await self.answered(conversation)
        assert conversation.dropped == 0, self.told
        await self.stands(device)
        await conversation.disconnect()

    async def stands(self, device: str) -> None:
        """The gateway has one session of the device, with these addresses."""
        (session,) = (await asyncio.to_thread(self.gateway.device, device))["sessions"]
        assert session["addresses"] == self.given

    async def eventually(self, condition: Callable[[], object], what: str) -> None:
        await asyncio.to_thread(eventually, lambda: bool(condition()), within=15, what=what)


def newest(conversation: Conversation) -> int:
    """The SPI of the pair that was made last, as the gateway sends by it."""
    return int.from_bytes(list(conversation.children)[-1])


@pytest.mark.parametrize(("client", "way"), CASES)
def test_a_day(
    gateway: EdgeVpn,
    proof: Certificate,
    phone: Node,
    host_a: Node,
    moving: Callable[[], str],
    client: SimulatedClient,
    way: str,
) -> None:
    """Login, traffic, new keys by either side, another address outside, good-bye: and the kernel is as it was."""
    policies = xfrm.policies(gateway.node)
    day = Day(client, typed(way, gateway, proof), gateway, host_a, moving)

    inside(phone, day.pass_by(OWNERS[way]))

    eventually(lambda: not xfrm.spis(gateway.node), within=5, what="no SA is left of it")
    eventually(lambda: xfrm.policies(gateway.node) == policies, within=5, what="no policy is left of it")
    assert not gateway.device(OWNERS[way])["sessions"]


def offer(encr: Encr, bits: int, integ: Integ | None = None, esn: Esn = Esn.NO_ESN) -> Offer:
    """These algorithms for traffic, and no others."""
    check = (Transform(TransformType.INTEG, integ),) if integ else ()
    cipher = Transform(TransformType.ENCR, encr, bits or None)
    return Offer((cipher, *check, Transform(TransformType.ESN, esn)))


SUITES = {
    "aes128-sha1-noesn": offer(Encr.AES_CBC, 128, Integ.HMAC_SHA1_96),
    "aes256-sha256-noesn": offer(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128),
    "aes256-sha256-esn": offer(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128, Esn.ESN),
    "aes192-sha384-noesn": offer(Encr.AES_CBC, 192, Integ.HMAC_SHA2_384_192),
    "aes256ctr-sha512-noesn": offer(Encr.AES_CTR, 256, Integ.HMAC_SHA2_512_256),
    "aes128gcm16-noesn": offer(Encr.AES_GCM_16, 128),
    "aes256gcm16-esn": offer(Encr.AES_GCM_16, 256, esn=Esn.ESN),
    "aes256gcm8-noesn": offer(Encr.AES_GCM_8, 256),
    "chacha20poly1305-noesn": offer(Encr.CHACHA20_POLY1305, 0),
    "chacha20poly1305-esn": offer(Encr.CHACHA20_POLY1305, 0, esn=Esn.ESN),
}
"""Ciphers that clients may end up with, in the words of proposals, and some with extended sequence numbers."""


@pytest.fixture(scope="module")
def broad_gateway(peers: Peers, network: Network, proof: Certificate) -> EdgeVpn:
    """Takes all of them."""
    return gateway_for(peers, network["gateway_b"], proof, esp_proposals=list(SUITES))


@pytest.mark.parametrize("suite", SUITES)
def test_ciphers(broad_gateway: EdgeVpn, proof: Certificate, phone: Node, host_b: Node, suite: str) -> None:
    """The kernel opens what the client has sealed, and the other way round, before and after new keys."""
    setup = replace(ANDROID_12_CLIENT.by_hand, esp=(SUITES[suite],))
    client = replace(ANDROID_12_CLIENT, by_hand=setup)
    place = ip_address(broad_gateway.node.wan.v4)

    async def talk() -> int:
        async with Conversation(client, typed("psk", broad_gateway, proof), place, PORTS) as conversation:
            await come_in(conversation, broad_gateway)
            async with pinging(conversation, host_b.lan.v4, host_b.lan.v6):
                await conversation.rekey()
            assert [suite_name(child.suite) for child in conversation.children.values()][-1] == suite
            echoes = await conversation.ping(ip_address(host_b.lan.v6))
            await conversation.disconnect()
            return echoes.answered - conversation.dropped

    assert inside(phone, talk()) == COUNT
