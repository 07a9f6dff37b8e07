"""What the panel works by, as the daemon tells it: asked for anew whenever somebody is to prove who they are."""

from __future__ import annotations

from edgevpn.api.records import WebSettings
from edgevpn.web.calls import Calls


class PanelSettings:
    """The settings of late. The key of the certificate is not among them: it has been used by then."""

    def __init__(self, calls: Calls, settings: WebSettings) -> None:
        self._calls = calls
        self.last = without_key(settings)

    async def fresh(self) -> WebSettings:
        """What holds now. Raises DaemonUnreachable."""
        self.last = without_key(await self._calls("web.settings"))
        return self.last


def without_key(settings: WebSettings) -> WebSettings:
    """The settings, less what nobody needs again."""
    return {**settings, "certificate": "", "key": ""}
