"""Windows learns the routes of a split tunnel: the simulated one asks by DHCPINFORM, its packets sealed by scapy."""

import asyncio
import warnings
from contextlib import suppress
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from cryptography import x509

from edgevpn.ike.state import ChildSa
from edgevpn.simulate.clients import WINDOWS_11
from edgevpn.simulate.conversation import Conversation
from edgevpn.simulate.user import ByPassword, Typed
from edgevpn.simulate.wire import NON_ESP_MARKER, Wire
from tests.daemon.visitors.test_dhcp import options_of, request
from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.visitors import PASSWORD, PHONE, PUBLIC_NAME, ROUTER_V4, authority_of, gateway_table, opened

with warnings.catch_warnings():  # the import itself warns of ciphers that are about to go
    warnings.simplefilter("ignore")
    from scapy.layers.inet import IP, UDP
    from scapy.layers.ipsec import ESP
    from scapy.layers.ipsec import SecurityAssociation as EspSa

IKE, NAT = 500, 4500
DHCP_SERVER, DHCP_CLIENT = 67, 68
PATIENCE = 2.0
BROADCAST = "255.255.255.255"
Reply = tuple[str, str, bytes]


def security_association(child: ChildSa, *, sent: bool) -> Any:
    """Scapy's, for what the client sends or what it receives."""
    spi, key = (child.spi_out, child.keys.encr_i) if sent else (child.spi_in, child.keys.encr_r)
    number = int.from_bytes(spi, "big")
    ends = IP(src="0.0.0.0", dst="0.0.0.0")  # noqa: S104 - of the tunnel: we look at what is inside alone
    return EspSa(ESP, spi=number, crypt_algo="AES-GCM", crypt_key=key, esn_en=child.suite.esn, tunnel_header=ends)


async def asked(conversation: Conversation, client: IPv4Address, *requests: bytes) -> list[Reply]:
    """What comes back through the tunnel to requests that are sent to everybody: from whom, to whom, and what."""
    (child,) = conversation.children.values()
    wire: Wire = conversation._wire
    sock, loop = wire._socks[NAT], asyncio.get_running_loop()
    loop.remove_reader(sock)
    sent, received = security_association(child, sent=True), security_association(child, sent=False)
    for octets in requests:
        datagram = IP(src=str(client), dst=BROADCAST) / UDP(sport=DHCP_CLIENT, dport=DHCP_SERVER) / octets
        sock.send(bytes(sent.encrypt(datagram)[ESP]))
    replies: list[Reply] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while True:
                came = await loop.sock_recv(sock, 0x10000)
                if not came.startswith(NON_ESP_MARKER) and len(came) > len(NON_ESP_MARKER):
                    inner = received.decrypt(IP() / ESP(came))
                    replies.append((inner[IP].src, inner[IP].dst, bytes(inner[UDP].payload)))
    loop.add_reader(sock, wire._read, NAT)
    return replies


def test_windows_asks_for_its_routes(peers: Peers, gateway_a: Node, phone: Node) -> None:
    """It is told the networks and the name server; asked on behalf of another, nothing."""
    lan = gateway_a.lan.net4
    split = {"mode": "split", "networks": [lan, gateway_a.lan.net6], "domains": ["home.example"]}
    gateway = opened(peers, gateway_a, gateway_table({"phone": PHONE}, split))
    anchors = (x509.load_pem_x509_certificate(authority_of(gateway).read_bytes()),)
    typed = Typed(PUBLIC_NAME, ByPassword("phone", PASSWORD), anchors=anchors)

    async def talk() -> tuple[IPv4Address, list[Reply]]:
        async with Conversation(WINDOWS_11, typed, ip_address(gateway.node.wan.v4), (IKE, NAT)) as conversation:
            given = await conversation.connect()
            client = given.addresses[0]
            assert isinstance(client, IPv4Address)
            await asyncio.to_thread(gateway.logged, "child_up")  # the gateway's policies follow its answer
            others, own = request(client=(client + 1).packed), request(client=client.packed)
            replies = await asked(conversation, client, others, own)
            await conversation.disconnect()
        return client, replies

    client, ((source, target, octets),) = phone.call(asyncio.run, talk())

    assert (source, target) == (ROUTER_V4, str(client))
    told = options_of(octets)
    network, router = ip_network(lan), bytes(map(int, ROUTER_V4.split(".")))
    assert told[249] == bytes([24]) + network.network_address.packed[:3] + router + bytes([32]) + router + router
    assert (told[6], told[15], told[54]) == (router, b"home.example", router)
