"""NetworkManager's keys are those that charon-nm and its editor read (strongSwan's src/charon-nm, frontends/gnome)."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509

from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.errors import PkiError
from edgevpn.pki.profiles.linux import ESP_PROPOSALS, IKE_PROPOSALS, network_manager, swanctl, swanctl_value
from edgevpn.pki.profiles.profile import Ppk, PskLogin
from tests.support import swanctl as conf
from tests.support.profiles import AUTHORITY, LOGINS, NAMES, PASSWORD, PSK, profile, within_eap

NM_KEYS = {
    "service-type",
    "address",
    "method",
    "cert-source",
    "certificate",
    "usercert",
    "userkey",
    "user",
    "local-identity",
    "remote-identity",
    "virtual",
    "encap",
    "ipcomp",
    "proposal",
    "ike",
    "esp",
    "server-port",
    "local-ts",
    "remote-ts",
    "password-flags",
}
SWANCTL_KEYS = {
    "connection": {"version", "remote_addrs", "vips", "proposals", "local", "remote", "children"},
    "local": {"auth", "id", "certs", "eap_id"},
    "remote": {"auth", "id", "cacerts"},
    "child": {"remote_ts", "esp_proposals", "start_action", "dpd_action", "close_action"},
}


def keyfile(octets: bytes) -> dict[str, dict[str, str]]:
    """A GLib key file: groups, each key once."""
    groups: dict[str, dict[str, str]] = {}
    group: dict[str, str] = {}
    for line in octets.decode().splitlines():
        if line.startswith("["):
            group = groups.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            assert key not in group, line
            group[key] = value.replace("\\s", " ").replace("\\\\", "\\")
    return groups


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("split", [False, True])
def test_network_manager(login: str, names: str, split: bool) -> None:
    made, *_ = network_manager(profile(login, names, split=split))
    groups = keyfile(made.octets)
    assert groups["connection"]["id"] == NAMES[names][0]
    assert groups["connection"]["type"] == "vpn"
    vpn = groups["vpn"]
    assert vpn.keys() <= NM_KEYS
    assert (vpn["address"], vpn["remote-identity"], vpn["virtual"]) == ("vpn.example.org", "vpn.example.org", "yes")
    assert groups["ipv4"].get("never-default") == ("true" if split else None)
    if split:
        assert groups["ipv4"]["route1"] == "192.168.1.0/24"
        assert groups["ipv6"]["dns"] == "fd00:1::1;"


def test_network_manager_logins() -> None:
    groups = {login: keyfile(network_manager(profile(login))[0].octets) for login in LOGINS}
    assert groups["password"]["vpn"]["method"] == "eap"
    assert groups["password"]["vpn-secrets"]["password"] == PASSWORD
    assert groups["password asked"]["vpn"]["password-flags"] == "1"
    assert "vpn-secrets" not in groups["password asked"]
    assert groups["certificate"]["vpn"]["method"] == "cert"
    assert groups["certificate"]["vpn"]["userkey"].endswith("/certs/home-phone.key.pem")
    assert groups["psk"]["vpn"]["method"] == "psk"
    assert groups["psk"]["vpn-secrets"]["password"] == PSK


def test_network_manager_wants_a_long_key() -> None:
    with pytest.raises(PkiError) as refusal:
        network_manager(replace(profile("psk"), login=PskLogin("a short key")))
    assert "a short key" not in str(refusal.value)


def connection(login: str, names: str = "plain", **given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one connection of a swanctl.conf, and its secrets."""
    read = conf.parse(swanctl(profile(login, names, **given))[0].octets.decode())
    [(_, found)] = read["connections"].items()
    secrets = read.get("secrets", {})
    assert len(secrets) <= 1
    return found, next(iter(secrets.values()), {})


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("names", NAMES)
def test_swanctl(login: str, names: str) -> None:
    found, _ = connection(login, names)
    assert found.keys() <= SWANCTL_KEYS["connection"]
    assert found["local"].keys() <= SWANCTL_KEYS["local"]
    assert found["remote"].keys() <= SWANCTL_KEYS["remote"]
    [child] = found["children"].values()
    assert child.keys() <= SWANCTL_KEYS["child"]
    assert (found["version"], found["vips"]) == ("2", "0.0.0.0, ::")
    assert found["remote"]["id"] == "vpn.example.org"
    assert found["local"]["id"] == "phone.vpn.example.org"
    assert (found["proposals"], child["esp_proposals"]) == (IKE_PROPOSALS, ESP_PROPOSALS)
    assert child["remote_ts"] == "0.0.0.0/0, ::/0"


def test_swanctl_logins() -> None:
    eap, secret = connection("password")
    assert (eap["local"]["auth"], eap["remote"]["auth"]) == ("eap-mschapv2", "pubkey")
    assert (secret["id"], secret["secret"]) == ("anna", PASSWORD)
    cert, _ = connection("certificate")
    assert cert["local"]["certs"] == "home-phone.cert.pem"
    assert cert["remote"]["cacerts"] == "home-phone.ca.pem"
    psk, secret = connection("psk")
    assert psk["remote"]["auth"] == "psk"
    assert secret["secret"] == PSK


def test_eap_tls() -> None:
    made, *_ = swanctl(within_eap())
    (found,) = conf.parse(made.octets.decode())["connections"].values()
    assert (found["local"]["auth"], found["remote"]["auth"]) == ("eap-tls", "pubkey")
    assert found["local"]["certs"] == "home-phone.cert.pem"
    assert keyfile(network_manager(within_eap())[0].octets)["vpn"]["method"] == "eap-tls"


@pytest.mark.parametrize("login", LOGINS)
def test_swanctl_with_a_post_quantum_key(login: str) -> None:
    made, *_ = swanctl(replace(profile(login), ppk=Ppk("winter", b"\xff" * 32, required=False)))
    read = conf.parse(made.octets.decode())
    (found,) = read["connections"].values()
    assert (found["ppk_id"], found["ppk_required"]) == ("winter", "no")
    assert read["secrets"]["ppk-home"] == {"id": "winter", "secret": f"0x{'ff' * 32}"}
    assert made.secret


def test_a_password_that_is_not_known_is_left_open() -> None:
    """What is written as a comment is complete once the password is."""
    text = swanctl(profile("password asked"))[0].octets.decode()
    assert "secrets" not in conf.parse(text)
    _, note, comment = text.partition("# The password is not known here: write it in")
    assert note
    told = "\n".join(line.removeprefix("# ") for line in comment.splitlines()[1:])
    [secret] = conf.parse(told.replace('secret = ""', 'secret = "mine"'))["secrets"].values()
    assert secret == {"id": "anna", "secret": "mine"}


@pytest.mark.parametrize("login", LOGINS)
def test_each_file_is_in_the_folder_where_it_is_read(login: str) -> None:
    """And the main file says what to do with the archive."""
    main, *files = swanctl(profile(login))
    assert main.folder == "conf.d"
    assert "unzip -o home-phone.zip -d /etc/swanctl && swanctl --load-all" in main.octets.decode()
    folders = {"ca": "x509ca", "cert": "x509", "key": "private"}
    assert all(file.folder == folders[file.name.split(".")[1]] for file in files)
    main, *files = network_manager(profile(login))
    text = main.octets.decode()
    assert main.folder == "etc/NetworkManager/system-connections"
    assert "unzip -o home-phone.zip -d / && nmcli connection reload" in text
    assert all(f"=/{file.folder}/{file.name}\n" in text for file in files)


def test_swanctl_networks() -> None:
    found, _ = connection("password", split=True)
    [child] = found["children"].values()
    assert child["remote_ts"] == "192.168.1.0/24, fd00:1::/64"


@pytest.mark.parametrize("make", [network_manager, swanctl])
def test_files_beside(make: Any) -> None:
    _, ca, certificate, key = make(profile("certificate"))
    assert x509.load_pem_x509_certificate(ca.octets) == AUTHORITY.certificate
    read = bundle_of(read_parts(certificate.octets), read_parts(key.octets))
    assert read.certificate.subject.rfc4514_string() == "CN=phone"
    assert [each.secret for each in (ca, certificate, key)] == [False, False, True]
    assert len(make(profile("psk"))) == 1
    assert len(make(profile("password", public=True))) == 1


@pytest.mark.parametrize("text", ['a "b" \\ c', "#x", "家", "$x {}"])
def test_value_is_read_back(text: str) -> None:
    assert conf.parse(f"x = {swanctl_value(text)}") == {"x": text}


def test_value_of_two_lines() -> None:
    with pytest.raises(PkiError):
        swanctl_value("a\n}")


def test_resolvers_by_family() -> None:
    given = replace(profile(split=True), dns=(ip_address("192.168.1.1"), ip_address("192.168.1.2")))
    groups = keyfile(network_manager(given)[0].octets)
    assert groups["ipv4"]["dns"] == "192.168.1.1;192.168.1.2;"
    assert "dns" not in groups["ipv6"]
