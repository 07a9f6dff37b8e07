"""What a router's feed gives: cryptography, and the parts of Python that the packages name."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from openwrt.builder.packages import ROOT, Package

LAUNCHER = Path(__file__).parent / "stubs/python3.py"
OLDEST = ROOT / ".venv/router"

# How OpenWrt cuts the standard library: package, and the modules that it holds. All others are in python3-light.
SPLIT = {
    "python3-asyncio": {"asyncio", "_asyncio"},
    "python3-cgi": {"cgi", "cgitb"},
    "python3-codecs": {f"_codecs_{name}" for name in ("cn", "hk", "iso2022", "jp", "kr", "tw")} | {"unicodedata"},
    "python3-ctypes": {"ctypes", "_ctypes"},
    "python3-dbm": {"dbm", "_dbm"},
    "python3-decimal": {"decimal", "_decimal"},
    "python3-dev": {"lib2to3", "distutils", "idlelib", "tkinter", "_tkinter", "turtle", "turtledemo"},
    "python3-email": {"email"},
    "python3-logging": {"logging"},
    "python3-lzma": {"lzma", "_lzma"},
    "python3-multiprocessing": {"multiprocessing", "_multiprocessing"},
    "python3-ncurses": {"curses", "_curses", "_curses_panel"},
    "python3-openssl": {"_hashlib", "_ssl"},
    "python3-pydoc": {"doctest", "pydoc", "pydoc_data"},
    "python3-readline": {"readline"},
    "python3-sqlite3": {"sqlite3", "_sqlite3"},
    "python3-unittest": {"unittest"},
    "python3-urllib": {"urllib"},
    "python3-uuid": {"uuid", "_uuid"},
    "python3-venv": {"venv", "ensurepip"},
    "python3-xml": {"xml", "xmlrpc", "_elementtree", "pyexpat"},
}
# What these bring along. That of cryptography is what it has in 23.05, the least.
BRINGS = {"python3-urllib": {"python3-email"}, "python3-cryptography": {"python3-urllib", "python3-openssl"}}


def installed(*packages: Package) -> set[str]:
    """What a router has of Python once these are installed."""
    found = {name for package in packages for name in package.depends}
    while more := {each for name in found for each in BRINGS.get(name, ())} - found:
        found |= more
    return found


def lacking(*packages: Package) -> set[str]:
    """Modules that are not there then."""
    return {module for name, modules in SPLIT.items() if name not in installed(*packages) for module in modules}


def fill(folder: Path, cryptography: Literal["oldest", "newest"]) -> None:
    """Make a folder what a router's site-packages are: cryptography, and cffi below it."""
    folder.mkdir()
    found = {name: place(name) for name in ("cryptography", "cffi", "_cffi_backend", "pycparser")}
    if cryptography == "oldest":
        found["cryptography"] = OLDEST / "cryptography"
    for path in found.values():
        (folder / path.name).symlink_to(path)


def place(module: str) -> Path:
    """Where a module is: its folder, or its file."""
    spec = find_spec(module)
    assert spec is not None, module
    assert spec.origin is not None, module
    path = Path(spec.origin)
    return path.parent if path.name == "__init__.py" else path


def command(router: Path, site_packages: Path, *packages: Package) -> list[str]:
    """/usr/bin/edgevpn of a router where these packages are installed, and of Python only what they depend on."""
    without = ",".join(sorted(lacking(*packages)))
    start = router / "usr/lib/edgevpn/start.py"
    return [sys.executable, "-I", "-S", "-B", str(LAUNCHER), str(site_packages), without, str(start)]
