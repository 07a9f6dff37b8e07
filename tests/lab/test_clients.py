"""The clients that people have: strongSwan in their place, as far as it can be, and `edgevpn simulate` as they are."""

from collections.abc import Iterator

import pytest

from edgevpn.simulate.clients import CLIENTS as SIMULATED
from tests.lab import xfrm
from tests.lab.clients import CASES, CLIENTS, LAPTOP, OWNERS, Client, gateway_for, played
from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.connection import Certificate
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.simulated import login as typed
from tests.lab.simulated import simulated
from tests.lab.traffic import ping, pinging
from tests.lab.tunnel import PAIR
from tests.lab.visitors import ROUTER_V4, ROUTER_V6, by_password, come_in, gateway_table, opened
from tests.support.certificates import Made, rsa_key

ELSEWHERE = "10.9.1.77"
GIVEN = ["10.99.0.2", "fd99::2"]


@pytest.fixture(scope="module")
def root() -> Made:
    return authority("Company root")


@pytest.fixture
def proof(peers: Peers, root: Made) -> Certificate:
    """The laptop's; with RSA, as Android has it alone."""
    return Cabinet(peers.state / "certificates").proof(root, holder(LAPTOP, root, key=rsa_key(2048)))


@pytest.fixture
def gateway(peers: Peers, gateway_a: Node, proof: Certificate) -> EdgeVpn:
    """A device for each way to log in; who comes in anew takes over its own address."""
    return gateway_for(peers, gateway_a, proof, unique="replace")


@pytest.fixture
def at_home(phone: Node) -> Iterator[None]:
    """The phone is where it was again afterwards."""
    before = phone.wan.v4
    yield
    if phone.wan.v4 != before:
        phone.readdress("wan", v4=before)


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(("name", "login"), CASES, ids=["-".join(case) for case in CASES])
def test_client(
    peers: Peers, gateway: EdgeVpn, proof: Certificate, phone: Node, host_a: Node, name: str, login: str
) -> None:
    """Addresses, name servers, traffic to the LAN, new keys, another address outside, and off again."""
    client = CLIENTS[name]
    them = played(peers, phone, client, login, gateway, proof)

    come_in(them, gateway)

    (session,) = gateway.device(OWNERS[login])["sessions"]
    assert them.addresses("road") == session["addresses"] == GIVEN
    assert set(them.name_servers()) == {ROUTER_V4, ROUTER_V6}
    assert ping(phone, host_a.lan.v6).passed
    with pinging(phone, host_a.lan.v4) as echoes:
        new_child_keys(them, gateway)
        new_ike_keys(them, gateway)
        new_child_keys(them, gateway)
    assert echoes.lost == 0, f"gateway {xfrm.errors(gateway.node)}, client {xfrm.errors(phone)}"
    assert (session["client"], session["suite"]) == (client.known_as, client.suite)
    (move if client.mobike else come_anew)(them, gateway)
    (session,) = gateway.device(OWNERS[login])["sessions"]
    assert them.addresses("road") == session["addresses"] == GIVEN
    assert ping(phone, host_a.lan.v4).passed
    assert ping(phone, host_a.lan.v6).passed
    assert ping(host_a, GIVEN[0]).passed
    them.terminate("road")
    eventually(lambda: not xfrm.spis(gateway.node), within=5, what="nothing is left of it")


def move(them: StrongSwan, gateway: EdgeVpn) -> None:
    """The client goes on from another address with the same IKE SA (RFC 4555)."""
    before, moves = them.spis(), gateway.log().count("ike_moved")
    them.node.readdress("wan", v4=ELSEWHERE)
    eventually(lambda: gateway.log().count("ike_moved") > moves, within=15, what="the gateway knows where it is")
    eventually(lambda: ping(them.node, ROUTER_V4, wait=0.2).passed, within=15, what="packets pass again")
    assert them.spis() == before


def come_anew(them: StrongSwan, gateway: EdgeVpn) -> None:
    """Without MOBIKE it forgets its IKE SA without a word, and logs in from its new address."""
    them.kill()
    them.node.restore()
    them.node.ip(*(f"address delete {address} dev wan" for address in GIVEN))
    them.node.readdress("wan", v4=ELSEWHERE)
    them.start()
    come_in(them, gateway)


UNTOUCHED_WINDOWS = Client(
    ike="aes256-sha1-modp1024, aes256-sha256-modp1024, aes256-sha384-modp1024, aes256gcm16-prfsha384-modp1024",
    esp="aes256-sha1, aes128-sha1",
    suite="aes256-sha1-prfsha1-modp1024",
    names_server=False,
    asks_certificate=True,
    logins=("password",),
)


def untouched_windows(peers: Peers, gateway: EdgeVpn, phone: Node) -> StrongSwan:
    """A Windows that ran no script."""
    them = UNTOUCHED_WINDOWS
    typed = by_password(gateway, remote_id="%any", local_id="10.9.1.2", ike=them.ike, esp=them.esp)
    return peers.strongswan(phone, typed, options=them.options)


def test_untouched_windows_is_refused(peers: Peers, gateway: EdgeVpn, phone: Node) -> None:
    """MODP-1024 is all that it has for a key exchange."""
    them = untouched_windows(peers, gateway, phone)

    with pytest.raises(AssertionError):
        them.initiate("road")

    them.logged("NO_PROPOSAL_CHOSEN")
    gateway.logged("no-common-proposal")
    told = gateway.run("diagnose", "last")
    assert "modp1024" in told
    assert "Run the script that `edgevpn device export` makes for Windows" in told


def test_untouched_windows_is_let_in_where_the_owner_wants_it(
    peers: Peers, gateway_a: Node, phone: Node, host_a: Node
) -> None:
    gateway = opened(peers, gateway_a, gateway_table(pool={"legacy": True}))

    come_in(untouched_windows(peers, gateway, phone), gateway)

    (session,) = gateway.device("phone")["sessions"]
    assert session["suite"] == UNTOUCHED_WINDOWS.suite
    assert [each.partition(":")[0] for each in session["weak"]] == ["sha1", "prfsha1", "modp1024"]
    assert "WEAK: sha1, prfsha1, modp1024" in gateway.run("status")
    assert ping(phone, host_a.lan.v4).passed


WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""What begins a command line that has no capability."""
SIMULATED_CASES = [(name, way.value) for name, client in SIMULATED.items() for way in client.ways]


@pytest.mark.parametrize(("name", "login"), SIMULATED_CASES, ids=["-".join(case) for case in SIMULATED_CASES])
def test_simulated_client(gateway: EdgeVpn, proof: Certificate, phone: Node, name: str, login: str) -> None:
    """Behind the NAT: an empty EAP identity as Android has it, and what else strongSwan cannot do."""
    told = phone.run(*WITHOUT_RIGHTS, *simulated(name, gateway, *typed(login, gateway, proof), "--rekey", "--roam"))

    connected = 1 if SIMULATED[name].mobike else 2
    assert told.count(f"connected, with {GIVEN[0]} and {GIVEN[1]}") == connected
    assert told.count(f"DNS servers: {ROUTER_V4}, {ROUTER_V6}") == connected
    assert told.count("traffic is protected by") == connected + 1
    assert "the IKE SA has new keys" in told
    for server in (ROUTER_V4, ROUTER_V6):  # after connecting, two rekeyings and roaming; it says so if none is answered
        assert told.count(f"pings {server} through the tunnel: 3 sent") == 4
    device = OWNERS[login]
    gateway.logged(f"device_in device={device}")
    gateway.logged(f"device_out device={device}")
    assert not xfrm.spis(gateway.node)


def test_simulated_client_on_the_gateway_itself(gateway: EdgeVpn, proof: Certificate) -> None:
    """Where an owner tries it first: IKE and ESP go over loopback."""
    told = gateway.node.run(*WITHOUT_RIGHTS, *simulated("ios", gateway, *typed("password", gateway, proof), "--rekey"))

    for server in (ROUTER_V4, ROUTER_V6):
        assert told.count(f"pings {server} through the tunnel: 3 sent, 3 answered") >= 2


def new_child_keys(client: StrongSwan, gateway: EdgeVpn) -> None:
    """The client rekeys its CHILD SA."""
    old = xfrm.spis(gateway.node)
    client.rekey_child("road")
    eventually(lambda: len(now := xfrm.spis(gateway.node)) == PAIR and not now & old, within=15, what="new child keys")


def new_ike_keys(client: StrongSwan, gateway: EdgeVpn) -> None:
    """The client rekeys its IKE SA, and has its child with the new one."""
    old, before = client.spis(), gateway.log().count("ike_rekeyed")
    client.rekey_ike("road")
    eventually(lambda: gateway.log().count("ike_rekeyed") > before, within=15, what="new IKE keys")
    eventually(lambda: _is_alone(client, old), within=15, what="one IKE SA, a new one, with its child")


def _is_alone(client: StrongSwan, old: set[str]) -> bool:
    now = client.status()
    return len(now) == 1 and now[0].established and now[0].children == 1 and now[0].spi not in old
