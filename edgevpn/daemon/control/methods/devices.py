"""Devices and pools: who there is, written into the configuration, given secrets and profiles, shown out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from edgevpn.api.records import (
    Artifact,
    CardField,
    CertificateStatus,
    DeviceDetail,
    DeviceMade,
    DeviceStatus,
    PoolStatus,
)
from edgevpn.config.changes import Keys, add_device, remove_device, set_device
from edgevpn.config.generate import new_password, new_psk
from edgevpn.config.model import Device
from edgevpn.config.pool import BY_CERTIFICATE, Login
from edgevpn.daemon.addresses.pool_status import pool_status
from edgevpn.daemon.control.methods.artifacts import handed_over
from edgevpn.daemon.control.methods.certificates import issued_status
from edgevpn.daemon.control.methods.exports import Demand, Exports
from edgevpn.daemon.control.methods.names import known, unused
from edgevpn.daemon.control.methods.table import Served
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.keeping.configuration import Configuration, NotNow
from edgevpn.daemon.login.passwords import nt_hash
from edgevpn.daemon.visitors.device_status import periods
from edgevpn.pki.container import make_password
from edgevpn.pki.office import Office
from edgevpn.pki.records import Holder

SECRETS = ("password", "psk", "nt_hash")
"""Keys whose values do not go into the file."""
ELSEWHERE = {Login.PASSWORD: ("password_file", "password_env"), Login.PSK: ("psk_file", "psk_env")}


class DeviceMethods:
    """All about devices and pools."""

    def __init__(self, gateway: Gateway, configuration: Configuration, exports: Exports) -> None:
        self._gateway = gateway
        self._configuration = configuration
        self._exports = exports

    @property
    def methods(self) -> Mapping[str, Served]:
        """By their names in the API."""
        return {
            "device.list": self.list,
            "device.show": self.show,
            "device.add": self.add,
            "device.set": self.set,
            "device.remove": self.remove,
            "device.reset": self.reset,
            "device.revoke": self.revoke,
            "device.export": self.export,
            "device.card": self.card,
            "pool.list": self.pools,
        }

    async def show(self, name: str) -> DeviceDetail:
        device = self._device(name)
        usage = self._gateway.visitors.usage.of(name)
        certificates = await self._gateway.certificates.ask(lambda office, at: _certificates(office, name, at))
        return DeviceDetail(
            device=self._gateway.census.device_status(device),
            networks=[str(each) for each in device.networks],
            dns=[str(each) for each in device.dns],
            unique=device.unique.value,
            days=periods(dict(usage.days)),
            months=periods(dict(usage.months)),
            certificates=certificates,
        )

    async def add(self, name: str, settings: Mapping[str, Any]) -> DeviceMade:
        unused("device", name, (device.name for device in self._configuration.running.devices))
        keys, given = _apart(settings)
        login = _login(keys, Login.PASSWORD)
        secret = given or ({} if _is_elsewhere(login, keys) else _new_secret(login))
        await self._configuration.change(
            lambda old: add_device(old, name, keys, _stored(secret, login), datetime.now(UTC))
        )
        return self._made(name, secret)

    async def set(self, name: str, settings: Mapping[str, Any]) -> DeviceStatus:
        """A new way to log in gets a secret that nobody knows: `device.reset` makes one that is told."""
        device = self._device(name)
        keys, given = _apart(settings)
        login = _login(keys, Login.PASSWORD) if "login" in keys else device.login
        needed = login is not device.login and not _is_elsewhere(login, keys)
        secret = given or (_new_secret(login) if needed else {})
        await self._configuration.change(
            lambda old: set_device(old, name, keys, _stored(secret, login), datetime.now(UTC))
        )
        return self._gateway.census.device_status(self._device(name))

    async def remove(self, name: str) -> None:
        self._device(name)
        await self._configuration.change(lambda old: remove_device(old, name))
        await self._revoke(name)
        self._gateway.visitors.forget(name)

    async def reset(self, name: str) -> DeviceMade:
        """A device with a certificate gets a password for the file that the next one comes in."""
        device = self._device(name)
        secret = _new_secret(device.login)
        if stored := _stored(secret, device.login):
            await self._configuration.change(lambda old: set_device(old, name, {}, stored, datetime.now(UTC)))
        return self._made(name, secret)

    async def revoke(self, name: str) -> None:
        device = self._device(name)
        if device.login not in BY_CERTIFICATE:
            raise NotNow(f"{name} logs in by {device.login.value}: disable the device, or give it a new secret")
        await self._revoke(name)
        self._gateway.visitors.show_out(name, "its certificates were revoked")

    async def export(
        self,
        name: str,
        form: str,
        secret: str = "",
        on_demand: str = "off",
        networks: list[str] = [],  # noqa: B006 - is only read
        domains: list[str] = [],  # noqa: B006 - is only read
    ) -> Artifact:
        demand = Demand(on_demand, tuple(networks), tuple(domains))
        return handed_over(await self._exports.make(self._device(name), form, secret, demand))

    async def card(self, name: str, secret: str = "") -> list[CardField]:
        return await self._exports.card(self._device(name), secret)

    async def pools(self) -> list[PoolStatus]:
        leases = self._gateway.census.leases
        return [pool_status(pool, leases) for pool in self._configuration.running.pools]

    async def list(self) -> list[DeviceStatus]:
        census = self._gateway.census
        ask = census.survey()
        return [census.device_status(device, ask) for device in census.devices]

    def _device(self, name: str) -> Device:
        return known("device", name, self._gateway.census.devices)

    def _made(self, name: str, secret: Mapping[str, str]) -> DeviceMade:
        status = self._gateway.census.device_status(self._device(name))
        return DeviceMade(device=status, password=secret.get("password", ""), psk=secret.get("psk", ""))

    async def _revoke(self, name: str) -> None:
        """What was given to the device is refused from now on; what was never given needs no CA."""
        certificates = self._gateway.certificates
        if await certificates.ask(lambda office, _: bool(office.ledger.of(Holder.DEVICE, name))):
            await certificates.have(lambda office, at: office.revoke(Holder.DEVICE, name, at))


def _login(keys: Keys, default: Login) -> Login:
    """How the device logs in by these keys. A word that is none is refused later, with what is allowed."""
    try:
        return Login(keys.get("login") or default.value)
    except ValueError:
        return default


def _apart(settings: Mapping[str, Any]) -> tuple[Keys, dict[str, str]]:
    """The keys of a table, and its secrets, which are kept elsewhere."""
    secrets = {key: value for key, value in settings.items() if key in SECRETS and isinstance(value, str)}
    return {key: value for key, value in settings.items() if key not in secrets}, secrets


def _is_elsewhere(login: Login, keys: Keys) -> bool:
    """Whether the secret is in a file or a variable that the keys name."""
    return any(keys.get(key) for key in ELSEWHERE.get(login, ()))


def _new_secret(login: Login) -> dict[str, str]:
    match login:
        case Login.PASSWORD:
            return {"password": new_password(os.urandom)}
        case Login.PSK:
            return {"psk": new_psk(os.urandom)}
        case Login.CERTIFICATE | Login.EAP_TLS:
            return {"password": make_password(os.urandom, 25)}


def _stored(secret: Mapping[str, str], login: Login) -> Mapping[str, str]:
    """What is kept of a secret: of a password its hash, of one that opens a file nothing."""
    if login in BY_CERTIFICATE:
        return {}
    if "password" in secret:
        return {"nt_hash": nt_hash(secret["password"])}
    return secret


def _certificates(office: Office, name: str, at: datetime) -> list[CertificateStatus]:
    return [issued_status(each, at) for each in office.ledger.of(Holder.DEVICE, name)]
