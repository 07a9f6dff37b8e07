from datetime import timedelta
from ipaddress import ip_address

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edgevpn.pki.authority import SERVER_LIFETIME, ServerNames, create_authority, issue_server, renew_authority
from edgevpn.pki.certificate import not_after
from edgevpn.pki.keys import KeyKind
from edgevpn.pki.renewal import Due, authority_due, days_left, renew_at, server_due
from tests.support.certificates import DAY, NOW, certificate, p256, rsa_key

HOME = ServerNames(("vpn.example.org",))
AUTHORITY = create_authority("home", p256(), NOW)
SERVER = issue_server(AUTHORITY, rsa_key(2048).public_key(), HOME, NOW)
RSA = KeyKind.RSA_2048


def test_nothing_to_do() -> None:
    assert server_due(SERVER, HOME, AUTHORITY, RSA, NOW) is None


def test_none_yet() -> None:
    assert server_due(None, HOME, AUTHORITY, RSA, NOW) is Due.MISSING


def test_last_third_of_its_life() -> None:
    assert renew_at(SERVER) - NOW < SERVER_LIFETIME * 2 / 3
    assert server_due(SERVER, HOME, AUTHORITY, RSA, renew_at(SERVER) - DAY) is None
    assert server_due(SERVER, HOME, AUTHORITY, RSA, renew_at(SERVER)) is Due.ENDS_SOON
    assert server_due(SERVER, HOME, AUTHORITY, RSA, not_after(SERVER) + DAY) is Due.ENDS_SOON


def test_short_lives() -> None:
    """A month before the end, unless that is more than half of all."""
    assert renew_at(certificate("gw", begins=NOW, ends=NOW + 60 * DAY).certificate) == NOW + 30 * DAY
    assert renew_at(certificate("gw", begins=NOW, ends=NOW + 10 * DAY).certificate) == NOW + 5 * DAY


@pytest.mark.parametrize(
    "names",
    [
        ServerNames(("new.example.org",)),
        ServerNames(("vpn.example.org", "second.example.org")),
        ServerNames(("vpn.example.org",), (ip_address("192.0.2.1"),)),
    ],
)
def test_public_name_changes(names: ServerNames) -> None:
    assert server_due(SERVER, names, AUTHORITY, RSA, NOW) is Due.NAMES_CHANGED
    assert (
        server_due(issue_server(AUTHORITY, rsa_key(2048).public_key(), names, NOW), names, AUTHORITY, RSA, NOW) is None
    )


def test_same_name_written_otherwise() -> None:
    assert server_due(SERVER, ServerNames(("VPN.example.org.",)), AUTHORITY, RSA, NOW) is None


def test_authority_changes() -> None:
    assert server_due(SERVER, HOME, create_authority("other", p256(), NOW), RSA, NOW) is Due.OTHER_AUTHORITY
    assert server_due(SERVER, HOME, create_authority("home", p256(), NOW), RSA, NOW) is Due.OTHER_AUTHORITY
    assert server_due(SERVER, HOME, renew_authority(AUTHORITY, NOW), RSA, NOW) is None


def test_kind_of_key_changes() -> None:
    assert server_due(SERVER, HOME, AUTHORITY, KeyKind.RSA_3072, NOW) is Due.KEY_CHANGED
    for key, kind in ((p256(), KeyKind.ECDSA_P256), (ec.generate_private_key(ec.SECP384R1()), KeyKind.ECDSA_P384)):
        server = issue_server(AUTHORITY, key.public_key(), HOME, NOW)
        assert server_due(server, HOME, AUTHORITY, kind, NOW) is None
        assert server_due(server, HOME, AUTHORITY, KeyKind.ED25519, NOW) is Due.KEY_CHANGED


def test_authority_is_due_a_year_before_its_end() -> None:
    end = not_after(AUTHORITY.certificate)
    assert authority_due(AUTHORITY, end - timedelta(days=400)) is None
    assert authority_due(AUTHORITY, end - timedelta(days=300)) is Due.ENDS_SOON


def test_server_waits_for_the_authority_where_it_could_not_live_longer() -> None:
    late = not_after(AUTHORITY.certificate) - 20 * DAY
    server = issue_server(AUTHORITY, rsa_key(2048).public_key(), HOME, late)
    assert server_due(server, HOME, AUTHORITY, RSA, late + 15 * DAY) is None
    assert server_due(server, HOME, renew_authority(AUTHORITY, late), RSA, late + 15 * DAY) is Due.ENDS_SOON


def test_days_left() -> None:
    assert days_left(SERVER, NOW) == 397
    assert days_left(SERVER, not_after(SERVER) + DAY) == -1
