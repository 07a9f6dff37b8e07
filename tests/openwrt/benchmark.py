"""How heavy the packages are where they run:  python -m tests.openwrt.benchmark

Both processes as the packages lay them out, with no more of Python than these depend on. Numbers of this machine; on a
32-bit CPU they are less. Nothing here fails.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from openwrt.builder.__main__ import STORE, lay_out
from openwrt.builder.packages import everything
from tests.openwrt import feed
from tests.openwrt.conftest import EPOCH
from tests.support.memory import resident
from tests.support.ports import free_ports

IDLE = """
[gateway]
listen = ["127.0.0.1"]
"""
SETTLED = 3.0
"""Seconds until a process has done all that comes with its start."""


def main() -> None:
    packages = {package.name: package for package in everything(STORE)}
    with tempfile.TemporaryDirectory() as folder:
        router, site_packages = Path(folder) / "router", Path(folder) / "site-packages"
        for package in packages.values():
            lay_out(package.entries, router, EPOCH)
        feed.fill(site_packages, "newest")
        command = feed.command(router, site_packages, packages["edgevpn"], packages["edgevpn-web"])
        command.remove("-B")  # a router keeps compiled modules, too
        measure(command, Path(folder))


def measure(command: list[str], folder: Path) -> None:
    """The second start counts, as the first one compiles."""
    file, socket, ports = folder / "edgevpn.toml", folder / "control.sock", free_ports()
    file.write_text(IDLE)
    file.chmod(0o600)
    daemon = [*command, "run", "-c", str(file), "--kernel", "memory", "--socket", str(socket)]
    web = [*command, "web", "--socket", str(socket), "--port", str(free_ports().ike)]
    for start in ("first", "second"):
        with subprocess.Popen([*daemon, "--ports", f"{ports.ike},{ports.nat}"]) as running:
            time.sleep(SETTLED)
            with subprocess.Popen(web) as panel:
                time.sleep(SETTLED)
                print(f"{start} start: daemon {resident(running.pid):5.1f} MB, panel {resident(panel.pid):5.1f} MB")
                panel.terminate()
            running.terminate()


if __name__ == "__main__":
    main()
