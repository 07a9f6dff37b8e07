from datetime import UTC, datetime
from typing import Any

import pytest
import tomli

from edgevpn.config.changes import (
    Documents,
    Keys,
    add_device,
    add_site,
    remove_device,
    remove_site,
    set_device,
    set_key,
    set_site,
    unset_key,
)
from edgevpn.config.credential import NtHash, Ppk, Psk
from edgevpn.config.device import Device
from edgevpn.config.errors import Refused
from edgevpn.config.reader import parse
from edgevpn.config.stored import parse_stored

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HASH = {"nt_hash": "00112233445566778899aabbccddeeff"}
OTHER = {"nt_hash": "ffeeddccbbaa99887766554433221100"}

CONFIG = """\
[pki]
public_name = "vpn.example.org"

# the family
[pool.home]   # all of us
v4 = "10.9.0.0/24"

# Anna's
[device.anna]
password = "correct horse"
"""
START = Documents(CONFIG)


def devices(documents: Documents) -> dict[str, Device]:
    config = parse(documents.config, "test.toml", {}, parse_stored(documents.secrets), NOW)
    assert not [warning for warning in config.warnings if "secrets" in warning.fault]
    return {device.name: device for device in config.devices}


def refused(change: Any) -> str:
    with pytest.raises(Refused) as refusal:
        change()
    return "; ".join(filter(None, (refusal.value.fault, refusal.value.cure)))


def test_a_device_and_its_secret() -> None:
    """The device is written where its kin is, the secret where nobody looks."""
    made = add_device(START, "Ben's 電話", {"platform": "android", "owner": "Ben", "v4": None}, HASH, NOW)
    assert made.config == CONFIG + '\n[device."Ben\'s 電話"]\nplatform = "android"\nowner = "Ben"\n'
    assert tomli.loads(made.secrets) == {"device": {"Ben's 電話": HASH}}
    assert devices(made)["Ben's 電話"].credential == NtHash("secrets.toml", bytes.fromhex(HASH["nt_hash"]))
    assert HASH["nt_hash"] not in repr(made)


def test_what_is_added_and_removed_leaves_no_trace() -> None:
    made = add_device(START, "ben", {"owner": "Ben"}, HASH, NOW)
    assert remove_device(made, "ben") == START


def test_a_device_goes_with_its_comment() -> None:
    made = remove_device(START, "anna")
    assert made.config == CONFIG.split("\n# Anna's")[0]


@pytest.mark.parametrize(
    ("name", "keys", "fault"),
    [
        ("anna", {}, "device.anna is there already; choose another name, or change that one"),
        ("a\nb", {}, '"a\\nb" is no name for a device; allowed: 1 to 64 printable characters, none of them / or \\'),
        (
            "x" * 65536,
            {},
            '"' + "x" * 76 + "... is no name for a device; allowed: 1 to 64 printable characters, none of them / or \\",
        ),
        ("ben", {"v4": "10.9.0.0/24"}, 'device.ben.v4 = "10.9.0.0/24": is not an IP address; allowed: an IPv4 address'),
        ("ben", {"ownr": "Ben"}, "device.ben.ownr is not a key; did you mean owner?"),
        (
            "ben",
            {"expires": "2026-05-31"},
            'device.ben.expires = "2026-05-31": has passed already;'
            ' allowed: a date, such as "2027-03-31", or a date and time after 2026-06-01',
        ),
        (
            "ben",
            {"owner": "a\x1bb"},
            'device.ben.owner = "a\\u001bb": holds characters that cannot be shown;'
            " allowed: 1 to 64 printable characters",
        ),
    ],
)
def test_devices_that_are_refused(name: str, keys: Keys, fault: str) -> None:
    """With the field's name and what is allowed."""
    assert refused(lambda: add_device(START, name, keys, HASH, NOW)) == fault


def test_a_secret_that_is_refused_is_not_told() -> None:
    assert refused(lambda: add_device(START, "ben", {}, {"nt_hash": "hunter2"}, NOW)) == (
        "device.ben.nt_hash: is of another form; allowed: 32 hexadecimal digits"
    )


def test_keys_of_a_device() -> None:
    made = set_device(START, "anna", {"owner": "Anna", "v4": "10.9.0.7", "enabled": False}, {}, NOW)
    assert made.config == CONFIG + 'owner = "Anna"\nv4 = "10.9.0.7"\nenabled = false\n'
    assert set_device(made, "anna", {"owner": None, "v4": None, "enabled": None, "v6": None}, {}, NOW) == START


def test_today_is_not_too_early() -> None:
    made = set_device(START, "anna", {"expires": "2026-06-01"}, {}, NOW)
    assert devices(made)["anna"].expires == datetime(2026, 6, 2, tzinfo=UTC)
    assert "has passed already" in refused(lambda: set_device(START, "anna", {"expires": "2026-05-31"}, {}, NOW))


def test_a_new_secret_takes_the_place_of_the_old() -> None:
    """Be that in the file or in the store, and of another way to log in or of the same."""
    made = set_device(START, "anna", {}, HASH, NOW)
    assert made.config == CONFIG.replace('password = "correct horse"\n', "")
    made = set_device(made, "anna", {}, OTHER, NOW)
    assert tomli.loads(made.secrets) == {"device": {"anna": OTHER}}
    made = set_device(made, "anna", {"login": "psk"}, {"psk": "a long and random text"}, NOW)
    assert tomli.loads(made.secrets) == {"device": {"anna": {"psk": "a long and random text"}}}
    assert devices(made)["anna"].credential == Psk("secrets.toml", b"a long and random text")
    made = set_device(made, "anna", {"login": "certificate"}, {}, NOW)
    assert (made.secrets, devices(made)["anna"].credential) == ("", None)


def test_a_post_quantum_key_has_nothing_to_do_with_the_login() -> None:
    """It goes where secrets are, and stays there whatever becomes of the password."""
    ppk = "0x" + "42" * 32
    made = add_device(START, "ben", {"platform": "ios", "ppk": ppk}, HASH, NOW)
    assert "ppk" not in made.config
    assert devices(made)["ben"].ppk == Ppk("secrets.toml", b"B" * 32)
    made = set_device(made, "ben", {}, OTHER, NOW)
    assert tomli.loads(made.secrets) == {"device": {"ben": OTHER | {"ppk": ppk}}}
    made = set_device(made, "ben", {"login": "certificate"}, {}, NOW)
    assert tomli.loads(made.secrets) == {"device": {"ben": {"ppk": ppk}}}
    assert set_device(made, "ben", {"ppk": None}, {}, NOW).secrets.strip() in ("", "[device.ben]")
    assert remove_device(made, "ben").secrets == ""


def test_the_same_way_to_log_in_keeps_its_secret() -> None:
    made = set_device(START, "anna", {"login": "password", "owner": "Anna"}, {}, NOW)
    assert devices(made)["anna"].credential == devices(START)["anna"].credential
    gone = set_device(START, "anna", {"login": "certificate"}, {}, NOW)
    assert devices(gone)["anna"].credential is None
    assert devices(set_device(gone, "anna", {"login": None}, HASH, NOW))["anna"].credential is not None


def test_devices_that_are_not_there() -> None:
    assert refused(lambda: set_device(START, "ben", {}, {}, NOW)) == 'there is no device "ben"'
    assert refused(lambda: remove_device(START, "ben")) == 'there is no device "ben"'
    assert refused(lambda: remove_site(START, "office")) == 'there is no site "office"'


def test_the_secret_of_one_who_was_here_before_is_not_inherited() -> None:
    left = Documents(CONFIG, '[device.ben]\npsk = "a long and random text"\n')
    made = add_device(left, "ben", {}, HASH, NOW)
    assert tomli.loads(made.secrets) == {"device": {"ben": HASH}}


def test_a_site() -> None:
    keys = {"remote": ["192.0.2.7"], "local_networks": ["10.1.0.0/24"], "remote_networks": ["10.2.0.0/24"]}
    made = add_site(START, "office", keys, {"psk": "a long and random text"}, NOW)
    assert made.config.endswith(
        '\n[site.office]\nremote = ["192.0.2.7"]\nlocal_networks = ["10.1.0.0/24"]\nremote_networks = ["10.2.0.0/24"]\n'
    )
    assert tomli.loads(made.secrets) == {"site": {"office": {"psk": "a long and random text"}}}
    assert remove_site(made, "office") == START
    assert refused(lambda: add_site(START, "head office", keys, {}, NOW)) == (
        '"head office" is no name for a site; allowed: 1 to 32 letters, digits, - and _'
    )


def test_a_site_with_children() -> None:
    """A table below is written as a table, changed as one, and taken out as one."""
    lan, guests = {"remote_networks": "10.2.0.0/24"}, {"remote_networks": "10.3.0.0/24", "start": None}
    keys = {"remote": "a.example", "local_networks": "10.1.0.0/24", "child": {"lan": lan, "guests": guests}}
    made = add_site(START, "office", keys, {"psk": "a long and random text"}, NOW)
    written = '[site.office.child.lan]\nremote_networks = "10.2.0.0/24"\n'
    assert written in made.config
    assert set(tomli.loads(made.config)["site"]["office"]["child"]) == {"lan", "guests"}

    made = set_site(made, "office", {"child": {"lan": {"start": "wait"}, "guests": None}, "mtu": 1400}, {}, NOW)
    assert tomli.loads(made.config)["site"]["office"]["child"] == {"lan": lan | {"start": "wait"}}
    assert tomli.loads(made.secrets)["site"]["office"] == {"psk": "a long and random text"}
    assert "office.child.lan.pond is not a key" in refused(
        lambda: set_site(made, "office", {"child": {"lan": {"pond": 1}}}, {}, NOW)
    )
    assert "pond is not a key" in refused(lambda: set_site(made, "office", {"pond": None}, {}, NOW))


def test_a_site_goes_with_its_children() -> None:
    made = add_site(START, "office", {"remote": "192.0.2.7"}, {"psk": "a long and random text"}, NOW)
    made = set_key(made, ("site", "office", "child", "lan", "local_networks"), "10.1.0.0/24")
    assert remove_site(made, "office") == START


def test_one_key() -> None:
    made = set_key(START, ("gateway", "log_level"), "debug")
    assert made.config == CONFIG + '\n[gateway]\nlog_level = "debug"\n'
    assert unset_key(made, ("gateway", "log_level")).config == CONFIG + "\n[gateway]\n"
    assert refused(lambda: set_key(START, ("gateway", "log_level"), "loud")) == (
        'gateway.log_level = "loud": is none of the choices; allowed: "debug" | "info" | "warning" | "error"'
    )
    assert (
        refused(lambda: set_key(START, ("gateway", "log_levl"), "debug"))
        == "gateway.log_levl is not a key; did you mean log_level?"
    )
    assert refused(lambda: set_key(START, ("crypto", "zzz"), 1)) == (
        "crypto.zzz is not a key; known here: order, offload, self_test"
    )
    assert refused(lambda: unset_key(START, ("gateway", "log_level"))) == "gateway.log_level is not set"
    assert refused(lambda: set_key(START, ("gateway", "listen"), ["192.0.2.1", "here"])) == (
        'gateway.listen = "here": is not an IP address; allowed: one or more of: an IPv4 or IPv6 address'
    )


def test_a_secret_that_nobody_asks_for_is_not_kept() -> None:
    path = ("device", "anna", "psk")
    assert refused(lambda: set_key(START, path, "a long and random text")) == (
        'device.anna.psk: is of no use with login = "password";'
        " change both: edgevpn device set anna login=psk --secret -"
    )
    assert "is of no use" in refused(lambda: set_device(START, "anna", {}, {"psk": "a long and random text"}, NOW))
    both = set_device(START, "anna", {"login": "psk"}, {"psk": "a long and random text"}, NOW)
    assert "psk" in both.secrets


def test_one_secret() -> None:
    """It goes to the store, unless its owner has it in the file."""
    made = set_key(START, ("device", "anna", "password"), "battery staple")
    assert made == Documents(CONFIG.replace("correct horse", "battery staple"))
    made = set_key(Documents(), ("web", "totp_secret"), "A" * 16)
    assert made == Documents("", '[web]\ntotp_secret = "AAAAAAAAAAAAAAAA"\n')
    assert unset_key(made, ("web", "totp_secret")) == Documents("", "[web]\n")
    assert unset_key(START, ("device", "anna", "password")).config == CONFIG.replace('password = "correct horse"\n', "")
