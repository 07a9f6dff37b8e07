"""What the command line tells the daemon."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from edgevpn.config.model import LogLevel
from edgevpn.frozen import dataclass


class KernelKind(Enum):
    """Who carries the traffic: this machine's kernel, or nobody."""

    NETLINK = "netlink"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Ports:
    """The UDP ports of IKE, and of IKE and ESP behind a NAT (RFC 7296 §2.23). Clients know no others than these."""

    ike: int = 500
    nat: int = 4500


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of `edgevpn run`. `log_level` wins over the file's; `export_keys` is a folder for Wireshark's tables.

    `state` is the folder for what is kept over a restart; without it "state" beside the configuration file.
    """

    config: Path
    socket: Path
    kernel: KernelKind = KernelKind.NETLINK
    export_keys: Path | None = None
    log_level: LogLevel | None = None
    ports: Ports = Ports()
    state: Path | None = None


class StartFailed(Exception):  # noqa: N818 - named for what the user sees
    """The daemon cannot run here. The text is one sentence for the user: what is wrong, and the cure."""
