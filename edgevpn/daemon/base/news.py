"""Which sites and devices have changed, gathered until somebody looks: many changes at once are one piece of news."""

from __future__ import annotations

from collections.abc import Callable

from edgevpn.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Changed:
    """Names of what has changed, in the order of the first change of each."""

    sites: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


class News:
    """Takes what is told; `ready` is called when there is something after there was nothing."""

    def __init__(self) -> None:
        self.ready: Callable[[], None] = lambda: None
        self._sites: dict[str, None] = {}
        self._devices: dict[str, None] = {}

    def site(self, name: str) -> None:
        """Something about a site is not as it was."""
        self._tell(self._sites, name)

    def device(self, name: str) -> None:
        """Something about a device is not as it was."""
        self._tell(self._devices, name)

    def take(self) -> Changed:
        """All that has changed since this was last asked."""
        changed = Changed(tuple(self._sites), tuple(self._devices))
        self._sites.clear()
        self._devices.clear()
        return changed

    def _tell(self, names: dict[str, None], name: str) -> None:
        first = not (self._sites or self._devices)
        names[name] = None
        if first:
            self.ready()
