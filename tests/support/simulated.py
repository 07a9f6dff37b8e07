"""Gateways that simulated clients come to, and what their users type."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.login.keyring import prepare
from edgevpn.pki.bundle import Bundle, bundle_of, read_parts
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.office import Office
from edgevpn.pki.store import Store
from edgevpn.simulate.clients import SimulatedClient, Way
from edgevpn.simulate.conversation import Conversation, Tell
from edgevpn.simulate.user import ByCertificate, ByPassword, ByPsk, Secret, Typed
from tests.support.configs import Table
from tests.support.gateways import Running, running, until
from tests.support.visitors import PASSWORD, PSK, gateway

SERVER, HERE = "vpn.example.org", ip_address("127.0.0.1")
RSA: Table = {"public_name": SERVER, "key_type": "rsa2048"}
DEVICES = {Way.PASSWORD: "phone", Way.PSK: "tablet", Way.CERTIFICATE: "laptop"}
IDENTIFIERS = {Way.PASSWORD: "phone", Way.PSK: "tablet", Way.CERTIFICATE: "laptop@example.org"}


def make_pki(folder: Path) -> None:
    """The CA and certificate of a gateway, and the laptop's in laptop.pem: what takes long, once for many gateways."""
    now = datetime.now(UTC)
    office = Office(Store(folder / "pki"))
    prepare(office, gateway(pki=RSA).pki, now)
    (folder / "laptop.pem").write_bytes(office.enrol_device("laptop", IDENTIFIERS[Way.CERTIFICATE], now).pem())


@dataclass(frozen=True)
class Home:
    """A gateway at work, and what its devices have of it."""

    here: Running
    ports: Ports
    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate of its CA."""
        return self.folder / "ca.pem"

    @property
    def laptop(self) -> Path:
        """The laptop's certificate and key."""
        return self.folder / "laptop.pem"

    def secret(self, way: Way) -> Secret:
        match way:
            case Way.PASSWORD:
                return ByPassword("phone", PASSWORD)
            case Way.PSK:
                return ByPsk(PSK.encode())
            case Way.CERTIFICATE:
                return ByCertificate(self.bundle)

    @property
    def bundle(self) -> Bundle:
        return bundle_of(read_parts(self.laptop.read_bytes()))

    def typed(self, way: Way, *, by_hand: bool = False, secret: Secret | None = None, server: str = SERVER) -> Typed:
        anchors = read_parts(self.ca.read_bytes()).certificates
        return Typed(server, secret or self.secret(way), IDENTIFIERS[way], anchors, by_hand)

    def conversation(self, client: SimulatedClient, typed: Typed, tell: Tell = lambda step: None) -> Conversation:
        return Conversation(client, typed, HERE, (self.ports.ike, self.ports.nat), tell)


@asynccontextmanager
async def home(
    folder: Path, ports: Ports, made: Path | None = None, pool: Table | None = None, pki: Table | None = None
) -> AsyncIterator[Home]:
    """A gateway with the devices phone, tablet and laptop; `made` is a folder of `make_pki`."""
    if made is not None:
        shutil.copytree(made, folder, dirs_exist_ok=True)
    config = gateway(None, pool, **({"pki": pki or RSA} if made is not None or pki else {}))
    async with running(config, ports, folder=folder) as here:
        await until(lambda: here.gateway.knows("road/password"))
        office = here.gateway.certificates.office
        assert office is not None
        (folder / "ca.pem").write_bytes(pem_of(office.authority.certificate))
        yield Home(here, ports, folder)
