"""edgevpn.simulate.conversation: every client by each of its logins, at a gateway on loopback."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from edgevpn.ike.clients import ClientKind
from edgevpn.ike.contract import Ask
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import ChildSa, Established, Phase, RekeyChild, RekeyIke
from edgevpn.simulate.clients import CLIENTS, SimulatedClient, Way
from edgevpn.simulate.conversation import Conversation, Outside
from edgevpn.simulate.user import ByPassword, ByPsk, Unable
from tests.support.data_plane import carrying
from tests.support.gateways import Running, until
from tests.support.ports import free_ports
from tests.support.simulated import DEVICES, Home, home

KINDS = {
    "windows11": ClientKind.WINDOWS,
    "ios": ClientKind.APPLE,
    "macos": ClientKind.APPLE,
    "android11": ClientKind.ANDROID,
    "android12": ClientKind.ANDROID,
}
ALL = [
    pytest.param(client, way, by_hand, id=f"{client.name} by {way.value}{' set up by hand' if by_hand else ''}")
    for client in CLIENTS.values()
    for way in client.ways
    for by_hand in ([False, True] if client.exported and client.name != "windows11" else [False])
]
PINGED = [*map(ip_address, ("10.9.0.1", "10.1.0.2", "fd09::1", "fd01::2"))]
ANDROID_11, ANDROID_12, WINDOWS = CLIENTS["android11"], CLIENTS["android12"], CLIENTS["windows11"]


def established(here: Running, way: Way) -> Established:
    """The gateway's newest IKE SA with whoever came in by that login."""
    return [sa for sa in here.gateway.sas_of(f"road/{way.value}") if isinstance(sa, Established)][-1]


def active(here: Running, way: Way) -> list[ChildSa]:
    """Its children that carry traffic."""
    return [child for child in established(here, way).children if child.phase is Phase.ACTIVE]


async def refused(at: Home, client: SimulatedClient, way: Way, secret: ByPassword | ByPsk | None = None) -> str:
    """Why a client does not come in, as its user is told."""
    with pytest.raises(Unable) as why:
        async with at.conversation(client, at.typed(way, secret=secret)) as conversation:
            await conversation.connect()
    return str(why.value)


@pytest.mark.parametrize(("client", "way", "by_hand"), ALL)
async def test_from_first_to_last(tmp_path: Path, made: Path, client: SimulatedClient, way: Way, by_hand: bool) -> None:
    """Addresses of both families and DNS; new keys begun by either side; and nothing is left of it at the end."""
    async with home(tmp_path, free_ports(), made) as at:
        here, sessions = at.here, at.here.gateway.visitors.sessions
        async with at.conversation(client, at.typed(way, by_hand=by_hand)) as conversation:
            given = await conversation.connect()
            assert list(map(str, given.addresses)) == ["10.9.0.2", "fd09::2"]
            assert list(map(str, given.settings.dns)) == ["10.9.0.1", "fd09::1"]
            (visit,) = sessions.of(DEVICES[way])
            assert visit.ike.client.kind is KINDS[client.name]
            assert visit.ike.lent.addresses == given.addresses

            await conversation.rekey()
            await conversation.rekey(ike=True)
            await until(lambda: len(active(here, way)) == 1)

            if client is not WINDOWS:
                renewed = asyncio.create_task(conversation.renewed())
                await asyncio.sleep(0)
                here.gateway.feed(Ask(established(here, way).spi, RekeyChild(active(here, way)[0].spi_in)))
                await renewed
            renewed = asyncio.create_task(conversation.renewed(ike=True))
            await asyncio.sleep(0)
            here.gateway.feed(Ask(established(here, way).spi, RekeyIke()))
            await renewed

            await conversation.disconnect()
            await until(lambda: len(sessions) == 0)
            assert here.kernel.list_sas() == ()


@pytest.mark.parametrize("client", [each for each in CLIENTS.values() if each.mobike], ids=lambda each: each.name)
async def test_moves(tmp_path: Path, made: Path, client: SimulatedClient) -> None:
    """The same session goes on from another address, and keeps what it was given."""
    elsewhere = IPv4Address("127.0.0.2")
    async with (
        home(tmp_path, free_ports(), made) as at,
        at.conversation(client, at.typed(Way.PASSWORD)) as conversation,
    ):
        given = await conversation.connect()
        await conversation.move(elsewhere)
        (visit,) = at.here.gateway.visitors.sessions.of("phone")
        assert (visit.path.remote.host, visit.ike.lent.addresses) == (elsewhere, given.addresses)
        await conversation.rekey()


async def test_connects_anew_where_it_cannot_move(tmp_path: Path, made: Path) -> None:
    async with home(tmp_path, free_ports(), made) as at:
        for _ in range(2):
            async with at.conversation(ANDROID_11, at.typed(Way.PASSWORD)) as conversation:
                assert len((await conversation.connect()).addresses) == 2
                with pytest.raises(Unable, match="Android 11 cannot move"):
                    await conversation.move(IPv4Address("127.0.0.2"))


async def pinged(conversation: Conversation) -> None:
    """A host and a name server answer, by IPv4 and by IPv6."""
    for target in PINGED:
        echoes = await conversation.ping(target)
        assert echoes.answered == echoes.sent > 0, target


async def asked(here: Running, way: Way, task: RekeyChild | RekeyIke) -> None:
    """The gateway has asked that of the client, and was answered."""
    here.gateway.feed(Ask(established(here, way).spi, task))
    await until(lambda: (sa := established(here, way)).doing is None and not sa.todo)


@pytest.mark.parametrize(("client", "way", "by_hand"), ALL)
async def test_traffic(tmp_path: Path, made: Path, client: SimulatedClient, way: Way, by_hand: bool) -> None:
    """It goes on over new SAs, whoever made them, and from another place; Windows keeps the pair that it has."""
    async with home(tmp_path, free_ports(), made, {"unique": "replace"}) as at:
        with carrying(at) as (there, plane):
            async with there.conversation(client, at.typed(way, by_hand=by_hand)) as conversation:
                given = await conversation.connect()
                await pinged(conversation)
                await conversation.rekey()
                await pinged(conversation)
                await conversation.rekey(ike=True)
                await pinged(conversation)

                before = set(conversation.children)
                await until(lambda: len(active(at.here, way)) == 1)
                await asked(at.here, way, RekeyChild(active(at.here, way)[0].spi_in))
                assert (before < conversation.children.keys()) is (client is not WINDOWS)
                await pinged(conversation)
                await asked(at.here, way, RekeyIke())
                await pinged(conversation)
                if client.mobike:
                    await conversation.move()
                    await pinged(conversation)
                    await conversation.disconnect()
            if not client.mobike:
                async with there.conversation(client, at.typed(way, by_hand=by_hand)) as conversation:
                    assert (await conversation.connect()).addresses == given.addresses
                    await pinged(conversation)
                    await conversation.disconnect()
            left = 0 if client.mobike else 1  # it has gone without a word, and does not hear that it is replaced
            await until(lambda: len(at.here.gateway.visitors.sessions) == left)
            assert len(set(plane.seen)) >= 2 + (client is not WINDOWS)
            assert conversation.dropped == 0


async def test_pings_from_a_family_that_it_does_not_have(tmp_path: Path, made: Path) -> None:
    async with (
        home(tmp_path, free_ports(), made, {"v4": None}) as at,
        at.conversation(ANDROID_12, at.typed(Way.PASSWORD)) as conversation,
    ):
        await conversation.connect()
        with pytest.raises(Outside, match="has given no address of IPv4"):
            await conversation.ping(IPv4Address("10.1.0.2"))


async def test_pings_outside_of_a_split_tunnel(tmp_path: Path, made: Path) -> None:
    async with (
        home(tmp_path, free_ports(), made, {"mode": "split", "networks": ["10.1.0.0/24"]}) as at,
        at.conversation(ANDROID_12, at.typed(Way.PASSWORD)) as conversation,
    ):
        await conversation.connect()
        with pytest.raises(Outside, match=r"10\.2\.0\.2 is not behind the tunnel"):
            await conversation.ping(IPv4Address("10.2.0.2"))


async def test_windows_is_left_to_rekey_itself(tmp_path: Path, made: Path) -> None:
    """Behind a NAT it would refuse our rekeying of a child, so none is planned; for others one is."""
    async with home(tmp_path, free_ports(), made) as at:
        for client, planned in ((WINDOWS, False), (ANDROID_12, True)):
            async with at.conversation(client, at.typed(Way.PASSWORD)) as conversation:
                await conversation.connect()
                sa = established(at.here, Way.PASSWORD)
                assert sa.nat.remote
                assert (sa.children[0].due < NEVER) is planned
                await conversation.disconnect()


async def test_android_guesses_wrong(tmp_path: Path, made: Path) -> None:
    """MODP-4096 is its guess, the gateway wants X25519, and it asks again."""
    told: list[str] = []
    async with (
        home(tmp_path, free_ports(), made) as at,
        at.conversation(ANDROID_12, at.typed(Way.PASSWORD), told.append) as conversation,
    ):
        await conversation.connect()
    assert told[1:4] == [
        "asks for an IKE SA, guessing that the key exchange will be MODP_4096",
        "the gateway wants CURVE25519 rather than MODP_4096: asks again",
        "agreed on aes256gcm16-prfsha384-x25519",
    ]


async def test_untouched_windows(tmp_path: Path, made: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It offers MODP-1024 alone, and is refused: both its user and the owner are told why."""
    async with home(tmp_path, free_ports(), made) as at:
        with pytest.raises(Unable, match=r"MODP_1024.*run the script of edgevpn device export"):
            async with at.conversation(WINDOWS, at.typed(Way.PASSWORD, by_hand=True)) as conversation:
                await conversation.connect()
    (line,) = [each.getMessage() for each in caplog.records if "ike_sa_init_refused" in each.getMessage()]
    assert ClientKind.WINDOWS_UNTOUCHED.value in line
    assert "NO_PROPOSAL_CHOSEN" in line


async def test_untouched_windows_where_its_owner_lets_it_in(tmp_path: Path, made: Path) -> None:
    async with (
        home(tmp_path, free_ports(), made, {"legacy": True}) as at,
        at.conversation(WINDOWS, at.typed(Way.PASSWORD, by_hand=True)) as conversation,
    ):
        given = await conversation.connect()
        assert len(given.addresses) == 2
        (visit,) = at.here.gateway.visitors.sessions.of("phone")
        assert visit.ike.client.kind is ClientKind.WINDOWS_UNTOUCHED
        await conversation.rekey()


async def test_wrong_secrets(tmp_path: Path, made: Path) -> None:
    async with home(tmp_path, free_ports(), made) as at:
        for client in CLIENTS.values():
            why = await refused(at, client, Way.PASSWORD, ByPassword("phone", "not the password"))
            assert why == "the peer does not accept the password, or does not know the user"
        assert "AUTHENTICATION_FAILED" in await refused(at, ANDROID_12, Way.PSK, ByPsk(b"another long and random text"))


async def test_key_that_a_client_does_not_verify(tmp_path: Path) -> None:
    """A gateway with an ECDSA key alone: Windows and Apple come in, Android says that it verifies RSA alone."""
    async with home(tmp_path, free_ports()) as at:
        for client in CLIENTS.values():
            if client.name.startswith("android"):
                assert "verifies RSA alone" in await refused(at, client, Way.PASSWORD)
                continue
            async with at.conversation(client, at.typed(Way.PASSWORD)) as conversation:
                await conversation.connect()


async def test_name_that_the_gateway_does_not_have(tmp_path: Path, made: Path) -> None:
    """Windows sends no IDr, and finds in the certificate another name than its user typed; others ask for the name."""
    async with home(tmp_path, free_ports(), made) as at:
        for client, why in ((WINDOWS, "vpn.example.net"), (ANDROID_12, "AUTHENTICATION_FAILED")):
            typed = at.typed(Way.PASSWORD, server="vpn.example.net")
            with pytest.raises(Unable, match=why):
                async with at.conversation(client, typed) as conversation:
                    await conversation.connect()


async def test_nothing_leads_there(tmp_path: Path, made: Path) -> None:
    async with home(tmp_path, free_ports(), made) as at:
        nowhere = Conversation(ANDROID_12, at.typed(Way.PASSWORD), IPv4Address("255.255.255.255"), (500, 4500))
        with pytest.raises(Unable, match="cannot be reached from here"):
            await nowhere.__aenter__()


async def test_shown_out(tmp_path: Path, made: Path) -> None:
    """The client hears of it when it has come in and its device is closed."""
    async with (
        home(tmp_path, free_ports(), made) as at,
        at.conversation(ANDROID_12, at.typed(Way.PSK)) as conversation,
    ):
        await conversation.connect()
        lost = asyncio.create_task(conversation.lost())
        await asyncio.sleep(0)
        assert at.here.gateway.visitors.show_out("tablet", "it was told to") == 1
        assert await lost == "deleted by peer"
