"""Two gateways on loopback, each with a kernel in memory: everything but the packets."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from edgevpn.config.model import Config
from edgevpn.daemon.base.options import StartFailed
from edgevpn.daemon.sites import surroundings, ways
from edgevpn.daemon.sites.keeper import NotUp
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Field
from edgevpn.ike.crypto.mlkem import AVAILABLE
from edgevpn.kernel.contract import Features
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.events import Acquire, Expire, RouteChanged, SaRemoved
from edgevpn.kernel.memory import EVERYTHING, MemoryKernel
from edgevpn.kernel.network_spec import LinkSpec, RouteSpec
from edgevpn.kernel.spec import OURS_IF_ID, SaKey, Selector
from tests.support.configs import Table
from tests.support.configs import config as configured
from tests.support.gateways import Running, running, until
from tests.support.ports import free_ports

LEFT, RIGHT, ELSEWHERE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
LAN = ip_address("10.2.0.1")
KEY = {"psk": "a long and random text, as all should be"}
TO_RIGHT: Table = KEY | {
    "remote": RIGHT,
    "local_id": "left.example",
    "remote_id": "right.example",
    "local_networks": "10.1.0.0/24",
    "remote_networks": "10.2.0.0/24",
}
TO_LEFT: Table = KEY | {
    "remote": "any",
    "local_id": "right.example",
    "remote_id": "left.example",
    "local_networks": "10.2.0.0/24",
    "remote_networks": "10.1.0.0/24",
}
OTHER: Table = TO_RIGHT | {"remote_id": "other.example", "remote_networks": "10.9.0.0/24", "start": "wait"}


def left(**keys: Any) -> Config:
    return configured({"listen": LEFT}, right=TO_RIGHT | keys)


def right(**keys: Any) -> Config:
    return configured({"listen": RIGHT}, left=TO_LEFT | keys)


@asynccontextmanager
async def two(one: Config, other: Config) -> AsyncIterator[tuple[Running, Running]]:
    ports = free_ports()
    async with running(other, ports) as there, running(one, ports) as here:
        yield here, there


async def test_a_tunnel_comes_up_and_goes_down() -> None:
    """The one that is stopped tells the other, and leaves nothing in its kernel."""
    async with two(left(), right()) as (here, there):
        await here.until("right", "up")
        await there.until("left", "up")
        (ours,) = here.gateway.census.site_status("right")["ike"]
        (theirs,) = there.gateway.census.site_status("left")["ike"]
        assert (ours["spi_i"], ours["spi_r"]) == (theirs["spi_i"], theirs["spi_r"])
        assert len(here.kernel.list_sas()) == len(there.kernel.list_sas()) == 2

        await here.stop()
        await there.until("left", "down")
        assert not here.kernel.list_links()
        assert not here.kernel.list_sas()
        assert not there.kernel.list_sas()


async def test_what_a_predecessor_left_is_removed() -> None:
    kernel = MemoryKernel()
    kernel.add_link(LinkSpec("evpn-old", OURS_IF_ID[5]))
    async with running(left(start="wait"), free_ports(), kernel):
        assert [link.name for link in kernel.list_links()] == ["evpn-right"]


async def test_only_what_has_changed_notices() -> None:
    ports = free_ports()
    sites = {"right": TO_RIGHT, "other": OTHER}
    async with running(right(), ports), running(configured({"listen": LEFT}, **sites), ports) as here:
        await here.until("right", "up")
        before = here.kernel.list_sas()
        here.gateway.apply(configured({"listen": LEFT}, right=TO_RIGHT, other=OTHER | {"encap": True}))
        assert here.kernel.list_sas() == before
        assert here.state("right") == "up"

        here.gateway.apply(configured({"listen": LEFT}, other=OTHER))
        assert here.gateway.census.site_names == ("other",)
        assert here.gateway.keeper("right") is None
        assert [link.name for link in here.kernel.list_links()] == ["evpn-other"]
        assert here.kernel.list_sas() == ()


async def test_changed_site_comes_up_anew() -> None:
    async with two(left(), right()) as (here, there):
        await here.until("right", "up")
        before = here.gateway.census.site_status("right")["ike"][0]["spi_i"]
        here.gateway.apply(left(encap=True))
        await here.until("right", "up")
        await there.until("left", "up")
        assert [ike["spi_i"] for ike in here.gateway.census.site_status("right")["ike"]] != [before]


async def test_what_needs_no_new_tunnel_makes_none() -> None:
    """Times and algorithms hold for the next keys; routes and MTU at once."""
    async with two(left(), right()) as (here, _):
        await here.until("right", "up")
        before = here.gateway.census.site_status("right")["ike"][0]["spi_i"]
        here.gateway.apply(left(dpd_delay="9s", esp_rekey_time="30m", mtu=1300, routes=False))
        assert [ike["spi_i"] for ike in here.gateway.census.site_status("right")["ike"]] == [before]
        assert here.kernel.list_routes() == ()
        assert here.kernel.get_link("evpn-right").mtu == 1300
        here.gateway.apply(left())
        assert len(here.kernel.list_routes()) == 1


async def test_packet_brings_it_up() -> None:
    async with two(left(start="traffic"), right()) as (here, _):
        await until(lambda: bool(here.kernel.list_policies()))
        template = here.kernel.list_policies()[0].spec.templates[0]
        packet = Selector(ip_network("10.1.0.7"), ip_network("10.2.0.7"))
        here.kernel.emit(Acquire(packet, template.source, template.destination, template.reqid, OURS_IF_ID[0], 0))
        await here.until("right", "up")


async def test_moves_when_routes_lead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address was there before: only a route has changed."""
    one = configured({"listen": [LEFT, ELSEWHERE]}, right=TO_RIGHT)
    for module in (surroundings, ways):
        monkeypatch.setattr(module, "source_for", lambda remote: ip_address(ELSEWHERE))
    async with two(one, right()) as (here, there):
        await here.until("right", "up")
        assert peer_of(there) == ELSEWHERE

        monkeypatch.undo()
        here.kernel.emit(RouteChanged(RouteSpec(destination=ip_network("0.0.0.0/0"), interface="eth9")))
        await until(lambda: peer_of(there) == LEFT)


def peer_of(running: Running) -> str:
    """From where a gateway's only site is reached now."""
    return running.gateway.census.site_status("left")["ike"][0]["remote"].rpartition(":")[0]


async def test_what_somebody_removes_comes_back() -> None:
    """A route as it was, an SA with new keys: by the end that called as by the other."""
    async with two(left(), right()) as (here, there):
        await here.until("right", "up")
        await there.until("left", "up")
        (route,) = here.kernel.list_routes()
        here.kernel.delete_route(route)
        await until(lambda: here.kernel.list_routes() == (route,))
        for side, site in ((here, "right"), (there, "left")):
            await until(lambda: len(here.kernel.list_sas()) == len(there.kernel.list_sas()) == 2)
            (before,) = spis_in(side, site)
            key = next(each.spec.key for each in side.kernel.list_sas() if each.spec.spi != int(before, 16))
            side.kernel.delete_sa(key)
            side.kernel.emit(SaRemoved(key))
            await until(lambda: spis_in(side, site).isdisjoint({before}) and bool(spis_in(side, site)))  # noqa: B023
            assert side.state(site) == "up"


def spis_in(running: Running, site: str) -> set[str]:
    return {child["spi_in"] for ike in running.gateway.census.site_status(site)["ike"] for child in ike["children"]}


async def test_connections_that_would_go_around_the_tunnel_are_forgotten() -> None:
    """When it comes up, and not again for new keys: what it carries itself may be translated, too."""
    flow = (ip_address("10.1.0.7"), LAN)
    async with two(left(), right()) as (here, _):
        here.kernel.connections = [flow]
        await here.until("right", "up")
        await until(lambda: here.kernel.connections == [])
        here.kernel.connections = [flow]
        keeper = here.gateway.keeper("right")
        assert keeper is not None
        await keeper.rekey(ike=False)
        await asyncio.sleep(0.05)
        assert here.kernel.connections == [flow]


async def test_expired_sa_is_rekeyed() -> None:
    """The kernel says that a byte limit is near: the child gets a successor."""
    async with two(left(), right()) as (here, _):
        await here.until("right", "up")
        (ike,) = here.gateway.census.site_status("right")["ike"]
        before = ike["children"][0]["spi_in"]
        state = next(state for state in here.kernel.list_sas() if state.spec.spi == int(before, 16))
        here.kernel.emit(Expire(state.spec.key, state.spec.reqid, hard=False))
        await until(lambda: here.gateway.census.site_status("right")["ike"][0]["children"][-1]["spi_in"] != before)
        here.kernel.emit(Expire(SaKey(ip_address(LEFT), 0xFFFFFFFF), 1, hard=False))  # of nobody: no harm


async def test_wrong_key() -> None:
    async with two(left(start="wait"), right(psk="another long and random text")) as (here, there):
        keeper = here.gateway.keeper("right")
        assert keeper is not None
        with pytest.raises(NotUp, match="AUTHENTICATION_FAILED"):
            await keeper.up()
        assert here.kernel.list_sas() == there.kernel.list_sas() == ()


async def test_kernel_that_refuses_a_tunnel() -> None:
    """Both sides have agreed; the owner is told whose fault it is, and which key has to do with it."""
    async with two(left(start="wait"), right()) as (here, _):
        here.kernel.fail_next("add_sa", KernelError("add SA", errno.ENOSYS, "the kernel lacks rfc4106(gcm(aes))"))
        keeper = here.gateway.keeper("right")
        assert keeper is not None
        with pytest.raises(NotUp):
            await keeper.up()
        (finding,) = (each.finding for each in here.gateway.attempts if each.finding)
    assert finding.code is Code.KERNEL_REFUSED
    assert finding.get(Field.SETTING) == "site.right.esp_proposals"
    assert "the kernel lacks rfc4106(gcm(aes))" in finding.get(Field.DETAIL)


async def test_nobody_can_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """The WAN is down."""
    monkeypatch.setattr(surroundings, "source_for", lambda remote: None)
    async with running(left(), free_ports()) as here:
        await until(lambda: any(here.gateway.attempts))
        (attempt,) = here.gateway.attempts
    assert attempt.finding is not None
    assert (attempt.peer, attempt.finding.code) == ("right", Code.NO_WAY)


async def test_what_is_gone_is_known_before_it_is_back() -> None:
    """Also where the kernel tells nobody."""
    async with two(left(), right()) as (here, _):
        await here.until("right", "up")
        assert here.gateway.patient.kernel_lacks() == ()
        (route,) = here.kernel.list_routes()
        here.kernel.delete_route(route)
        assert any(each.startswith("ip route add 10.2.0.0/24 ") for each in here.gateway.patient.kernel_lacks())


async def test_closed_by_its_owner(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody brings the site up again but the owner, be it the peer that calls."""
    ports = free_ports()
    async with running(right(), ports) as there, running(left(), ports) as here:
        await there.until("left", "up")
        keeper = there.gateway.keeper("left")
        assert keeper is not None
        keeper.down()
        await here.until("right", "connecting")
        await until(lambda: "no peer may come from" in caplog.text)
        assert there.state("left") == "down"


async def test_keys_go_where_they_are_wanted() -> None:
    """Those of the IKE SA, which ML-KEM changes where the library has it, and those of the child."""
    ports = free_ports()
    async with running(right(), ports), running(left(), ports, export=True) as here:
        await here.until("right", "up")
        assert [keys.child is not None for keys in here.keys] == [False, *([False] if AVAILABLE else []), True]


LACKS = {
    "ESP": (replace(EVERYTHING, esp4=False), "this kernel has no ESP for IPv4: load module esp4"),
    "interfaces": (replace(EVERYTHING, xfrm_interface=False), "no XFRM interfaces: load module xfrm_interface"),
}


@pytest.mark.parametrize(("features", "why"), LACKS.values(), ids=LACKS)
async def test_kernel_that_lacks_something(features: Features, why: str) -> None:
    with pytest.raises(StartFailed, match=why):
        async with running(left(), free_ports(), MemoryKernel(have=features)):
            pass


async def test_esp_for_ipv6_only_where_it_is_served() -> None:
    async with running(left(start="wait"), free_ports(), MemoryKernel(have=replace(EVERYTHING, esp6=False))):
        pass


async def test_interface_that_cannot_be_made() -> None:
    """The name is somebody else's: the start fails with the site's name, and all is clean again."""
    kernel = MemoryKernel()
    kernel.fail_next("add_link", KernelError("add interface evpn-right", 17, "it exists already"))
    with pytest.raises(ExceptionGroup) as failed:
        async with running(left(), free_ports(), kernel):
            pass
    assert "site right: cannot add interface evpn-right" in str(failed.value.exceptions[0])


async def test_what_would_drop() -> None:
    """Sites that are up and do not outlive the change; who is down has nothing to drop."""
    ports = free_ports()
    sites = {"right": TO_RIGHT, "other": OTHER}
    async with running(right(), ports), running(configured({"listen": LEFT}, **sites), ports) as here:
        await here.until("right", "up")
        drops = here.gateway.would_drop
        assert drops(configured({"listen": LEFT}, **sites)) == ()
        assert drops(configured({"listen": LEFT}, right=TO_RIGHT | {"esp_rekey_time": "30m"}, other=OTHER)) == ()
        assert drops(configured({"listen": LEFT}, right=TO_RIGHT | {"local_id": "x.example"}, other=OTHER)) == (
            "right",
        )
        assert drops(configured({"listen": LEFT}, other=OTHER)) == ("right",)
        assert drops(configured({"listen": LEFT}, right=TO_RIGHT)) == ()
        assert here.state("right") == "up"


async def test_changes_of_a_site_are_told() -> None:
    ports = free_ports()
    async with running(right(), ports) as there, running(left(start="wait"), ports) as here:
        there.gateway.news.take()
        keeper = here.gateway.keeper("right")
        assert keeper is not None
        await keeper.up()
        assert here.gateway.news.take().sites == ("right",)
        await there.until("left", "up")
        assert there.gateway.news.take().sites == ("left",)
        keeper.down()
        await there.until("left", "down")
        assert there.gateway.news.take().sites == ("left",)


async def test_what_has_gone_through_and_how_the_handshake_went() -> None:
    async with two(left(), right()) as (here, there):
        await here.until("right", "up")
        state = next(each for each in here.kernel.list_sas() if str(each.spec.destination) == LEFT)
        here.kernel.set_sa(state.spec.key, octets=700)
        here.gateway.tick()
        ((child, amount),) = here.gateway.meter.children.items()
        assert (child, amount.received) == (("right", "right"), 700)
        await there.until("left", "up")
        assert here.gateway.tally.handshakes.cumulated[-1] == there.gateway.tally.handshakes.cumulated[-1] == 1


async def test_the_status_of_many_is_read_at_once() -> None:
    async with two(left(), right()) as (here, _):
        await here.until("right", "up")
        state = next(each for each in here.kernel.list_sas() if str(each.spec.destination) == LEFT)
        here.kernel.set_sa(state.spec.key, octets=700)
        ask = here.gateway.census.survey()
        here.kernel.fail_next("get_sa", KernelError("read SA", 1, "nobody is to ask"))
        (ike,) = here.gateway.census.site_status("right", ask)["ike"]
        assert ike["children"][0]["bytes_in"] == 700
