"""edgevpn as a router has it: from the package, with the rights that procd leaves it."""

from pathlib import Path

from openwrt.builder.__main__ import FALLBACK_EPOCH, STORE, lay_out
from openwrt.builder.packages import edgevpn
from tests.lab.network import Node
from tests.lab.peers.edgevpn import EdgeVpn
from tests.openwrt import feed

GROUP = "nogroup"
"""In the place of the panel's group, as every machine has it."""

# What procd's jail makes of the instance: root, by number and by files, with three capabilities and no way to others.
CONFINED = (
    *("setpriv", "--regid", GROUP, "--clear-groups", "--no-new-privs"),
    *("--bounding-set=-all,+net_admin,+net_bind_service,+net_raw", "--inh-caps=-all"),
)


class Packaged(EdgeVpn):
    """One `edgevpn run` from an unpacked package, with the oldest cryptography and the rights of a router's daemon."""

    def __init__(self, node: Node, state: Path, log: Path, toml: str) -> None:
        super().__init__(node, state, log, f'[gateway]\ncontrol_group = "{GROUP}"\n{toml}')
        package = edgevpn(STORE)
        lay_out(package.entries, state / "router", FALLBACK_EPOCH)
        feed.fill(state / "site-packages", "oldest")
        self._program = feed.command(state / "router", state / "site-packages", package)

    @property
    def command(self) -> tuple[str, ...]:
        return (*CONFINED, *self._program, "run", "-c", str(self.config))
