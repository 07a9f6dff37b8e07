"""The cmdlets and parameters are those of Microsoft's reference, modules VpnClient, DnsClient and PKI of Windows Server
2025, typed by hand."""

import base64
import re
from dataclasses import replace
from ipaddress import ip_network
from xml.etree import ElementTree

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.profiles.profile import Profile
from edgevpn.pki.profiles.windows import ALGORITHMS, connection_name, quoted, script
from tests.support import powershell
from tests.support.profiles import AUTHORITY, NAMES, P12_PASSWORD, PASSWORD, profile, within_eap

ADD_VPN_CONNECTION = {
    "Name",
    "ServerAddress",
    "TunnelType",
    "AllUserConnection",
    "RememberCredential",
    "SplitTunneling",
    "Force",
    "PassThru",
    "L2tpPsk",
    "UseWinlogonCredential",
    "ServerList",
    "DnsSuffix",
    "IdleDisconnectSeconds",
    "EapConfigXmlStream",
    "AuthenticationMethod",
    "EncryptionLevel",
    "MachineCertificateIssuerFilter",
    "MachineCertificateEKUFilter",
}
CONNECTIONS = {"plain": "Home", "quotes": "Anna's “Büro” & -b-Co--b-", "Japanese": "自宅 の VPN"}
PARAMETERS = {
    "Add-VpnConnection": ADD_VPN_CONNECTION,
    "Get-VpnConnection": {"Name", "AllUserConnection"},
    "Remove-VpnConnection": {"Name", "Force", "PassThru", "AllUserConnection"},
    "Set-VpnConnectionIPsecConfiguration": {"ConnectionName", "AllUserConnection", "Force", "PassThru", *ALGORITHMS},
    "Add-VpnConnectionRoute": {"ConnectionName", "DestinationPrefix", "RouteMetric", "PassThru", "AllUserConnection"},
    "Add-DnsClientNrptRule": {"Namespace", "NameServers", "Comment", "DisplayName"},
    "Get-DnsClientNrptRule": {"Name"},
    "Remove-DnsClientNrptRule": {"Name", "Force", "PassThru"},
    "Import-PfxCertificate": {"Exportable", "Password", "CertStoreLocation", "FilePath"},
}
ALLOWED = {
    "AuthenticationTransformConstants": "MD596 SHA196 SHA256128 GCMAES128 GCMAES192 GCMAES256 None",
    "CipherTransformConstants": "DES DES3 AES128 AES192 AES256 GCMAES128 GCMAES192 GCMAES256 None",
    "DHGroup": "None Group1 Group2 Group14 ECP256 ECP384 Group24",
    "EncryptionMethod": "DES DES3 AES128 AES192 AES256 GCMAES128 GCMAES256",
    "IntegrityCheckMethod": "MD5 SHA1 SHA256 SHA384",
    "PfsGroup": "None PFS1 PFS2 PFS2048 ECP256 ECP384 PFSMM PFS24",
}


def text_of(given: Profile) -> str:
    octets = script(given).octets
    assert octets.startswith(b"\xef\xbb\xbf"), "without it Windows PowerShell 5.1 reads the local code page"
    text = octets.decode("utf-8-sig")
    assert "\n" not in text.replace("\r\n", "")
    return text.replace("\r\n", "\n")


def value(text: str, variable: str) -> str:
    """What a variable at the top is set to."""
    found = re.search(rf"^\${variable} = (.*)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("login", ["password", "certificate"])
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("public", [False, True])
def test_it_parses(login: str, names: str, split: bool, public: bool) -> None:
    text = text_of(profile(login, names, split=split, public=public))
    root = powershell.parse(text)
    assert CONNECTIONS[names] in powershell.strings(root)
    for command, parameters in powershell.commands(root).items():
        if command in PARAMETERS:
            assert parameters <= PARAMETERS[command], command


def test_grammar_check_would_notice() -> None:
    text = text_of(profile())
    for broken in (text.replace("}\n", "\n", 1), text.replace("$Name = 'Home'", "$Name = 'Home''"), text + "if ("):
        with pytest.raises(AssertionError):
            powershell.parse(broken)


def test_splatted_tables_have_known_keys() -> None:
    text = text_of(profile("certificate", split=True))
    table = re.search(r"\$Connection = @\{\n(.*?)\n    \}", text, re.DOTALL)
    assert table is not None
    assert {line.split(" = ")[0].strip() for line in table[1].splitlines()} <= ADD_VPN_CONNECTION


def test_all_six_algorithms() -> None:
    assert ALGORITHMS.keys() == ALLOWED.keys()
    assert all(value in ALLOWED[parameter].split() for parameter, value in ALGORITHMS.items())
    text = text_of(profile())
    for parameter, chosen in ALGORITHMS.items():
        assert f"{parameter} = '{chosen}'" in text
    assert "Set-VpnConnectionIPsecConfiguration -ConnectionName $Name @Algorithms -AllUserConnection -Force" in text


def test_ca_goes_to_the_machines_roots() -> None:
    text = text_of(profile())
    der = base64.b64decode(value(text, "CaCertificate").strip("'"))
    assert x509.load_der_x509_certificate(der) == AUTHORITY.certificate
    assert "Open-Store 'Root'" in text
    assert "'LocalMachine'" in text
    assert "Remove-FromStore 'Root' $CaThumbprint" in text
    assert "Root" not in text_of(profile(public=True))


def test_password() -> None:
    text = text_of(profile())
    assert "AuthenticationMethod = 'Eap'" in text
    assert value(text, "UserName") == "'anna'"
    assert PASSWORD not in text
    assert not script(profile()).secret


def test_certificate_goes_to_the_machine() -> None:
    artifact = script(profile("certificate"))
    text = text_of(profile("certificate"))
    assert artifact.secret
    assert "AuthenticationMethod = 'MachineCertificate'" in text
    assert "    Import-Identity 'LocalMachine'\n    Add-VpnConnection" in text
    assert "Remove-FromStore 'My' $IdentityThumbprint" in text
    assert P12_PASSWORD not in text
    pfx = base64.b64decode(value(text, "Identity").strip("'"))
    assert bundle_of(read_parts(pfx, P12_PASSWORD)).certificate.subject.rfc4514_string() == "CN=phone"


EAP_HOST, EAP_COMMON, BASE_EAP, EAP_TLS = (
    f"{{http://www.microsoft.com/provisioning/{name}}}"
    for name in ("EapHostConfig", "EapCommon", "BaseEapConnectionPropertiesV1", "EapTlsConnectionPropertiesV1")
)


def eap_configuration(text: str) -> dict[str, str]:
    """The elements of the legacy schema eaptlsconnectionpropertiesv1, typed by hand, that have a text."""
    root = ElementTree.fromstring(value(text, "EapConfiguration").strip("'"))  # noqa: S314 - our own
    assert root.findtext(f"{EAP_HOST}EapMethod/{EAP_COMMON}Type") == "13"
    assert root.findtext(f"{EAP_HOST}EapMethod/{EAP_COMMON}AuthorId") == "0"
    eap = root.find(f"{EAP_HOST}Config/{BASE_EAP}Eap")
    assert eap is not None
    assert eap.findtext(f"{BASE_EAP}Type") == "13"
    kind = eap.find(f"{EAP_TLS}EapType")
    assert kind is not None
    parts = ["CredentialsSource", "ServerValidation", "DifferentUsername"]
    assert [each.tag.removeprefix(EAP_TLS) for each in kind] == parts
    return {each.tag.removeprefix(EAP_TLS): each.text for each in kind.iter() if each.text}


def test_certificate_within_eap() -> None:
    """It goes to who runs the script, and what the script does as administrator leaves it alone."""
    text = text_of(within_eap())
    powershell.parse(text)
    assert "AuthenticationMethod = 'Eap'" in text
    assert "EapConfigXmlStream = [xml] $EapConfiguration" in text
    assert "Import-Identity 'LocalMachine'" not in text
    before, _ = text.split("$Principal =")
    assert "else { Import-Identity 'CurrentUser' }" in before
    assert "Remove-FromStore 'My' $IdentityThumbprint 'CurrentUser'" in before
    assert eap_configuration(text) == {
        "SimpleCertSelection": "true",
        "DisableUserPromptForServerValidation": "true",
        "ServerNames": "vpn.example.org",
        "TrustedRootCA": value(text, "CaThumbprint").strip("'"),
        "DifferentUsername": "false",
    }


def test_a_gateway_known_by_its_address_and_a_public_ca() -> None:
    given = within_eap()
    gateway = replace(given.gateway, identity="192.0.2.1", ca=None)
    found = eap_configuration(text_of(replace(given, gateway=gateway)))
    assert not found.keys() & {"ServerNames", "TrustedRootCA"}


def test_no_pre_shared_key() -> None:
    with pytest.raises(PkiError) as refusal:
        script(profile("psk"))
    assert refusal.value.reason is Reason.NOT_ALLOWED


def test_split_and_full_tunnel() -> None:
    split = text_of(profile(split=True))
    assert "SplitTunneling = $true" in split
    assert value(split, "Routes") == "@('192.168.1.0/24', 'fd00:1::/64')"
    assert value(split, "Domains") == "@('.lan.example.org', '.home.arpa')"
    assert value(split, "Resolvers") == "@('192.168.1.1', 'fd00:1::1')"
    full = text_of(profile())
    assert "SplitTunneling" not in full
    assert value(full, "Routes") == "@()"


def test_default_route_of_ipv6_in_halves() -> None:
    given = replace(profile(), networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert value(text_of(given), "Routes") == "@('0.0.0.0/0', '::/1', '8000::/1')"


def test_undo() -> None:
    text = text_of(profile("certificate", split=True))
    assert "param([switch] $Undo, [switch] $Elevated)" in text
    assert "if ($Undo) { Undo-Everything } else { Add-Everything }" in text
    made = {"Remove-VpnConnection", "Remove-DnsClientNrptRule"}
    assert made <= powershell.commands(powershell.parse(text)).keys()


@given(st.text(st.characters(exclude_categories=("C", "Z")), max_size=30).filter(str.isprintable))
def test_a_quoted_value_is_one_string(value: str) -> None:
    """Whatever is in it, with every kind of quote that PowerShell knows."""
    value = f"’ {value} ' ‘$(Get-Date)`"
    root = powershell.parse(f"$x = {quoted(value)}\n$y = 'end'\n")
    assert powershell.strings(root) == [value, "end"]


def test_connection_has_a_name_that_windows_takes() -> None:
    given = profile()
    for name in ('a/b\\c:d*e?f"g<h>i|j', ".hidden", "..."):
        made = connection_name(replace(given, gateway=replace(given.gateway, name=name)))
        assert made
        assert not made.startswith(".")
        assert not set(made) & set('\\/:*?"<>|')


def test_what_cannot_be_quoted() -> None:
    with pytest.raises(PkiError):
        quoted("a\nb")
