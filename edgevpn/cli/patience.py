"""The daemon, asked by a person: what takes more than a moment is said to be under way."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Timer
from typing import Any

from edgevpn.client import TIMEOUT, Client, socket_path

MOMENT = 1.0
"""Seconds that nobody wonders about."""

DOING: Mapping[str, str] = {
    "site.up": "waiting until the tunnel is up",
    "site.rekey": "waiting for new keys",
    "site.reach": "waiting for the answer of a host behind the site",
    "site.snippet": "making what the other end needs",
    "health": "looking at kernel, ports, firewall, WAN, names and certificates",
    "firewall.show": "reading the rules",
    "repair": "looking at what is there",
    "device.add": "making a secret",
    "device.reset": "making a secret",
    "device.export": "making the profile",
    "device.remove": "revoking what it has",
    "device.revoke": "revoking what it has",
    "pki.init": "making keys",
    "pki.renew": "making keys and certificates",
    "pki.import": "making certificates of this CA",
    "backup.create": "encrypting everything",
    "backup.restore": "decrypting everything",
}
OTHERWISE = "waiting for the daemon"


class Patient(Client):
    """A connection whose user is told what it waits for."""

    def call(self, method: str, timeout: float = TIMEOUT, **params: object) -> Any:
        """The result of a method."""
        with telling(DOING.get(method, OTHERWISE)):
            return super().call(method, timeout, **params)


def connect(options: argparse.Namespace) -> Client:
    """The daemon that the options name, or the environment. Raises DaemonUnreachable."""
    return Patient(socket_path(options.socket, os.environ))


@contextmanager
def telling(what: str, moment: float = MOMENT) -> Iterator[None]:
    """Say on standard error what is under way, if it takes longer than a moment and a person looks."""
    if not sys.stderr.isatty():
        yield
        return
    timer = Timer(moment, print, (f"{what} ...",), {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
