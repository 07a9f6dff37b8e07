"""Profiles of devices: what is known of a device becomes what its platform reads."""

from __future__ import annotations

import hmac
import os
import socket
from collections.abc import Sequence
from datetime import datetime

from edgevpn.api.records import CardField
from edgevpn.config.credential import Psk
from edgevpn.config.device import Platform
from edgevpn.config.identity import Identity, IdentityKind
from edgevpn.config.model import Config, Device, Site
from edgevpn.config.pool import BY_CERTIFICATE, Login
from edgevpn.daemon.addresses.prefixes import is_half
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.keeping.configuration import Configuration, NotNow
from edgevpn.daemon.login.devices import nt_hash_of
from edgevpn.daemon.login.keyring import server_names
from edgevpn.daemon.login.passwords import nt_hash
from edgevpn.daemon.peers import ml_kem_of, split_networks
from edgevpn.frozen import dataclass
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import is_self_issued
from edgevpn.pki.container import Container, make_password, pkcs12_file
from edgevpn.pki.external import read_server
from edgevpn.pki.office import Office
from edgevpn.pki.profiles.apple import NO_DEMAND, AlwaysExcept, ForDomains, OnDemand
from edgevpn.pki.profiles.export import Target, card, export
from edgevpn.pki.profiles.profile import (
    Artifact,
    CertificateLogin,
    Media,
    PasswordLogin,
    Ppk,
    Profile,
    PskLogin,
    key_text,
)
from edgevpn.pki.profiles.profile import Gateway as Seen

TARGETS = {
    "mobileconfig": Target.APPLE,
    "powershell": Target.WINDOWS,
    "sswan": Target.STRONGSWAN_APP,
    "networkmanager": Target.NETWORK_MANAGER,
    "swanctl": Target.SWANCTL,
}
CARD = "card"
CARD_TARGETS = {
    Platform.ANDROID: Target.ANDROID_CARD,
    Platform.IOS: Target.IPHONE_CARD,
    Platform.MACOS: Target.MAC_CARD,
    Platform.WINDOWS: Target.WINDOWS_CARD,
    Platform.LINUX: Target.OTHER_CARD,
    Platform.OTHER: Target.OTHER_CARD,
}
P12 = "p12"
TYPED = ("powershell", "sswan", CARD, P12)
"""Forms whose certificate opens by a password that somebody has to type."""


@dataclass(frozen=True, slots=True)
class Demand:
    """When an Apple device turns the connection on by itself."""

    kind: str = "off"
    networks: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()

    def resolved(self) -> OnDemand:
        """As the profile has it. Raises WishRefused."""
        match self.kind:
            case "always":
                return AlwaysExcept(self.networks)
            case "domains":
                return ForDomains(self.domains)
            case _:
                return NO_DEMAND


class Exports:
    """Makes them. Raises NotNow, PkiError and OSError."""

    def __init__(self, gateway: Gateway, configuration: Configuration) -> None:
        self._gateway = gateway
        self._configuration = configuration

    async def make(self, device: Device, form: str, secret: str, demand: Demand) -> Sequence[Artifact]:
        """The files of a form, the main one first."""
        config, wanted = self._configuration.running, demand.resolved()
        target = CARD_TARGETS[device.platform] if form == CARD else TARGETS.get(form)
        if device.login in BY_CERTIFICATE:
            return await self._gateway.certificates.have(
                lambda office, at: _files(_enrolled(config, device, form, secret, office, at), target, wanted)
            )
        login = _login(device, secret)
        return await self._gateway.certificates.ask(
            lambda office, at: _files(_profile(config, device, login, _seen(config, office, at)), target, wanted)
        )

    async def card(self, device: Device, secret: str) -> list[CardField]:
        """What to type, in the order of its platform's form. No certificate is made for that."""
        config = self._configuration.running

        def made(office: Office, at: datetime) -> Profile:
            seen = _seen(config, office, at)
            if device.login not in BY_CERTIFICATE:
                return _profile(config, device, _login(device, secret), seen)
            nobodys = Bundle(office.authority.key, office.authority.certificate)  # the card's fields hold none
            return _profile(
                config, device, CertificateLogin(nobodys, "", within_eap=device.login is Login.EAP_TLS), seen
            )

        typed = card(await self._gateway.certificates.ask(made), CARD_TARGETS[device.platform])
        return [CardField(label=line.label, value=line.value) for line in typed.lines]


def gateway_name(config: Config) -> str:
    """What devices and people call this gateway."""
    return config.web.title or socket.gethostname()


def identity_text(identity: Identity) -> str:
    """Who somebody says it is, as one types it anywhere but in our own file."""
    if identity.kind in (IdentityKind.IPV4_ADDR, IdentityKind.IPV6_ADDR, IdentityKind.DER_ASN1_DN):
        return str(identity)
    return identity.data.decode("utf-8", "replace")


def _own_identity(device: Device) -> str:
    """Who a device says it is. Raises NotNow for what our CA gives to nobody."""
    if isinstance(device.id, Identity) and device.id.kind is not IdentityKind.DER_ASN1_DN:
        return identity_text(device.id)
    raise NotNow(
        f"the id of {device.name}, {device.id}, is in a certificate of another CA, from which the device has it:"
        " there is nothing to hand out"
    )


def psk_text(psk: Psk) -> str:
    """A pre-shared key as one types it."""
    return key_text(psk.octets)


def ppk_of(of: Device | Site) -> Ppk | None:
    """The post-quantum pre-shared key of a device or a site, as it is handed out."""
    return Ppk(of.ppk_id, of.ppk.octets, of.ppk_required) if of.ppk is not None and of.ppk_id else None


def _enrolled(config: Config, device: Device, form: str, secret: str, office: Office, at: datetime) -> Profile:
    """With a new certificate."""
    if form in TYPED and not secret:
        raise NotNow(
            f"the certificate of {device.name} comes in a file that opens by a password: reset the device, and give"
            " the password that this tells as secret"
        )
    seen = _seen(config, office, at)
    bundle = office.enrol_device(device.name, _own_identity(device), at, ends=device.expires)
    login = CertificateLogin(bundle, secret or make_password(os.urandom, 25), device.login is Login.EAP_TLS)
    return _profile(config, device, login, seen)


def _files(made: Profile, target: Target | None, demand: OnDemand) -> Sequence[Artifact]:
    """A profile for its target; the certificate and key alone where there is none."""
    if target is not None:
        return export(made, target, demand)
    if not isinstance(made.login, CertificateLogin):
        raise NotNow(f"{made.device} logs in without a certificate; there is nothing to put into such a file")
    octets = pkcs12_file(made.login.bundle, made.device, made.login.password, Container.OLD)
    return (Artifact(made.file_name("p12"), Media.PKCS12, octets, secret=True),)


def _login(device: Device, secret: str) -> PasswordLogin | PskLogin:
    """What the device knows. A password is kept as its hash: it is there only if it is given once more."""
    if device.login is Login.PSK:
        assert isinstance(device.credential, Psk)  # the rules of the configuration see to it
        return PskLogin(psk_text(device.credential))
    if secret and not hmac.compare_digest(bytes.fromhex(nt_hash(secret)), nt_hash_of(device) or b""):
        raise NotNow(f"this is not the password of {device.name}; give the right one, or have a new one made")
    return PasswordLogin(_own_identity(device), secret)


def _profile(config: Config, device: Device, login: PasswordLogin | PskLogin | CertificateLogin, seen: Seen) -> Profile:
    """Raises PkiError for what no platform takes."""
    pool = next(pool for pool in config.pools if pool.name == device.pool)
    return Profile(
        device=device.name,
        identity=_own_identity(device),
        gateway=seen,
        login=login,
        networks=tuple(each for each in split_networks(device, pool) if not is_half(each.network_address)),
        dns=tuple(each for each in device.dns if not is_half(each)),  # what begins as the provider likes is told later
        domains=pool.domains,
        ends=device.expires,
        ppk=ppk_of(device),
        ml_kem=ml_kem_of(pool),
    )


def _seen(config: Config, office: Office, at: datetime) -> Seen:
    """The gateway as devices see it: by the first public name, and by whoever vouches for it.

    A root that is not in the file of a certificate from elsewhere is a public one, which devices have.
    """
    names, pki = server_names(config.pki), config.pki
    if names is None:
        raise NotNow("set pki.public_name first: the name or address that devices dial")
    address = str(pki.public_name[0])
    if pki.certificate is None or pki.certificate_key is None:
        return Seen(gateway_name(config), address, address, office.authority.root, office.authority.certificate)
    chain = read_server(pki.certificate.read_bytes(), pki.certificate_key.read_bytes(), names, at).bundle.chain
    root = chain[-1] if chain and is_self_issued(chain[-1]) else None
    return Seen(gateway_name(config), address, address, root, chain[0] if chain else None)
