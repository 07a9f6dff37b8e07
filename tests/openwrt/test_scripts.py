"""Every shell script that is shipped: its syntax, and what shellcheck says of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from openwrt.builder import apk, ipk
from openwrt.builder.archive import File
from openwrt.builder.packages import ROOT, Package

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
FILES = sorted(
    path
    for folder in ("openwrt/edgevpn/files", "openwrt/debian")
    for path in (ROOT / folder).iterdir()
    if path.suffix in {".init", ".defaults", ".prerm", ".launcher", ".postinst", ".postrm"}
)
# Written into packages by the builder. The router's /lib/functions.sh is not here to be followed.
LEAVE_OUT = "--exclude=SC1091"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file(path: Path) -> None:
    checked(path)


def test_generated(packages: dict[str, Package], tmp_path: Path) -> None:
    texts = {"postinst": ipk.POSTINST, "prerm": ipk.PRERM}
    for package in packages.values():
        texts |= {f"{package.name}.postinst": package.postinst, f"{package.name}.prerm": package.prerm}
        texts |= {f"{package.name}.{moment}": script for moment, script in apk.scripts(package).items()}
    texts |= {
        entry.path: entry.content.decode()
        for entry in apk.recipe(packages.values())
        if isinstance(entry, File) and entry.path == "build"
    }
    for name, text in texts.items():
        if text:
            (tmp_path / name).write_text(text)
            checked(tmp_path / name)


def checked(path: Path) -> None:
    ran = subprocess.run(["sh", "-n", path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    ran = subprocess.run([SHELLCHECK, LEAVE_OUT, path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
