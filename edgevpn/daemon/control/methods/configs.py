"""The configuration: shown, planned, applied, confirmed, undone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edgevpn.api import ErrorCode, RpcError
from edgevpn.api.records import Applied, Plan, Reloaded, SavedVersion
from edgevpn.config.changes import Documents, set_key, unset_key
from edgevpn.config.errors import shown
from edgevpn.config.nouns import setting_at
from edgevpn.config.schema import schema
from edgevpn.config.show import complete, masked_tables
from edgevpn.config.source import toml
from edgevpn.config.store import Change
from edgevpn.config.words import path_of
from edgevpn.daemon.control.methods.names import within
from edgevpn.daemon.control.methods.table import Served
from edgevpn.daemon.keeping.configuration import Configuration
from edgevpn.frozen import replace


class ConfigMethods:
    """All about the configuration file."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    @property
    def methods(self) -> Mapping[str, Served]:
        """By their names in the API."""
        return {
            "reload": self.reload,
            "config.show": self.show,
            "config.schema": self.schema,
            "config.text": self.text,
            "config.plan": self.plan,
            "config.apply": self.apply,
            "config.set": self.set,
            "config.confirm": self.confirm,
            "config.rollback": self.rollback,
            "config.versions": self.versions,
        }

    async def reload(self) -> Reloaded:
        return await self._configuration.reload()

    async def show(self, defaults: bool = False) -> dict[str, Any]:
        """What is written, or what is in force with all that is not written; dates as text."""
        tables = toml(self._configuration.text(), "")
        whole = (
            complete(self._configuration.running, self._configuration.tables()) if defaults else masked_tables(tables)
        )
        plain: dict[str, Any] = json.loads(json.dumps(whole, default=str))
        return plain

    async def schema(self) -> dict[str, Any]:
        return schema()

    async def text(self) -> str:
        return self._configuration.text()

    async def plan(self, text: str, name: str = "") -> Plan:
        return await self._configuration.plan(_whole(text), anew=True, name=name)

    async def apply(self, text: str, confirm: int = 0, name: str = "") -> Applied:
        return await self._configuration.change(_whole(text), within(confirm), anew=True, name=name)

    async def set(self, values: Mapping[str, Any], confirm: int = 0) -> Applied:
        return await self._configuration.change(lambda old: _with(old, values), within(confirm))

    async def confirm(self) -> None:
        await self._configuration.confirm()

    async def rollback(self, number: int) -> Applied:
        kept = [version["number"] for version in self._configuration.versions()]
        if number not in kept and not (number == 1 and self._configuration.waits):
            allowed = f"there are 1 to {len(kept)}" if kept else "none is kept"
            raise RpcError(ErrorCode.NOT_FOUND, f"there is no version {shown(number)}; {allowed}")
        return await self._configuration.rollback(number)

    async def versions(self) -> list[SavedVersion]:
        return self._configuration.versions()


def _whole(text: str) -> Change:
    """Another text in the place of the file's."""
    return lambda old: replace(old, config=text)


def _with(documents: Documents, values: Mapping[str, Any]) -> Documents:
    """Keys by their dotted paths. Raises Refused.

    Secrets come last: whether one is of use depends on other keys.
    """
    paths = {path_of(key): value for key, value in values.items()}
    for path, value in sorted(paths.items(), key=lambda each: setting_at(each[0]).secret):
        documents = unset_key(documents, path) if value is None else set_key(documents, path, value)
    return documents
