import json
from typing import Any

import pytest

from edgevpn.config.diff import Difference, Fate, difference, plain
from edgevpn.config.nouns import NOUNS
from edgevpn.config.setting import Effect
from tests.support.configs import BRANCH, OFFICE, PHONE, PUBLIC, STAFF, document, read

CHILDREN = {"lan": {}, "voice": {"protocol": "udp", "remote_networks": "10.9.9.0/24"}}
BASE: dict[str, Any] = {
    "gateway": {},
    "pki": PUBLIC,
    "pool": {"staff": STAFF},
    "device": {"phone": PHONE, "tablet": PHONE | {"enabled": False}},
    "site": {"office": OFFICE | {"child": CHILDREN}, "branch": BRANCH},
    "web": {},
}


def changed(**nouns: dict[str, Any]) -> Difference:
    """What changes when these tables are merged into those of `BASE`."""
    return difference(read(document(**BASE)), read(document(**merged(BASE, nouns))))


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; None takes a key out."""
    both = old | {
        key: merged(old.get(key, {}), value) if isinstance(value, dict) else value for key, value in new.items()
    }
    return {key: value for key, value in both.items() if value is not None}


def lines(found: Difference) -> list[str]:
    return [line for change in found.changes for line in (str(change), *(f"  {key}" for key in change.keys))]


def test_nothing() -> None:
    assert not changed()
    assert changed() == Difference((), ())


def test_a_key_that_nobody_notices() -> None:
    found = changed(site={"branch": {"mtu": 1400}})
    assert lines(found) == [
        "site.branch: changed",
        "  mtu: (what the path and the cipher leave) -> 1400 (at once; nothing drops)",
    ]
    assert found.drops == ()


def test_a_key_that_brings_a_tunnel_down() -> None:
    found = changed(site={"branch": {"remote": "192.0.2.9", "remote_id": "gw"}})
    assert lines(found) == [
        "site.branch: changed",
        '  remote: ["branch.example.org"] -> ["192.0.2.9"] (at once; the tunnels that it concerns drop)',
        '  remote_id: "branch.example.org" -> "gw" (at once; the tunnels that it concerns drop)',
    ]
    assert found.drops == (("site", "branch"),)


def test_a_child_alone() -> None:
    found = changed(
        site={"office": {"child": {"voice": {"protocol": "tcp"}, "new": {"remote_networks": "10.8.8.0/24"}}}}
    )
    assert lines(found) == [
        "site.office.child.voice: changed",
        "  protocol: 17 -> 6 (at once; the tunnels that it concerns drop)",
        "site.office.child.new: added",
    ]
    assert found.drops == (("site", "office", "child", "voice"),)
    assert found.named("site", Fate.CHANGED) == ("office",)


def test_tables_that_come_and_go() -> None:
    found = changed(
        site={"branch": None, "hub": OFFICE | {"remote": "hub.example.org", "remote_networks": "10.7.0.0/24"}}
    )
    assert lines(found) == ["site.branch: removed", "site.hub: added"]
    assert found.drops == (("site", "branch"),)
    assert (found.named("site", Fate.ADDED), found.named("site", Fate.REMOVED)) == (("hub",), ("branch",))


def test_secrets_are_not_told() -> None:
    found = changed(
        site={"branch": {"psk": "another long and random text"}},
        device={"phone": {"login": "certificate", "password": None}},
        web={"totp_secret": "A" * 16},
    )
    assert lines(found) == [
        "web: changed",
        "  totp_secret: (nothing) -> *** (at once; nothing drops)",
        "device.phone: changed",
        '  login: "password" -> "certificate" (at once; the tunnels that it concerns drop)',
        "  password: *** -> (nothing) (at once; the tunnels that it concerns drop)",
        "site.branch: changed",
        "  psk: *** -> *** (at once; the tunnels that it concerns drop)",
    ]
    assert found.drops == (("device", "phone"), ("site", "branch"))
    assert "another long" not in repr(found)


def test_another_kind_of_secret_is_told_by_both_its_keys() -> None:
    found = changed(device={"phone": {"login": "psk", "password": None, "psk": "a long and random text"}})
    assert [line for line in lines(found) if "***" in line] == [
        "  password: *** -> (nothing) (at once; the tunnels that it concerns drop)",
        "  psk: (nothing) -> *** (at once; the tunnels that it concerns drop)",
    ]


def test_what_follows_from_another_table_changes_with_it() -> None:
    """The pool's mode is its devices', the gateway's id its sites'."""
    found = changed(pool={"staff": {"mode": "split", "networks": "10.1.0.0/24"}})
    assert [change.path for change in found.changes] == [("pool", "staff"), ("device", "phone"), ("device", "tablet")]
    assert found.drops == (("pool", "staff"), ("device", "phone"))
    found = changed(gateway={"id": "gw"})
    assert [change.path for change in found.changes] == [("gateway",), ("site", "office"), ("site", "branch")]
    assert found.drops == (("site", "office"), ("site", "branch"))


def test_who_was_not_let_in_has_nothing_to_drop() -> None:
    assert changed(device={"tablet": {"enabled": True}}).drops == ()
    assert changed(device={"tablet": None}).drops == ()
    assert changed(device={"phone": {"enabled": False}}).drops == (("device", "phone"),)


def test_other_addresses_to_listen_at_drop_everything() -> None:
    assert changed(gateway={"listen": "192.0.2.1"}).drops == (
        ("pool", "staff"),
        ("site", "office"),
        ("site", "branch"),
    )


def test_for_programs() -> None:
    found = changed(site={"branch": {"mtu": 1400}}, device={"phone": None}, web={"port": 4443})
    assert json.loads(json.dumps(plain(found))) == {
        "changes": [
            {
                "path": "web",
                "fate": "changed",
                "drops": False,
                "keys": [{"key": "port", "old": "8443", "new": "4443", "effect": "restart"}],
            },
            {"path": "device.phone", "fate": "removed", "drops": True, "keys": []},
            {
                "path": "site.branch",
                "fate": "changed",
                "drops": False,
                "keys": [
                    {"key": "mtu", "old": "(what the path and the cipher leave)", "new": "1400", "effect": "live"},
                ],
            },
        ],
        "drops": ["device.phone"],
        "needs_restart": ["web.port"],
    }


def test_what_waits_for_a_restart() -> None:
    found = changed(web={"port": 4443}, gateway={"log_level": "debug"})
    assert found.needs_restart == ("web.port",)
    assert found.drops == ()


@pytest.mark.parametrize("noun", ["pool", "device", "site"])
def test_the_order_of_tables_means_nothing(noun: str) -> None:
    two = {"pool": {"staff": STAFF, "guests": {"v4": "10.8.0.0/24"}}}
    base = BASE | two | {"device": {"phone": PHONE | {"pool": "staff"}, "tablet": PHONE | {"pool": "staff"}}}
    turned = base | {noun: dict(reversed(base[noun].items()))}
    assert not difference(read(document(**base)), read(document(**turned)))


def test_every_key_says_what_a_change_of_it_does() -> None:
    """And what is only for the eye never brings a tunnel down."""
    effects = {
        f"{noun.path[0]}.{key}": each.effect for noun in NOUNS if noun.path for key, each in noun.settings.items()
    }
    assert {effects[key] for key in ("device.owner", "device.platform", "gateway.log_level")} == {Effect.LIVE}
    assert {effects[key] for key in ("site.remote", "device.pool", "pool.v4", "site.auth")} == {Effect.DROP}
    assert {effects[key] for key in ("site.ike_proposals", "pool.esp_rekey_time")} == {Effect.NEXT}
