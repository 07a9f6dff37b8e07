"""edgevpn.kernel.framework."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# In an interpreter of its own, because other tests may have loaded all of pyroute2.
ALONE = """
import sys
import edgevpn.kernel.framework as ours
assert "pyroute2" not in sys.modules
assert "pyroute2.netlink.rtnl.ifinfmsg" in sys.modules
assert "pyroute2.iproute" not in sys.modules

import pyroute2
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
assert pyroute2.IPRoute
assert ifinfmsg is ours.ifinfmsg
"""

AFTERWARDS = """
import pyroute2
from pyroute2.netlink.rtnl.rtmsg import rtmsg
import edgevpn.kernel.framework as ours
assert ours.rtmsg is rtmsg
"""

MISSING = """
try:
    import edgevpn.kernel.framework
except ModuleNotFoundError as error:
    assert error.name == "pyroute2"
else:
    raise AssertionError
"""


def run(program: str, *options: str) -> None:
    command = [sys.executable, *options, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")


def test_the_rest_of_pyroute2_is_not_loaded() -> None:
    run(ALONE)


def test_pyroute2_was_loaded_before() -> None:
    run(AFTERWARDS)


def test_pyroute2_is_missing() -> None:
    run(MISSING, "-S")
