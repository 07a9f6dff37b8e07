"""edgevpn.ike.table."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from edgevpn.ike.fragmentation import Reassembly
from edgevpn.ike.iana import PayloadType
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import Address, Closed, Closing, HalfOpen, Nat, Opening, Path, Rekeyed
from edgevpn.ike.table import Slot, Table, origin
from edgevpn.ike.window import Window
from edgevpn.ike.wire.protected import Fragment
from tests.support.handshake import LEFT, LEFT_PATH, initiated, open_sa
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.states import SPI_I, a_child, an_sa, secured

RIGHT = open_sa(TO_RIGHT, (TO_LEFT,)).half_open


def slot(sa: object, **changes: float) -> Slot:
    return replace(Slot(sa, Window(), since=0.0), **changes)  # type: ignore[arg-type]


def half_open(port: int = 500, host: str = "192.0.2.1", spi_i: bytes = b"initiatr") -> HalfOpen:
    path = Path(RIGHT.path.local, Address(ip_address(host), port))
    return replace(RIGHT, path=path, secured=replace(RIGHT.secured, spi_i=spi_i))


def test_found_by_our_spi() -> None:
    table = Table()
    assert table.get(SPI_I) is None
    kept = slot(an_sa())
    table.put(SPI_I, kept)
    assert table.get(SPI_I) is kept
    assert list(table) == [kept]
    table.drop(SPI_I)
    assert table.get(SPI_I) is None
    table.drop(SPI_I)


def test_due_at_the_earlier_of_state_and_window() -> None:
    assert slot(an_sa(rekey_at=7.0)).due == 7.0
    assert slot(an_sa()).due == NEVER


def test_half_open_ones_by_where_they_came_from() -> None:
    """Counted in all and by address, whatever the port; what comes up, or ends, is no more half-open."""
    table = Table()
    for number, sa in enumerate((half_open(500), half_open(1024), half_open(500, "192.0.2.9"))):
        table.put(bytes([number]), slot(sa))
    assert table.half_open_count == 3
    assert (table.half_open_near(LEFT), table.half_open_near(ip_address("192.0.2.9"))) == (2, 1)
    found = table.half_open(origin(Address(LEFT, 1024), b"initiatr"))
    assert found is table.get(b"\x01")
    assert table.half_open(origin(Address(LEFT, 1024), b"anotheri")) is None

    table.put(b"\x00", slot(an_sa()))
    assert table.half_open(origin(Address(LEFT, 500), b"initiatr")) is None
    table.drop(b"\x01")
    assert (table.half_open_count, table.half_open_near(LEFT)) == (1, 0)


def test_half_open_one_that_changes_counts_once() -> None:
    table = Table()
    sa = half_open()
    table.put(b"\x00", slot(sa))
    table.put(b"\x00", slot(replace(sa, due=99.0)))
    assert (table.half_open_count, table.half_open_near(LEFT)) == (1, 1)


def test_what_strangers_have_sent() -> None:
    """It is counted while they are strangers; whoever has sent most is found."""
    table = Table()
    assert (table.held, table.heaviest) == (0, None)
    for number, received in enumerate((300, 700, 500)):
        table.put(bytes([number]), replace(slot(half_open(500 + number)), received=received))
    assert table.held == 1500
    assert table.heaviest == (b"\x01", table.get(b"\x01"))
    table.put(b"\x01", replace(slot(an_sa()), received=700))
    assert (table.held, table.proven_count, table.half_open_count) == (800, 1, 2)
    pieces = Reassembly(2, 9.0, (Fragment(1, 2, PayloadType.IDI, bytes(40)),))
    table.put(b"\x00", replace(slot(half_open(500)), received=300, window=Window(asked=pieces)))
    assert table.held == 840
    for number in range(3):
        table.drop(bytes([number]))
    assert (table.held, table.proven_count) == (0, 0)


def test_those_that_are_leaving() -> None:
    """Counted apart, the longest first, whatever else becomes of them."""
    table = Table()
    rekeyed = Rekeyed(secured(), TO_RIGHT, LEFT_PATH, due=60.0, busy=True)
    table.put(b"standing", slot(an_sa()))
    table.put(b"leaving1", slot(rekeyed))
    table.put(b"leaving2", slot(Closing(secured(), TO_RIGHT, LEFT_PATH)))
    table.put(b"leaving1", slot(replace(rekeyed, busy=False)))
    assert (table.proven_count, table.leaving_count) == (1, 2)
    assert table.longest_leaving == (b"leaving1", table.get(b"leaving1"))
    table.drop(b"leaving1")
    assert (table.proven_count, table.leaving_count) == (1, 1)
    assert table.longest_leaving[0] == b"leaving2"


def test_owner_of_a_child() -> None:
    table = Table()
    table.put(SPI_I, slot(an_sa(a_child(1), a_child(2))))
    assert table.owner(b"in_2") == SPI_I
    table.put(SPI_I, slot(an_sa(a_child(1), a_child(3))))
    assert [table.owner(f"in_{number}".encode()) for number in (1, 2, 3)] == [SPI_I, None, SPI_I]
    table.drop(SPI_I)
    assert table.owner(b"in_1") is None


def test_standing_with_a_peer_under_an_identity() -> None:
    """Whoever is about to close does not stand any more, and there may be several."""
    table = Table()
    sa = an_sa()
    for spi in (SPI_I, b"another1", b"another2"):
        table.put(spi, slot(sa))
    table.put(b"strange1", slot(replace(sa, session=replace(sa.session, user="somebody else"))))
    assert [spi for spi, _ in table.standing(sa.peer.name, sa.identity)] == [SPI_I, b"another1", b"another2"]
    assert table.standing_count(sa.peer.name, sa.identity) == 3
    table.put(b"another2", slot(replace(sa, began=not sa.began)))
    assert [spi for spi, _ in table.standing(sa.peer.name, sa.identity, (sa.began,))] == [SPI_I, b"another1"]
    assert [spi for spi, _ in table.standing(sa.peer.name, sa.identity, (not sa.began,))] == [b"another2"]
    assert table.standing_count(sa.peer.name, sa.identity) == 3
    table.put(SPI_I, slot(replace(sa, rekey_at=9.0)))
    table.put(b"another1", slot(Closing(sa.secured, sa.peer, sa.path)))
    table.drop(b"another2")
    assert [spi for spi, _ in table.standing(sa.peer.name, sa.identity)] == [SPI_I]
    table.drop(SPI_I)
    assert not list(table.standing(sa.peer.name, sa.identity))
    assert not list(table.standing("nobody", sa.identity))
    assert table.standing_count("nobody", sa.identity) == 0


def test_follower() -> None:
    table = Table()
    table.put(SPI_I, slot(an_sa()))
    assert table.follower(SPI_I) is None
    follower = replace(slot(an_sa()), follows=SPI_I)
    table.put(b"follower", follower)
    assert table.follower(SPI_I) == (b"follower", follower)
    table.drop(b"follower")
    assert table.follower(SPI_I) is None


def test_follower_of_what_is_rekeyed() -> None:
    """It follows what has been made of the old one."""
    table = Table()
    table.hand_on(SPI_I, b"nobodys")
    table.put(b"follower", replace(slot(an_sa()), follows=SPI_I))
    table.hand_on(SPI_I, b"made new")
    assert table.follower(SPI_I) is None
    assert table.follower(b"made new") == (b"follower", replace(slot(an_sa()), follows=b"made new"))
    table.drop(b"follower")
    assert table.follower(b"made new") is None


def test_children_go_over_to_another_ike_sa() -> None:
    """In either order: the follower may be noted before the old one is known to be replaced."""
    for order in ("old first", "new first"):
        table = Table()
        table.put(b"old", slot(an_sa(a_child())))
        if order == "old first":
            table.put(b"old", slot(Rekeyed(secured(), TO_RIGHT, LEFT_PATH, 60.0)))
        table.put(b"new", slot(an_sa(a_child())))
        table.put(b"old", slot(Rekeyed(secured(), TO_RIGHT, LEFT_PATH, 60.0)))
        assert table.owner(b"in_1") == b"new"


def test_by_peer() -> None:
    table = Table()
    up, coming, going = an_sa(), initiated(TO_RIGHT), Closing(secured(), TO_RIGHT, LEFT_PATH)
    table.put(b"1", slot(up))
    table.put(b"2", slot(coming))
    table.put(b"3", slot(an_sa(peer=TO_LEFT)))
    table.put(b"4", slot(half_open()))
    assert list(table.of_peer("right")) == [(b"1", up), (b"2", coming)]
    assert list(table.of_peer("nobody")) == []
    table.put(b"2", slot(going))
    assert list(table.of_peer("right")) == [(b"1", up), (b"2", going)]
    table.put(b"1", slot(Closed("told to")))
    table.drop(b"2")
    table.drop(b"1")
    assert list(table.of_peer("right")) == []


def test_by_peer_while_it_changes() -> None:
    """Whoever goes through them may close them."""
    table = Table()
    for number in (b"1", b"2", b"3"):
        table.put(number, slot(an_sa()))
    seen = []
    for spi, _ in table.of_peer("right"):
        seen.append(spi)
        for other in (b"1", b"2"):
            table.drop(other)
    assert seen == [b"1", b"3"]


def test_nothing_is_kept_of_what_is_gone() -> None:
    table, empty = Table(), Table()
    opening = Opening(b"", b"", b"", b"")
    for sa in (an_sa(a_child()), initiated(TO_RIGHT), half_open(), HalfOpen(secured(), LEFT_PATH, Nat(), opening, 1.0)):
        table.put(b"1", slot(sa))
        table.drop(b"1")
    assert vars(table) == vars(empty)
