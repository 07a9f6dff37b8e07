import string
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevpn.config.errors import MOST, ConfigError
from edgevpn.config.identity import identity
from edgevpn.config.model import Action, Child, Childless, Gateway, LogLevel, Psk, Site, Start, Unique
from edgevpn.config.nouns import NOUNS
from edgevpn.config.proposals import esp_proposal, ike_proposal
from edgevpn.config.reader import LARGEST_FILE, load, parse
from edgevpn.config.setting import settings_of
from edgevpn.config.values import IP_PROTOCOLS, Ports
from tests.support.configs import (
    BRANCH,
    OFFICE,
    PHONE,
    PUBLIC,
    STAFF,
    bare,
    config,
    document,
    faults,
    faults_of,
    problems,
    toml,
)

GOLDEN = Path(__file__).parent.parent / "vectors" / "config" / "v1.toml"

GOOD = """\
[gateway]
id = "gw.example.org"

# the head office
[site.office]
remote = ["office.example.org", "192.0.2.7"]
psk_env = "OFFICE"
local_networks = ["10.1.0.0/24", "fd01::/64"]
remote_networks = ["10.2.0.0/24", "fd02::/64"]
"""

BAD = """\
[gateway]
listen = ["192.0.2.1", "192.0.2.256"]
colour = "red"

[site.office]
remote = "192.0.2.7"
pks = "hunter2"
local_networks = [
    "10.1.0.0/24",
    "10.1.1.1/24",
]
esp_rekey_time = 1.5
[site.office.child.lan]
mtu = 1400

[tower]
"""

ALL_FAULTS = """\
bad.toml:2: gateway.listen = "192.0.2.256": is not an IP address; allowed: one or more of: an IPv4 or IPv6 address
bad.toml:3: gateway.colour: is not a key here
bad.toml:5: site.office.psk: is missing; allowed: one of psk, psk_file and psk_env
bad.toml:7: site.office.pks: is not a key here; did you mean psk?
bad.toml:8: site.office.local_networks = "10.1.1.1/24": has bits set behind its prefix; allowed: one or more of: \
an IPv4 or IPv6 network, such as "10.1.0.0/24" or "fd01::/64"; did you mean "10.1.1.0/24"?
bad.toml:12: site.office.esp_rekey_time = 1.5: is a fraction, not a number; allowed: 1m to 1w, such as "90s", "15m", \
"4h" or "1d", or 0 for never
bad.toml:13: site.office.child.lan.remote_networks: is missing; allowed: one or more of: an IPv4 or IPv6 network, \
such as "10.1.0.0/24" or "fd01::/64"
bad.toml:14: site.office.child.lan.mtu: is not a key here
bad.toml:16: tower: is not a key here"""


def test_a_good_file() -> None:
    read = parse(GOOD, "edgevpn.toml", {"OFFICE": "correct horse battery staple"})

    (site,) = read.sites
    assert read.gateway == Gateway(id=identity("gw.example.org"))
    assert site.remote == ("office.example.org", ip_address("192.0.2.7"))
    assert site.psk == Psk("psk_env OFFICE", b"correct horse battery staple")
    assert (site.local_id, site.remote_id) == (identity("gw.example.org"), identity("office.example.org"))
    assert site.children[0].remote_networks == (ip_network("10.2.0.0/24"), ip_network("fd02::/64"))
    assert read.warnings == ()


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        parse(BAD, "bad.toml", {})
    assert str(error.value) == ALL_FAULTS
    assert "hunter2" not in str(error.value)


def test_children_have_what_their_site_sets() -> None:
    """A key of the site's table holds for the children that do not set it; what follows from it follows in each."""
    children = {
        "lan": {},
        "voice": {"remote_networks": "10.9.0.0/24", "protocol": "udp", "start": "traffic", "esp_rekey_time": "2h"},
    }
    (site,) = config(office=OFFICE | {"esp_rekey_time": "30m", "child": children}).sites
    lan, voice = site.children
    assert (lan.name, lan.remote_networks, lan.esp_rekey_time) == ("lan", (ip_network("10.2.0.0/24"),), 1800)
    assert (voice.name, voice.remote_networks, voice.esp_rekey_time) == ("voice", (ip_network("10.9.0.0/24"),), 7200)
    assert (lan.esp_life_time, voice.esp_life_time) == (1980, 7920)
    assert (lan.close_action, voice.close_action) == (Action.RESTART, Action.TRAP)


def test_what_does_not_fit_in_a_child_is_said_of_the_child() -> None:
    assert faults(office=OFFICE | {"child": {"lan": {"esp_life_time": "2m"}}}) == [
        "site.office.child.lan.esp_life_time: is reached before esp_rekey_time (3600);"
        " allowed: more than esp_rekey_time, or 0"
    ]


def test_a_peer_from_anywhere_needs_an_id() -> None:
    (fault,) = faults(office=OFFICE | {"remote": "any"})
    assert fault.startswith('site.office.remote_id: is missing, and needed with remote = "any"; allowed: an address')


def test_names() -> None:
    allowed = "is no name; allowed: 1 to 32 letters, digits, - and _"
    assert faults(**{"head office": OFFICE}) == [f'site."head office": {allowed}']
    assert faults(**{"x" * 33: OFFICE}) == [f"site.{'x' * 33}: {allowed}"]
    assert faults(office=OFFICE | {"child": {"-": {}}}) == [f"site.office.child.-: {allowed}"]


def test_a_secret_is_not_shown_even_where_it_is_wrong() -> None:
    (fault,) = faults(office=OFFICE | {"psk": ["hunter2"]})
    assert fault == (
        "site.office.psk = ***: is a list, not a string; allowed: text, or octets as 0xHEX or 0sBASE64;"
        " put it in quotes"
    )


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("site = 1", "test.toml:1: site: is not a table; begin it with [site]"),
        ("gateway = 1", "test.toml:1: gateway: is not a table; begin it with [gateway]"),
        ("[[gateway]]", "test.toml:1: gateway: is not a table; begin it with [gateway]"),
        ("[site]\noffice = 'x'", "test.toml:2: site.office: is not a table; begin it with [site.office]"),
        ("[sites.office]", "test.toml:1: sites: is not a key here; did you mean site?"),
    ],
)
def test_wrong_tables(document: str, fault: str) -> None:
    assert [str(problem) for problem in problems(document)] == [fault]


def test_child_that_is_no_table() -> None:
    for child, key in ((1, "child"), ({"lan": 1}, "child.lan")):
        assert f"site.office.{key}: is not a table; begin it with [site.office.{key}]" in faults(
            office=OFFICE | {"child": child}
        )


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("[gateway", "test.toml:1: is not TOML: Expected"),
        ("\n\na = \x00", "test.toml:3: a: is not TOML: "),
        ("a = 1\nb = [1,\n", "test.toml:3: is not TOML: "),
        ("a = 1\na = 1\n", "test.toml:2: a: is not TOML: "),
        ("a = " + "[" * 9999, "test.toml:1: a: is not TOML: a value is out of all bounds"),
        ("a = " + "1" * 9999, "test.toml:1: a: is not TOML: a value is out of all bounds"),
        ("a = 2025-13-01", "test.toml:1: a: is not TOML: "),
    ],
)
def test_what_is_not_toml(document: str, fault: str) -> None:
    (problem,) = problems(document)
    assert str(problem).startswith(fault)


def written(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "edgevpn.toml"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(path, {})
    return str(error.value)


def test_load(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + toml(office=OFFICE).encode())
    assert load(path, {}) == config(office=OFFICE)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    assert refusal(missing) == f"{missing}: cannot be read: No such file or directory; write it, or name another file"
    assert "cannot be read: Is a directory" in refusal(tmp_path)
    path = written(tmp_path, b"a = 1\nb = '\xff'\n")
    assert refusal(path) == f"{path}:2: is not UTF-8 text"
    path = written(tmp_path, b"#" * (LARGEST_FILE + 1))
    assert refusal(path) == f"{path}: is too large; allowed: up to {LARGEST_FILE} octets"


def test_file_that_others_can_change(tmp_path: Path) -> None:
    path = written(tmp_path, toml(office=OFFICE).encode(), 0o602)
    assert refusal(path) == f"{path}: can be changed by every user of this machine; chmod 600 {path}"


def test_secrets_that_others_can_read(tmp_path: Path) -> None:
    path = written(tmp_path, toml(office=OFFICE).encode(), 0o644)
    assert [str(warning) for warning in load(path, {}).warnings] == [
        f"{path}: holds secrets and can be read by every user of this machine; chmod 600 {path}"
    ]
    path = written(tmp_path, GOOD.encode(), 0o644)
    assert load(path, {"OFFICE": "correct horse battery staple"}).warnings == ()


def test_two_sites() -> None:
    assert [site.name for site in config(office=OFFICE, branch=BRANCH).sites] == ["office", "branch"]


@dataclass(frozen=True)
class Written:
    """A value as an owner writes it, and as it must be read."""

    text: object
    value: object


def times(low: int, high: int) -> st.SearchStrategy[Written]:
    """A time as a number, in seconds or in minutes."""
    minutes = st.integers(-(-low // 60), high // 60).map(lambda count: Written(f"{count}m", 60 * count))
    seconds = st.integers(low, high)
    return st.one_of(seconds.map(lambda s: Written(s, s)), seconds.map(lambda s: Written(f"{s}s", s)), minutes)


def members(choices: Any) -> st.SearchStrategy[Written]:
    return st.sampled_from([Written(member.value, member) for member in choices])


def same(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Written]:
    return strategy.map(lambda value: Written(value, value))


def lists(strategy: st.SearchStrategy[Written]) -> st.SearchStrategy[Written]:
    """A list, or its only value without brackets."""
    several = st.lists(strategy, min_size=1, max_size=3, unique_by=lambda each: each.value)
    return several.map(lambda items: Written([item.text for item in items], tuple(item.value for item in items))) | (
        strategy.map(lambda item: Written(item.text, (item.value,)))
    )


def by(reader: Any, *texts: str) -> st.SearchStrategy[Written]:
    return st.sampled_from([Written(text, reader(text)) for text in texts])


ADDRESSES = by(ip_address, "192.0.2.1", "198.51.100.9", "2001:db8::1", "::1")
IDENTITIES = by(identity, "gw.example.org", "carol@example.org", "keyid:7", "@#00ff", "192.0.2.1")
# Numbers of ports and rekeying are left to their own tests: they must fit one another.
GATEWAY = {
    "listen": lists(ADDRESSES),
    "id": IDENTITIES,
    "log_level": members(LogLevel),
    "control_group": same(st.sampled_from(["edgevpn", "wheel"])),
    "nat_keepalive": times(1, 3600) | same(st.just(0)),
}
REMOTE = lists(ADDRESSES | same(st.just("office.example.org")))
SITE = {
    "local_id": IDENTITIES,
    "remote_id": IDENTITIES | st.just(Written("any", None)),
    "interface": same(st.from_regex(r"\Aevpn[a-z0-9._-]{0,11}\Z")),
    "mtu": same(st.integers(1280, 9200)),
    "ike_proposals": lists(by(ike_proposal, "aes256gcm16-prfsha384-x25519", "aes128-sha256-modp2048")),
    "ike_rekey_time": times(300, 604800),
    "dpd_delay": times(1, 86400) | same(st.just(0)),
    "mobike": same(st.booleans()),
    "fragmentation": same(st.booleans()),
    "encap": same(st.booleans()),
    "childless": members(Childless),
    "unique": members(Unique),
}
CHILD = {
    "protocol": st.sampled_from([Written(name, number) for name, number in IP_PROTOCOLS.items()])
    | same(st.integers(0, 255)),
    "start": members(Start),
    "dpd_action": members(Action),
    "close_action": members(Action),
    "esp_proposals": lists(by(esp_proposal, "aes256gcm16", "aes128-sha256-ecp256-none", "chacha20poly1305-noesn")),
    "esp_rekey_time": times(60, 604800),
    "esp_rekey_bytes": st.integers(2, 900).map(lambda count: Written(f"{count}MB", count * 10**6)),
    "esp_rekey_packets": same(st.integers(100, 10**9)),
    "replay_window": same(st.integers(0, 4096)),
    "routes": same(st.booleans()),
}
NETWORKS = {
    "local_networks": by(ip_network, "10.1.0.0/24", "10.0.0.0/8").map(lambda net: Written(net.text, (net.value,))),
    "remote_networks": lists(by(ip_network, "10.2.0.0/24", "192.0.2.0/24", "0.0.0.0/0")),
}
NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=10)


def table(needed: dict[str, Any], free: dict[str, Any]) -> st.SearchStrategy[dict[str, Written]]:
    return st.fixed_dictionaries(needed, optional=free)


def texts(keys: dict[str, Written]) -> dict[str, object]:
    return {key: each.text for key, each in keys.items()}


@given(
    table({}, GATEWAY),
    NAMES,
    table({"remote": REMOTE} | NETWORKS, SITE | CHILD),
    st.dictionaries(NAMES, table({}, CHILD | NETWORKS), max_size=2),
)
def test_valid_files_are_read_as_written(
    gateway: dict[str, Written], name: str, site: dict[str, Written], children: dict[str, dict[str, Written]]
) -> None:
    """Every key that is written, wherever it may stand, is in the record as written."""
    own = {child: texts(keys) for child, keys in children.items()}
    read = config(texts(gateway), **{name: {"psk": OFFICE["psk"]} | texts(site) | ({"child": own} if own else {})})

    (made,) = read.sites
    assert made.name == name
    assert [child.name for child in made.children] == (list(children) or [name])
    for key, each in gateway.items():
        assert getattr(read.gateway, key) == each.value
    for key in site.keys() & settings_of(Site).keys():
        assert getattr(made, key) == site[key].value
    for child in made.children:
        keys = {**site, **children.get(child.name, {})}
        for key in keys.keys() & settings_of(Child).keys():
            assert getattr(child, key) == keys[key].value


ANYTHING = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.floats(), st.text(max_size=12), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=5,
)
KEYS_OF = {noun.path[0]: [*noun.keys, "child", "colour"] for noun in NOUNS if len(noun.path) in (1, 2)}
PLAUSIBLE = st.one_of(
    ANYTHING,
    st.sampled_from(
        ["any", "10.1.0.0/24", "fd00::/8", "192.0.2.1", "4h", "0s", "0x", "aes256gcm16", "", [], {}, 0, 2**63, "psk"]
    ),
)


@settings(deadline=None)
@given(st.data())
def test_broken_tables_are_config_errors(data: st.DataObject) -> None:
    """Whatever the tables hold, the file is read or ConfigError names a line of it for each fault."""
    tables: dict[str, Any] = {
        "pool": {"staff": STAFF},
        "device": {"phone": PHONE},
        "site": {"office": OFFICE, "b": BRANCH},
    }
    for noun in data.draw(st.lists(st.sampled_from(sorted(KEYS_OF)), min_size=1, max_size=3, unique=True)):
        keys = data.draw(st.dictionaries(st.sampled_from(KEYS_OF[noun]), PLAUSIBLE, max_size=4))
        named = tables.get(noun)
        tables[noun] = named | {next(iter(named)): next(iter(named.values())) | keys} if named else keys
    text = document(**tables)
    try:
        parse(text, "test.toml", {})
    except ConfigError as error:
        for problem in error.problems:
            assert 1 <= problem.line <= text.count("\n")
            assert problem.path
            assert "\n" not in str(problem)


@settings(deadline=None)
@given(st.data())
def test_damaged_files_are_config_errors(data: st.DataObject) -> None:
    """A file that was cut, or changed in one place, is read or refused as ConfigError."""
    whole = data.draw(st.sampled_from([BAD, GOLDEN.read_text()]))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 20)))
    damaged = whole[:start] + data.draw(st.text(max_size=3) | st.text('[]="\n.#', max_size=3)) + whole[end:]
    with suppress(ConfigError):
        parse(damaged, "test.toml", {})


def test_a_large_broken_file_is_judged_quickly() -> None:
    """Each statement is parsed once more to find its line, not once for every line before it."""
    sites = {f"s{number}": OFFICE | {"mtu": 1} for number in range(500)}
    assert len(problems(tomlkit.dumps({"site": sites}))) >= 500


OTHER_THINGS = {
    "keys": "\n".join(f"k{number} = 1" for number in range(50_000)),
    "tables": "\n".join(f"[t{number}]" for number in range(50_000)),
    "list": "[gateway]\nlisten = [" + ",\n".join(['"x"'] * 100_000) + "]\n",
    "text": '[gateway]\nid = """' + "x\n" * 500_000 + '"""\n',
    "dots": "a" + ".a" * 100_000 + " = 1",
}


@pytest.mark.parametrize("text", OTHER_THINGS.values(), ids=OTHER_THINGS)
def test_a_file_that_is_another_thing_is_refused_with_measure(text: str) -> None:
    """Not each of a hundred thousand faults is told."""
    found = problems(text)
    assert 1 <= len(found) <= MOST
    assert all(len(str(problem)) < 500 for problem in found)


def test_ports_of_a_child() -> None:
    (site,) = config(office=OFFICE | {"protocol": "tcp", "remote_ports": "8000-8010"}).sites
    assert (site.children[0].local_ports, site.children[0].remote_ports) == (Ports(), Ports(8000, 8010))


def test_rules_between_tables_do_not_wait_for_the_last_table_to_be_good() -> None:
    """Whatever could be read is judged, and what could not is not held against anybody."""
    text = document(
        gateway={"log_level": "loud"},
        pki=PUBLIC,
        web={"listen": "8.8.8.8"},
        pool={"staff": {"v4": "10.9.0.0/24"}, "guests": {"v4": "10.9.0.128/25"}},
    )
    assert [bare(problem) for problem in problems(text)] == [
        'gateway.log_level = "loud": is none of the choices; allowed: "debug" | "info" | "warning" | "error"',
        "web.listen: 8.8.8.8 is open to the Internet; allowed: private addresses;"
        " if this is meant, write allow_listen_on_public_addresses = true",
        "pool.guests.v4: 10.9.0.128/25 overlaps 10.9.0.0/24 of pool staff; give each its own addresses",
    ]


NO_LISTEN = {"listen": "192.0.2.256"}
LOCAL = OFFICE | {"local": "192.0.2.1"}
FOLLOW_UPS: dict[str, tuple[str, int]] = {
    "an address that nobody knows to be served": (document(gateway=NO_LISTEN, site={"office": LOCAL}), 1),
    "identities that nobody knows": (
        document(
            gateway={"id": "a b"},
            site={"one": OFFICE | {"local_id": "x.example"}, "two": OFFICE | {"remote_networks": "10.4.0.0/24"}},
        ),
        1,
    ),
    "certificates while nobody knows who vouches": (
        document(
            pki=PUBLIC | {"local_ca": False, "trust": "ca.pem", "certificate": "/a.pem", "certificate_key": "/b.pem"},
            pool={"staff": STAFF},
            device={"laptop": {"login": "certificate"}},
        ),
        1,
    ),
    "a device of a pool that is bad": (
        document(pki=PUBLIC, pool={"staff": {"v4": "10.9.0.0/33"}}, device={"phone": PHONE | {"v4": "10.9.0.7"}}),
        1,
    ),
    "a device of a pool without addresses and networks": (
        document(pki=PUBLIC, pool={"staff": {"mode": "split"}}, device={"phone": PHONE | {"v4": "10.9.0.7"}}),
        2,
    ),
    "a device of a pool with half addresses": (
        document(pki=PUBLIC, pool={"staff": {"v6": "::9:0:0:0/80"}}, device={"phone": PHONE | {"v6": "fd00::9:0:0:7"}}),
        1,
    ),
}


@pytest.mark.parametrize(("text", "count"), FOLLOW_UPS.values(), ids=FOLLOW_UPS)
def test_what_follows_from_a_fault_is_none(text: str, count: int) -> None:
    assert len(faults_of(text)) == count, faults_of(text)
