"""A daemon that keeps the contract of the control socket and nothing else: for tests of the panel.

Every answer and every event is compared with the contract before it leaves, so what holds with it holds with any
daemon that keeps it too.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import tomli

from edgevpn.api import METHODS, TOPICS, ErrorCode, RpcError
from edgevpn.config.reader import parse
from edgevpn.config.show import complete, masked_tables
from edgevpn.daemon.control.server import ControlServer, Method, Params, listen
from tests.support.daemon import Faults, everybody
from tests.support.shapes import misfits
from tests.support.statuses import BRANCH, OFFICE, STARTED

DAY = 86400
ANSWERS = "10.2.0.1"
"""The host behind every site."""
NOTHING = {"received": 0, "sent": 0}
PROFILE = {"name": "phone.mobileconfig", "media_type": "application/x-apple-aspen-config", "base64": False}
SETTINGS: dict[str, Any] = {
    "enabled": True,
    "listen": ["127.0.0.1"],
    "public": False,
    "port": 8443,
    "https": False,
    "hosts": ["panel.example"],
    "session_idle": 1200,
    "session_life": 43200,
    "title": "router",
    "password_hash": "",
    "totp_secret": "",
    "certificate": "",
    "key": "",
}
FINE = {"id": "name", "level": "good", "message": "vpn.example.org leads to this router.", "cure": ""}
POOL = {
    "name": "home",
    "interface": "evpn-home",
    "v4": ["10.9.0.0/24"],
    "v6": [],
    "size_v4": 253,
    "size_v6": 0,
    "used_v4": 1,
    "used_v6": 0,
    "mode": "full",
    "networks": [],
    "dns": ["10.9.0.1"],
    "logins": ["password", "certificate", "psk"],
    "legacy": False,
}
FILE = """
[pki]
public_name = "vpn.example.org"

[pool.home]
v4 = "10.9.0.0/24"

[site.office]
remote = "office.example.org"
psk = "a key that is long enough for a test"
local_networks = "10.1.0.0/24"
remote_networks = "10.2.0.0/24"
"""
"""What `config.show` answers, whatever has been changed."""
NO_PLAN: dict[str, Any] = {"changes": [], "drops": [], "warnings": []}


def session(**given: object) -> dict[str, Any]:
    """A session of a device."""
    return {
        "spi": "0102030405060708",
        "remote": "203.0.113.9:4500",
        "since": STARTED + 600,
        "client": "APPLE",
        "proof": "phone",
        "addresses": ["10.9.0.2"],
        "nat": True,
        "own_proof": "PKCS1 SHA2_256 (DIGITAL_SIGNATURE)",
        "ppk": "",
        "suite": "aes256gcm16-prfsha256-ecp256",
        "weak": [],
        "bytes_in": 120_000,
        "bytes_out": 4_500_000,
        "undeciphered": 0,
        **given,
    }


def device(name: str, **given: object) -> dict[str, Any]:
    """A device that is not in."""
    return {
        "name": name,
        "owner": "",
        "platform": "ios",
        "login": "password",
        "id": name,
        "pool": "home",
        "enabled": True,
        "refused": "",
        "expires": None,
        "v4": "",
        "v6": "",
        "mode": "full",
        "sessions": [],
        "today": NOTHING,
        "month": NOTHING,
        "seen": None,
        "place": "",
        **given,
    }


def attempt(peer: str, **given: object) -> dict[str, Any]:
    """An attempt that failed."""
    return {
        "at": STARTED + 300,
        "peer": peer,
        "remote": "203.0.113.9:4500",
        "identity": peer,
        "client": "APPLE",
        "stage": "eap",
        "cause": "wrong_password",
        "sentence": f"{peer} gave a wrong password.",
        "cure": "Type the password again, or give the device a new one.",
        "side": "theirs",
        "fact": "RFC 2759 §6",
        "tries": 1,
        "called": False,
        "asked": None,
        **given,
    }


class StandIn:
    """The methods, on state that a test reads and writes. `asked` holds what was called, in order."""

    def __init__(self, **settings: object) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.web = {**SETTINGS, **settings}
        self.listening_at = 0
        self.tickets = {"a-ticket-that-is-good"}
        self.devices: dict[str, dict[str, Any]] = {"phone": device("phone", sessions=[session()])}
        self.sites: dict[str, Any] = {"office": OFFICE, "branch": BRANCH}
        self.attempts_seen: list[dict[str, Any]] = [attempt("tablet")]
        self.health_seen = [FINE]
        self.lines: list[dict[str, Any]] = [{"at": STARTED, "level": "info", "text": "started version=0.1.0 sites=2"}]
        self.values: dict[str, Any] = {}
        self.text = "# edgevpn\n"
        self.refusals: dict[str, RpcError] = {}

    def methods(self) -> dict[str, Method]:
        """All methods of the contract."""
        return {name: self._method(name) for name in METHODS if name != "subscribe"}

    def _method(self, name: str) -> Method:
        spec = METHODS[name]
        work = getattr(self, name.replace(".", "_"))

        async def method(params: Params) -> object:
            self.asked.append((name, dict(params)))
            if refusal := self.refusals.get(name):
                raise refusal
            if not spec.params.keys() <= params.keys() <= {*spec.params, *spec.optional}:
                raise RpcError(ErrorCode.INVALID_PARAMS, f"{name} takes {', '.join(spec.params)}")
            result = work(**params)
            assert not (faults := misfits(result, spec.result)), faults
            return result

        return method

    # --- the whole ---

    def version(self) -> object:
        return {"version": "0.1.0", "api": 1}

    def status(self) -> object:
        known = {"sites": [*self.sites.values()], "devices": [*self.devices.values()]}
        return {"version": "0.1.0", "started": STARTED, "kernel": "memory", **known}

    def health(self, language: str = "en") -> object:
        return self.health_seen

    def repair(self, dry_run: bool = False) -> object:
        return {"steps": [{"command": "ip link set dev evpn-office up", "fault": ""}], "renewed": []}

    def offload(self) -> object:
        return {"untried": "crypto.self_test is off", "ciphers": [], "cards": [], "sas": []}

    def attempts(self, peer: str = "", language: str = "en") -> object:
        return [each for each in self.attempts_seen if not peer or each["peer"] == peer]

    def log_recent(self, limit: int = 100) -> object:
        return self.lines[:limit]

    def firewall_show(self) -> object:
        return "table inet edgevpn {\n}\n"

    def metrics(self) -> object:
        return "edgevpn_sites_up 1\n"

    # --- sites ---

    def _site(self, name: str) -> Any:
        return found(self.sites, name, "site")

    def site_up(self, name: str) -> object:
        return self._site(name)

    def site_down(self, name: str) -> object:
        self._site(name)
        return None

    def site_rekey(self, name: str, what: str) -> object:
        if what not in ("ike", "child"):
            raise RpcError(ErrorCode.INVALID_PARAMS, "what is ike or child")
        return self._site(name)

    def site_add(self, name: str, settings: dict[str, Any], confirm: int = 0) -> object:
        new(self.sites, name, "site")
        self.sites[name] = {**BRANCH, "name": name, "remote": str(settings.get("remote", "any"))}
        return self._applied(confirm)

    def site_set(self, name: str, settings: dict[str, Any], confirm: int = 0) -> object:
        self._site(name)
        return self._applied(confirm)

    def site_remove(self, name: str, confirm: int = 0) -> object:
        self._site(name)
        del self.sites[name]
        return self._applied(confirm)

    def site_reach(self, name: str, address: str) -> object:
        self._site(name)
        return {"address": address, "answered": address == ANSWERS}

    def site_snippet(self, name: str, form: str) -> object:
        self._site(name)
        one_of(form, METHODS["site.snippet"].params["form"])
        return {"name": f"{name}.conf", "media_type": "text/plain", "base64": False, "content": f"# {form}\n"}

    # --- devices ---

    def _device(self, name: str) -> Any:
        return found(self.devices, name, "device")

    def device_list(self) -> object:
        return [*self.devices.values()]

    def device_show(self, name: str) -> object:
        used = [{"period": f"2023-11-{day:02}", "received": day * 10**6, "sent": day * 10**7} for day in range(1, 15)]
        return {
            "device": self._device(name),
            "networks": [],
            "dns": ["10.9.0.1"],
            "unique": "keep",
            "days": used,
            "months": [{"period": "2023-11", "received": 10**8, "sent": 10**9}],
            "certificates": [],
        }

    def device_add(self, name: str, settings: dict[str, Any]) -> object:
        new(self.devices, name, "device")
        known = {key: value for key, value in settings.items() if key in ("platform", "login", "mode", "owner", "pool")}
        made = device(name, **known)
        if misfits([made], METHODS["device.list"].result):
            raise RpcError(ErrorCode.CONFIG_INVALID, "the configuration would be bad", [f"device.{name}: is bad"])
        self.devices[name] = made
        return self._made(name)

    def device_set(self, name: str, settings: dict[str, Any]) -> object:
        self._device(name)
        if "enabled" in settings:
            self.devices[name]["enabled"] = bool(settings["enabled"])
        return self._device(name)

    def device_remove(self, name: str) -> object:
        self._device(name)
        del self.devices[name]
        return None

    def device_reset(self, name: str) -> object:
        return self._made(name)

    def device_revoke(self, name: str) -> object:
        self._device(name)
        return None

    def device_export(self, name: str, form: str, secret: str = "", **_: object) -> object:
        self._device(name)
        one_of(form, METHODS["device.export"].params["form"])
        return {**PROFILE, "name": f"{name}.{form}", "content": f"profile of {name} with {secret}"}

    def device_card(self, name: str, secret: str = "") -> object:
        self._device(name)
        long = "Set-VpnConnectionIPsecConfiguration -ConnectionName 'Home' -DHGroup ECP256 -PfsGroup ECP256 -Force"
        return [
            {"label": "Server address", "value": "vpn.example.org"},
            {"label": "Password", "value": secret},
            {"label": "In PowerShell", "value": long},
        ]

    def pool_list(self) -> object:
        return [POOL]

    def _made(self, name: str) -> object:
        return {"device": self._device(name), "password": "correct-horse-battery", "psk": ""}

    # --- configuration ---

    def _applied(self, confirm: int = 0) -> object:
        if not 0 <= confirm <= 600:
            raise RpcError(ErrorCode.INVALID_PARAMS, "confirm is 0 to 600 s")
        return {"plan": NO_PLAN, "confirm_before": STARTED + confirm if confirm else None}

    def reload(self) -> object:
        return {
            "added": [],
            "changed": [],
            "removed": [],
            "unchanged": ["office", "branch"],
            "others": [],
            "warnings": [],
        }

    def config_show(self, defaults: bool = False) -> object:
        tables = tomli.loads(FILE)
        return complete(parse(FILE, "edgevpn.toml"), tables) if defaults else masked_tables(tables)

    def config_schema(self) -> object:
        return {"type": "object"}

    def config_text(self) -> object:
        return self.text

    def config_plan(self, text: str, name: str = "") -> object:
        return {"changes": [], "drops": [], "warnings": [] if text else ["the file is empty"]}

    def config_apply(self, text: str, confirm: int = 0, name: str = "") -> object:
        self.text = text
        return self._applied(confirm)

    def config_set(self, values: dict[str, Any], confirm: int = 0) -> object:
        self.values |= values
        if "web.totp_secret" in values:
            self.web["totp_secret"] = values["web.totp_secret"] or ""
        return self._applied(confirm)

    def config_confirm(self) -> object:
        return None

    def config_rollback(self, number: int) -> object:
        if number != 1:
            raise RpcError(ErrorCode.NOT_FOUND, f"there is no version {number}")
        return self._applied()

    def config_versions(self) -> object:
        return [{"number": 1, "saved": STARTED - DAY}]

    # --- certificates and backup ---

    def pki_show(self) -> object:
        ca = {"what": "ca", "subject": "CN=edgevpn CA", "fingerprint": "AB:CD", "ends": STARTED, "days_left": 3650}
        return [ca, {**ca, "what": "server", "subject": "CN=vpn.example.org", "days_left": 300}]

    def pki_init(self, name: str = "") -> object:
        return self.pki_show()

    def pki_import(self, content: str, password: str = "") -> object:
        return self.pki_show()

    def pki_renew(self) -> object:
        return self.pki_show()

    def pki_ca(self, form: str = "pem") -> object:
        one_of(form, METHODS["pki.ca"].optional["form"])
        return {"name": "ca.pem", "media_type": "application/x-pem-file", "base64": False, "content": "-----BEGIN"}

    def backup_create(self, password: str) -> object:
        content = b64encode(b"sealed").decode()
        return {"name": "edgevpn.backup", "media_type": "application/octet-stream", "base64": True, "content": content}

    def backup_restore(self, content: str, password: str, confirm: int = 0) -> object:
        if password == "wrong":
            raise RpcError(ErrorCode.FAILED, "the password does not open this backup")
        return self._applied(confirm)

    # --- the panel ---

    def web_settings(self) -> object:
        return dict(self.web)

    def web_set_password(self, password_hash: str) -> object:
        self.web["password_hash"] = password_hash
        return None

    def web_ticket(self) -> object:
        self.tickets.add("another-good-ticket")
        return {"ticket": "another-good-ticket", "port": self.listening_at}

    def web_listening(self, port: int) -> object:
        self.listening_at = port
        return None

    def web_redeem(self, ticket: str) -> object:
        good = ticket in self.tickets
        self.tickets.discard(ticket)
        return {"good": good}


def found(things: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in things:
        raise RpcError(ErrorCode.NOT_FOUND, f"there is no {what} {name[:40]!r}")
    return things[name]


def new(things: Mapping[str, Any], name: str, what: str) -> None:
    if name in things:
        raise RpcError(ErrorCode.FAILED, f"there is a {what} {name!r} already")
    if not 0 < len(name) <= 64 or "/" in name or "\\" in name:
        raise RpcError(ErrorCode.CONFIG_INVALID, "the configuration would be bad", [f"{what}: is no name"])


def one_of(word: str, shape: Any) -> None:
    if misfits(word, shape):
        raise RpcError(ErrorCode.INVALID_PARAMS, f"{word[:40]!r} is not known here")


class Daemon:
    """The stand-in on its socket. `say` tells subscribers of an event."""

    def __init__(self, methods: StandIn) -> None:
        self.faults = Faults()
        self._heard = asyncio.Event()
        self.server = ControlServer(
            methods.methods(), frozenset(TOPICS), everybody, self.faults, subscribed=self._heard.set
        )

    async def subscribed(self) -> None:
        """Until somebody hears of events."""
        await self._heard.wait()

    def say(self, topic: str, data: object) -> None:
        assert not (faults := misfits(data, TOPICS[topic])), faults
        self.server.publish(topic, data)


@asynccontextmanager
async def stand_in(path: Path, methods: StandIn) -> AsyncIterator[Daemon]:
    """A daemon on this control socket, until the end of the block."""
    daemon = Daemon(methods)
    serving = asyncio.ensure_future(daemon.server.serve(listen(path)))
    try:
        yield daemon
    finally:
        serving.cancel()
        await asyncio.wait([serving])
    assert not daemon.faults.seen, daemon.faults.seen
