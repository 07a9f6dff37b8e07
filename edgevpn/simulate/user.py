"""What somebody types into a client, and the peer that the client then calls."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import field
from ipaddress import ip_address, ip_network

from cryptography import x509

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.crypto.signature import kind_of
from edgevpn.ike.iana import IdType
from edgevpn.ike.peer import (
    Certified,
    ChildPolicy,
    Credential,
    LocalAuth,
    Mode,
    Password,
    Peer,
    Psk,
    RemoteAuth,
    Signing,
    Wants,
)
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.selector import TrafficSelector
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.keys import is_public, spki
from edgevpn.simulate.clients import IdForm, SimulatedClient, Way

GATEWAY, CHILD, KEY = "gateway", "everything", "device"
EVERYTHING = tuple(TrafficSelector.from_network(ip_network(each)) for each in ("0.0.0.0/0", "::/0"))


class Unable(Exception):  # noqa: N818 - named for what the user sees
    """The trial does not come to its end. The text is one sentence for the user: why, and the cure if it is known."""


@dataclass(frozen=True, slots=True)
class ByPassword:
    """A user name and its password."""

    user: str
    password: str = field(repr=False)

    way = Way.PASSWORD


@dataclass(frozen=True, slots=True)
class ByPsk:
    """A pre-shared key."""

    key: bytes = field(repr=False)

    way = Way.PSK


@dataclass(frozen=True, slots=True)
class ByCertificate:
    """A certificate and its key."""

    bundle: Bundle = field(repr=False)

    way = Way.CERTIFICATE


Secret = ByPassword | ByPsk | ByCertificate


@dataclass(frozen=True, slots=True)
class Typed:
    """All that is typed or installed: the server's name, an identifier, the secret, and the CAs that are trusted.

    `by_hand`: nobody has run our script, or installed our profile. `eap_only`: the gateway need not sign (RFC 5998).
    """

    server: str
    secret: Secret
    identifier: str = ""
    anchors: tuple[x509.Certificate, ...] = ()
    by_hand: bool = False
    eap_only: bool = False


def peer_of(client: SimulatedClient, typed: Typed) -> Peer:
    """The gateway as the client calls it. Raises Unable for what the client does not have."""
    if typed.secret.way not in client.ways:
        ways = " or ".join(way.value for way in client.ways)
        raise Unable(f"{client.words} has no login by {typed.secret.way.value}: take {ways}")
    setup = client.setup(typed.by_hand)
    local_auth, remote_auth = _auths(client, typed)
    return Peer(
        name=GATEWAY,
        local_id=_local_id(client, typed),
        remote_id=identification(typed.server) if client.names_server else None,
        local_auth=local_auth,
        remote_auth=remote_auth,
        offers=setup.ike,
        children=(ChildPolicy(CHILD, EVERYTHING, EVERYTHING, setup.esp, Mode.TUNNEL),),
        mobike=client.mobike,
        redirects=client.redirects,
        wants=Wants(ipv4=True, ipv6=True),
        manners=client.manners,
    )


def identification(text: str) -> Identification:
    """An identity by its shape, as the forms of phones read it: "@#HEX", "@@MAIL", "@NAME", an address, "KEY:ID"."""
    with suppress(ValueError):
        address = ip_address(text)
        return Identification(IdType.IPV4_ADDR if address.version == 4 else IdType.IPV6_ADDR, address.packed)
    if text.startswith("@#"):
        with suppress(ValueError):
            return Identification(IdType.KEY_ID, bytes.fromhex(text[2:]))
        raise Unable(f'the identifier "{text}" is not in hexadecimal after "@#"')
    if text.startswith("@@"):
        return Identification(IdType.RFC822_ADDR, text[2:].encode())
    if text.startswith("@"):
        return Identification(IdType.FQDN, text[1:].encode())
    if ":" in text:
        return Identification(IdType.KEY_ID, text.encode())
    return Identification(IdType.RFC822_ADDR if "@" in text else IdType.FQDN, text.encode())


def _local_id(client: SimulatedClient, typed: Typed) -> Identification | None:
    """What IDi says; None for the client's own address."""
    match dict(client.ids)[typed.secret.way], typed.secret:
        case IdForm.SUBJECT, ByCertificate(bundle):
            return Identification(IdType.DER_ASN1_DN, bundle.certificate.subject.public_bytes())
        case IdForm.TYPED, _ if typed.identifier:
            return identification(typed.identifier)
        case IdForm.TYPED, ByPassword(user=user):
            return identification(user)
        case IdForm.TYPED, _:
            raise Unable(f"{client.words} needs an identifier: give --id")
        case _:
            return None


def _auths(client: SimulatedClient, typed: Typed) -> tuple[LocalAuth, RemoteAuth]:
    certified = Certified(_authorities(typed) if client.asks_certificate else ())
    match typed.secret:
        case ByPsk(key):
            return Psk(key), Psk(key)
        case ByPassword(user, password):
            identity = "" if client.empty_eap_identity else None
            return Password(user, nt_password_hash(password), typed.eap_only, identity), certified
        case ByCertificate(bundle):
            kind = kind_of(bundle.key)
            if kind is None:
                raise Unable("the key of the certificate is of a kind that IKE does not use")
            return Signing((Credential(KEY, kind, bundle.sent),)), certified


def _authorities(typed: Typed) -> tuple[bytes, ...]:
    """The CAs as CERTREQ names them (RFC 7296 §3.7)."""
    keys = (anchor.public_key() for anchor in typed.anchors)
    return tuple(hashlib.sha1(spki(key), usedforsecurity=False).digest() for key in keys if is_public(key))
