from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevpn.web.calls import Calls
from edgevpn.web.settings import PanelSettings, without_key
from tests.support.stand_in import StandIn, stand_in


async def test_what_holds_now(tmp_path: Path) -> None:
    daemon = StandIn(title="before")
    async with stand_in(tmp_path / "s", daemon):
        settings = PanelSettings(Calls(tmp_path / "s"), daemon.web)  # type: ignore[arg-type]
        daemon.web["title"] = "after"
        assert settings.last["title"] == "before"
        assert (await settings.fresh())["title"] == "after"
        assert settings.last["title"] == "after"


def test_nobody_keeps_the_key() -> None:
    given: Any = {**StandIn().web, "certificate": "PEM", "key": "PRIVATE"}
    assert without_key(given) == {**given, "certificate": "", "key": ""}
