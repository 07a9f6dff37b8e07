from typing import Any

import pytest

from edgevpn.config.errors import ConfigError
from tests.support.configs import BRANCH, OFFICE, PHONE, config, document, faults, faults_of, staff, warnings_of
from tests.support.visitors import gateway


def warnings(**sites: dict[str, object]) -> list[str]:
    return [str(problem).partition(": ")[2] for problem in config(**sites).warnings]


def test_good_sites_have_no_warnings() -> None:
    assert warnings(office=OFFICE, branch=BRANCH) == []


def test_life_ends_after_rekeying() -> None:
    assert faults(office=OFFICE | {"ike_rekey_time": "2h", "ike_life_time": "1h"}) == [
        "site.office.ike_life_time: is reached before ike_rekey_time (7200); allowed: more than ike_rekey_time, or 0"
    ]
    assert faults(office=OFFICE | {"esp_life_time": "1h"}) == [
        "site.office.esp_life_time: is reached before esp_rekey_time (3600); allowed: more than esp_rekey_time, or 0"
    ]
    assert len(faults(office=OFFICE | {"esp_rekey_bytes": "2GB", "esp_life_bytes": "1GB"})) == 1
    assert len(faults(office=OFFICE | {"esp_rekey_packets": 9, "esp_life_packets": 9})) == 1
    assert warnings(office=OFFICE | {"esp_rekey_bytes": "2GB", "esp_life_bytes": 0}) == []


def test_ports_need_a_protocol_that_has_them() -> None:
    assert faults(office=OFFICE | {"remote_ports": 443}) == [
        "site.office.protocol: has no ports; allowed: tcp, udp or sctp beside a choice of ports"
    ]
    assert len(faults(office=OFFICE | {"local_ports": 443, "remote_ports": 443, "protocol": "gre"})) == 1
    assert warnings(office=OFFICE | {"remote_ports": 443, "protocol": "tcp"}) == []


def test_networks_of_both_ends_have_an_ip_version_in_common() -> None:
    assert faults(office=OFFICE | {"remote_networks": "fd02::/64"}) == [
        "site.office.remote_networks: no network here has the IP version of one in local_networks"
    ]
    assert warnings(office=OFFICE | {"remote_networks": ["10.2.0.0/24", "fd02::/64"]}) == [
        "site.office.remote_networks: only one end has IPv6 networks, so no IPv6 will pass"
    ]


def test_a_network_is_at_one_end() -> None:
    assert faults(office=OFFICE | {"remote_networks": "10.1.0.0/24"}) == [
        "site.office.remote_networks: 10.1.0.0/24 is in local_networks too;"
        " keep it where it is; what both ends have cannot be routed"
    ]
    everything = {"local_networks": "0.0.0.0/0", "remote_networks": "0.0.0.0/0"}
    assert warnings(office=OFFICE | everything) == []


def test_local_address_can_reach_the_peer() -> None:
    v4 = {"local": "192.0.2.1"}
    assert faults(office=OFFICE | v4 | {"remote": ["2001:db8::1", "2001:db8::2"]}) == [
        "site.office.local: has another IP version than every address in remote"
    ]
    assert warnings(office=OFFICE | v4 | {"remote": ["2001:db8::1", "gw.example.org"]}) == []
    assert warnings(office=OFFICE | v4 | {"remote": "any", "remote_id": "gw"}) == []


def test_local_address_is_one_that_is_served() -> None:
    local = OFFICE | {"local": "192.0.2.1"}
    assert faults({"listen": ["192.0.2.2", "::"]}, office=local) == [
        "site.office.local: is not served; allowed: what gateway.listen has: 192.0.2.2, ::"
    ]
    assert config({"listen": "192.0.2.1"}, office=local).warnings == ()
    assert config({"listen": "0.0.0.0"}, office=local).warnings == ()  # noqa: S104 - nothing is bound


def test_nobody_calls_a_peer_from_anywhere() -> None:
    assert faults(office=OFFICE | {"remote": "any", "remote_id": "gw", "start": "load"}) == [
        'site.office.start: child office cannot start by itself while remote = "any"; allowed: "wait";'
        " name the peer's address in remote, or wait for it"
    ]


def test_weak_algorithms_are_warned_of() -> None:
    weak = {"ike_proposals": ["aes256-sha1-modp2048", "aes128-sha1-modp2048"], "esp_proposals": "aes256-sha1"}
    sha1 = "SHA-1 is at the end of its life; take sha256 as soon as the peer can"
    assert warnings(office=OFFICE | weak) == [
        f"site.office.ike_proposals: {sha1}",
        f"site.office.esp_proposals: {sha1}",
    ]


def test_a_file_without_sites() -> None:
    assert [str(each) for each in config().warnings] == [
        "test.toml: no site is configured; write a table such as [site.office]"
    ]


def test_two_sites_with_one_interface() -> None:
    assert faults(office=OFFICE, branch=BRANCH | {"interface": "evpn-office"}) == [
        "site.branch.interface: evpn-office belongs to site office; give it a name of its own"
    ]


def test_two_sites_that_look_alike_when_they_call() -> None:
    alike = (
        "site.branch.remote_id: a peer that calls could be this site or office: same identities,"
        " addresses that overlap; give the two different remote_id or local_id"
    )
    anywhere = {"remote": "any", "remote_id": "gw"}
    assert faults(office=OFFICE | anywhere, branch=BRANCH | anywhere) == [alike]
    assert faults(office=OFFICE | anywhere, branch=BRANCH | {"remote_id": "gw"}) == [alike]
    assert faults(office=OFFICE | anywhere, branch=BRANCH | {"remote": "any", "remote_id": "any"}) == [alike]
    assert faults(office=OFFICE, branch=BRANCH | {"remote": OFFICE["remote"]}) == [alike]
    for one, other in (("C=CH, CN=gw", "/C=ch/CN=GW"), ("*.example.org", "*.Example.org"), ("CN=*", "cn=*")):
        calling = {name: {"remote": "any", "remote_id": text} for name, text in (("office", one), ("branch", other))}
        assert faults(office=OFFICE | calling["office"], branch=BRANCH | calling["branch"]) == [alike]


def test_two_sites_that_differ_in_one_thing_can_be_told_apart() -> None:
    anywhere = {"remote": "any", "remote_id": "gw"}
    one, other = OFFICE | anywhere, BRANCH | anywhere
    assert warnings(office=one, branch=other | {"remote_id": "gw2"}) == []
    assert warnings(office=one | {"remote_id": "*.gw"}, branch=other | {"remote_id": "a.gw"}) == []
    assert warnings(office=one | {"remote_id": "CN=*"}, branch=other | {"remote_id": "CN=a"}) == []
    assert warnings(office=one | {"local_id": "a"}, branch=other | {"local_id": "b"}) == []
    assert warnings(office=one | {"local": "192.0.2.1"}, branch=other | {"local": "192.0.2.2"}) == []
    assert warnings(office=OFFICE | {"remote_id": "gw"}, branch=BRANCH | {"remote_id": "gw"}) == []


def test_two_sites_with_one_remote_network() -> None:
    same = BRANCH | {"remote_networks": OFFICE["remote_networks"]}
    assert faults(office=OFFICE, branch=same) == [
        "site.branch.remote_networks: 10.2.0.0/24 is a remote network of site office too;"
        " keep one of them, or set routes = false and route by yourself"
    ]
    assert warnings(office=OFFICE, branch=same | {"routes": False}) == []


def test_a_network_inside_that_of_another_site() -> None:
    wide = BRANCH | {"remote_networks": "10.2.0.0/16"}
    inside = (
        "10.2.0.0/24 goes to office though it lies in 10.2.0.0/16 of branch;"
        " if that is not meant, make one of them smaller"
    )
    assert warnings(office=OFFICE, branch=wide) == [f"site.branch.remote_networks: {inside}"]
    assert warnings(branch=wide, office=OFFICE) == [f"site.office.remote_networks: {inside}"]
    assert warnings(office=OFFICE, branch=BRANCH | {"remote_networks": "0.0.0.0/0"}) == []


def test_a_pool_has_its_interface_too() -> None:
    assert faults_of(staff(site={"office": OFFICE | {"interface": "evpn-staff"}})) == [
        "site.office.interface: evpn-staff belongs to pool staff; give it a name of its own"
    ]


def test_many_sites_are_compared_quickly() -> None:
    """Only those that could be taken for each other, not each with each."""
    sites = {
        f"s{number}": OFFICE
        | {"remote": f"s{number}.example.org", "remote_networks": f"10.{16 + number // 256}.{number % 256}.0/24"}
        for number in range(2000)
    }
    assert len(config(**sites).sites) == 2000


BY_CERTIFICATE = {key: value for key, value in OFFICE.items() if key != "psk"} | {"auth": "certificate"}


@pytest.mark.parametrize(
    ("site", "fault"),
    [
        (
            BY_CERTIFICATE | {"cert": "/a.pem"},
            "key: is missing, and needed with cert; allowed: an absolute path",
        ),
        (
            BY_CERTIFICATE | {"key": "/a.key"},
            "cert: is missing, and needed with key; allowed: an absolute path",
        ),
        (
            OFFICE | {"cert": "/a.pem", "key": "/a.key"},
            'cert: is of no use with auth = "psk"; write auth = "certificate"',
        ),
        (OFFICE | {"ca": "/ca.pem"}, 'ca: is of no use with auth = "psk"; write auth = "certificate"'),
        (BY_CERTIFICATE | {"eap_id": "anna"}, 'eap_id: is of no use with auth = "certificate"; write auth = "eap"'),
        (
            BY_CERTIFICATE | {"auth": "eap", "password": "correct horse", "remote": "any", "remote_id": "gw"},
            'auth: with "eap" we log in at the peer, so remote has to name it',
        ),
    ],
)
def test_proof_of_a_site(site: dict[str, Any], fault: str) -> None:
    assert faults(office=site)[0] == f"site.office.{fault}"


def test_a_post_quantum_key_and_its_name_go_together() -> None:
    key = {"ppk": "0s" + "A" * 43 + "="}
    assert warnings(office=OFFICE | key | {"ppk_id": "winter"}) == []
    assert faults(office=OFFICE | key)[0].startswith("site.office.ppk_id: is missing, and needed with ppk; allowed: ")
    assert faults(office=OFFICE | {"ppk_id": "winter"}) == [
        "site.office.ppk_id: names a key that is not there; write ppk, ppk_file or ppk_env"
    ]


def test_a_pool_has_addresses() -> None:
    assert faults_of(document(pool={"staff": {}})) == [
        'pool.staff.v4: is missing, and v6 too; allowed: a network of its own, "10.9.0.0/24", or a part of one,'
        ' "192.168.1.200-192.168.1.230"'
    ]


def test_a_signature_needs_a_key() -> None:
    assert faults(office=OFFICE | {"signature": "pss"}) == [
        'site.office.signature: is of no use without a certificate; write auth = "certificate"'
    ]


def test_a_split_tunnel_leads_somewhere() -> None:
    network = 'allowed: an IPv4 or IPv6 network, such as "10.1.0.0/24" or "fd01::/64"'
    assert faults_of(staff({"mode": "split"}, devices={})) == [
        f'pool.staff.networks: is missing, and needed with mode = "split"; {network}'
    ]
    assert faults_of(staff(devices={"phone": PHONE | {"mode": "split"}})) == [
        'device.phone.networks: is missing, and needed with mode = "split", as pool staff has none either; ' + network
    ]
    assert warnings_of(staff({"networks": "10.1.0.0/24"}, devices={"phone": PHONE | {"mode": "split"}})) == []


def test_prefix_from_an_interface() -> None:
    lan = {"v6_prefix_of": "br-lan"}
    assert warnings_of(staff(lan | {"v6": "::9:0:0:0/80"})) == []
    assert faults_of(staff(lan)) == [
        "pool.staff.v6: fd09::/64 has a first half of its own; take out v6_prefix_of",
    ]
    assert faults_of(staff({"v6": "::9:0:0:0/80"})) == [
        "pool.staff.v6: ::9:0:0:0/80 has no first half; set v6_prefix_of, or write whole addresses"
    ]
    assert faults_of(document(pool={"staff": {"v4": "10.9.0.0/24", **lan}})) == [
        'pool.staff.v6: is missing, and needed with v6_prefix_of; allowed: such as "::9:0:0:0/80"'
    ]


def test_name_servers_that_nobody_reaches() -> None:
    v4 = {"staff": {"v4": "10.9.0.0/24", "dns": ["fd00::53", "10.9.0.1"]}}
    assert faulty(v4) == ["pool.staff.dns: fd00::53 is out of reach: devices get no IPv6 address"]
    v6 = {"staff": {"v6": "fd09::/64", "nbns": "10.9.0.1"}}
    assert faulty(v6) == ["pool.staff.nbns: 10.9.0.1 is out of reach: devices get no IPv4 address"]


def test_no_name_servers() -> None:
    lan = {"v4": "192.168.1.200-192.168.1.230"}
    assert faulty({"staff": lan}) == ["pool.staff.dns: is missing, so that devices with a full tunnel find no names"]
    split = {"mode": "split", "networks": "192.168.1.0/24"}
    assert faulty({"staff": lan | split}) == []
    assert faulty({"staff": lan | split | {"domains": "lan"}}) == [
        "pool.staff.domains: says which domains to ask about, and dns does not say whom"
    ]


def faulty(pools: dict[str, dict[str, Any]]) -> list[str]:
    """The warnings about these pools alone."""
    return warnings_of(document(pki={"public_name": "vpn.example.org"}, pool=pools))


def test_lifetimes_of_a_pool() -> None:
    assert faults_of(staff({"ike_life_time": "1h", "esp_life_time": "10m"})) == [
        "pool.staff.ike_life_time: is reached before ike_rekey_time (14400); allowed: more than ike_rekey_time, or 0",
        "pool.staff.esp_life_time: is reached before esp_rekey_time (3600); allowed: more than esp_rekey_time, or 0",
    ]


def test_the_legacy_switch_is_red() -> None:
    assert warnings_of(staff({"legacy": True})) == [
        "pool.staff.legacy = true: lets in clients with MODP-1024, whose traffic an observer can decrypt;"
        " give them the script of edgevpn device export, and take this out"
    ]
    (weak,) = warnings_of(staff({"esp_proposals": "aes256-sha1"}))
    assert weak.startswith("pool.staff.esp_proposals: SHA-1 is at the end of its life")


def test_eap_alone_is_warned_of() -> None:
    (warning,) = warnings_of(staff({"eap_only": True}))
    assert warning.startswith("pool.staff.eap_only = true: lets whoever stands between work out passwords")


def test_eap_alone_without_passwords() -> None:
    """EAP-TLS shows both sides who the other is."""
    config = gateway({"laptop": {"login": "eap-tls"}}, {"eap_only": True, "logins": ["eap-tls"]})
    assert not [each for each in config.warnings if "eap_only" in str(each)]


def test_eap_tls_is_for_pools_that_take_it() -> None:
    with pytest.raises(ConfigError, match="is not taken by pool road"):
        gateway({"laptop": {"login": "eap-tls"}}, {"logins": ["password"]})
    with pytest.raises(ConfigError, match="is of no use with login"):
        gateway({"laptop": {"login": "eap-tls", "password": "correct horse"}}, {"logins": ["eap-tls"]})


def test_a_login_that_the_pool_does_not_take() -> None:
    assert faults_of(staff({"logins": ["certificate", "psk"]})) == [
        'device.phone.login = "password": is not taken by pool staff; allowed: "certificate" | "psk"'
    ]
