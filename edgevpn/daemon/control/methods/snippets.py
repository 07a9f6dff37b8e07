"""What the other end of a site has to be told: our settings as they look from there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address

from edgevpn.config.credential import Psk
from edgevpn.config.identity import Identity
from edgevpn.config.model import Auth, Config, Site
from edgevpn.daemon.control.methods.exports import gateway_name, identity_text, ppk_of, psk_text
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.keeping.configuration import Configuration, NotNow
from edgevpn.daemon.transport import source_for
from edgevpn.pki.authority import ServerNames
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.container import make_password
from edgevpn.pki.office import Office
from edgevpn.pki.profiles.export import PeerTarget, export_site
from edgevpn.pki.profiles.profile import Artifact, CertificateLogin, Media, PskLogin
from edgevpn.pki.profiles.site import ANYWHERE, End, SitePeer

TARGETS = {
    "edgevpn": PeerTarget.EDGEVPN,
    "strongswan": PeerTarget.STRONGSWAN,
    "routeros": PeerTarget.ROUTEROS,
    "card": PeerTarget.OTHER,
}


class Snippets:
    """Makes them. Raises NotNow and PkiError."""

    def __init__(self, gateway: Gateway, configuration: Configuration) -> None:
        self._gateway = gateway
        self._configuration = configuration

    async def make(self, site: Site, form: str) -> Sequence[Artifact]:
        """The files for the other end, the main one first. With certificates it gets one of our CA."""
        config = self._configuration.running
        here, there = _their_end(site), self._our_end(config, site)
        match site.auth, site.credential:
            case Auth.PSK, Psk() as psk:
                return export_site(SitePeer(here, there, PskLogin(psk_text(psk)), ppk=ppk_of(site)), TARGETS[form])
            case Auth.CERTIFICATE, _:
                return await self._gateway.certificates.have(
                    lambda office, at: _with_certificate(site, here, there, TARGETS[form], office, at)
                )
        raise NotNow(
            f"site {site.name} logs in at the peer as a user does; it is the peer that hands out what is needed"
        )

    def _our_end(self, config: Config, site: Site) -> End:
        names = config.pki.public_name
        address = str(names[0] if names else site.local or ANYWHERE)
        identity = site.local_id or config.gateway.id
        who = identity_text(identity) if identity else self._address_of(site)
        networks = [network for child in site.children for network in child.local_networks]
        return End(gateway_name(config), address, who, tuple(dict.fromkeys(networks)))

    def _address_of(self, site: Site) -> str:
        """Who we are where nothing says so: the address that the tunnel comes from."""
        address = site.local or next(
            (found for each in site.remote if not isinstance(each, str) and (found := source_for(each))),
            None,
        )
        if address is None:
            raise NotNow(
                f"site {site.name} has no local_id, and its address is not known yet; say who we are:"
                f" edgevpn site set {site.name} local_id=NAME"
            )
        return str(address)


def _their_end(site: Site) -> End:
    address = str(site.remote[0]) if site.remote else ANYWHERE
    if not isinstance(site.remote_id, Identity):
        taken = site.remote_id or "any identity"
        raise NotNow(
            f"site {site.name} takes {taken}; say what the peer is to call itself:"
            f" edgevpn site set {site.name} remote_id=NAME"
        )
    networks = [network for child in site.children for network in child.remote_networks]
    return End(site.name, address, identity_text(site.remote_id), tuple(dict.fromkeys(networks)))


def _with_certificate(
    site: Site, here: End, there: End, target: PeerTarget, office: Office, at: datetime
) -> Sequence[Artifact]:
    """The certificate is for who the peer says it is; RouterOS opens its file by a password, which goes with it."""
    try:
        names = ServerNames(addresses=(ip_address(here.identity),))
    except ValueError:
        names = ServerNames(hosts=(here.identity,))
    password = make_password(os.urandom, 25)
    bundle = office.enrol_site(here.name, names, at)
    login, root = CertificateLogin(bundle, password), pem_of(office.authority.root)
    files = export_site(SitePeer(here, there, login, root, ppk_of(site)), target)
    if target is not PeerTarget.ROUTEROS:
        return files
    return (*files, Artifact("password.txt", Media.TEXT, f"{password}\n".encode(), secret=True))
