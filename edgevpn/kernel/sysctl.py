"""Variables of /proc/sys/net that belong to an interface, in the network namespace of the calling thread."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from edgevpn.frozen import dataclass
from edgevpn.kernel import faults
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.faults import reading, telling

SYSCTL = Path("/proc/sys/net")


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable of an interface, of "all" or of "default", such as forwarding, rp_filter or disable_policy.

    `version` is that of IP. Raises ValueError for what cannot be one.
    """

    version: Literal[4, 6]
    interface: str
    name: str

    def __post_init__(self) -> None:
        if self.interface in ("", ".", "..") or "/" in self.interface or not re.fullmatch("[a-z0-9_]+", self.name):
            raise ValueError(f"{self.interface!r} has no setting {self.name!r}")

    def __str__(self) -> str:
        return f"net.ipv{self.version}.conf.{self.interface}.{self.name}"

    def below(self, sysctl: Path) -> Path:
        """The file that holds it."""
        return sysctl / f"ipv{self.version}" / "conf" / self.interface / self.name


def read_setting(setting: Setting, sysctl: Path = SYSCTL) -> int:
    """NotFound: no such interface or setting."""
    with telling("read", setting, faults.SETTING), reading(setting):
        return int(setting.below(sysctl).read_text())


def change_settings(values: Mapping[Setting, int], sysctl: Path = SYSCTL) -> dict[Setting, int]:
    """Set variables, all of them or none; returns those that had another value, with that value. NotFound."""
    before: dict[Setting, int] = {}
    try:
        for setting, value in values.items():
            was = read_setting(setting, sysctl)
            if was != value:
                write_setting(setting, value, sysctl)
                before[setting] = was
    except KernelError:
        for setting, value in before.items():
            write_setting(setting, value, sysctl)
        raise
    return before


def write_setting(setting: Setting, value: int, sysctl: Path = SYSCTL) -> None:
    """NotFound: no such interface or setting."""
    with telling("set", setting, faults.SETTING):
        setting.below(sysctl).write_text(f"{value}\n")
