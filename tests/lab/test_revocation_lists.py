"""Revocation lists from where certificates say that they are: over HTTP, when a device comes and while it is in."""

from dataclasses import dataclass

import pytest

from edgevpn.pki.errors import Reason
from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.proofs import Cabinet, authority, holder, revocations
from tests.lab.traffic import ping
from tests.lab.visitors import by_certificate, come_in, gateway_table, opened
from tests.lab.web_server import WebServer
from tests.support.certificates import Made, listed_at

LIST = "/company.crl"
NAMES = ("phone", "laptop")
REFRESH = 10
"""Seconds that a list is used: as few as may be asked for."""


@dataclass(frozen=True, slots=True)
class Company:
    """A CA whose lists are at a web server, and the owners of two devices."""

    root: Made
    owners: dict[str, Made]
    server: WebServer

    def revoke(self, *names: str) -> None:
        """These, and no others, are on the list from now on."""
        self.server.files[LIST] = revocations(self.root, *(self.owners[name] for name in names))


@pytest.fixture
def company(gateway_b: Node) -> Company:
    root, server = authority("Company root"), WebServer(gateway_b)
    where = listed_at(server.uri(LIST))
    made = Company(root, {name: holder(f"{name}.example", root, [where]) for name in NAMES}, server)
    made.revoke()
    return made


@pytest.fixture
def cabinet(peers: Peers) -> Cabinet:
    return Cabinet(peers.state / "certificates")


def gateway_for(peers: Peers, node: Node, cabinet: Cabinet, company: Company, revocation: str, **more: str) -> EdgeVpn:
    """It knows the CA and has no list of it; `more` are further keys of `[pki]`."""
    devices = {name: {"login": "certificate", "id": f"{name}.example"} for name in NAMES}
    pki = {"trust": [str(cabinet.authority(company.root))], "revocation": revocation, **more}
    return opened(peers, node, gateway_table(devices, pki=pki))


def device(peers: Peers, node: Node, gateway: EdgeVpn, cabinet: Cabinet, company: Company, name: str) -> StrongSwan:
    proof = cabinet.proof(company.root, company.owners[name])
    return peers.strongswan(node, by_certificate(gateway, proof, f"{name}.example"))


def refused(client: StrongSwan) -> None:
    """The device calls, and does not come in."""
    with pytest.raises(AssertionError):
        client.initiate("road")


@pytest.mark.parametrize("revocation", ["strict", "soft"])
def test_a_list_decides(
    peers: Peers,
    gateway_a: Node,
    phone: Node,
    laptop: Node,
    host_a: Node,
    cabinet: Cabinet,
    company: Company,
    revocation: str,
) -> None:
    """One fetch for both devices. When a newer one names the laptop its session ends; the phone does not notice."""
    gateway = gateway_for(peers, gateway_a, cabinet, company, revocation)
    clients = {
        name: device(peers, node, gateway, cabinet, company, name)
        for name, node in (("phone", phone), ("laptop", laptop))
    }
    with company.server.serving():
        for client in clients.values():
            come_in(client, gateway)
        assert ping(phone, host_a.lan.v4).passed
        assert company.server.asked == [LIST]

        company.revoke("laptop")
        gateway.reload()
        clients["laptop"].wait_down("road", within=5.0)

    gateway.logged('device_shown_out device=laptop why="its certificate was revoked"')
    assert gateway.log().count("device_shown_out") == 1
    assert clients["phone"].is_up("road")
    assert ping(phone, host_a.lan.v4).passed
    refused(clients["laptop"])  # by the list that we have
    gateway.logged(f"CN=laptop.example {Reason.REVOKED_LEAF.value}")


def test_a_list_is_fetched_again_by_itself(
    peers: Peers, gateway_a: Node, phone: Node, laptop: Node, host_a: Node, cabinet: Cabinet, company: Company
) -> None:
    """Nobody asks for it: when the list that we have is old, whom the next one names has to go."""
    gateway = gateway_for(peers, gateway_a, cabinet, company, "strict", crl_refresh=f"{REFRESH}s")
    kept, gone = (
        device(peers, node, gateway, cabinet, company, name) for name, node in (("phone", phone), ("laptop", laptop))
    )
    with company.server.serving():
        for client in (kept, gone):
            come_in(client, gateway)
        company.revoke("laptop")
        began = len(company.server.asked)

        gone.wait_down("road", within=2 * REFRESH + 5)
        assert len(company.server.asked) == began + 1

    gateway.logged('device_shown_out device=laptop why="its certificate was revoked"')
    assert gateway.log().count("device_shown_out") == 1
    assert kept.is_up("road")
    assert ping(phone, host_a.lan.v4).passed


def test_strict_lets_nobody_in_without_a_list(
    peers: Peers, gateway_a: Node, phone: Node, cabinet: Cabinet, company: Company
) -> None:
    """For a reason of its own; and once the server is there again, at the owner's word, it does."""
    gateway = gateway_for(peers, gateway_a, cabinet, company, "strict")
    client = device(peers, phone, gateway, cabinet, company, "phone")

    refused(client)

    gateway.logged(f"CN=phone.example {Reason.REVOCATION_UNKNOWN.value}")
    gateway.logged("WARNING crl_not_fetched")
    assert gateway.ask("attempts")[0]["cause"] == "cert-revocation-unknown"
    with company.server.serving():
        gateway.reload()
        come_in(client, gateway)


def test_soft_lets_in_without_a_list_and_warns(
    peers: Peers, gateway_a: Node, phone: Node, host_a: Node, cabinet: Cabinet, company: Company
) -> None:
    gateway = gateway_for(peers, gateway_a, cabinet, company, "soft")

    come_in(device(peers, phone, gateway, cabinet, company, "phone"), gateway)

    gateway.logged("WARNING crl_not_fetched")
    gateway.logged(f"uri={company.server.uri(LIST)}")
    assert ping(phone, host_a.lan.v4).passed
