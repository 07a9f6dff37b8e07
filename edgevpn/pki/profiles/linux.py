"""Snippets for Linux: a connection of NetworkManager's strongSwan plug-in, and swanctl.conf for a device.

Both name other files: the CA, and for a certificate the device's certificate and key in PEM. Each is in the
folder where it is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgevpn.pki.certificate import pem_of
from edgevpn.pki.errors import Reason, WishRefused
from edgevpn.pki.keys import pkcs8
from edgevpn.pki.profiles.profile import Artifact, CertificateLogin, Media, PasswordLogin, Ppk, Profile, PskLogin, slug

IKE_PROPOSALS = "aes256gcm16-prfsha384-x25519-ecp384-ecp256,aes256-sha256-x25519-ecp256-modp2048"
ESP_PROPOSALS = "aes256gcm16-x25519-ecp384-ecp256,aes256-sha256-x25519-ecp256-modp2048"

SHORTEST_PSK = 20
"""Characters that the plug-in asks for."""

NM_CONNECTIONS, NM_CERTIFICATES = "etc/NetworkManager/system-connections", "etc/NetworkManager/certs"
"""Where NetworkManager looks, and where it is told to look, below /."""

CONF_FOLDER, CERTIFICATE_FOLDER, CA_FOLDER, KEY_FOLDER = "conf.d", "x509", "x509ca", "private"
"""Where swanctl looks, below /etc/swanctl."""


def network_manager(profile: Profile) -> tuple[Artifact, ...]:
    """A keyfile, and the files that it names; to be unpacked at the root."""
    lines = [
        f"# As root: unzip -o {profile.file_name('zip')} -d / && nmcli connection reload",
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
    name = profile.file_name("nmconnection")
    keyfile = Artifact(name, Media.TEXT, _joined(lines), secret=secret, folder=NM_CONNECTIONS)
    return (keyfile, *_pem_files(profile, NM_CERTIFICATES, NM_CERTIFICATES, NM_CERTIFICATES))


def swanctl(profile: Profile) -> tuple[Artifact, ...]:
    """A file of connections, and those that it names; to be unpacked at /etc/swanctl."""
    name = slug(profile.gateway.name)
    lines = [
        f"# {profile.device}: a way to {profile.gateway.name}",
        unpacking(profile.file_name("zip")),
        "connections {",
        f"  {name} {{",
        "    version = 2",
        f"    remote_addrs = {swanctl_value(profile.gateway.address)}",
        "    vips = 0.0.0.0, ::",
        f"    proposals = {IKE_PROPOSALS}",
        *ppk_lines(profile.ppk),
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
    secret = isinstance(profile.login, PskLogin) or _password(profile) != "" or profile.ppk is not None
    conf = Artifact(profile.file_name("conf"), Media.TEXT, _joined(lines), secret=secret, folder=CONF_FOLDER)
    return (conf, *_pem_files(profile, CA_FOLDER, CERTIFICATE_FOLDER, KEY_FOLDER))


def unpacking(archive: str) -> str:
    """What is to be done with an archive for swanctl, as a comment."""
    return f"# As root: unzip -o {archive} -d /etc/swanctl && swanctl --load-all"


def swanctl_value(text: str) -> str:
    """A value in double quotes, as swanctl.conf reads it."""
    if not text.isprintable():
        raise WishRefused(Reason.NOT_ALLOWED, "a value of swanctl.conf", detail="allowed: printable characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def ppk_lines(ppk: Ppk | None) -> Iterator[str]:
    """What a connection says of a post-quantum pre-shared key."""
    if ppk is not None:
        yield f"    ppk_id = {swanctl_value(ppk.name)}"
        yield f"    ppk_required = {'yes' if ppk.required else 'no'}"


def ppk_secret(ppk: Ppk | None, name: str) -> Iterator[str]:
    """What holds it, in the section of secrets."""
    if ppk is not None:
        yield from _secret("ppk", name, ppk.name, ppk.text)


def _keyfile(text: str) -> str:
    """A value as GLib's key files have it."""
    escaped = text.replace("\\", "\\\\")
    return f"\\s{escaped[1:]}" if escaped.startswith(" ") else escaped


def _nm_login(profile: Profile) -> Iterator[str]:
    if profile.gateway.ca is not None and not isinstance(profile.login, PskLogin):
        yield f"certificate=/{NM_CERTIFICATES}/{profile.file_name('ca.pem')}"
    match profile.login:
        case PasswordLogin(user=user, password=password):
            yield "method=eap"
            yield f"user={_keyfile(user)}"
            yield f"password-flags={0 if password else 1}"
            if password:
                yield ""
                yield "[vpn-secrets]"
                yield f"password={_keyfile(password)}"
        case CertificateLogin(within_eap=within_eap):
            yield f"method={'eap-tls' if within_eap else 'cert'}"
            yield "cert-source=file"
            yield f"usercert=/{NM_CERTIFICATES}/{profile.file_name('cert.pem')}"
            yield f"userkey=/{NM_CERTIFICATES}/{profile.file_name('key.pem')}"
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
        case CertificateLogin(within_eap=within_eap):
            yield f"      auth = {'eap-tls' if within_eap else 'pubkey'}"
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
    """A password that is not known here is left open, for its user to write in."""
    name, inside = slug(profile.gateway.name), list(ppk_secret(profile.ppk, slug(profile.gateway.name)))
    match profile.login:
        case PasswordLogin(user=user, password=password) if password:
            inside += _secret("eap", name, user, password)
        case PasswordLogin(user=user):
            yield "# The password is not known here: write it in, and take away the signs of a comment."
            yield from (f"# {line}" for line in ("secrets {", *_secret("eap", name, user, ""), "}"))
        case PskLogin(psk=psk):
            inside += _secret("ike", name, profile.identity, psk)
    if inside:
        yield from ("secrets {", *inside, "}")


def _secret(kind: str, name: str, owner: str, secret: str) -> Iterator[str]:
    yield f"  {kind}-{name} {{"
    yield f"    id = {swanctl_value(owner)}"
    yield f"    secret = {swanctl_value(secret)}"
    yield "  }"


def _password(profile: Profile) -> str:
    return profile.login.password if isinstance(profile.login, PasswordLogin) else ""


def _pem_files(profile: Profile, authorities: str, certificates: str, keys: str) -> Iterator[Artifact]:
    """What the main file names, in these folders."""
    if profile.gateway.ca is not None and not isinstance(profile.login, PskLogin):
        yield Artifact(profile.file_name("ca.pem"), Media.TEXT, pem_of(profile.gateway.ca), folder=authorities)
    if isinstance(profile.login, CertificateLogin):
        bundle = profile.login.bundle
        yield Artifact(profile.file_name("cert.pem"), Media.TEXT, pem_of(bundle.certificate), folder=certificates)
        yield Artifact(profile.file_name("key.pem"), Media.TEXT, pkcs8(bundle.key), secret=True, folder=keys)


def _joined(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
