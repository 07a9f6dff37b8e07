from pathlib import Path

import pytest

from edgevpn.pki.authority import Authority, create_authority, issue_crl
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.errors import PkiError, Reason, StoreError
from edgevpn.pki.keys import spki
from edgevpn.pki.records import Blocked, Holder, Ledger
from edgevpn.pki.store import Slot, Store
from tests.support.certificates import NOW, ca, crl, leaf, p256

ROOT = ca("root")
SUB = ca("sub", ROOT)
GW = leaf("gw", SUB)
ONE = Ledger().with_issued(GW.certificate, Holder.SITE, "gw", "gw", NOW)
TWO = ONE.with_blocked(Blocked("ab" * 32, NOW))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pki"


def test_empty(folder: Path) -> None:
    store = Store(folder)
    assert store.authority() is None
    assert store.crl() is None
    assert [store.server(slot) for slot in Slot] == [None, None, None]
    assert store.ledger().ledger == Ledger()
    assert store.others().anchors == ()


def test_authority_with_those_above_it(folder: Path) -> None:
    Store(folder).save_authority(Authority(SUB.certificate, SUB.key, (ROOT.certificate,)))
    read = Store(folder).authority()
    assert read is not None
    assert (read.certificate, read.chain) == (SUB.certificate, (ROOT.certificate,))
    assert spki(read.key.public_key()) == spki(SUB.key.public_key())


def test_server_key_and_certificate_always_fit(folder: Path) -> None:
    """They are one file."""
    store = Store(folder)
    store.save_server(Slot.ECDSA, Bundle(GW.key, GW.certificate, (SUB.certificate, ROOT.certificate)))
    read = store.server(Slot.ECDSA)
    assert read is not None
    assert read.sent == (GW.der, SUB.der)
    store.remove_server(Slot.ECDSA)
    assert store.server(Slot.ECDSA) is None


def test_every_file_is_for_its_owner_alone(folder: Path) -> None:
    store = Store(folder)
    authority = create_authority("home", p256(), NOW)
    store.save_authority(authority)
    store.save_server(Slot.RSA, Bundle(GW.key, GW.certificate))
    store.save_ledger(ONE)
    store.save_crl(issue_crl(authority, 1, [], NOW))
    assert {each.name for each in folder.iterdir()} == {"ca.pem", "server.pem", "issued.json", "ca.crl"}
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_key_that_others_could_read(folder: Path) -> None:
    Store(folder).save_server(Slot.RSA, Bundle(GW.key, GW.certificate))
    (folder / "server.pem").chmod(0o644)
    with pytest.raises(StoreError) as refusal:
        Store(folder).server(Slot.RSA)
    assert refusal.value.reason is Reason.UNSAFE


def test_records_survive_a_half_written_file(folder: Path) -> None:
    store = Store(folder)
    store.save_ledger(ONE)
    store.save_ledger(TWO)
    whole = (folder / "issued.json").read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        (folder / "issued.json").write_bytes(whole[:length])
        (folder / "issued.json").chmod(0o600)
        read = store.ledger()
        assert read.ledger == ONE
        assert [fault.reason for fault in read.faults] == [Reason.DAMAGED]


def test_records_survive_a_cut_between_the_two_renames(folder: Path) -> None:
    store = Store(folder)
    store.save_ledger(ONE)
    store.save_ledger(TWO)
    (folder / "issued.json").unlink()
    assert store.ledger().ledger == ONE
    store.save_ledger(TWO)
    assert store.ledger().ledger == TWO


def test_nothing_left_of_the_records(folder: Path) -> None:
    store = Store(folder)
    for _ in range(2):
        store.save_ledger(ONE)
    for file in folder.iterdir():
        file.write_bytes(b"{")
    read = store.ledger()
    assert read.ledger == Ledger()
    assert [fault.subject for fault in read.faults] == ["issued.json", "issued.json.previous"]


def test_records_of_a_newer_release(folder: Path) -> None:
    store = Store(folder)
    store.save_ledger(ONE)
    octets = (folder / "issued.json").read_bytes()
    (folder / "issued.json").write_bytes(octets.replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(StoreError) as refusal:
        store.ledger()
    assert refusal.value.reason is Reason.NOT_ALLOWED


def test_cas_and_crls_of_others(folder: Path) -> None:
    store = Store(folder)
    for each in ("trusted", "crls"):
        (folder / each).mkdir()
    (folder / "trusted" / "partner.pem").write_bytes(pem_of(SUB.certificate) + pem_of(ROOT.certificate))
    (folder / "trusted" / "broken.pem").write_bytes(b"oops")
    (folder / "trusted" / "no-ca.pem").write_bytes(pem_of(GW.certificate))
    (folder / "trusted" / "README").write_bytes(b"not a certificate, and not asked for")
    (folder / "crls" / "partner.crl").write_bytes(crl(SUB, GW))
    (folder / "crls" / "broken.crl").write_bytes(b"oops")
    others = store.others()
    assert others.anchors == (SUB.certificate, ROOT.certificate)
    assert len(others.crls) == 1
    assert [(fault.subject, fault.reason) for fault in others.faults] == [
        ("broken.pem", Reason.UNREADABLE),
        ("CN=gw", Reason.NOT_A_CA),
        ("the CRL", Reason.UNREADABLE),
    ]


def test_crl_that_was_fetched(folder: Path) -> None:
    store, uri = Store(folder), "http://crl.example.org/root.crl"
    store.keep_crl(uri, crl(ROOT, GW))
    store.keep_crl(uri, crl(ROOT, SUB))
    [kept] = store.others().crls
    assert [entry.serial_number for entry in kept.value] == [SUB.certificate.serial_number]
    with pytest.raises(PkiError):
        store.keep_crl(uri, b"<html>not found</html>")
    assert len(store.others().crls) == 1


def test_key_that_is_damaged(folder: Path) -> None:
    store = Store(folder)
    (folder / "ca.pem").touch(mode=0o600)
    with pytest.raises(PkiError) as refusal:
        store.authority()
    assert refusal.value.subject == "ca.pem"
