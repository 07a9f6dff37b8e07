from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgevpn.pki.authority import CRL_LIFETIME, ServerNames
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import fingerprint, not_after
from edgevpn.pki.clock import RELEASED
from edgevpn.pki.errors import CertificateRefused, PkiError, Reason
from edgevpn.pki.keys import KeyKind, PrivateKey, is_kind, make_key, public_of, spki
from edgevpn.pki.office import Office
from edgevpn.pki.records import Holder
from edgevpn.pki.renewal import Due
from edgevpn.pki.revocation import Revocation
from edgevpn.pki.rules import Purpose
from edgevpn.pki.store import Store
from edgevpn.pki.validate import VerifiedKey, verify
from tests.support.certificates import DAY, NOW, ca, leaf, rsa_key

HOME = ServerNames(("vpn.example.org",))
OTHER = ServerNames(("new.example.org",))
P256 = KeyKind.ECDSA_P256


def key_of(kind: KeyKind) -> PrivateKey:
    """RSA keys from the shelf, the others new."""
    return rsa_key(2048) if kind is KeyKind.RSA_2048 else make_key(kind)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pki"


@pytest.fixture
def office(folder: Path) -> Office:
    made = opened(folder)
    made.init("home", P256, NOW)
    return made


def opened(folder: Path) -> Office:
    return Office(Store(folder), make_key=key_of)


def judged(office: Office, bundle: Bundle, at: datetime = NOW) -> VerifiedKey:
    return verify(bundle.sent, office.trust(Revocation.STRICT), at, Purpose.DEVICE)


def reason(office: Office, bundle: Bundle) -> Reason:
    with pytest.raises(CertificateRefused) as refusal:
        judged(office, bundle)
    return refusal.value.reason


def test_once(office: Office, folder: Path) -> None:
    """There is one CA, it is there after a restart, and a second is not made by mistake."""
    again = opened(folder)
    assert again.authority.certificate == office.authority.certificate
    assert again.faults == ()
    with pytest.raises(PkiError) as refusal:
        again.init("another", P256, NOW)
    assert str(refusal.value) == "a CA is there already (CN=home); look at it with: edgevpn pki show"


def test_before_there_is_a_ca(folder: Path) -> None:
    empty = opened(folder)
    assert not empty.has_authority
    with pytest.raises(PkiError, match="edgevpn pki init"):
        empty.keep_server(HOME, P256, NOW)
    empty.tend(NOW + 2 * DAY)
    assert empty.trust().anchors == ()


def test_server_is_issued_renewed_and_issued_for_a_new_name(office: Office) -> None:
    assert office.keep_server(HOME, P256, NOW) is Due.MISSING
    first = office.server(P256)
    assert first is not None
    assert office.keep_server(HOME, P256, NOW) is None
    assert office.keep_server(HOME, P256, NOW + 300 * DAY) is Due.ENDS_SOON
    assert office.keep_server(OTHER, P256, NOW + 300 * DAY) is Due.NAMES_CHANGED
    last = office.server(P256)
    assert last is not None
    assert not_after(last.certificate) > not_after(first.certificate)
    assert spki(last.key.public_key()) == spki(first.key.public_key())


def test_two_servers_side_by_side(office: Office) -> None:
    """RSA for everybody, ECDSA for who can verify it."""
    for kind in (KeyKind.RSA_2048, P256):
        assert office.keep_server(HOME, kind, NOW) is Due.MISSING
    for kind in (KeyKind.RSA_2048, P256):
        bundle = office.server(kind)
        assert bundle is not None
        assert is_kind(public_of(bundle.key), kind)
    assert [each.what for each in office.standing(NOW)] == ["CA", "server.pem", "server-ecdsa.pem"]


def test_device_lives_and_is_revoked(office: Office, folder: Path) -> None:
    phone = office.enrol_device("phone", "phone.example.org", NOW, kind=P256)
    session = judged(office, phone)
    assert session.unchecked == ()

    gone = office.revoke(Holder.DEVICE, "phone", NOW)

    assert gone == {fingerprint(phone.certificate)}
    assert gone & {*session.fingerprints}
    assert reason(office, phone) is Reason.BLOCKED
    assert reason(opened(folder), phone) is Reason.BLOCKED
    assert office.revoke(Holder.DEVICE, "phone", NOW) == frozenset()


def test_device_gets_a_new_certificate(office: Office) -> None:
    old = office.enrol_device("phone", "phone.example.org", NOW, kind=P256)
    new = office.enrol_device("phone", "phone.example.org", NOW + DAY, kind=P256)
    office.revoke(Holder.DEVICE, "phone", NOW + DAY, kept=(fingerprint(new.certificate),))
    assert reason(office, old) is Reason.BLOCKED
    assert judged(office, new, NOW + DAY).subject == "CN=phone"


def test_revocation_survives_the_loss_of_all_records(office: Office, folder: Path) -> None:
    """The CRL is a second memory."""
    phone = office.enrol_device("phone", "phone", NOW, kind=P256)
    number = office.ledger.crl_number
    office.revoke(Holder.DEVICE, "phone", NOW)
    for name in ("issued.json", "issued.json.previous"):
        (folder / name).write_bytes(b"{")
    again = opened(folder)
    assert [fault.reason for fault in again.faults] == [Reason.DAMAGED, Reason.DAMAGED]
    assert reason(again, phone) is Reason.REVOKED_LEAF
    assert again.ledger.crl_number > number
    again.publish_crl(NOW)
    assert reason(opened(folder), phone) is Reason.REVOKED_LEAF


def test_damaged_crl_is_cured_by_the_next(office: Office, folder: Path) -> None:
    (folder / "ca.crl").write_bytes(b"half")
    again = opened(folder)
    assert [fault.reason for fault in again.faults] == [Reason.UNREADABLE]
    again.tend(NOW)
    assert opened(folder).faults == ()


def test_block_list(office: Office) -> None:
    phone = office.enrol_device("phone", "phone", NOW, kind=P256)
    shown = fingerprint(phone.certificate).upper()
    office.block(":".join(shown[at : at + 2] for at in range(0, 64, 2)), NOW, "lost")
    assert reason(office, phone) is Reason.BLOCKED
    office.unblock(shown)
    assert judged(office, phone).subject == "CN=phone"


def test_crl_never_runs_out(office: Office) -> None:
    """Strict needs one that is current: it is issued anew at half its life."""
    phone = office.enrol_device("phone", "phone", NOW, kind=P256)
    at = NOW
    while at < NOW + 4 * CRL_LIFETIME:
        office.tend(at)
        assert judged(office, phone, at).unchecked == ()
        at += timedelta(hours=25)


def caught_up(office: Office, at: datetime) -> None:
    """Some hours after the clock was set for the first time."""
    for hours in range(24):
        office.tend(at + timedelta(hours=hours))


def test_time_is_written_down_rarely(office: Office, folder: Path) -> None:
    caught_up(office, NOW)
    seen = opened(folder).ledger.seen
    assert NOW <= seen < NOW + DAY
    office.tend(seen + DAY / 2)
    assert opened(folder).ledger.seen == seen
    office.tend(seen + DAY)
    assert opened(folder).ledger.seen == seen + DAY


def test_clock_that_was_ahead_for_an_hour(office: Office, folder: Path) -> None:
    """It came from a broken time server. What is current now is accepted again as soon as the clock is right."""
    caught_up(office, NOW)
    phone = office.enrol_device("phone", "phone", NOW, kind=P256)
    lost = office.enrol_device("lost", "lost", NOW, kind=P256)
    office.revoke(Holder.DEVICE, "lost", NOW)
    office.tend(datetime(2099, 1, 1, tzinfo=UTC))
    again = opened(folder)
    assert again.ledger.seen < NOW + 32 * DAY
    again.tend(NOW + DAY)
    assert judged(again, phone, NOW + DAY).unchecked == ()
    assert reason(again, lost) is Reason.BLOCKED


def test_after_a_power_cut_the_clock_is_measured_by_what_was_seen(office: Office, folder: Path) -> None:
    short = office.enrol_device("guest", "guest", NOW, ends=NOW + DAY, kind=P256)
    long = office.enrol_device("phone", "phone", NOW, kind=P256)
    caught_up(office, NOW + 3 * DAY)
    again, epoch = opened(folder), datetime(1970, 1, 1, tzinfo=UTC)
    assert not judged(again, long, epoch).clock_set
    with pytest.raises(CertificateRefused) as refusal:
        judged(again, short, epoch)
    assert refusal.value.reason is Reason.EXPIRED
    again.revoke(Holder.DEVICE, "phone", epoch)
    assert reason(again, long) is Reason.BLOCKED


def test_what_is_issued_without_a_clock_is_good_for_those_who_have_one(folder: Path) -> None:
    """A new router, never on the net: all that it makes is dated by its release."""
    new, epoch = opened(folder), datetime(1970, 1, 1, tzinfo=UTC)
    new.init("home", P256, epoch)
    new.keep_server(HOME, P256, epoch)
    new.tend(epoch)
    phone = new.enrol_device("phone", "phone", epoch, kind=P256)
    server = new.server(P256)
    assert server is not None
    for bundle, purpose in ((phone, Purpose.DEVICE), (server, Purpose.SERVER)):
        assert verify(bundle.sent, new.trust(), RELEASED + DAY, purpose).clock_set
    assert new.ledger.seen == RELEASED


def test_site(office: Office) -> None:
    branch = office.enrol_site("branch", ServerNames(("branch.example.org",)), NOW, kind=P256)
    for purpose in (Purpose.SITE, Purpose.SERVER, Purpose.DEVICE):
        assert verify(branch.sent, office.trust(), NOW, purpose).subject == "CN=branch.example.org"


def test_imported_authority(folder: Path) -> None:
    root = ca("company root")
    sub = ca("branch CA", root)
    office = opened(folder)
    office.import_authority(Bundle(sub.key, sub.certificate, (root.certificate,)), NOW)
    phone = office.enrol_device("phone", "phone", NOW, kind=P256)
    assert judged(office, phone).fingerprints[1] == fingerprint(sub.certificate)
    assert office.authority.root == root.certificate
    with pytest.raises(PkiError) as refusal:
        office.renew(NOW)
    assert refusal.value.reason is Reason.NOT_ALLOWED


def test_what_is_imported_has_to_be_a_ca(office: Office) -> None:
    made = leaf("gw", ca("root"))
    old = ca("old", ends=NOW - DAY)
    for bundle, expected in (
        (Bundle(made.key, made.certificate), Reason.NOT_A_CA),
        (Bundle(old.key, old.certificate), Reason.EXPIRED),
    ):
        with pytest.raises(PkiError) as refusal:
            office.import_authority(bundle, NOW)
        assert refusal.value.reason is expected
    assert office.authority.certificate.subject.rfc4514_string() == "CN=home"


def test_authority_is_renewed(office: Office) -> None:
    at = NOW + 9 * 366 * DAY
    phone = office.enrol_device("phone", "phone", NOW, ends=at + DAY, kind=P256)
    assert office.authority_due(NOW) is None
    assert office.authority_due(at) is Due.ENDS_SOON
    office.renew(at)
    assert office.authority_due(at) is None
    assert judged(office, phone, at).subject == "CN=phone"


def test_nothing_is_given_that_was_not_written_down(office: Office, folder: Path) -> None:
    """The records cannot be kept: the wish fails, and they say so too."""
    (folder / "issued.json.previous").unlink(missing_ok=True)
    (folder / "issued.json.previous").mkdir()
    before = office.ledger
    with pytest.raises(PkiError) as refusal:
        office.enrol_device("phone", "phone", NOW, kind=P256)
    assert refusal.value.reason is Reason.FILE_FAILED
    assert office.ledger == before


def test_nothing_secret_in_the_records(office: Office, folder: Path) -> None:
    phone = office.enrol_device("phone", "phone", NOW, kind=P256)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert all(b"PRIVATE KEY" not in octets for name, octets in kept.items() if name != "ca.pem")
    assert "key" not in repr(phone)
