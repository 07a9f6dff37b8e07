"""The kernel in memory tells what the data plane has made of sites and children."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from edgevpn.config.model import Site
from edgevpn.daemon.dataplane.homes import Home, site_home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.peers import selectors_of
from edgevpn.ike.contract import Endpoints
from edgevpn.ike.crypto.keymat import ChildKeys
from edgevpn.ike.crypto.suite import ChildSuite
from edgevpn.ike.iana import Encr, Integ
from edgevpn.ike.state import Address, ChildSa, Path
from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound
from edgevpn.kernel.events import LinkChanged
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec
from edgevpn.kernel.network_spec import Path as Way
from edgevpn.kernel.reconcile import Desired, Plan, find, reconcile
from edgevpn.kernel.spec import OURS_IF_ID, OURS_MARK, DeviceFeatures, Direction, PolicySpec, SaKey
from tests.support.configs import OFFICE, config, office

HERE, THERE, ELSEWHERE = (ip_address(text) for text in ("192.0.2.1", "198.51.100.1", "203.0.113.1"))
KEYS = ChildKeys(bytes(20), b"", bytes(20), b"")
SUITE = ChildSuite(Encr.AES_GCM_16, 128, Integ.NONE, esn=True)
SITE = office()


def ends(remote: Any = THERE, peer: str = "office") -> Endpoints:
    return Endpoints(peer, Path(Address(HERE, 500), Address(remote, 500)), nat=False)


def child(number: int, site: Site = SITE, **changes: Any) -> ChildSa:
    local, remote = selectors_of(site.children[0])
    made = ChildSa("office", b"in-%d" % number, b"out%d" % number, SUITE, KEYS, True, local, remote)
    return replace(made, **changes)


class World:
    """A data plane with one site, and what its kernel holds."""

    def __init__(self, site: Site = SITE, card: str = "") -> None:
        self.kernel = MemoryKernel(offloading=frozenset({card}))
        self.dataplane = Dataplane(self.kernel, lambda: 5000.0, lambda: 1_700_000_100.0)
        self.dataplane.add(site_home(site))

    def install(self, child: ChildSa, ends: Endpoints) -> None:
        self.dataplane.install_inbound(child, ends)
        self.dataplane.install_outbound(child, ends)

    @property
    def spis(self) -> set[bytes]:
        return {state.spec.spi.to_bytes(4, "big") for state in self.kernel.list_sas()}

    @property
    def outward(self) -> list[PolicySpec]:
        return self._policies(Direction.OUT)

    @property
    def inward(self) -> list[PolicySpec]:
        return self._policies(Direction.IN, Direction.FWD)

    def _policies(self, *directions: Direction) -> list[PolicySpec]:
        specs = [state.spec for state in self.kernel.list_policies()]
        return [spec for spec in specs if spec.direction in directions]

    @property
    def empty(self) -> bool:
        kernel = self.kernel
        return not (kernel.list_sas() or kernel.list_policies() or kernel.list_links() or kernel.list_routes())


@pytest.fixture
def world() -> World:
    return World()


def test_a_site_has_an_interface_and_routes(world: World) -> None:
    """Before any tunnel: packets to the site have nowhere else to go, so none leaves in clear."""
    (link,) = world.kernel.list_links()
    (route,) = world.kernel.list_routes()
    assert (link.name, link.if_id) == ("evpn-office", OURS_IF_ID[0])
    assert (route.destination, route.interface, route.source) == (ip_network("10.2.0.0/24"), "evpn-office", None)


def test_new_keys_are_asked_for_a_little_sooner() -> None:
    """Each SA by a chance of its own; the peer, with the same limit, asks at another packet."""
    kernel, chances = MemoryKernel(), iter((0.0, 0.5))
    dataplane = Dataplane(kernel, chance=lambda: next(chances))
    dataplane.add(site_home(office(esp_rekey_packets=1000, esp_life_packets=2000)))
    dataplane.install_inbound(child(1), ends())
    dataplane.install_outbound(child(1), ends())
    assert sorted(state.spec.soft.packets or 0 for state in kernel.list_sas()) == [975, 1000]
    assert {state.spec.hard.packets for state in kernel.list_sas()} == {2000}


def test_packets_of_our_own_have_an_address_that_the_tunnel_takes() -> None:
    kernel = MemoryKernel()
    kernel.add_link(LinkSpec("evpn-lan", OURS_IF_ID[9]))
    kernel.add_address(AddressSpec("evpn-lan", ip_interface("10.1.0.1/24")))
    Dataplane(kernel).add(site_home(SITE))
    (route,) = kernel.list_routes()
    assert route.source == ip_address("10.1.0.1")


def branches(count: int) -> list[Home]:
    tables = {f"b{n}": OFFICE | {"remote": f"b{n}.example", "remote_networks": f"10.9.{n}.0/24"} for n in range(count)}
    return [site_home(site) for site in config(**tables).sites]


def test_many_come_and_go_together(world: World) -> None:
    world.dataplane.add(*branches(20))
    assert len(world.kernel.list_links()) == len(world.kernel.list_routes()) == 21
    assert reconcile(world.dataplane.desired(), find(world.kernel)) == Plan()
    world.dataplane.remove(*branches(20))
    assert [link.name for link in world.kernel.list_links()] == ["evpn-office"]
    assert reconcile(world.dataplane.desired(), find(world.kernel)) == Plan()


def test_what_a_predecessor_has_left(world: World) -> None:
    """It was killed. Interfaces and routes that are wanted are not touched, so nothing leaves in clear meanwhile."""
    world.install(child(1), ends())
    world.dataplane.add(*branches(3))
    world.dataplane.lend("office", [ip_address("10.9.0.7")])
    links = world.kernel.list_links()

    successor = Dataplane(world.kernel)
    world.kernel.read_events()
    successor.begin(site_home(SITE), *branches(2))

    assert reconcile(successor.desired(), find(world.kernel)) == Plan()
    assert world.kernel.list_links() == links[:-1]
    assert world.spis == set()
    changed = {event.link.name for event in world.kernel.read_events() if isinstance(event, LinkChanged)}
    assert changed == {"evpn-b2"}


def test_what_a_predecessor_has_left_is_gone_by_itself(world: World) -> None:
    """An SA whose time was over between the look and the deed."""
    world.install(child(1), ends())
    world.kernel.fail_next("delete_sa", NotFound("delete SA", 3))
    Dataplane(world.kernel).begin(site_home(SITE))
    assert len(world.kernel.list_links()) == 1


def test_no_routes_unless_wanted() -> None:
    assert World(office(routes=False)).kernel.list_routes() == ()


def test_a_child_comes_and_goes(world: World) -> None:
    one = child(1)
    world.dataplane.install_inbound(one, ends())
    assert (world.spis, world.outward) == ({b"in-1"}, [])
    assert [policy.direction for policy in world.inward] == [Direction.IN, Direction.FWD]

    world.dataplane.install_outbound(one, ends())
    assert world.spis == {b"in-1", b"out1"}
    (policy,) = world.outward
    assert policy.templates[0].reqid == world.kernel.list_sas()[0].spec.reqid
    assert world.dataplane.spi_in_of(SaKey(THERE, 0x6F757431)) == b"in-1"

    world.dataplane.remove_outbound(one)
    assert (world.spis, world.outward) == ({b"in-1"}, [])
    assert len(world.inward) == 2  # for what is under way
    world.dataplane.remove_child(one)
    assert (world.spis, world.inward) == (set(), [])
    assert world.dataplane.spi_in_of(SaKey(THERE, 0x6F757431)) is None
    assert world.kernel.list_links()


REKEYED = pytest.mark.parametrize("replaces", [None, b"in-1"], ids=["of another IKE SA", "by rekeying"])


@REKEYED
def test_who_follows_takes_over_the_policies(world: World, replaces: bytes | None) -> None:
    """The new pair bears the tags of the old one, so a packet never meets a policy without an SA."""
    old, new = child(1), child(2, replaces=replaces)
    world.install(old, ends())
    before = world.outward
    world.install(new, ends())
    world.dataplane.remove_child(old)
    assert world.spis == {b"in-2", b"out2"}
    assert world.outward == before


def test_policies_follow_the_newest_and_fall_back(world: World) -> None:
    """A second IKE SA from elsewhere has the packets; when it goes, the first has them again."""
    world.install(child(1), ends())
    world.install(child(2), ends(ELSEWHERE))
    assert [policy.templates[0].destination for policy in world.outward] == [ELSEWHERE]
    world.dataplane.remove_child(child(2))
    assert [policy.templates[0].destination for policy in world.outward] == [THERE]


@REKEYED
def test_a_packet_by_the_old_way_is_let_in(world: World, replaces: bytes | None) -> None:
    """Who calls anew from elsewhere may still have packets under way from where it was."""
    new = child(2, replaces=replaces)
    world.install(child(1), ends())
    before = world.inward
    world.dataplane.install_inbound(new, ends(ELSEWHERE))
    assert world.inward == before
    world.dataplane.install_outbound(new, ends(ELSEWHERE))
    assert [policy.templates[0].destination for policy in world.outward] == [ELSEWHERE]
    world.dataplane.remove_child(child(1))
    assert world.inward == before


@REKEYED
def test_policies_that_do_not_change_are_not_made_again(world: World, replaces: bytes | None) -> None:
    """New keys are no reason to touch what all packets look at."""
    world.install(child(1), ends())
    made = {state.index for state in world.kernel.list_policies()}
    world.install(child(2, replaces=replaces), ends())
    world.dataplane.remove_child(child(1))
    assert {state.index for state in world.kernel.list_policies()} == made


def test_a_trap_waits_below() -> None:
    """Traffic asks for the child; while it is up its policy is in force, afterwards the trap is back."""
    site = office(start="traffic")
    world = World(site)
    world.dataplane.set_traps("office", HERE, THERE)
    (trap,) = world.outward
    assert world.dataplane.child_asked(trap.templates[0].reqid) == ("office", "office")

    world.install(child(1, site), ends())
    (up,) = world.outward
    assert up.priority < trap.priority
    world.dataplane.remove_child(child(1, site))
    assert world.outward == [trap]


def test_nobody_has_asked(world: World) -> None:
    assert world.dataplane.child_asked(1) is None


@pytest.mark.parametrize(("mtu", "set_to"), [(None, 1438), (1300, 1300)])
def test_interface_takes_what_fits_the_path(mtu: int | None, set_to: int) -> None:
    """GCM over IPv4 takes 54 octets of the 1492 of a PPPoE line; an owner who has set an MTU is obeyed."""
    world = World(office(mtu=mtu) if mtu else SITE)
    world.kernel.set_path(ip_network("198.51.100.0/24"), Way("ppp", HERE, None, 1492))
    world.install(child(1), ends())
    assert world.kernel.get_link("evpn-office").mtu == set_to


def test_a_site_takes_everything_with_it(world: World) -> None:
    branch = config(office=OFFICE, branch=OFFICE | {"remote": "b.example", "remote_networks": "10.3.0.0/24"}).sites[1]
    world.dataplane.add(site_home(branch))
    world.install(child(1), ends())
    world.dataplane.remove(site_home(SITE))
    assert [link.name for link in world.kernel.list_links()] == ["evpn-branch"]
    world.dataplane.remove(site_home(branch))
    assert world.empty
    world.dataplane.add(site_home(SITE))
    assert world.kernel.list_links()[0].if_id in OURS_IF_ID[:2]


def test_a_child_moves(world: World) -> None:
    """Its SAs and policies have the other address; the SPIs stay, and what comes of the old ones is nobody's."""
    world.install(child(1), ends())
    inward = world.inward
    world.dataplane.move(child(1), replace(ends(ELSEWHERE), nat=True))

    assert world.spis == {b"in-1", b"out1"}
    assert world.inward == inward  # not even for a moment is nothing let in
    assert {(state.spec.source, state.spec.destination) for state in world.kernel.list_sas()} == {
        (HERE, ELSEWHERE),
        (ELSEWHERE, HERE),
    }
    assert all(state.spec.encapsulation for state in world.kernel.list_sas())
    assert [policy.templates[0].destination for policy in world.outward] == [ELSEWHERE]
    assert world.dataplane.spi_in_of(SaKey(ELSEWHERE, 0x6F757431)) == b"in-1"
    assert world.dataplane.spi_in_of(SaKey(THERE, 0x6F757431)) is None
    world.dataplane.move(child(2), ends(ELSEWHERE))  # of nobody: no harm


def test_the_card_works_until_a_nat_is_in_the_way() -> None:
    world = World(card="uplink")
    world.install(one := child(1), ends())
    assert [str(each) for each in world.dataplane.traffic(one).carriers] == ["crypto(uplink)"] * 2
    assert {state.spec.offload is not None for state in world.kernel.list_sas()} == {True}

    world.dataplane.move(one, replace(ends(ELSEWHERE), nat=True))

    assert [str(each) for each in world.dataplane.traffic(one).carriers] == ["cpu"] * 2
    assert all("NAT" in each.why for each in world.dataplane.traffic(one).carriers)
    assert {state.spec.offload for state in world.kernel.list_sas()} == {None}


def test_a_wish_that_no_card_meets() -> None:
    """What is left to the hardware is no wish."""
    for offload, unmet in (("auto", {}), ("crypto", {"site office": "uplink has no esp-hw-offload"})):
        world = World(office(offload=offload))
        world.install(child(1), ends())
        assert world.dataplane.unmet() == unmet
    world = World(office(offload="crypto"), card="uplink")
    world.install(child(1), ends())
    assert world.dataplane.unmet() == {}


def test_no_card_is_asked_where_the_owner_wants_none() -> None:
    world = World(office(offload="off"), card="uplink")
    world.install(one := child(1), ends())
    assert {each.why for each in world.dataplane.traffic(one).carriers} == {"offload is off"}


def test_one_question_does_for_both_halves(world: World) -> None:
    """Where the last child found no card, the CPU has a new one at once; its way is then asked for, once."""
    world.install(child(1), ends())
    asked = list[str]()

    def device_features(interface: str) -> DeviceFeatures:
        asked.append(interface)
        return DeviceFeatures()

    world.kernel.device_features = device_features  # type: ignore[method-assign]
    world.install(two := child(2), ends())
    assert asked == ["uplink"]
    assert [each.why for each in world.dataplane.traffic(two).carriers] == ["uplink has no esp-hw-offload"] * 2


def test_half_a_child_moves(world: World) -> None:
    world.dataplane.install_inbound(child(1), ends())
    world.dataplane.move(child(1), ends(ELSEWHERE))
    assert world.outward == []
    world.dataplane.install_outbound(child(1), ends(ELSEWHERE))
    assert [policy.templates[0].destination for policy in world.outward] == [ELSEWHERE]


def test_half_a_child_cannot_move(world: World) -> None:
    """Somebody sends on its SPI to that place already: what has moved is found there, and goes with the child."""
    world.install(another := child(2, spi_out=b"out1"), ends(ELSEWHERE))
    world.install(one := child(1), ends())
    both_moved = Endpoints("office", Path(Address(ip_address("192.0.2.2"), 500), Address(ELSEWHERE, 500)), nat=False)
    with pytest.raises(AlreadyExists):
        world.dataplane.move(one, both_moved)
    assert world.dataplane.desired().sas == {state.spec.key for state in world.kernel.list_sas()}
    assert world.dataplane.spi_in_of(SaKey(ELSEWHERE, 0x6F757431)) == b"in-2"
    world.dataplane.remove_child(one)
    assert world.spis == {b"in-2", b"out1"}
    world.dataplane.remove_child(another)
    assert world.spis == set()


def test_an_address_that_a_site_lends(world: World) -> None:
    """It is on the interface, and our own packets to the site bear it, as long as the tunnel is up."""
    lent = ip_address("10.9.0.7")
    world.dataplane.lend("office", [lent])
    assert world.kernel.list_addresses("evpn-office") == (ip_interface("10.9.0.7/32"),)
    assert [route.source for route in world.kernel.list_routes()] == [lent]
    world.dataplane.take_back("office")
    assert world.kernel.list_addresses("evpn-office") == ()
    assert [route.source for route in world.kernel.list_routes()] == [None]


def test_what_expired_is_gone_already(world: World) -> None:
    """The kernel dropped an SA at its hard limit: removing the child is no error."""
    world.install(child(1), ends())
    world.kernel.delete_sa(SaKey(THERE, 0x6F757431))
    world.dataplane.remove_child(child(1))
    assert world.spis == set()


def test_a_refused_child_leaves_nothing(world: World) -> None:
    """The outbound half of a child that has no inbound half is not tried."""
    world.kernel.fail_next("add_sa", KernelError("add SA", 12))
    with pytest.raises(KernelError):
        world.dataplane.install_inbound(child(1), ends())
    world.dataplane.install_outbound(child(1), ends())
    world.dataplane.remove_child(child(1))
    assert world.spis == set()


@pytest.mark.parametrize("granted", [0, 1, 2])
def test_a_child_whose_policies_are_refused_leaves_nothing(world: World, granted: int) -> None:
    """Whichever of them it is: in, forward, out."""
    world.kernel.fail_next("update_policy", KernelError("update policy", 12), after=granted)
    with pytest.raises(KernelError):
        world.install(child(1), ends())
    world.dataplane.remove_child(child(1))
    assert (world.spis, world.inward, world.outward) == (set(), [], [])


def test_traffic_is_what_the_kernel_counted(world: World) -> None:
    one = child(1)
    assert world.dataplane.traffic(one).heard is None
    world.install(one, ends())
    world.kernel.set_sa(SaKey(HERE, 0x696E2D31), octets=999, last_used_at=1_700_000_090, forged=7)
    world.kernel.set_sa(SaKey(THERE, 0x6F757431), octets=12)

    counted = world.dataplane.traffic(one)
    assert world.dataplane.survey()(one) == counted

    assert (counted.octets_in, counted.octets_out, counted.heard) == (999, 12, 4990.0)
    assert counted.undeciphered == 7
    assert world.dataplane.heard([b"in-1", b"gone"]) == 4990.0
    assert world.dataplane.heard([b"gone"]) is None


def test_what_shall_be_there_is_there(world: World) -> None:
    """With a child up, one more that only receives, an address lent, and a route by a trap's side."""
    world.install(child(1), ends())
    world.dataplane.install_inbound(child(2), ends())
    world.dataplane.lend("office", [ip_address("10.9.0.7")])
    assert reconcile(world.dataplane.desired(), find(world.kernel)) == Plan()
    assert len(world.dataplane.desired().sas) == 3

    world.dataplane.remove_child(child(1))
    world.dataplane.remove(site_home(SITE))
    assert world.dataplane.desired() == Desired()


def test_what_shall_be_there_by_key(world: World) -> None:
    world.install(child(1), ends())
    (route,) = world.kernel.list_routes()
    key = world.outward[0].key
    data = world.dataplane
    assert (data.has_link("evpn-office"), data.has_route(route), data.policy(key)) == (True, True, world.outward[0])
    assert not data.has_link("eth0")
    assert not data.has_route(replace(route, metric=7))
    assert data.policy(replace(key, if_id=7)) is None
    assert not data.has_address(AddressSpec("evpn-office", ip_interface("10.9.0.7/32")))


def test_a_home_that_cannot_be_made_leaves_nothing(world: World) -> None:
    """A later try finds its place free."""
    branch = config(office=OFFICE, branch=OFFICE | {"remote": "b.example", "remote_networks": "10.3.0.0/24"}).sites[1]
    world.kernel.fail_next("add_route", KernelError("add route", 12))
    with pytest.raises(KernelError, match=r"^site branch: cannot add route"):
        world.dataplane.add(site_home(branch))
    assert [link.name for link in world.kernel.list_links()] == ["evpn-office"]
    world.dataplane.add(site_home(branch))
    assert len(world.kernel.list_routes()) == 2


def test_a_peer_that_turns_up_behind_itself(world: World) -> None:
    """Nobody knew where it is before it had called, or moved: its packets do not go into its own tunnel."""
    inside = ip_address("10.2.0.9")
    world.install(child(1), ends())
    assert world.kernel.list_rules() == ()
    world.dataplane.move(child(1), ends(inside))
    assert len(world.kernel.list_rules()) == 2
    assert all(map(world.dataplane.has_rule, world.kernel.list_rules()))
    assert reconcile(world.dataplane.desired(), find(world.kernel)) == Plan()

    other = World()
    other.dataplane.install_inbound(child(1), ends(inside))
    assert other.kernel.list_rules() == world.kernel.list_rules()


def test_what_we_send_bears_our_mark(world: World) -> None:
    world.install(child(1), ends())
    marks = {state.spec.destination: state.spec.output_mark for state in world.kernel.list_sas()}
    assert marks == {THERE: OURS_MARK, HERE: None}


def test_who_follows_is_not_alone(world: World) -> None:
    world.install(child(1), ends())
    assert world.dataplane.is_alone(child(1))
    world.install(child(2), ends())
    assert not world.dataplane.is_alone(child(2))
    world.dataplane.remove_child(child(1))
    assert world.dataplane.is_alone(child(2))
    assert not world.dataplane.is_alone(child(3))
