"""Every method of the contract is served, and every answer is what the contract says."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from edgevpn.api import METHODS, ErrorCode, RpcError
from edgevpn.daemon.control.parameters import allowed
from tests.support.services import PASSWORD, serving

BY_CONTROL = {"subscribe"}
"""What the control server does by itself."""

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("version", {}),
    ("status", {}),
    ("health", {"language": "ja"}),
    ("offload", {}),
    ("attempts", {"peer": "office"}),
    ("log.recent", {"limit": 5}),
    ("metrics", {}),
    ("site.down", {"name": "office"}),
    ("site.add", {"name": "shop", "settings": {"remote": "any", "remote_id": "shop", "local_networks": "10.1.0.0/24"}}),
    ("site.set", {"name": "office", "settings": {"mtu": 1400}, "confirm": 60}),
    ("config.confirm", {}),
    ("site.snippet", {"name": "office", "form": "edgevpn"}),
    ("site.remove", {"name": "shop"}),
    ("device.list", {}),
    ("device.show", {"name": "phone"}),
    ("device.add", {"name": "Ben's", "settings": {"platform": "android"}}),
    ("device.set", {"name": "Ben's", "settings": {"owner": "Ben"}}),
    ("device.reset", {"name": "Ben's"}),
    ("device.export", {"name": "phone", "form": "mobileconfig", "secret": PASSWORD}),
    ("device.card", {"name": "phone"}),
    ("device.revoke", {"name": "laptop"}),
    ("device.remove", {"name": "Ben's"}),
    ("pool.list", {}),
    ("firewall.show", {}),
    ("reload", {}),
    ("config.show", {"defaults": True}),
    ("config.show", {}),
    ("config.schema", {}),
    ("config.text", {}),
    ("config.plan", {"text": "[gateway]\nlisten = '127.0.0.1'\n"}),
    ("config.set", {"values": {"gateway.log_level": "debug"}}),
    ("config.versions", {}),
    ("config.rollback", {"number": 1}),
    ("pki.show", {}),
    ("pki.renew", {}),
    ("pki.ca", {}),
    ("web.settings", {}),
    ("web.set_password", {"password_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'B' * 43}"}),
    ("web.listening", {"port": 8443}),
    ("web.ticket", {}),
    ("web.redeem", {"ticket": "x"}),
    ("backup.create", {"password": "a long password"}),
    ("repair", {"dry_run": True}),
)


async def test_every_method_answers_as_the_contract_says(tmp_path: Path) -> None:
    asked = {method for method, _ in CALLS}
    async with serving(tmp_path) as served:
        await served.certified()
        shop = dict(CALLS)["site.add"]["settings"] | {"remote_networks": "10.3.0.0/24"}
        for method, params in CALLS:
            await served.ask(method, **(params | ({"settings": shop} if method == "site.add" else {})))
        text = await served.ask("config.text")
        await served.ask("config.apply", text=text + "# more\n")
        backup = await served.ask("backup.create", password="a long password")
        await served.ask("backup.restore", content=backup["content"], password="a long password")
        for method, params in (
            ("site.up", {"name": "office"}),
            ("site.reach", {"name": "office", "address": "10.2.0.1"}),
            ("site.rekey", {"name": "office", "what": "ike"}),
            ("pki.init", {}),
            ("pki.import", {"content": base64.b64encode(b"no CA").decode()}),
        ):
            with pytest.raises(RpcError) as refusal:
                await served.ask(method, **params)
            assert refusal.value.code == ErrorCode.FAILED
            asked.add(method)
    asked |= {"config.apply", "backup.restore"}
    assert asked | BY_CONTROL == METHODS.keys()
    assert served.methods.keys() | BY_CONTROL == METHODS.keys()


async def test_every_method_refuses_what_it_does_not_take(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for name, method in served.methods.items():
            wrong: list[dict[str, object]] = [{"strange": 1}, *({each: object()} for each in METHODS[name].params)]
            for params in wrong:
                with pytest.raises(RpcError) as refusal:
                    await method(params)
                assert refusal.value.code == ErrorCode.INVALID_PARAMS
                assert refusal.value.message.startswith(name)
            for parameter, shape in METHODS[name].params.items():
                assert allowed(shape)
                assert parameter


async def test_some_are_for_the_panel_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert served.guards.keys() == {"web.settings", "web.set_password", "web.listening", "web.redeem"}
