from typing import Any

import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevpn.config.diff import difference
from edgevpn.config.model import VERSION
from edgevpn.config.nouns import NOUNS
from edgevpn.config.reader import parse
from edgevpn.config.show import complete, complete_text, files_named, masked, masked_tables
from tests.support.configs import BRANCH, OFFICE, PHONE, PUBLIC, STAFF, document, read

SECRET = "correct horse battery staple"
WRITTEN = f"""\
# our gateway
[site.office]   # in Graz
remote = "office.example.org"
psk = "{SECRET}"   # from the letter of May
local_networks = "10.1.0.0/24"
child = {{ lan = {{ remote_networks = "10.2.0.0/24" }} }}

[site]
branch = {{ remote = "b", psk = "{SECRET}", local_networks = "10.1.0.0/24", remote_networks = "10.3.0.0/24" }}   # new

[web]
totp_secret = "ABCDEFGHIJKLMNOP"
"""


def test_as_written_without_secrets() -> None:
    assert masked(WRITTEN) == WRITTEN.replace(SECRET, "***").replace("ABCDEFGHIJKLMNOP", "***")


def test_tables_without_secrets() -> None:
    assert masked_tables(tomli.loads(WRITTEN)) == tomli.loads(masked(WRITTEN))


def test_files_of_the_owners_own() -> None:
    tables = {
        "pki": {"trust": ["/a.pem", "/b.pem"], "odd": "/x"},
        "site": {"office": {"psk_file": "/key", "mtu": 1400}},
    }
    assert [*files_named(tables)] == [
        (("pki", "trust"), "/a.pem"),
        (("pki", "trust"), "/b.pem"),
        (("site", "office", "psk_file"), "/key"),
    ]


def whole(text: str, **environ: str) -> Any:
    return complete(read(text, None, **environ), tomli.loads(text))


def test_every_key_has_its_value() -> None:
    text = document(pki=PUBLIC, pool={"staff": STAFF}, device={"phone": PHONE}, site={"office": OFFICE})
    shown = whole(text)
    assert shown["version"] == VERSION
    for noun in NOUNS:
        if len(noun.path) == 1:
            assert noun.settings.keys() - shown[noun.path[0]].keys() <= {"password_hash", "totp_secret"} | {
                "password_hash_file",
                "password_hash_env",
            }
    phone, office = shown["device"]["phone"], shown["site"]["office"]
    assert (phone["pool"], phone["mode"], phone["v4"], phone["password"]) == ("staff", "full", None, "***")
    assert (office["mtu"], office["ike_life_time"], office["routes"], office["psk"]) == (None, "264m", True, "***")
    assert "child" not in office


def test_children_have_what_their_site_gives_them() -> None:
    office = whole(document(site={"office": OFFICE | {"child": {"lan": {}, "voice": {"protocol": "udp"}}}}))["site"]
    assert office["office"]["child"]["voice"]["protocol"] == 17
    assert office["office"]["child"]["lan"]["remote_networks"] == ["10.2.0.0/24"]


def test_where_secrets_are() -> None:
    bare = {key: value for key, value in OFFICE.items() if key != "psk"}
    shown = whole(document(site={"office": bare | {"psk_env": "OFFICE"}}), OFFICE=SECRET)
    assert shown["site"]["office"]["psk_env"] == "OFFICE"
    text = document(pki=PUBLIC, pool={"staff": STAFF}, device={"phone": {}})
    config = parse(text, "test.toml", {}, {("device", "phone"): {"nt_hash": "00" * 16}})
    assert complete(config, tomli.loads(text))["device"]["phone"]["nt_hash"] == "***"


def test_text_with_defaults() -> None:
    text = document(gateway={"id": "gw"}, site={"office": OFFICE})
    lines = complete_text(read(text), tomli.loads(text)).split("\n")
    assert 'id = "gw"' in lines
    assert 'log_level = "info"   # default' in lines
    assert "# control_group: only root and the user that the daemon runs as" in lines
    assert lines[lines.index("[site.office]") + 1] == 'remote = ["office.example.org"]'


def test_text_says_what_a_child_has_from_its_site() -> None:
    text = document(site={"office": OFFICE | {"child": {"lan": {"routes": False}}}})
    lines = complete_text(read(text), tomli.loads(text)).split("\n[site.office.child.lan]\n")[1].split("\n")
    assert 'local_networks = ["10.1.0.0/24"]' in lines
    assert "routes = false" in lines
    assert "replay_window = 256   # default" in lines


CHOICES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "gateway": {"listen": st.just(["192.0.2.1"]), "nat_keepalive": st.integers(0, 3600), "id": st.just("gw")},
    "pki": {"ca_validity": st.just("3000d"), "trust": st.just("/ca.pem")},
    "crypto": {"order": st.just(["aes128gcm16"]), "offload": st.sampled_from(["off", "packet"])},
    "firewall": {"forward": st.just(["pool-lan"]), "lan": st.just("br-lan")},
    "web": {"port": st.integers(1, 65535), "title": st.text("a'\"\\é", min_size=1, max_size=5)},
}
SITE = {
    "mtu": st.integers(1280, 9200),
    "esp_rekey_bytes": st.integers(2**20, 2**40),
    "esp_proposals": st.just(["aes128-sha256-ecp256-none", "chacha20poly1305-noesn"]),
    "child": st.just({"lan": {"protocol": "tcp", "local_ports": "80-90"}, "two": {"remote_networks": "10.99.0.0/16"}}),
}
DEVICE = {"v4": st.just("10.9.0.7"), "expires": st.dates(), "owner": st.text("a'\"\\é", min_size=1, max_size=5)}


@settings(deadline=None)
@given(st.data())
def test_what_is_shown_is_what_holds(data: st.DataObject) -> None:
    """A file of every default means the same as the file that left them out."""
    drawn = {noun: data.draw(st.fixed_dictionaries({}, optional=keys)) for noun, keys in CHOICES.items()}
    device = PHONE | data.draw(st.fixed_dictionaries({}, optional=DEVICE))
    office = OFFICE | data.draw(st.fixed_dictionaries({}, optional=SITE))
    drawn["pki"] |= PUBLIC
    text = document(
        **drawn, pool={"staff": STAFF}, device={'Anna\'s "phone"': device}, site={"office": office, "b": BRANCH}
    )
    config = read(text)
    again = read(complete_text(config, tomli.loads(text)))
    assert {key.key for change in difference(config, again).changes for key in change.keys} == {"password", "psk"}
