"""Where the panel is served, by which names, and with which certificate: LAN addresses only, unless told otherwise.

Linux takes packets for a LAN's address on any interface, so who asks must be in the LAN too. No firewall rule of ours
ever opens the panel to the Internet.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterable
from dataclasses import field
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from edgevpn.api.records import WebSettings
from edgevpn.frozen import dataclass

Address = IPv4Address | IPv6Address

_V4 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8")
_V6 = ("fc00::/7", "fe80::/10", "::1/128")
LAN = tuple(map(ip_network, (*_V4, *_V6)))
"""Private, link-local and our own: RFC 1918, 3927, 4193, 4291. Not 100.64.0.0/10, which is a carrier's."""

BACKLOG = 64
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78


class CannotListen(Exception):  # noqa: N818 - named for what it is
    """The panel cannot be served. The text is one sentence for the user, with the cure."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the panel is reached: the addresses, the port, and whether by HTTPS. `public`: from outside the LAN too."""

    addresses: tuple[Address, ...]
    port: int
    https: bool
    public: bool = False
    names: frozenset[str] = field(default=frozenset())

    def knows(self, host: str) -> bool:
        """Whether a Host header names us: an address that we listen on, or one of our names, with our port or none."""
        name, port = _split(host)
        if port not in ("", str(self.port)):
            return False
        try:
            return ip_address(name) in self.addresses
        except ValueError:
            return name.lower().rstrip(".") in self.names

    def admits(self, remote: Address) -> bool:
        """Whether somebody with this address is in the LAN."""
        return self.public or in_lan(remote)

    def origin(self, host: str) -> str:
        """What a browser calls us, given its Host header."""
        return f"{'https' if self.https else 'http'}://{host}"

    def reachable_host(self, host: str) -> str:
        """The Host for a link that another device in the LAN is to open."""
        name, _ = _split(host)
        others = [address for address in self.addresses if not address.is_loopback]
        loopback = name == "localhost" or name.startswith("127.") or name == "::1"
        if not loopback or not others:
            return host
        return f"[{others[0]}]:{self.port}" if others[0].version == 6 else f"{others[0]}:{self.port}"


def place_of(settings: WebSettings, port: int | None, hostname: str) -> Place:
    """The place that the settings name. Raises CannotListen for one that is not in the LAN, or none at all."""
    addresses = tuple(dict.fromkeys(map(ip_address, settings["listen"])))
    outside = [address for address in addresses if not in_lan(address)]
    if outside and not settings["public"]:
        raise CannotListen(
            f"{outside[0]} is not a LAN address; change web.listen, or set allow_listen_on_public_addresses"
        )
    if not addresses:
        raise CannotListen("this machine has no LAN address; name one in web.listen")
    short = hostname.lower().partition(".")[0]
    own = {"localhost", hostname.lower(), short, f"{short}.lan", f"{short}.local"} - {"", ".lan", ".local"}
    names = frozenset(own | {name.lower().rstrip(".") for name in settings["hosts"]})
    return Place(addresses, port or settings["port"], settings["https"], settings["public"], names)


def in_lan(address: Address) -> bool:
    """Whether an address is private, link-local or our own. Whatever IPv6 wraps is looked at unwrapped."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in LAN)


def sockets(place: Place) -> list[socket.socket]:
    """A listening socket for each address; an address may still be to come. Raises CannotListen."""
    opened: list[socket.socket] = []
    try:
        for address in place.addresses:
            opened.append(_opened(address, place.port))
    except OSError as error:
        for each in opened:
            each.close()
        raise CannotListen(
            f"TCP port {place.port} of {address} cannot be had: {error.strerror}; change web.port or web.listen"
        ) from error
    return opened


def _opened(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        listener.bind((str(address), port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def tls(certificate: str, key: str) -> ssl.SSLContext:
    """HTTPS with a certificate and its key in PEM, which never touch a disk. Raises CannotListen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    in_memory = os.memfd_create("panel", os.MFD_CLOEXEC)
    try:
        with os.fdopen(in_memory, "wb", closefd=False) as file:
            file.write(f"{certificate}\n{key}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{in_memory}")
    except ssl.SSLError as error:
        raise CannotListen(
            f"the panel's certificate is no good: {error.reason}; see web.certificate and web.certificate_key"
        ) from error
    finally:
        os.close(in_memory)
    return context


def fingerprint(certificate: str) -> str:
    """The SHA-256 of a certificate, as browsers show it; of a chain that of the first."""
    first, end, _ = certificate.partition("-----END CERTIFICATE-----")
    digest = sha256(ssl.PEM_cert_to_DER_cert(first + end)).hexdigest().upper()
    return ":".join(_pairs(digest))


def _pairs(text: str) -> Iterable[str]:
    return (text[at : at + 2] for at in range(0, len(text), 2))


def _split(host: str) -> tuple[str, str]:
    """Name and port of a Host header; the name without brackets, the port "" if there is none."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port
