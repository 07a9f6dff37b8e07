"""`simulate`: play a client of another make against a gateway, and tell step by step how far it comes."""

from __future__ import annotations

import argparse
import asyncio
import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from edgevpn.cli.output import FAILED, GOOD, as_json, fail
from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.errors import PkiError
from edgevpn.simulate.clients import CLIENTS
from edgevpn.simulate.pinging import Echoes
from edgevpn.simulate.trial import Plan, Unanswered, run
from edgevpn.simulate.user import ByCertificate, ByPassword, ByPsk, Secret, Typed, Unable


def simulate(options: argparse.Namespace) -> int:
    """0 when the client was connected, its pings were answered and it has gone again; else 1, and why."""
    steps: list[str] = []
    echoes: list[Echoes] = []
    failure: Unable | PkiError | None = None
    try:
        plan = plan_of(options)
        asyncio.run(run(plan, steps.append if options.json else _tell, echoes.append))
    except (Unable, PkiError) as reason:
        failure = reason
    if options.json:
        connected = failure is None or isinstance(failure, Unanswered)
        why, pings = str(failure or ""), [*map(_ping, echoes)]
        print(as_json({"connected": connected, "why": why, "steps": steps, "pings": pings}))
        return FAILED if failure else GOOD
    return fail(str(failure)) if failure else GOOD


def plan_of(options: argparse.Namespace) -> Plan:
    """What the options say. Raises Unable or PkiError."""
    secret = _secret(options)
    if not isinstance(secret, ByPsk) and options.ca is None:
        raise Unable("without the CA that the client trusts it cannot see who the gateway is: give --ca")
    trusted = read_parts(_octets(options.ca), source=str(options.ca)).certificates if options.ca else ()
    typed = Typed(options.server, secret, options.id, trusted, options.by_hand, options.eap_only)
    return Plan(
        CLIENTS[options.client],
        typed,
        _address(options.address or options.server),
        options.ports,
        options.rekey,
        options.stay,
        () if options.no_ping else (tuple(options.ping) or None),
        options.roam,
    )


def _secret(options: argparse.Namespace) -> Secret:
    """The one way to log in that was given."""
    given = [path for path in (options.password_file, options.psk_file, options.certificate) if path is not None]
    if len(given) != 1:
        raise Unable("give one of --password-file, --psk-file and --certificate")
    if options.psk_file is not None:
        return ByPsk(_line(options.psk_file).encode())
    if options.certificate is not None:
        password = _line(options.certificate_password_file) if options.certificate_password_file else ""
        parts = read_parts(_octets(options.certificate), password, str(options.certificate))
        return ByCertificate(bundle_of(parts, source=str(options.certificate)))
    if not options.user:
        raise Unable("a password needs a user: give --user")
    return ByPassword(options.user, _line(options.password_file))


def _address(host: str) -> IPv4Address | IPv6Address:
    with suppress(ValueError):
        return ip_address(host)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise Unable(f"{host} has no address ({error.strerror or error}): give --address") from error
    return ip_address(found[0][4][0])


def _line(path: Path) -> str:
    """The first line of a file that holds a secret."""
    return _octets(path).decode("utf-8", "replace").partition("\n")[0].rstrip("\r")


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unable(f"{path} cannot be read: {error.strerror or error}") from error


def _ping(echoes: Echoes) -> dict[str, object]:
    """For programs; the round trip is the median, null where nothing was answered."""
    took = None if echoes.round_trip is None else round(echoes.round_trip * 1000, 3)
    return {
        "address": echoes.target,
        "sent": echoes.sent,
        "answered": echoes.answered,
        "round_trip_ms": took,
    }


def _tell(step: str) -> None:
    print(step, flush=True)
