from __future__ import annotations

from edgevpn.api.records import Change, Plan, Reloaded
from edgevpn.config.changes import Documents
from edgevpn.config.diff import difference
from edgevpn.config.reader import parse
from edgevpn.daemon.keeping.plans import plan, reloaded
from tests.support.shapes import misfits

OLD = """
[pki]
public_name = "vpn.example.org"

[pool.home]
v4 = "10.9.0.0/24"

[device.phone]
password = "correct horse battery staple"

[site.office]
remote = "office.example.org"
psk = "a key that is long enough for a test"
local_networks = "10.1.0.0/24"
remote_networks = "10.2.0.0/24"
"""
SHOP = """
[site.shop]
remote = "shop.example.org"
psk = "a key that is long enough for a test"
local_networks = "10.1.0.0/24"
[site.shop.child.lan]
remote_networks = ["10.3.0.0/24", "10.4.0.0/24"]
"""


def planned(new: str, drops: tuple[str, ...] = ()) -> Plan:
    before, after = parse(OLD, "e.toml", {}), parse(new, "e.toml", {})
    made = plan(difference(before, after), Documents(OLD), Documents(new), drops, after)
    assert misfits(made, Plan) == []
    return made


def change(path: str, before: str, after: str, effect: str = "live") -> Change:
    return {"path": path, "before": before, "after": after, "effect": effect}  # type: ignore[typeddict-item]


def test_nothing() -> None:
    assert planned(OLD + "# a remark\n") == {"changes": [], "drops": [], "warnings": []}


def test_keys_that_change() -> None:
    new = OLD.replace("[pki]", '[gateway]\nlog_level = "debug"\nlisten = "0.0.0.0"\n[pki]').replace(
        "[site.office]", '[site.office]\nmtu = 1400\nike_rekey_time = "2h"\nlocal_id = "me"'
    )
    made = planned(new, ("office",))
    assert made["changes"][1:3] == [
        change("gateway.log_level", '"info"', '"debug"'),
        change("site.office.local_id", "(gateway.id, else the local address of the tunnel)", '"me"', "reconnect"),
    ]
    assert [(each["path"], each["effect"]) for each in made["changes"][3:5]] == [
        ("site.office.mtu", "live"),
        ("site.office.ike_rekey_time", "next"),
    ]
    assert made["drops"] == ["office"]


def test_tables_that_come() -> None:
    assert planned(OLD + SHOP)["changes"] == [
        change("site.shop.remote", "", '"shop.example.org"'),
        change("site.shop.psk", "", '"***"'),
        change("site.shop.local_networks", "", '"10.1.0.0/24"'),
        change("site.shop.child.lan.remote_networks", "", '["10.3.0.0/24", "10.4.0.0/24"]'),
    ]


def test_tables_that_go() -> None:
    head, _, rest = OLD.partition("[device.phone]")
    new = head + '[device.tablet]\nlogin = "certificate"\nenabled = false\n' + rest[rest.index("[site") :]
    assert planned(new)["changes"] == [
        change("device.phone.password", '"***"', ""),
        change("device.tablet.login", "", '"certificate"'),
        change("device.tablet.enabled", "", "false"),
    ]


def test_a_table_without_keys() -> None:
    """Its secret is kept elsewhere."""
    new = OLD + "[device.ben]\n"
    after = parse(new, "e.toml", {}, {("device", "ben"): {"nt_hash": "00" * 16}})
    made = plan(difference(parse(OLD, "e.toml", {}), after), Documents(OLD), Documents(new), (), after)
    assert made["changes"] == [change("device.ben", "", "{}")]


def test_no_secret_is_shown() -> None:
    new = OLD.replace("correct horse battery staple", "another secret here")
    made = planned(new)
    assert made["changes"] == [change("device.phone.password", "***", "***", "reconnect")]
    assert "secret" not in str(made).replace("secrets", "")


def test_warnings() -> None:
    (warning,) = planned(OLD.replace("a key that is long enough for a test", "short"))["warnings"]
    assert "can be guessed" in warning


def test_what_became_of_the_sites() -> None:
    office = OLD[OLD.index("[site") :].replace("office", "branch").replace("10.2.", "10.5.")
    before = parse(OLD + office, "e.toml", {})
    after = parse(OLD.replace("10.2.", "10.6.") + SHOP, "e.toml", {})
    assert reloaded(difference(before, after), after) == Reloaded(
        added=["shop"], changed=["office"], removed=["branch"], unchanged=[], others=[], warnings=[]
    )
    more = parse(OLD + office + "[device.ben]\npassword = 'battery staple'\n", "e.toml", {})
    assert reloaded(difference(before, more), more)["others"] == ["device.ben: added"]
    assert reloaded(difference(before, before), before)["unchanged"] == ["branch", "office"]
