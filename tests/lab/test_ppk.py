"""Post-quantum pre-shared keys (RFC 8784): sites in both roles, devices by each login, and what happens without."""

from dataclasses import replace

import pytest

from tests.lab.conftest import Peers, Tunnels
from tests.lab.leaks import leaked
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection, Ppk
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.sites import SECRET, site_to_site
from tests.lab.traffic import ping
from tests.lab.tunnel import Tunnel
from tests.lab.visitors import (
    PASSWORD,
    PHONE,
    TABLET,
    Table,
    by_certificate,
    by_password,
    by_psk,
    come_in,
    gateway_table,
    opened,
)

PPK = Ppk("winter", "octets that nobody can work out from a key exchange")
OPTIONAL = replace(PPK, required=False)
WRONG = replace(PPK, secret="other octets, of which nobody can work out anything either")
OTHER_NAME = replace(PPK, name="summer")
USED_BY_THEM = "using PPK for PPK_ID 'winter'"

STRONGSWAN = pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
RESPONDER = pytest.mark.parametrize("role", ["responder"], indirect=True)
INITIATOR = pytest.mark.parametrize("role", ["initiator"], indirect=True)


@pytest.fixture
def cabinet(peers: Peers) -> Cabinet:
    return Cabinet(peers.state / "certificates")


@pytest.fixture(params=["psk", "certificate"])
def site(request: pytest.FixtureRequest, network: Network, cabinet: Cabinet) -> Connection:
    """The connection between the two LANs, by each way to prove who is there."""
    if request.param == "psk":
        return site_to_site(network, auth=SECRET)
    return site_to_site(network, auth=cabinet.proof(ROOT, holder("a.example", ROOT)))


ROOT = authority("root")


def theirs(site: Connection, cabinet: Cabinet, ppk: Ppk | None) -> Connection:
    """The peer's side, with a certificate of its own."""
    auth = site.auth if site.auth == SECRET else cabinet.proof(ROOT, holder("b.example", ROOT))
    return replace(site.mirrored(), auth=auth, ppk=ppk)


def ppk_of(tunnel: Tunnel) -> str:
    """Which one is in the keys, as we tell it."""
    assert isinstance(tunnel.ours, EdgeVpn)
    (ike,) = tunnel.ours.site()["ike"]
    return str(ike["ppk"])


def refused(tunnel: Tunnel, why: str) -> None:
    """The call fails, and our owner is told why."""
    tunnel.initiator.begin()
    tunnel.ours.logged(why)
    eventually(lambda: not any(sa.children for sa in tunnel.ours.status()), within=5, what="no CHILD SA")


# --- sites ---------------------------------------------------------------------------------------------------------


@STRONGSWAN
@pytest.mark.parametrize("here", [PPK, OPTIONAL])
@pytest.mark.parametrize("there", [PPK, OPTIONAL])
def test_both_have_it(tunnels: Tunnels, site: Connection, cabinet: Cabinet, here: Ppk, there: Ppk) -> None:
    tunnel = tunnels.between(replace(site, ppk=here), theirs(site, cabinet, there))

    tunnel.up()

    assert ppk_of(tunnel) == "winter"
    tunnel.theirs.logged(USED_BY_THEM)
    tunnel.assert_carries()


@STRONGSWAN
@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_it_lasts_when_keys_are_renewed(tunnels: Tunnels, site: Connection, cabinet: Cabinet, who: str) -> None:
    tunnel = tunnels.between(replace(site, ppk=PPK), theirs(site, cabinet, PPK))
    tunnel.up()
    side = tunnel.ours if who == "ours" else tunnel.theirs
    ike, children = side.spis(), tunnel.sas()

    side.rekey_ike()
    eventually(lambda: len(now := side.spis()) == 1 and now != ike, within=15, what="another IKE SA")
    side.rekey_child()
    tunnel.wait_rekeyed(children)

    assert ppk_of(tunnel) == "winter"
    tunnel.assert_carries()


@STRONGSWAN
@pytest.mark.parametrize(("here", "there"), [(OPTIONAL, None), (None, OPTIONAL)])
def test_one_can_do_without(
    tunnels: Tunnels, site: Connection, cabinet: Cabinet, here: Ppk | None, there: Ppk | None
) -> None:
    tunnel = tunnels.between(replace(site, ppk=here), theirs(site, cabinet, there))

    tunnel.up()

    assert ppk_of(tunnel) == ""
    assert ("ppk_not_used" in tunnel.ours.log()) == (here is not None)
    tunnel.assert_carries()


@STRONGSWAN
@RESPONDER
@pytest.mark.parametrize(("there", "why"), [(None, "ppk-missing"), (WRONG, "wrong-ppk"), (OTHER_NAME, "ppk-unknown")])
def test_who_calls_has_another_or_none(
    tunnels: Tunnels, site: Connection, cabinet: Cabinet, there: Ppk | None, why: str
) -> None:
    refused(tunnels.between(replace(site, ppk=PPK), theirs(site, cabinet, there)), f"cause={why}")


@STRONGSWAN
@INITIATOR
@pytest.mark.parametrize("there", [WRONG, OTHER_NAME])
def test_who_is_called_has_another(tunnels: Tunnels, site: Connection, cabinet: Cabinet, there: Ppk) -> None:
    refused(tunnels.between(replace(site, ppk=PPK), theirs(site, cabinet, there)), "AUTHENTICATION_FAILED")


@STRONGSWAN
@INITIATOR
def test_who_is_called_has_none(tunnels: Tunnels, site: Connection, cabinet: Cabinet) -> None:
    """No IKE_AUTH is asked: anybody could have left the notification out (RFC 8784 §6)."""
    tunnel = tunnels.between(replace(site, ppk=PPK), theirs(site, cabinet, None), top=IMPATIENT)

    refused(tunnel, "cause=ppk-missing")

    assert "IKE_AUTH" not in tunnel.theirs.log()


IMPATIENT = "[gateway]\nretransmit_time = 1\nretransmit_tries = 1\n\n"


@pytest.mark.parametrize("peer", ["libreswan"], indirect=True)
@pytest.mark.parametrize("ppk", [PPK, OPTIONAL])
def test_libreswan(tunnels: Tunnels, network: Network, ppk: Ppk) -> None:
    """With pre-shared keys, as its tests have it."""
    tunnel = tunnels.between(replace(site_to_site(network), ppk=ppk))

    tunnel.up()

    assert ppk_of(tunnel) == "winter"
    tunnel.assert_carries()


@pytest.mark.parametrize("peer", ["strongswan-sid"], indirect=True)
def test_beside_ml_kem(tunnels: Tunnels, site: Connection, cabinet: Cabinet) -> None:
    """The further key exchange comes before, and its keys are those that the PPK goes into (RFC 9370 §2.2.2)."""
    hybrid = replace(site, ike="aes256gcm16-prfsha384-x25519-ke1_mlkem768")
    tunnel = tunnels.between(replace(hybrid, ppk=PPK), theirs(hybrid, cabinet, PPK))

    tunnel.up()

    assert ppk_of(tunnel) == "winter"
    tunnel.assert_carries()


# --- devices -------------------------------------------------------------------------------------------------------


KEYS: Table = {"ppk": PPK.secret, "ppk_id": PPK.name}
DEVICES: dict[str, Table] = {
    "phone": PHONE | KEYS,
    "tablet": TABLET | KEYS,
    "laptop": {"login": "certificate", "id": "laptop.example"} | KEYS,
    "watch": {"password": PASSWORD},
}


def device(gateway: EdgeVpn, name: str, cabinet: Cabinet, ppk: Ppk | None) -> Connection:
    """One of them, set up by hand."""
    match name:
        case "tablet":
            return by_psk(gateway, ppk=ppk)
        case "laptop":
            return by_certificate(
                gateway, cabinet.proof(ROOT, holder("laptop.example", ROOT)), "laptop.example", ppk=ppk
            )
        case _:
            return by_password(gateway, name, ppk=ppk)


@pytest.fixture
def gateway(peers: Peers, gateway_a: Node, cabinet: Cabinet) -> EdgeVpn:
    trust = str(cabinet.authority(ROOT))
    return opened(peers, gateway_a, gateway_table(DEVICES, pki={"trust": [trust]}))


@pytest.mark.parametrize("name", ["phone", "tablet", "laptop"])
@pytest.mark.parametrize("ppk", [PPK, OPTIONAL])
def test_device(
    peers: Peers, gateway: EdgeVpn, phone: Node, host_a: Node, cabinet: Cabinet, name: str, ppk: Ppk
) -> None:
    client = peers.strongswan(phone, device(gateway, name, cabinet, ppk))

    come_in(client, gateway)

    (session,) = gateway.device(name)["sessions"]
    assert session["ppk"] == "winter"
    client.logged(USED_BY_THEM)
    assert ping(phone, host_a.lan.v4).passed


@pytest.mark.parametrize("name", ["phone", "tablet", "laptop"])
@pytest.mark.parametrize(("ppk", "why"), [(None, "ppk-missing"), (WRONG, "wrong-ppk"), (OTHER_NAME, "ppk-unknown")])
def test_device_with_another_or_none(
    peers: Peers, gateway: EdgeVpn, phone: Node, cabinet: Cabinet, name: str, ppk: Ppk | None, why: str
) -> None:
    """Whatever else it proves, it does not come in."""
    client = peers.strongswan(phone, device(gateway, name, cabinet, ppk))

    with pytest.raises(AssertionError):
        client.initiate("road")

    gateway.logged(f"cause={why}")
    assert gateway.device(name)["sessions"] == []


@pytest.mark.parametrize("ppk", [None, OPTIONAL])
def test_device_that_has_none_here(
    peers: Peers, gateway: EdgeVpn, phone: Node, cabinet: Cabinet, ppk: Ppk | None
) -> None:
    """The others' keys are nothing to it."""
    client = peers.strongswan(phone, device(gateway, "watch", cabinet, ppk))

    come_in(client, gateway)

    (session,) = gateway.device("watch")["sessions"]
    assert session["ppk"] == ""


@pytest.mark.parametrize("name", ["phone", "tablet", "laptop"])
def test_what_replay_foretells_of_a_device(
    peers: Peers, gateway: EdgeVpn, phone: Node, cabinet: Cabinet, name: str
) -> None:
    """Here its key has another name. With a file in which that is mended it comes in; the bundle holds no key."""
    client = peers.strongswan(phone, device(gateway, name, cabinet, OTHER_NAME))
    with pytest.raises(AssertionError):
        client.initiate("road")
    gateway.logged("cause=ppk-unknown")
    bundle, file = gateway.state / "bundle.json", gateway.state / "mended.toml"
    bundle.write_text(gateway.run("diagnose", "--bundle"))
    mended = gateway.config.read_text().replace(f'ppk_id = "{PPK.name}"', f'ppk_id = "{OTHER_NAME.name}"')
    file.write_text(mended)
    file.chmod(0o600)

    again = gateway.run("replay", str(bundle), "-c", str(gateway.config), check=False)
    assert f"fails in the same way: device.{name}.ppk_id: the peer names a post-quantum pre-shared key" in again
    assert "would not hinder it any more" in gateway.run("replay", str(bundle), "-c", str(file))
    assert not leaked(bundle.read_bytes(), gateway.secrets)

    gateway.configure(mended)
    gateway.reload()
    come_in(client, gateway)
    (session,) = gateway.device(name)["sessions"]
    assert session["ppk"] == OTHER_NAME.name
