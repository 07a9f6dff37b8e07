from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from edgevpn.daemon.login.keyring import Keyring, nothing_fetched, open_keyring, prepare
from edgevpn.daemon.login.vouched import MOST_UNDER_WAY, NOTHING, Shown, Vouched, withdrawn
from edgevpn.ike.contract import IkeSaUp
from edgevpn.ike.iana import IdType
from edgevpn.ike.state import Address
from edgevpn.ike.state import Path as Ends
from edgevpn.ike.wire.payloads import Identification
from edgevpn.pki.certificate import read_certificate
from edgevpn.pki.errors import Reason
from edgevpn.pki.office import Office
from edgevpn.pki.records import Holder
from edgevpn.pki.store import Store
from tests.support.visitors import gateway

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
LAPTOP = Identification(IdType.RFC822_ADDR, b"laptop@example.org")
ENDS = Ends(Address(ip_address("192.0.2.1"), 4500), Address(ip_address("198.51.100.1"), 4500))
UP = IkeSaUp(b"one", "road/certificate", LAPTOP, ENDS)


def test_what_was_shown_lasts_over_new_keys() -> None:
    vouched = Vouched()
    vouched.note(b"one", Shown("laptop"))
    assert vouched.shown(b"one") == Shown("laptop")
    assert vouched.up(UP) == Shown("laptop")
    assert vouched.shown(b"one") == NOTHING
    assert vouched.up(replace(UP, spi=b"two", replaces=b"one")) == Shown("laptop")
    vouched.down(b"two")
    assert vouched.up(replace(UP, spi=b"three", replaces=b"two")) == NOTHING


def test_what_is_shown_anew_counts() -> None:
    """As after reauthentication."""
    vouched = Vouched()
    vouched.up(UP)
    vouched.note(b"two", Shown("laptop"))
    assert vouched.up(replace(UP, spi=b"two", replaces=b"one")) == Shown("laptop")


def test_another_configuration_while_they_come() -> None:
    """Who is in is not its concern."""
    vouched = Vouched()
    vouched.note(b"two", Shown("laptop"))
    vouched.up(replace(UP, spi=b"two"))
    for spi, device in ((b"one", "laptop"), (b"three", "phone"), (b"four", None)):
        vouched.note(spi, Shown(device))
    vouched.reconsider(lambda name: name == "phone")
    shown = [vouched.shown(spi) for spi in (b"one", b"three", b"four")]
    assert shown == [Shown("laptop", welcome=False), Shown("phone"), Shown()]
    assert vouched.up(replace(UP, spi=b"five", replaces=b"two")) == Shown("laptop")


def test_tries_that_come_to_nothing_cost_little() -> None:
    vouched = Vouched()
    for number in range(MOST_UNDER_WAY + 1):
        vouched.note(number.to_bytes(8, "big"), Shown("phone"))
    assert vouched.shown(bytes(8)) == NOTHING
    assert vouched.shown((1).to_bytes(8, "big")) == Shown("phone")


def test_who_has_been_revoked_since(tmp_path: Path) -> None:
    office = Office(Store(tmp_path))
    prepare(office, gateway().pki, NOW)
    vouched = Vouched()
    for spi, name in ((b"one", "laptop"), (b"two", "desktop")):
        sent = office.enrol_device(name, f"{name}@example.org", NOW).sent
        identity = Identification(IdType.RFC822_ADDR, f"{name}@example.org".encode())
        verdict = opened(office).verify(("road/certificate",), identity, sent, NOW)
        vouched.note(spi, Shown(name, verdict.verified))
        vouched.up(replace(UP, spi=spi))
    vouched.up(replace(UP, spi=b"three"))  # by a key, say
    assert vouched.certified.keys() == {b"one", b"two"}
    assert withdrawn(vouched.certified, opened(office), NOW, nothing_fetched) == {}

    office.revoke(Holder.DEVICE, "laptop", NOW)

    found = withdrawn(vouched.certified, opened(office), NOW, nothing_fetched)
    assert {spi: why.reason for spi, why in found.items()} == {b"one": Reason.BLOCKED}
    assert withdrawn(vouched.certified, Keyring({}, {}, {}), NOW, nothing_fetched) == {}
    (certificate, *_) = vouched.certified[b"one"][1].path
    assert certificate == read_certificate(vouched.certified[b"one"][1].der)


def opened(office: Office) -> Keyring:
    return open_keyring(gateway(), office, NOW)
