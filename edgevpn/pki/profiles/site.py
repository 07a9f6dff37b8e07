"""What the administrator of the other end of a site needs: our settings seen from there, for four kinds of gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import field
from ipaddress import ip_address

from edgevpn.frozen import dataclass, replace
from edgevpn.pki import wishes
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.container import Container, pkcs12_file
from edgevpn.pki.errors import Reason, WishRefused
from edgevpn.pki.keys import pkcs8
from edgevpn.pki.profiles.linux import (
    CA_FOLDER,
    CERTIFICATE_FOLDER,
    CONF_FOLDER,
    ESP_PROPOSALS,
    IKE_PROPOSALS,
    KEY_FOLDER,
    ppk_lines,
    ppk_secret,
    swanctl_value,
    unpacking,
)
from edgevpn.pki.profiles.profile import (
    Artifact,
    CertificateLogin,
    Media,
    Network,
    Ppk,
    PskLogin,
    host_or_address,
    slug,
    unsupported,
)

EDGEVPN_FOLDER = "/etc/edgevpn"
ANYWHERE = ""
"""The address of an end that calls and is never called."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a tunnel: where it is, who it is, and what is behind it."""

    name: str
    address: str
    identity: str
    networks: tuple[Network, ...]

    def __post_init__(self) -> None:
        wishes.name(self.name, "name of the site")
        if self.address != ANYWHERE:
            host_or_address(self.address, "address of the site")
        wishes.line(self.identity, "identity of the site")
        if not self.networks:
            raise WishRefused(Reason.MISSING, "networks of the site", cure="name one at least")


@dataclass(frozen=True, slots=True)
class SitePeer:
    """A tunnel as the peer has to set it up: `here` is its end, `there` is ours. `ca` vouches for ours, in PEM."""

    here: End
    there: End
    login: PskLogin | CertificateLogin = field(repr=False)
    ca: bytes = field(default=b"", repr=False)
    ppk: Ppk | None = field(default=None, repr=False)

    @property
    def slug(self) -> str:
        """A name for the tunnel that every configuration takes."""
        return slug(self.there.name)

    @property
    def psk(self) -> str:
        """The pre-shared key, or ""."""
        return self.login.psk if isinstance(self.login, PskLogin) else ""


def edgevpn_toml(peer: SitePeer) -> tuple[Artifact, ...]:
    """A table for another edgevpn's configuration file."""
    name = peer.slug
    beside = [f"# What comes with this file belongs into {EDGEVPN_FOLDER}, readable for root alone (mode 0600)."]
    lines = [
        *(beside if isinstance(peer.login, CertificateLogin) else []),
        f"[site.{name}]",
        f"remote = {_toml(peer.there.address or 'any')}",
        f"local_id = {_toml(peer.here.identity)}",
        f"remote_id = {_toml(peer.there.identity)}",
    ]
    if isinstance(peer.login, PskLogin):
        lines.append(f"psk = {_toml(peer.psk)}")
    else:
        lines += [
            'auth = "certificate"',
            f"cert = {_toml(f'{EDGEVPN_FOLDER}/{name}-cert.pem')}",
            f"key = {_toml(f'{EDGEVPN_FOLDER}/{name}-key.pem')}",
            f"ca = {_toml(f'{EDGEVPN_FOLDER}/{name}-ca.pem')}",
        ]
    if (ppk := peer.ppk) is not None:
        lines += [f"ppk = {_toml(ppk.text)}", f"ppk_id = {_toml(ppk.name)}"]
        lines += [] if ppk.required else ["ppk_required = false"]
    lines += [
        "",
        f"[site.{name}.child.lan]",
        f"local_networks = [{', '.join(_toml(str(each)) for each in peer.here.networks)}]",
        f"remote_networks = [{', '.join(_toml(str(each)) for each in peer.there.networks)}]",
    ]
    return (_text(f"{name}.toml", lines), *_pem_files(peer))


def strongswan(peer: SitePeer) -> tuple[Artifact, ...]:
    """A file for /etc/swanctl/conf.d; with certificates those that it names too, to be unpacked at /etc/swanctl."""
    name = peer.slug
    certificate = isinstance(peer.login, CertificateLogin)
    auth = "pubkey" if certificate else "psk"
    lines = [
        *([unpacking(f"{name}.zip")] if certificate else []),
        "connections {",
        f"  {name} {{",
        "    version = 2",
        f"    remote_addrs = {swanctl_value(peer.there.address or '%any')}",
        f"    proposals = {IKE_PROPOSALS}",
        "    keyingtries = 0",
        "    dpd_delay = 30s",
        *ppk_lines(peer.ppk),
        "    local {",
        f"      auth = {auth}",
        *([f"      certs = {name}-cert.pem"] if certificate else []),
        f"      id = {swanctl_value(peer.here.identity)}",
        "    }",
        "    remote {",
        f"      auth = {auth}",
        *([f"      cacerts = {name}-ca.pem"] if certificate else []),
        f"      id = {swanctl_value(peer.there.identity)}",
        "    }",
        "    children {",
        f"      {name} {{",
        f"        local_ts = {', '.join(map(str, peer.here.networks))}",
        f"        remote_ts = {', '.join(map(str, peer.there.networks))}",
        f"        esp_proposals = {ESP_PROPOSALS}",
        f"        start_action = {'start' if peer.there.address else 'none'}",
        "        dpd_action = restart",
        f"        close_action = {'start' if peer.there.address else 'none'}",
        "      }",
        "    }",
        "  }",
        "}",
    ]
    inside = list(ppk_secret(peer.ppk, name))
    if not certificate:
        owners = (("here", peer.here.identity), ("there", peer.there.identity))
        inside += [f"  ike-{name} {{", *(f"    id-{end} = {swanctl_value(identity)}" for end, identity in owners)]
        inside += [f"    secret = {swanctl_value(peer.psk)}", "  }"]
    if inside:
        lines += ["secrets {", *inside, "}"]
    if not certificate:
        return (_text(f"{name}.conf", lines),)
    conf = replace(_text(f"{name}.conf", lines), folder=CONF_FOLDER)
    return (conf, *_pem_files(peer, CERTIFICATE_FOLDER, KEY_FOLDER, CA_FOLDER))


def routeros(peer: SitePeer) -> tuple[Artifact, ...]:
    """Commands for RouterOS 7; with a certificate also the file that they import."""
    name = peer.slug
    if peer.there.address == ANYWHERE:
        raise unsupported("a RouterOS peer of a gateway without an address", "give our end a name or an address")
    if peer.ppk is not None and peer.ppk.required:
        raise unsupported("a RouterOS peer with a post-quantum pre-shared key", "set ppk_required = false for the site")
    lines = [
        f"/ip ipsec profile add name={name} enc-algorithm=aes-256 hash-algorithm=sha256 prf-algorithm=sha256"
        " dh-group=ecp256,modp2048 dpd-interval=30s",
        f"/ip ipsec proposal add name={name} auth-algorithms=sha256 enc-algorithms=aes-256-gcm,aes-256-cbc"
        " pfs-group=ecp256",
        f"/ip ipsec peer add name={name} address={_routeros(peer.there.address)} exchange-mode=ike2 profile={name}",
    ]
    ids = f"my-id={_routeros_id(peer.here.identity)} remote-id={_routeros_id(peer.there.identity)}"
    if isinstance(peer.login, PskLogin):
        lines.append(
            f"/ip ipsec identity add peer={name} auth-method=pre-shared-key secret={_routeros(peer.psk)} {ids}"
        )
    else:
        lines += [
            "# Write the password of the .p12 between the quotes. It is imported twice: certificates, then the key.",
            ':local password ""',
            *[f"/certificate import file-name={name}.p12 name={name} passphrase=$password"] * 2,
            f"/ip ipsec identity add peer={name} auth-method=digital-signature certificate={name} {ids}",
        ]
    for ours in peer.here.networks:
        for theirs in (each for each in peer.there.networks if each.version == ours.version):
            lines.append(
                f"/ip ipsec policy add peer={name} proposal={name} tunnel=yes"
                f" src-address={ours} dst-address={theirs} level=unique"
            )
    lines.append(
        "# Masquerading has to leave this traffic alone: its rule needs ipsec-policy=out,none, as it has by default."
    )
    files = [_text(f"{name}.rsc", lines)]
    if isinstance(peer.login, CertificateLogin):
        octets = pkcs12_file(peer.login.bundle, peer.here.name, peer.login.password, Container.OLD)
        files.append(Artifact(f"{name}.p12", Media.PKCS12, octets, secret=True))
    return tuple(files)


def card(peer: SitePeer) -> tuple[Artifact, ...]:
    """Plain words, for gateways of all other kinds."""
    rows = [
        ("Version", "IKEv2"),
        ("Peer address", peer.there.address or "any: it calls you"),
        ("Peer identity", peer.there.identity),
        ("Your identity", peer.here.identity),
        ("Authentication", "pre-shared key" if peer.psk else "certificates"),
        *([("Pre-shared key", peer.psk)] if peer.psk else []),
        *([("PPK identity", peer.ppk.name), ("PPK (RFC 8784)", peer.ppk.text)] if peer.ppk else []),
        ("Peer networks", ", ".join(map(str, peer.there.networks))),
        ("Your networks", ", ".join(map(str, peer.here.networks))),
        ("IKE", "AES-256-GCM, PRF SHA-384 or SHA-256, group 31, 20 or 19; or AES-256-CBC, SHA-256, group 14"),
        ("ESP", "AES-256-GCM, or AES-256-CBC with SHA-256; PFS with the same groups"),
        ("Lifetimes", "IKE 4 hours, ESP 1 hour; each end has its own"),
        ("NAT traversal", "UDP 500 and 4500"),
        ("DPD", "30 seconds"),
    ]
    lines = [f"{label + ':':<16}{value}" for label, value in rows]
    title = f"{peer.here.name}: tunnel to {peer.there.name}"
    return (_text(f"{peer.slug}.txt", [title, "", *lines]), *_pem_files(peer))


def _toml(text: str) -> str:
    """A basic string of TOML, which JSON's strings are but for DEL; printable text has none."""
    if not text.isprintable():
        raise WishRefused(Reason.NOT_ALLOWED, "a value of the file", detail="allowed: printable characters")
    return json.dumps(text, ensure_ascii=False)


def _routeros(text: str) -> str:
    """A value in double quotes, in which RouterOS expands variables unless the dollar is escaped."""
    if not text.isprintable():
        raise WishRefused(Reason.NOT_ALLOWED, "a value of the script", detail="allowed: printable characters")
    escaped = "".join(f"\\{character}" if character in '\\"$' else character for character in text)
    return f'"{escaped}"'


def _routeros_id(identity: str) -> str:
    """An identity with its type, as RouterOS writes it."""
    try:
        return _routeros(f"address:{ip_address(identity)}")
    except ValueError:
        return _routeros(f"user-fqdn:{identity}" if "@" in identity else f"fqdn:{identity}")


def _pem_files(peer: SitePeer, certificates: str = "", keys: str = "", authorities: str = "") -> Iterator[Artifact]:
    """What the main file names, in these folders."""
    if isinstance(peer.login, CertificateLogin):
        bundle, name = peer.login.bundle, peer.slug
        chain = b"".join(map(pem_of, (bundle.certificate, *bundle.chain)))
        yield Artifact(f"{name}-cert.pem", Media.TEXT, chain, folder=certificates)
        yield Artifact(f"{name}-key.pem", Media.TEXT, pkcs8(bundle.key), secret=True, folder=keys)
        if peer.ca:
            yield Artifact(f"{name}-ca.pem", Media.TEXT, peer.ca, folder=authorities)


def _text(name: str, lines: list[str]) -> Artifact:
    return Artifact(name, Media.TEXT, ("\n".join(lines) + "\n").encode(), secret=True)
