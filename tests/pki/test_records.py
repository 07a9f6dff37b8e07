import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.pki.authority import Revoked
from edgevpn.pki.clock import RELEASED
from edgevpn.pki.errors import Reason, StoreError
from edgevpn.pki.records import FORGOTTEN_AFTER, VERSION, Blocked, Holder, Issued, Ledger, dump, load
from tests.support.certificates import DAY, NOW, ca, certificate, leaf

ROOT = ca("root")
PHONE = leaf("phone", ROOT).certificate
NEWER = leaf("phone", ROOT).certificate
TABLET = leaf("tablet", ROOT).certificate
SUPERSEDED = x509.ReasonFlags.superseded

FULL = (
    Ledger()
    .with_issued(PHONE, Holder.DEVICE, "phone", "phone.example.org", NOW)
    .with_issued(NEWER, Holder.DEVICE, "phone", "phone.example.org", NOW + DAY)
    .with_issued(TABLET, Holder.DEVICE, "tablet 電話", "tablet", NOW)
    .with_revoked((PHONE.serial_number,), NOW + DAY, SUPERSEDED)
    .with_blocked(Blocked("ab" * 32, NOW, "lost"))
    .with_crl()
)


def test_read_back() -> None:
    assert load(dump(FULL), "issued.json") == FULL
    assert load(dump(Ledger()), "issued.json") == Ledger()


def test_newest_last_and_nothing_revoked() -> None:
    assert [each.serial for each in FULL.of(Holder.DEVICE, "phone")] == [NEWER.serial_number]
    assert FULL.of(Holder.SITE, "phone") == ()


def test_refused_are_the_blocked_and_the_revoked() -> None:
    revoked = FULL.issued[PHONE.serial_number].fingerprint
    assert FULL.refused == {"ab" * 32, revoked}
    assert FULL.without_blocked("ab" * 32).refused == {revoked}


def test_revoked_once() -> None:
    again = FULL.with_revoked((PHONE.serial_number,), NOW + 9 * DAY, x509.ReasonFlags.key_compromise)
    assert again.revoked == FULL.revoked


def test_newest_known_time() -> None:
    """It begins with the release, and is moved by nothing but the office's hourly look at the clock."""
    assert Ledger().seen == FULL.seen == RELEASED


def test_long_expired_is_forgotten_revoked_or_not() -> None:
    old = certificate("old", ROOT, begins=NOW - 300 * DAY, ends=NOW - DAY).certificate
    ledger = FULL.with_issued(old, Holder.DEVICE, "old", "old", NOW - 300 * DAY)
    ledger = ledger.with_revoked((old.serial_number,), NOW - 9 * DAY, SUPERSEDED)
    assert ledger.pruned(NOW) == ledger
    pruned = ledger.pruned(NOW + FORGOTTEN_AFTER)
    assert old.serial_number not in {**pruned.issued, **pruned.revoked}
    assert PHONE.serial_number in pruned.revoked


@pytest.mark.parametrize("at", [0, 1, 40, 300, -300, -1])
def test_half_written(at: int) -> None:
    octets = dump(FULL)
    with pytest.raises(StoreError) as refusal:
        load(octets[:at], "issued.json")
    assert refusal.value.reason is Reason.DAMAGED


WRONG = [
    b"null",
    b"[]",
    b"{}",
    b'{"version": 1}',
    b'{"version": "1"}',
    dump(FULL).replace(b'"device"', b'"toaster"'),
    dump(FULL).replace(b"+00:00", b""),
    dump(FULL).replace(b'"superseded"', b'"tired"'),
    b"[" * 100_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("octets", WRONG, ids=range(len(WRONG)))
def test_not_ours(octets: bytes) -> None:
    with pytest.raises(StoreError) as refusal:
        load(octets, "issued.json")
    assert refusal.value.reason is Reason.DAMAGED


def test_file_of_a_newer_release_is_not_touched() -> None:
    newer = dump(FULL).replace(b'"version": 1', b'"version": 99')
    with pytest.raises(StoreError) as refusal:
        load(newer, "issued.json")
    assert refusal.value.reason is Reason.NOT_ALLOWED
    assert refusal.value.field == "version"


def test_file_says_its_version_first() -> None:
    assert next(iter(json.loads(dump(FULL)).items())) == ("version", VERSION)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
times = st.datetimes(datetime(2026, 1, 1), datetime(2099, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))  # noqa: DTZ001
issued = st.builds(Issued, st.integers(1, 2**159), st.sampled_from(Holder), texts, texts, texts, times, times)
revoked = st.builds(Revoked, st.integers(1, 2**159), times, st.sampled_from(x509.ReasonFlags))
blocked = st.builds(Blocked, texts, times, texts)


@given(st.lists(issued, max_size=5), st.lists(revoked, max_size=5), st.lists(blocked, max_size=5), times)
def test_whatever_is_in_it(
    issued: list[Issued], revoked: list[Revoked], blocked: list[Blocked], seen: datetime
) -> None:
    ledger = Ledger(
        {each.serial: each for each in issued},
        {each.serial: each for each in revoked},
        {each.fingerprint: each for each in blocked},
        7,
        seen,
    )
    assert load(dump(ledger), "issued.json") == ledger


def test_ten_thousand_devices() -> None:
    """They are read back, and one is found by its serial number without looking at the others."""
    records = [
        Issued(
            number, Holder.DEVICE, f"device {number}", "d", f"{number:064x}", NOW, NOW + timedelta(days=number % 900)
        )
        for number in range(1, 10_001)
    ]
    ledger = Ledger({each.serial: each for each in records})
    assert load(dump(ledger), "issued.json").issued[9_999] == records[9_998]
