"""Apple's configuration profile (.mobileconfig) for iOS, iPadOS, macOS and tvOS.

Keys and values are those of Apple's published schema (com.apple.vpn.managed, com.apple.security.pkcs12 and .root). A
profile makes exactly one offer, so what stands here is at once what the gateway has to take.

The device's PKCS #12 is of the old kind: what Apple's systems make of the modern one is "wrong password". Our CA is a
payload of its own, since the one inside a PKCS #12 is not trusted.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edgevpn.frozen import dataclass
from edgevpn.pki import wishes
from edgevpn.pki.certificate import der_of
from edgevpn.pki.container import Container, pkcs12_file
from edgevpn.pki.errors import Reason, WishRefused
from edgevpn.pki.names import text_of
from edgevpn.pki.profiles.profile import Artifact, CertificateLogin, Media, PasswordLogin, Profile, PskLogin

ENCRYPTION, INTEGRITY, GROUP = "AES-256-GCM", "SHA2-256", 19
"""AES-256-GCM, PRF-HMAC-SHA-256 and P-256: the best that phones of every age compute in hardware."""
LIFETIME = 1440


@dataclass(frozen=True, slots=True)
class NoDemand:
    """The user turns the connection on."""


@dataclass(frozen=True, slots=True)
class AlwaysExcept:
    """It is on wherever the device is, but in these Wi-Fi networks."""

    networks: tuple[str, ...]

    def __post_init__(self) -> None:
        for ssid in self.networks:
            wishes.line(ssid, "name of a Wi-Fi network", 32)


@dataclass(frozen=True, slots=True)
class ForDomains:
    """It comes on when one of these domains is looked for and cannot be reached."""

    domains: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.domains:
            raise WishRefused(Reason.MISSING, "the domain that switches it on", cure="name one at least")
        for domain in self.domains:
            wishes.host(domain, "domain of the demand")


OnDemand = NoDemand | AlwaysExcept | ForDomains

NO_DEMAND = NoDemand()


def mobileconfig(profile: Profile, demand: OnDemand = NO_DEMAND, *, ask_password: bool = False) -> Artifact:
    """The profile. With `ask_password` the device asks for the password of its PKCS #12 instead of finding it there."""
    payloads = [_vpn(profile, demand)]
    if profile.gateway.ca is not None:
        payloads.append(_root(profile))
    if isinstance(profile.login, CertificateLogin):
        payloads.append(_pkcs12(profile, profile.login, ask_password=ask_password))
    whole: dict[str, Any] = {
        **_payload(profile, "Configuration", "configuration", f"{profile.gateway.name} VPN"),
        "PayloadDescription": f"Connects {profile.device} to {profile.gateway.name}.",
        "PayloadContent": payloads,
    }
    if profile.ends is not None:
        whole["RemovalDate"] = profile.ends.astimezone(UTC).replace(tzinfo=None)
    import plistlib  # with the parser of XML, which the daemon has no other use for

    octets = plistlib.dumps(whole, sort_keys=False)
    return Artifact(profile.file_name("mobileconfig"), Media.MOBILECONFIG, octets, secret=True)


def _payload(profile: Profile, kind: str, part: str, shown: str) -> dict[str, Any]:
    """What every payload begins with. The same identifier again replaces what was installed."""
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"org.edgevpn.{profile.uuid('configuration')}" + _below(part),
        "PayloadUUID": profile.uuid(part),
        "PayloadDisplayName": shown,
    }


def _below(part: str) -> str:
    return "" if part == "configuration" else f".{part}"


def _root(profile: Profile) -> dict[str, Any]:
    if profile.gateway.ca is None:
        raise AssertionError("asked for without a CA")
    return {
        **_payload(profile, "com.apple.security.root", "ca", text_of(profile.gateway.ca.subject)),
        "PayloadCertificateFileName": "ca.cer",
        "PayloadContent": der_of(profile.gateway.ca),
    }


def _pkcs12(profile: Profile, login: CertificateLogin, *, ask_password: bool) -> dict[str, Any]:
    secret = {} if ask_password else {"Password": login.password}
    return {
        **_payload(profile, "com.apple.security.pkcs12", "identity", profile.device),
        "PayloadCertificateFileName": "identity.p12",
        "PayloadContent": pkcs12_file(login.bundle, profile.device, login.password, Container.OLD),
        **secret,
    }


def _vpn(profile: Profile, demand: OnDemand) -> dict[str, Any]:
    gateway = profile.gateway
    ike: dict[str, Any] = {
        "RemoteAddress": gateway.address,
        "RemoteIdentifier": gateway.identity,
        "LocalIdentifier": profile.identity,
        **_login(profile),
        "EnablePFS": 1,
        "DeadPeerDetectionRate": "Medium",
        "DisableRedirect": 1,
        "IKESecurityAssociationParameters": _algorithms() | _ml_kem(profile),
        "ChildSecurityAssociationParameters": _algorithms(),
        **({"AllowPostQuantumKeyExchangeFallback": 1} if profile.ml_kem else {}),
        **_ppk(profile),
        **_demand(demand),
    }
    payload = {
        **_payload(profile, "com.apple.vpn.managed", "vpn", f"VPN {gateway.name}"),
        "UserDefinedName": profile.connection,
        "VPNType": "IKEv2",
        "IKEv2": ike,
    }
    return payload | _dns(profile)


def _login(profile: Profile) -> dict[str, Any]:
    """EAP-MSCHAPv2 is "Certificate" with extended authentication and without a certificate of the device."""
    issuer = {"ServerCertificateIssuerCommonName": name} if (name := profile.gateway.issuer_name) else {}
    match profile.login:
        case PasswordLogin(user=user, password=password):
            secret = {"AuthPassword": password} if password else {}
            return {
                "AuthenticationMethod": "Certificate",
                "ExtendedAuthEnabled": 1,
                "AuthName": user,
                **secret,
                **issuer,
            }
        case CertificateLogin() as login:
            return {
                "AuthenticationMethod": "Certificate",
                "ExtendedAuthEnabled": int(login.within_eap),
                **_certificate_type(login, profile),
                "PayloadCertificateUUID": profile.uuid("identity"),
                **issuer,
            }
        case PskLogin(psk=psk):
            return {"AuthenticationMethod": "SharedSecret", "ExtendedAuthEnabled": 0, "SharedSecret": psk}


def _certificate_type(login: CertificateLogin, profile: Profile) -> dict[str, str]:
    """RSA is the default; whoever names a type has to name the issuer too."""
    match login.bundle.key:
        case rsa.RSAPrivateKey():
            return {"CertificateType": "RSA"} if profile.gateway.issuer_name else {}
        case ec.EllipticCurvePrivateKey(key_size=bits) if profile.gateway.issuer_name:
            return {"CertificateType": f"ECDSA{bits}"}
        case _:
            raise WishRefused(
                Reason.NOT_ALLOWED,
                "key of the device",
                detail="allowed: RSA, or ECDSA where the issuer of the gateway's certificate is known",
                cure="issue it a certificate with an RSA key",
            )


def _ml_kem(profile: Profile) -> dict[str, Any]:
    """From iOS 26 and macOS 26 on (RFC 9370): the first that both know; older systems pass it over."""
    return {"PostQuantumKeyExchangeMethods": list(profile.ml_kem[:1])} if profile.ml_kem else {}


def _ppk(profile: Profile) -> dict[str, Any]:
    """From iOS 18 and macOS 15 on (RFC 8784); older systems pass it over."""
    if (ppk := profile.ppk) is None:
        return {}
    return {"PPK": ppk.octets, "PPKIdentifier": ppk.name, "PPKMandatory": int(ppk.required)}


def _algorithms() -> dict[str, Any]:
    return {
        "EncryptionAlgorithm": ENCRYPTION,
        "IntegrityAlgorithm": INTEGRITY,
        "DiffieHellmanGroup": GROUP,
        "LifeTimeInMinutes": LIFETIME,
    }


def _demand(demand: OnDemand) -> dict[str, Any]:
    """Rules are tried in order, and the first that fits decides."""
    match demand:
        case NoDemand():
            return {"OnDemandEnabled": 0}
        case AlwaysExcept(networks=networks):
            home = [{"InterfaceTypeMatch": "WiFi", "SSIDMatch": list(networks), "Action": "Disconnect"}]
            rules = [*(home if networks else []), {"Action": "Connect"}]
        case ForDomains(domains=domains):
            wanted = {"Domains": list(domains), "DomainAction": "ConnectIfNeeded"}
            rules = [{"Action": "EvaluateConnection", "ActionParameters": [wanted]}]
    return {"OnDemandEnabled": 1, "OnDemandRules": rules}


def _dns(profile: Profile) -> dict[str, Any]:
    """Resolvers for the owner's domains alone, where only some networks go through the tunnel; else for everything."""
    if not profile.dns:
        return {}
    dns: dict[str, Any] = {"DNSProtocol": "Cleartext", "ServerAddresses": [str(each) for each in profile.dns]}
    if profile.domains:
        dns["SearchDomains"] = list(profile.domains)
        if profile.networks:
            dns["SupplementalMatchDomains"] = list(profile.domains)
    return {"DNS": dns}
