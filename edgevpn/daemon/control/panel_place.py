"""Where the panel is served, and the certificate that it shows: that of a CA of its own, which no device trusts.

Who installs this CA in a browser lets it vouch for the panel, and who connects a phone trusts another one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from edgevpn.config.model import Web
from edgevpn.config.values import Address
from edgevpn.daemon.dataplane.wall import is_private
from edgevpn.frozen import dataclass
from edgevpn.kernel.contract import Kernel
from edgevpn.pki import wishes
from edgevpn.pki.authority import ServerNames
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.errors import WishRefused
from edgevpn.pki.keys import KeyKind, pkcs8
from edgevpn.pki.office import Office
from edgevpn.pki.store import Store

LOOPBACK = ip_address("127.0.0.1")
KIND = KeyKind.ECDSA_P256
"""Quickly made, and every browser takes it."""
LONGEST_NAME = 64
"""Characters of a common name (RFC 5280 appendix A.1)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a TLS server shows, in PEM."""

    certificate: str
    key: str = field(repr=False)


def places(web: Web, kernel: Kernel, uplinks: Collection[str]) -> tuple[Address, ...]:
    """The addresses that the panel is served at. Raises KernelError.

    Where the owner names none: those of the LAN, and this machine itself.
    """
    if web.listen:
        return web.listen
    every = kernel.list_all_addresses(foreign=True)
    lan = (each.address.ip for each in every if is_private(each.address.ip) and each.interface not in uplinks)
    return (*dict.fromkeys(lan), LOOPBACK)


def names(web: Web, hostname: str, addresses: Collection[Address]) -> ServerNames:
    """What the panel is called by in a browser. A name that no certificate can hold is left out."""
    short = hostname.lower().partition(".")[0]
    wanted = (short, hostname.lower(), f"{short}.lan", f"{short}.local", "localhost")
    hosts = dict.fromkeys(name for name in (*wanted, *map(str, web.hosts)) if _is_host(name))
    literal = [each for each in web.hosts if not isinstance(each, str)]
    return ServerNames(tuple(hosts), tuple(dict.fromkeys((*addresses, *literal, LOOPBACK))))


def shown(folder: Path, wanted: ServerNames, at: datetime) -> Shown:
    """The certificate of our own, made when it is due. Takes a while. Raises PkiError."""
    office = Office(Store(folder))
    if not office.has_authority:
        office.init(f"edgevpn panel of {wanted.first}"[:LONGEST_NAME], KIND, at)
    office.keep_server(wanted, KIND, at)
    bundle = office.server(KIND)
    assert bundle is not None  # it was kept a line above
    return Shown(pem_of(bundle.certificate).decode(), pkcs8(bundle.key).decode())


def _is_host(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        try:
            wishes.host(name, "name of the panel")
        except WishRefused:
            return False
        return True
    return False
