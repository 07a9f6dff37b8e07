"""A profile for the strongSwan app on Android (.sswan, JSON). The app has no pre-shared keys.

Its PKCS #12 is of the old kind, since the app leaves it to Android to install.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from edgevpn.pki.certificate import der_of
from edgevpn.pki.container import Container, pkcs12_file
from edgevpn.pki.profiles.profile import (
    Artifact,
    CertificateLogin,
    Media,
    PasswordLogin,
    Profile,
    PskLogin,
    unsupported,
)


def profile_file(profile: Profile, *, port: int | None = None, with_password: bool = False) -> Artifact:
    """The file. `port` is a UDP port that leads to our 4500; `with_password` puts the password in (app 2.5.3 on)."""
    kind, local = _login(profile, with_password=with_password)
    remote: dict[str, Any] = {"addr": profile.gateway.address, "id": profile.gateway.identity}
    if port is not None:
        remote["port"] = port
    if profile.gateway.ca is not None:
        remote["cert"] = _base64(der_of(profile.gateway.ca))
    whole: dict[str, Any] = {
        "uuid": profile.uuid("sswan").lower(),
        "name": f"{profile.gateway.name} ({profile.device})",
        "type": kind,
        "remote": remote,
        "local": local,
    }
    if profile.networks:
        whole["split-tunneling"] = {"subnets": [str(each) for each in profile.networks]}
    else:
        whole["split-tunneling"] = {"block-ipv6": True}  # else it lets IPv6 out beside a tunnel that has none
    octets = json.dumps(whole, ensure_ascii=False, indent=2).encode() + b"\n"
    secret = isinstance(profile.login, CertificateLogin) or "shared_secret" in local
    return Artifact(profile.file_name("sswan"), Media.SSWAN, octets, secret=secret)


def _login(profile: Profile, *, with_password: bool) -> tuple[str, dict[str, Any]]:
    match profile.login:
        case PasswordLogin(user=user, password=password):
            secret = {"shared_secret": password} if with_password and password else {}
            return "ikev2-eap", {"id": profile.identity, "eap_id": user, **secret}
        case CertificateLogin(bundle=bundle, password=password, within_eap=within_eap):
            octets = pkcs12_file(bundle, profile.device, password, Container.OLD)
            return "ikev2-eap-tls" if within_eap else "ikev2-cert", {"id": profile.identity, "p12": _base64(octets)}
        case PskLogin():
            raise unsupported("a pre-shared key in the strongSwan app", "use Android's own client, or another login")


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
