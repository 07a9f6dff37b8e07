"""Snippets for Linux: a connection of NetworkManager's strongSwan plug-in, and swanctl.conf for a device.

Both name files beside them: the CA, and for a certificate the device's certificate and key in PEM.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from edgevpn.pki.certificate import pem_of
from edgevpn.pki.errors import Reason, WishRefused
from edgevpn.pki.keys import pkcs8
from edgevpn.pki.profiles.profile import Artifact, CertificateLogin, Media, PasswordLogin, Profile, PskLogin, slug

IKE_PROPOSALS = "aes256gcm16-prfsha384-x25519-ecp384-ecp256,aes256-sha256-x25519-ecp256-modp2048"
ESP_PROPOSALS = "aes256gcm16-x25519-ecp384-ecp256,aes256-sha256-x25519-ecp256-modp2048"

SHORTEST_PSK = 20
"""Characters that the plug-in asks for."""

NM_FOLDER = PurePosixPath("/etc/NetworkManager/certs")


def network_manager(profile: Profile) -> tuple[Artifact, ...]:
    """A keyfile for /etc/NetworkManager/system-connections (mode 0600), and the files for `NM_FOLDER` that it names."""
    lines = [
        "[connection]",
        f"id={_keyfile(profile.connection)}",
        f"uuid={profile.uuid('networkmanager').lower()}",
        "type=vpn",
        "autoconnect=false",
        "",
        "[vpn]",
        "service-type=org.freedesktop.NetworkManager.strongswan",
        f"address={_keyfile(profile.gateway.address)}",
        f"remote-identity={_keyfile(profile.gateway.identity)}",
        f"local-identity={_keyfile(profile.identity)}",
        "virtual=yes",
        "proposal=yes",
        f"ike={IKE_PROPOSALS.replace(',', ';')}",
        f"esp={ESP_PROPOSALS.replace(',', ';')}",
        *_nm_login(profile),
        "",
        *_nm_addresses(profile),
    ]
    secret = isinstance(profile.login, PskLogin) or _password(profile) != ""
    keyfile = Artifact(profile.file_name("nmconnection"), Media.TEXT, _joined(lines), secret=secret)
    return (keyfile, *_pem_files(profile))


def swanctl(profile: Profile) -> tuple[Artifact, ...]:
    """A file for /etc/swanctl/conf.d (mode 0600), and those for x509ca, x509 and private beside it."""
    name = slug(profile.gateway.name)
    lines = [
        f"# {profile.device}: a way to {profile.gateway.name}. Load it with: swanctl --load-all",
        "connections {",
        f"  {name} {{",
        "    version = 2",
        f"    remote_addrs = {swanctl_value(profile.gateway.address)}",
        "    vips = 0.0.0.0, ::",
        f"    proposals = {IKE_PROPOSALS}",
        *_swanctl_ends(profile),
        "    children {",
        f"      {name} {{",
        f"        remote_ts = {', '.join(map(str, profile.networks)) or '0.0.0.0/0, ::/0'}",
        f"        esp_proposals = {ESP_PROPOSALS}",
        "        start_action = start",
        "        dpd_action = restart",
        "        close_action = start",
        "      }",
        "    }",
        "  }",
        "}",
        *_swanctl_secrets(profile),
    ]
    secret = isinstance(profile.login, PskLogin) or _password(profile) != ""
    conf = Artifact(profile.file_name("conf"), Media.TEXT, _joined(lines), secret=secret)
    return (conf, *_pem_files(profile))


def swanctl_value(text: str) -> str:
    """A value in double quotes, as swanctl.conf reads it."""
    if not text.isprintable():
        raise WishRefused(Reason.NOT_ALLOWED, "a value of swanctl.conf", detail="allowed: printable characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _keyfile(text: str) -> str:
    """A value as GLib's key files have it."""
    escaped = text.replace("\\", "\\\\")
    return f"\\s{escaped[1:]}" if escaped.startswith(" ") else escaped


def _nm_login(profile: Profile) -> Iterator[str]:
    if profile.gateway.ca is not None and not isinstance(profile.login, PskLogin):
        yield f"certificate={NM_FOLDER / profile.file_name('ca.pem')}"
    match profile.login:
        case PasswordLogin(user=user, password=password):
            yield "method=eap"
            yield f"user={_keyfile(user)}"
            yield f"password-flags={0 if password else 1}"
            if password:
                yield ""
                yield "[vpn-secrets]"
                yield f"password={_keyfile(password)}"
        case CertificateLogin():
            yield "method=cert"
            yield "cert-source=file"
            yield f"usercert={NM_FOLDER / profile.file_name('cert.pem')}"
            yield f"userkey={NM_FOLDER / profile.file_name('key.pem')}"
        case PskLogin(psk=psk):
            if len(psk) < SHORTEST_PSK:
                raise WishRefused(
                    Reason.NOT_ALLOWED, "the pre-shared key", detail=f"allowed: {SHORTEST_PSK} characters or more"
                )
            yield "method=psk"
            yield f"user={_keyfile(profile.identity)}"
            yield "password-flags=0"
            yield ""
            yield "[vpn-secrets]"
            yield f"password={_keyfile(psk)}"


def _nm_addresses(profile: Profile) -> Iterator[str]:
    """Routes for the networks alone, where not everything goes through the tunnel; resolvers of each family."""
    for version in (4, 6):
        routes = [network for network in profile.networks if network.version == version]
        resolvers = [str(address) for address in profile.dns if address.version == version]
        yield f"[ipv{version}]"
        yield "method=auto"
        if profile.networks:
            yield "never-default=true"
        yield from (f"route{number}={network}" for number, network in enumerate(routes, 1))
        if resolvers:
            yield f"dns={';'.join(resolvers)};"
        if profile.domains:
            yield f"dns-search={';'.join(profile.domains)};"
        yield ""


def _swanctl_ends(profile: Profile) -> Iterator[str]:
    yield "    local {"
    match profile.login:
        case PasswordLogin(user=user):
            yield "      auth = eap-mschapv2"
            yield f"      eap_id = {swanctl_value(user)}"
        case CertificateLogin():
            yield "      auth = pubkey"
            yield f"      certs = {profile.file_name('cert.pem')}"
        case PskLogin():
            yield "      auth = psk"
    yield f"      id = {swanctl_value(profile.identity)}"
    yield "    }"
    yield "    remote {"
    yield f"      auth = {'psk' if isinstance(profile.login, PskLogin) else 'pubkey'}"
    yield f"      id = {swanctl_value(profile.gateway.identity)}"
    if profile.gateway.ca is not None and not isinstance(profile.login, PskLogin):
        yield f"      cacerts = {profile.file_name('ca.pem')}"
    yield "    }"


def _swanctl_secrets(profile: Profile) -> Iterator[str]:
    match profile.login:
        case PasswordLogin(user=user, password=password) if password:
            kind, owner, secret = "eap", user, password
        case PskLogin(psk=psk):
            kind, owner, secret = "ike", profile.identity, psk
        case _:
            return
    yield "secrets {"
    yield f"  {kind}-{slug(profile.gateway.name)} {{"
    yield f"    id = {swanctl_value(owner)}"
    yield f"    secret = {swanctl_value(secret)}"
    yield "  }"
    yield "}"


def _password(profile: Profile) -> str:
    return profile.login.password if isinstance(profile.login, PasswordLogin) else ""


def _pem_files(profile: Profile) -> Iterator[Artifact]:
    if profile.gateway.ca is not None and not isinstance(profile.login, PskLogin):
        yield Artifact(profile.file_name("ca.pem"), Media.TEXT, pem_of(profile.gateway.ca))
    if isinstance(profile.login, CertificateLogin):
        bundle = profile.login.bundle
        yield Artifact(profile.file_name("cert.pem"), Media.TEXT, pem_of(bundle.certificate))
        yield Artifact(profile.file_name("key.pem"), Media.TEXT, pkcs8(bundle.key), secret=True)


def _joined(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
