"""The keys are those of Apple's device-management schemas, release iOS 18.1 and macOS 15.1 (and of its documentation,
26, for post-quantum key exchanges), mdm/profiles: TopLevel,
CommonPayloadKeys, com.apple.vpn.managed, com.apple.security.pkcs12, com.apple.security.root. Typed by hand: what is
required (!), the type, and the values or the range that are allowed."""

import plistlib
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.errors import PkiError, Reason, WishRefused
from edgevpn.pki.profiles.apple import NO_DEMAND, AlwaysExcept, ForDomains, OnDemand, mobileconfig
from edgevpn.pki.profiles.profile import Artifact, Media, Ppk, Profile
from tests.support.certificates import DAY, NOW, ed, p256
from tests.support.profiles import AUTHORITY, NAMES, P12_PASSWORD, PASSWORD, PSK, certificate_login, profile, within_eap

Schema = dict[str, tuple[type, Any]]

FLAG = (int, {0, 1})
COMMON: Schema = {
    "!PayloadIdentifier": (str, None),
    "!PayloadUUID": (str, None),
    "!PayloadType": (str, None),
    "!PayloadVersion": (int, {1}),
    "PayloadDescription": (str, None),
    "PayloadDisplayName": (str, None),
    "PayloadOrganization": (str, None),
}
TOP: Schema = COMMON | {
    "!PayloadType": (str, {"Configuration"}),
    "!PayloadContent": (list, None),
    "HasRemovalPasscode": (bool, None),
    "PayloadRemovalDisallowed": (bool, None),
    "PayloadScope": (str, {"System", "User"}),
    "RemovalDate": (datetime, None),
    "DurationUntilRemoval": (float, None),
    "PayloadExpirationDate": (datetime, None),
}
CERTIFICATE: Schema = COMMON | {"PayloadCertificateFileName": (str, None), "!PayloadContent": (bytes, None)}
PKCS12: Schema = CERTIFICATE | {
    "Password": (str, None),
    "AllowAllAppsAccess": (bool, None),
    "KeyIsExtractable": (bool, None),
}
VPN: Schema = COMMON | {
    "!VPNType": (str, {"VPN", "L2TP", "IPSec", "IKEv2", "AlwaysOn", "TransparentProxy"}),
    "VPNSubType": (str, None),
    "!UserDefinedName": (str, None),
    "IKEv2": (dict, None),
    "DNS": (dict, None),
}
IKEV2: Schema = {
    "!RemoteAddress": (str, None),
    "!LocalIdentifier": (str, None),
    "!RemoteIdentifier": (str, None),
    "!AuthenticationMethod": (str, {"None", "SharedSecret", "Certificate"}),
    "CertificateType": (str, {"RSA", "ECDSA256", "ECDSA384", "ECDSA521", "RSA-PSS"}),
    "PayloadCertificateUUID": (str, None),
    "SharedSecret": (str, None),
    "ExtendedAuthEnabled": FLAG,
    "AuthName": (str, None),
    "AuthPassword": (str, None),
    "OnDemandEnabled": FLAG,
    "OnDemandUserOverrideDisabled": FLAG,
    "OnDemandRules": (list, None),
    "DeadPeerDetectionRate": (str, {"None", "Low", "Medium", "High"}),
    "ServerCertificateIssuerCommonName": (str, None),
    "ServerCertificateCommonName": (str, None),
    "UseConfigurationAttributeInternalIPSubnet": FLAG,
    "DisableMOBIKE": FLAG,
    "DisableRedirect": FLAG,
    "DisconnectOnIdle": FLAG,
    "DisconnectOnIdleTimer": (int, None),
    "NATKeepAliveOffloadEnable": FLAG,
    "NATKeepAliveInterval": (int, None),
    "EnablePFS": FLAG,
    "EnableCertificateRevocationCheck": FLAG,
    "EnableFallback": FLAG,
    "MTU": (int, range(1280, 1401)),
    "IncludeAllNetworks": FLAG,
    "EnforceRoutes": FLAG,
    "ExcludeLocalNetworks": FLAG,
    "AllowPostQuantumKeyExchangeFallback": FLAG,
    "PPK": (bytes, None),
    "PPKIdentifier": (str, None),
    "PPKMandatory": FLAG,
    "IKESecurityAssociationParameters": (dict, None),
    "ChildSecurityAssociationParameters": (dict, None),
}
ALGORITHMS: Schema = {
    "EncryptionAlgorithm": (
        str,
        {"DES", "3DES", "AES-128", "AES-256", "AES-128-GCM", "AES-256-GCM", "ChaCha20Poly1305"},
    ),
    "IntegrityAlgorithm": (str, {"SHA1-96", "SHA1-160", "SHA2-256", "SHA2-384", "SHA2-512"}),
    "DiffieHellmanGroup": (int, {1, 2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 31, 32}),
    "LifeTimeInMinutes": (int, range(10, 1441)),
    "PostQuantumKeyExchangeMethods": (list, None),
}
RULE: Schema = {
    "!Action": (str, {"Allow", "Connect", "Disconnect", "EvaluateConnection", "Ignore"}),
    "ActionParameters": (list, None),
    "DNSDomainMatch": (list, None),
    "DNSServerAddressMatch": (list, None),
    "InterfaceTypeMatch": (str, {"Ethernet", "WiFi", "Cellular"}),
    "SSIDMatch": (list, None),
    "URLStringProbe": (str, None),
}
PARAMETERS: Schema = {
    "!Domains": (list, None),
    "!DomainAction": (str, {"ConnectIfNeeded", "NeverConnect"}),
    "RequiredDNSServers": (list, None),
    "RequiredURLStringProbe": (str, None),
}
DNS: Schema = {
    "!DNSProtocol": (str, {"Cleartext", "HTTPS", "TLS"}),
    "!ServerAddresses": (list, None),
    "SearchDomains": (list, None),
    "DomainName": (str, None),
    "SupplementalMatchDomains": (list, None),
    "SupplementalMatchDomainsNoSearch": FLAG,
}
PAYLOADS: dict[str, Schema] = {
    "com.apple.vpn.managed": VPN,
    "com.apple.security.pkcs12": PKCS12,
    "com.apple.security.root": CERTIFICATE,
}


def check(given: dict[str, Any], schema: Schema, where: str) -> None:
    """Every key is known, of its type and within its values; what is required is there."""
    known = {key.removeprefix("!"): rule for key, rule in schema.items()}
    missing = {key[1:] for key in schema if key.startswith("!")} - given.keys()
    assert not missing, f"{where} lacks {missing}"
    for key, value in given.items():
        assert key in known, f"{where} has {key}"
        kind, allowed = known[key]
        assert type(value) is kind, f"{where}.{key} is {type(value)}"
        assert allowed is None or value in allowed, f"{where}.{key} is {value}"


def read(artifact: Artifact) -> dict[str, dict[str, Any]]:
    """The payloads by their types, the whole under "", after all of it has been checked."""
    whole = plistlib.loads(artifact.octets)
    check(whole, TOP, "profile")
    for payload in whole["PayloadContent"]:
        check(payload, PAYLOADS[payload["PayloadType"]], payload["PayloadType"])
    found = {payload["PayloadType"].rpartition(".")[2]: payload for payload in whole["PayloadContent"]}
    ike = found["managed"]["IKEv2"]
    check(ike, IKEV2, "IKEv2")
    for kind in ("IKESecurityAssociationParameters", "ChildSecurityAssociationParameters"):
        check(ike[kind], ALGORITHMS, kind)
    for rule in ike.get("OnDemandRules", ()):
        check(rule, RULE, "OnDemandRules")
        for parameters in rule.get("ActionParameters", ()):
            check(parameters, PARAMETERS, "ActionParameters")
    if "DNS" in found["managed"]:
        check(found["managed"]["DNS"], DNS, "DNS")
    uuids = [payload["PayloadUUID"] for payload in (whole, *whole["PayloadContent"])]
    assert len(set(uuids)) == len(uuids)
    return found | {"": whole}


def ikev2(given: Profile, demand: OnDemand = NO_DEMAND) -> dict[str, Any]:
    found: dict[str, Any] = read(mobileconfig(given, demand))["managed"]["IKEv2"]
    return found


@pytest.mark.parametrize("login", ["password", "password asked", "certificate", "psk"])
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("split", [False, True])
def test_every_key_is_known(login: str, names: str, split: bool) -> None:
    artifact = mobileconfig(profile(login, names, split=split))
    found = read(artifact)
    assert artifact.media is Media.MOBILECONFIG
    assert artifact.name.endswith(".mobileconfig")
    assert artifact.secret
    assert found["managed"]["UserDefinedName"] == NAMES[names][0]


def test_password() -> None:
    """EAP-MSCHAPv2 after the gateway has shown its certificate; "None" would let it do without."""
    ike = ikev2(profile("password"))
    assert ike["AuthenticationMethod"] == "Certificate"
    assert ike["ExtendedAuthEnabled"] == 1
    assert "PayloadCertificateUUID" not in ike
    assert (ike["AuthName"], ike["AuthPassword"]) == ("anna", PASSWORD)
    assert "AuthPassword" not in ikev2(profile("password asked"))


def test_certificate() -> None:
    found = read(mobileconfig(profile("certificate")))
    ike, identity = found["managed"]["IKEv2"], found["pkcs12"]
    assert ike["PayloadCertificateUUID"] == identity["PayloadUUID"]
    assert (ike["AuthenticationMethod"], ike["ExtendedAuthEnabled"]) == ("Certificate", 0)
    assert ike["CertificateType"] == "RSA"
    bundle = bundle_of(read_parts(identity["PayloadContent"], identity["Password"]))
    assert bundle.certificate.subject.rfc4514_string() == "CN=phone"
    assert b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03" in identity["PayloadContent"], "PBE with SHA-1 and 3DES"
    asked = read(mobileconfig(profile("certificate"), ask_password=True))["pkcs12"]
    assert "Password" not in asked


@pytest.mark.parametrize(("key", "kind"), [(p256(), "ECDSA256"), (ec.generate_private_key(ec.SECP384R1()), "ECDSA384")])
def test_other_keys(key: object, kind: str) -> None:
    given = profile("certificate")
    login = certificate_login(key)
    assert ikev2(Profile(given.device, given.identity, given.gateway, login))["CertificateType"] == kind


def test_keys_that_apple_does_not_take() -> None:
    """Ed25519; and ECDSA where the issuer cannot be named, which has to be beside a type."""
    for given, key in ((profile("certificate"), ed()), (profile("certificate", public=True), p256())):
        with pytest.raises(PkiError) as refusal:
            mobileconfig(Profile(given.device, given.identity, given.gateway, certificate_login(key)))
        assert refusal.value.reason is Reason.NOT_ALLOWED
    assert "CertificateType" not in ikev2(profile("certificate", public=True))


def test_psk() -> None:
    ike = ikev2(profile("psk"))
    assert (ike["AuthenticationMethod"], ike["SharedSecret"]) == ("SharedSecret", PSK)


def test_post_quantum_key_exchange() -> None:
    """From iOS 26 and macOS 26 on. Without leave to do without they would not connect to a gateway that cannot."""
    ike = ikev2(replace(profile(), ml_kem=(36, 37)))
    assert ike["IKESecurityAssociationParameters"]["PostQuantumKeyExchangeMethods"] == [36]
    assert ike["AllowPostQuantumKeyExchangeFallback"] == 1
    assert "PostQuantumKeyExchangeMethods" not in ike["ChildSecurityAssociationParameters"]
    assert "AllowPostQuantumKeyExchangeFallback" not in ikev2(profile())


def test_eap_tls() -> None:
    """Extended authentication, and the certificate that it is to show."""
    found = read(mobileconfig(within_eap()))
    ike = found["managed"]["IKEv2"]
    assert (ike["AuthenticationMethod"], ike["ExtendedAuthEnabled"]) == ("Certificate", 1)
    assert ike["PayloadCertificateUUID"] == found["pkcs12"]["PayloadUUID"]


@pytest.mark.parametrize("required", [True, False])
def test_post_quantum_key(required: bool) -> None:
    """From iOS 18 and macOS 15 on; the system's own default is that it is mandatory."""
    ike = ikev2(replace(profile(), ppk=Ppk("winter", b"\xff" * 32, required)))
    assert (ike["PPK"], ike["PPKIdentifier"], ike["PPKMandatory"]) == (b"\xff" * 32, "winter", int(required))
    assert not {"PPK", "PPKIdentifier", "PPKMandatory"} & ikev2(profile()).keys()


def test_our_ca_comes_with_it() -> None:
    found = read(mobileconfig(profile()))
    assert x509.load_der_x509_certificate(found["root"]["PayloadContent"]) == AUTHORITY.certificate
    assert found["managed"]["IKEv2"]["ServerCertificateIssuerCommonName"] == "Zuhause CA 家"
    public = read(mobileconfig(profile(public=True)))
    assert "root" not in public
    assert "ServerCertificateIssuerCommonName" not in public["managed"]["IKEv2"]


def test_algorithms_and_pfs() -> None:
    ike = ikev2(profile())
    best = {
        "EncryptionAlgorithm": "AES-256-GCM",
        "IntegrityAlgorithm": "SHA2-256",
        "DiffieHellmanGroup": 19,
        "LifeTimeInMinutes": 1440,
    }
    assert ike["IKESecurityAssociationParameters"] == ike["ChildSecurityAssociationParameters"] == best
    assert ike["EnablePFS"] == 1


def test_demand_off() -> None:
    assert ikev2(profile())["OnDemandEnabled"] == 0


def test_demand_always_but_at_home() -> None:
    ike = ikev2(profile(), AlwaysExcept(("Zuhause", "家 Wi-Fi")))
    assert ike["OnDemandEnabled"] == 1
    assert ike["OnDemandRules"] == [
        {"InterfaceTypeMatch": "WiFi", "SSIDMatch": ["Zuhause", "家 Wi-Fi"], "Action": "Disconnect"},
        {"Action": "Connect"},
    ]
    assert ikev2(profile(), AlwaysExcept(()))["OnDemandRules"] == [{"Action": "Connect"}]


def test_demand_for_domains() -> None:
    [rule] = ikev2(profile(), ForDomains(("lan.example.org",)))["OnDemandRules"]
    assert rule == {
        "Action": "EvaluateConnection",
        "ActionParameters": [{"Domains": ["lan.example.org"], "DomainAction": "ConnectIfNeeded"}],
    }


def test_demands_that_are_none() -> None:
    for make in (lambda: AlwaysExcept(("a\nb",)), lambda: ForDomains(()), lambda: ForDomains(("a b",))):
        with pytest.raises(WishRefused):
            make()


def test_resolvers() -> None:
    assert "DNS" not in read(mobileconfig(profile()))["managed"]
    assert read(mobileconfig(profile(split=True)))["managed"]["DNS"] == {
        "DNSProtocol": "Cleartext",
        "ServerAddresses": ["192.168.1.1", "fd00:1::1"],
        "SearchDomains": ["lan.example.org", "home.arpa"],
        "SupplementalMatchDomains": ["lan.example.org", "home.arpa"],
    }


def test_profile_of_a_guest_removes_itself() -> None:
    given = profile()
    guest = Profile(given.device, given.identity, given.gateway, given.login, ends=NOW + DAY)
    assert read(mobileconfig(guest))[""]["RemovalDate"] == (NOW + DAY).replace(tzinfo=None)


def test_same_device_again_replaces() -> None:
    first, second = (read(mobileconfig(profile("certificate")))[""] for _ in range(2))
    assert first["PayloadIdentifier"] == second["PayloadIdentifier"]
    assert first["PayloadUUID"] == second["PayloadUUID"]


def test_secrets_do_not_show() -> None:
    assert P12_PASSWORD not in repr(mobileconfig(profile("certificate")))
