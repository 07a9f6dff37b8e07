"""The packages of this checkout, built once, and routers to put them on."""

from __future__ import annotations

from pathlib import Path

import pytest

from openwrt.builder import ipk
from openwrt.builder.__main__ import STORE
from openwrt.builder.packages import Package, everything
from tests.openwrt.router import Router

EPOCH = 1_700_000_000


@pytest.fixture(scope="session")
def packages() -> dict[str, Package]:
    """All packages by their names. The libraries in them come from `make vendor`."""
    return {package.name: package for package in everything(STORE)}


@pytest.fixture(scope="session")
def ipks(packages: dict[str, Package]) -> dict[str, ipk.Ipk]:
    """The same, built."""
    return {name: ipk.build(package, EPOCH) for name, package in packages.items()}


# The Bourne shell that every machine has, and in the guest, where busybox is, the very shell of a router.
SHELLS = [pytest.param(("sh",), id="sh"), pytest.param(("busybox", "ash"), id="ash", marks=pytest.mark.netns)]


@pytest.fixture(params=SHELLS)
def router(request: pytest.FixtureRequest, tmp_path: Path) -> Router:
    """A router without our packages."""
    return Router(tmp_path / "router", request.param)
