"""The rules between devices, and between them and what serves them: certificates, firewall, panel."""

from __future__ import annotations

import errno
import os
import stat
from datetime import datetime
from pathlib import Path as FilePath

from edgevpn.config.errors import Findings, Path, shown
from edgevpn.config.model import Auth, Config
from edgevpn.config.pool import BY_CERTIFICATE, TunnelMode
from edgevpn.config.services import Manage


def check_devices(config: Config, findings: Findings, now: datetime | None) -> None:
    """Note devices that cannot be told apart, and warn of those that have expired."""
    taken = {site.remote_id.folded: f"the remote_id of site {site.name}" for site in config.sites if site.remote_id}
    for device in config.devices:
        path = ("device", device.name, "id")
        known = device.id.folded  # a user name that Windows sends may differ in case
        if known in taken:
            findings.refuse(path, f"{device.id} is {taken[known]} too", cure="give it another id")
        taken[known] = f"that of device {device.name}"
        if now is not None and device.expires is not None and device.expires <= now:
            findings.warn((*path[:2], "expires"), "has passed, so the device cannot connect", cure="write a later date")


def check_services(config: Config, findings: Findings) -> None:
    """Note what does not fit together in [pki], [firewall] and [web], or not with the tunnels."""
    _check_pair(config.pki.certificate, config.pki.certificate_key, ("pki",), findings)
    _check_pair(config.web.certificate, config.web.certificate_key, ("web",), findings)
    _check_certificates(config, findings)
    _check_firewall(config, findings)
    _check_panel(config, findings)
    _check_files(config, findings)


def _check_pair(certificate: object, key: object, path: Path, findings: Findings) -> None:
    if (certificate is None) != (key is None):
        missing = "certificate" if certificate is None else "certificate_key"
        there = "certificate_key" if certificate is None else "certificate"
        findings.refuse((*path, missing), f"is missing, and needed with {there}", allowed="an absolute path")


def _check_certificates(config: Config, findings: Findings) -> None:
    """Somebody has to vouch for us, and for each device and site that shows a certificate."""
    pki = config.pki
    if config.pools and not pki.local_ca and pki.certificate is None:
        findings.refuse(
            ("pki", "certificate"), "is missing, and needed with local_ca = false", allowed="an absolute path"
        )
    if config.pools and not pki.public_name and pki.certificate is None:
        findings.warn(
            ("pki", "public_name"),
            "is missing, so no device can connect",
            cure='write the name that devices dial: public_name = "vpn.example.org"',
        )
    if pki.local_ca or pki.trust:
        return
    cure = "write local_ca = true or trust in [pki]"
    for device in config.devices:
        if device.login in BY_CERTIFICATE:
            findings.refuse(("device", device.name, "login"), "has no CA to vouch for it", cure=cure)
    for site in config.sites:
        if site.auth is not Auth.PSK and not site.ca:
            findings.refuse(("site", site.name, "ca"), "is missing, and no other CA vouches for the peer", cure=cure)


def _check_files(config: Config, findings: Findings) -> None:
    """Warn of files that cannot be read: they are read again whenever they change, so they may be still to come."""
    for path, record, keys in (
        (("pki",), config.pki, ("certificate", "certificate_key", "trust", "crl_files")),
        (("web",), config.web, ("certificate", "certificate_key")),
        *((("site", site.name), site, ("cert", "key", "ca")) for site in config.sites),
    ):
        for key in keys:
            named = getattr(record, key) or ()
            for file in named if isinstance(named, tuple) else (named,):
                if fault := _unreadable(file):
                    findings.warn((*path, key), fault, value=shown(str(file)), cure="it is read as soon as it can be")


def _unreadable(file: FilePath) -> str:
    """Why a file cannot be read, in words; "" where it can."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return "is no regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if os.access(file, os.R_OK) else f"cannot be read: {os.strerror(errno.EACCES)}"


def _check_firewall(config: Config, findings: Findings) -> None:
    firewall = config.firewall
    for interface in set(firewall.lan) & set(firewall.wan):
        findings.refuse(("firewall", "wan"), f"{interface} is in lan too")
    if firewall.manage is Manage.AUTO and firewall.reject_v6:
        return
    for pool in config.pools:
        if pool.mode is TunnelMode.FULL and not pool.v6:
            findings.warn(
                ("pool", pool.name, "v6"),
                "is missing, and the firewall does not turn IPv6 away: it passes beside the full tunnel",
                cure="give the pool IPv6 addresses, or let the firewall be managed",
            )


def _check_panel(config: Config, findings: Findings) -> None:
    """The panel is for the LAN."""
    web = config.web
    for address in web.listen:
        if address.is_global and not web.allow_listen_on_public_addresses:
            findings.refuse(
                ("web", "listen"),
                f"{address} is open to the Internet",
                allowed="private addresses",
                cure="if this is meant, write allow_listen_on_public_addresses = true",
            )
    if web.session_idle > web.session_life:
        findings.refuse(("web", "session_idle"), "is longer than session_life", allowed="up to session_life")
