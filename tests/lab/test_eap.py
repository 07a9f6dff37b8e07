"""Logins by user name and password: EAP-MSCHAPv2, with strongSwan as the client, and edgevpn as that of strongSwan."""

import re
from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.clients import CLIENTS, Client
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import ANY_V4, ANY_V6, Connection, Eap
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.simulated import by_password as typed_password
from tests.lab.simulated import simulated
from tests.lab.sites import Family, site_to_site
from tests.lab.traffic import ping
from tests.lab.visitors import (
    DEVICES,
    EVERYTHING,
    PASSWORD,
    PHONE,
    ROUTER_V4,
    ROUTER_V6,
    by_password,
    come_in,
    far_end,
    gateway_table,
    opened,
)
from tests.support.certificates import Made

WRONG = "not the password at all"
MOST_TRIES = 10  # within a minute


@pytest.fixture
def gateway(peers: Peers, gateway_a: Node) -> EdgeVpn:
    return opened(peers, gateway_a, gateway_table())


def refused(client: StrongSwan) -> None:
    """The device calls, and does not come in."""
    with pytest.raises(AssertionError):
        client.initiate("road")


# --- edgevpn as the gateway ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("outer", [4, 6])
def test_password(peers: Peers, gateway: EdgeVpn, phone: Node, host_a: Node, outer: Family) -> None:
    client = peers.strongswan(phone, by_password(gateway, remote=far_end(gateway, outer)))

    come_in(client, gateway)

    assert client.addresses("road") == ["10.99.0.2", "fd99::2"]
    assert set(client.name_servers()) == {ROUTER_V4, ROUTER_V6}
    assert ping(phone, host_a.lan.v4).passed
    assert ping(phone, host_a.lan.v6).passed
    (session,) = gateway.device("phone")["sessions"]
    assert (session["proof"], session["addresses"]) == ("EAP-MSCHAPV2", ["10.99.0.2", "fd99::2"])


@pytest.mark.parametrize(
    ("user", "local_id"),
    [
        ("OFFICE\\phone", "10.9.1.2"),  # Windows: its address, and perhaps the domain
        ("phone", "keyid:whatever was typed"),  # Android
        ("PHONE", "phone@example.org"),
        ("phone", "phone"),
    ],
)
def test_who_it_is_says_the_login_alone(peers: Peers, gateway: EdgeVpn, phone: Node, user: str, local_id: str) -> None:
    client = peers.strongswan(phone, by_password(gateway, user, local_id=local_id))

    come_in(client, gateway)

    assert len(gateway.device("phone")["sessions"]) == 1


def test_wrong_password_three_times(peers: Peers, gateway: EdgeVpn, phone: Node) -> None:
    wrong = peers.strongswan(phone, by_password(gateway, password=WRONG))

    for _ in range(3):
        refused(wrong)

    eventually(lambda: len(refusals(gateway, "phone")) == 3, within=5, what="three refusals")
    assert all("wrong-password" in line for line in refusals(gateway, "phone"))
    assert not xfrm.spis(gateway.node)
    wrong.stop()
    come_in(peers.strongswan(phone, by_password(gateway)), gateway)


def test_a_stranger_is_told_what_who_mistypes_is_told(
    peers: Peers, gateway: EdgeVpn, phone: Node, laptop: Node
) -> None:
    """Nobody can try out which user names there are."""
    mistyped = peers.strongswan(phone, by_password(gateway, password=WRONG))
    stranger = peers.strongswan(laptop, by_password(gateway, "nurse", PASSWORD))

    refused(mistyped)
    refused(stranger)

    assert conversation(mistyped) == conversation(stranger) != []
    gateway.logged("no device has this name")


def test_passwords_cannot_be_tried_for_long(peers: Peers, gateway: EdgeVpn, phone: Node) -> None:
    """Not even the right one is taken any more."""
    wrong = peers.strongswan(phone, by_password(gateway, password=WRONG))
    for _ in range(MOST_TRIES):
        refused(wrong)
    wrong.stop()

    refused(peers.strongswan(phone, by_password(gateway)))

    gateway.logged("too many tries to log in as this device")


def test_no_common_method(peers: Peers, gateway: EdgeVpn, phone: Node) -> None:
    """The client can do nothing but EAP-TLS, and says so by a NAK."""
    login = by_password(gateway)
    assert isinstance(login.auth, Eap)
    client = peers.strongswan(phone, replace(login, auth=replace(login.auth, method="tls")))

    refused(client)

    client.logged("requesting EAP_TLS authentication, sending EAP_NAK")
    gateway.logged("no-common-method")


@pytest.mark.parametrize("allowed", [False, True])
def test_strongswan_is_signed_to_whatever_it_asks(peers: Peers, gateway_a: Node, phone: Node, *, allowed: bool) -> None:
    """It says with every method that it could do without (RFC 5998), and with MSCHAPv2 it could not."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"eap_only": allowed}))
    client = peers.strongswan(phone, by_password(gateway))

    come_in(client, gateway)

    client.logged("N(EAP_ONLY)")
    client.logged("authentication of 'vpn.example' with ECDSA_WITH_SHA256_DER successful")


@pytest.mark.parametrize(
    ("disguise", "why"),
    [
        (None, "constraint requires EAP authentication, but public key was used"),
        (CLIENTS["android-12"], "EAP-only authentication requires a mutual and MSK deriving EAP method, but"),
    ],
    ids=["signed to", "not signed to"],
)
def test_strongswan_takes_no_mschapv2_for_a_proof_of_the_gateway(
    peers: Peers, gateway_a: Node, phone: Node, disguise: Client | None, why: str
) -> None:
    """Set up for EAP alone it stays out, whatever we do; we do not sign where we take it for another client."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"eap_only": True}))
    login = by_password(gateway, **({"ike": disguise.ike, "esp": disguise.esp} if disguise else {}))
    assert isinstance(login.auth, Eap)
    alone = replace(login, auth=replace(login.auth, alone=True))
    client = peers.strongswan(phone, alone, options=disguise.options if disguise else "")

    refused(client)

    client.logged(why)
    eventually(lambda: not xfrm.spis(gateway_a), within=5, what="nothing is left of it")


@pytest.mark.parametrize("allowed", [False, True])
def test_eap_alone(peers: Peers, gateway_a: Node, phone: Node, *, allowed: bool) -> None:
    """A client that asks for it and can verify a certificate comes in, whether the gateway leaves that out or not."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"eap_only": allowed}))

    told = phone.run(*simulated("ios", gateway, *typed_password(gateway)), "--eap-only")

    assert ("shows it by EAP alone; now the user logs in" in told) is allowed
    assert "the password is accepted" in told
    gateway.logged("device_in device=phone")


def test_disabled(peers: Peers, gateway: EdgeVpn, phone: Node, host_a: Node) -> None:
    """The session ends within a second, others go on, and the next try is refused."""
    client = peers.strongswan(phone, by_password(gateway))
    come_in(client, gateway)

    gateway.configure(gateway_table(DEVICES | {"phone": PHONE | {"enabled": False}}))
    gateway.reload()

    client.wait_down("road", within=1.0)
    assert not xfrm.spis(gateway.node)
    refused(client)
    gateway.logged("the device is disabled")


# --- edgevpn as the client -----------------------------------------------------------------------------------------


@pytest.fixture
def cabinet(peers: Peers) -> Cabinet:
    return Cabinet(peers.state / "certificates")


@pytest.fixture(scope="module")
def root() -> Made:
    return authority("Lab root")


@pytest.fixture
def office(network: Network, cabinet: Cabinet, root: Made) -> Connection:
    """What a strongSwan gateway at gateway_b offers those who log in."""
    site = site_to_site(network).mirrored()
    login = Eap("branch", PASSWORD, cabinet.authority(root))
    return replace(
        site,
        remote="",
        remote_id="%any",
        auth=cabinet.proof(root, holder("b.example", root)),
        remote_auth=login,
        remote_ts=(),
        pools=("10.77.0.0/24", "fd77::/64"),
    )


def site_by_password(network: Network, office: Connection, password: str = PASSWORD) -> str:
    """Edgevpn's side of it."""
    assert isinstance(office.remote_auth, Eap)
    site = replace(site_to_site(network), auth=replace(office.remote_auth, password=password), local_ts=EVERYTHING)
    return site_table(site, start="wait", virtual_ips=[ANY_V4, ANY_V6])


def test_client(
    peers: Peers, network: Network, office: Connection, gateway_a: Node, gateway_b: Node, host_b: Node
) -> None:
    """We get an address there, and reach the office from it."""
    there = peers.strongswan(gateway_b, office)
    ours = peers.edgevpn(gateway_a, site_by_password(network, office))

    ours.initiate()

    there.logged("EAP method EAP_MSCHAPV2 succeeded, MSK established")
    assert "10.77.0.1/32" in gateway_a.ip("address show dev evpn-site")
    assert ping(gateway_a, host_b.lan.v4).passed


def test_client_with_a_wrong_password(
    peers: Peers, network: Network, office: Connection, gateway_a: Node, gateway_b: Node
) -> None:
    peers.strongswan(gateway_b, office)
    ours = peers.edgevpn(gateway_a, site_by_password(network, office, WRONG))

    with pytest.raises(AssertionError, match="does not accept the password"):
        ours.initiate()

    assert not xfrm.spis(gateway_a)


def test_client_that_is_asked_for_less(
    peers: Peers, network: Network, office: Connection, gateway_a: Node, gateway_b: Node
) -> None:
    """MD5 would show the password to who can guess: we ask for MSCHAPv2 by a NAK, and leave where there is none."""
    assert isinstance(office.remote_auth, Eap)
    there = peers.strongswan(gateway_b, replace(office, remote_auth=replace(office.remote_auth, method="md5")))
    ours = peers.edgevpn(gateway_a, site_by_password(network, office))

    with pytest.raises(AssertionError):
        ours.initiate()

    there.logged("received EAP_NAK, sending EAP_FAILURE")


def refusals(gateway: EdgeVpn, user: str) -> list[str]:
    """What the log says of logins of a user that failed."""
    return [line for line in gateway.log().splitlines() if "ike_auth_refused" in line and f"user={user}" in line]


def conversation(client: StrongSwan) -> list[tuple[str, str]]:
    """The answers that a client got after it had said who it is: what was in them, and their size."""
    received = re.findall(r"received packet: .* \((\d+) bytes\)", client.log())
    parsed = re.findall(r"parsed IKE_AUTH response \d+ (\[ .* \])", client.log())
    return list(zip(parsed, received[-len(parsed) :], strict=True))[1:]
