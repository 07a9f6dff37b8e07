"""Libraries that the packages bring along: pinned by hash, fetched once, cut down to the pure Python that is used.

No code of theirs runs for that, but for what pip does to read the one that comes as a source archive. Of aiohttp there
is no wheel without C extensions; one with them is taken, and the extensions are left out: it works without.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from openwrt.builder.archive import File

WANTED_WHEELS = ("--platform=manylinux2014_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311")
SOURCES_ALONE = "sdnotify"

# Beginnings of the paths that are taken; of the others, the folder of their name.
PARTS = {
    "attrs": ("attr/", "attrs/"),
    "typing_extensions": ("typing_extensions.py",),
    "pyroute2": (
        "pyroute2/__init__.py",
        "pyroute2/common.py",
        "pyroute2/config/",
        "pyroute2/netlink/__init__.py",
        "pyroute2/netlink/exceptions.py",
        "pyroute2/netlink/rtnl/",
    ),
}

# What serves tests alone, or a command line that is not ours.
LEFT_OUT = (
    "aiohttp/pytest_plugin.py",
    "aiohttp/test_utils.py",
    "pyroute2/config/test_platform.py",
    "pyroute2/netlink/rtnl/tcmsg/",
    "segno/cli.py",
    "shtab/__main__.py",
    "shtab/click.py",
    "shtab/main.py",
)


class VendorError(Exception):
    """A library is missing or is not the one that was pinned."""


@dataclass(frozen=True, slots=True)
class Library:
    """One line of a vendor-*.txt. `licence`: an SPDX expression."""

    name: str
    version: str
    sha256: str
    licence: str


def libraries(listing: Path) -> tuple[Library, ...]:
    """The libraries that a vendor-*.txt pins."""
    lines = (line for line in listing.read_text().splitlines() if line and not line.startswith("#"))
    return tuple(_library(line) for line in lines)


def _library(line: str) -> Library:
    pin, digest, _, licence = line.split(maxsplit=3)
    name, version = pin.split("==")
    return Library(name, version, digest.removeprefix("--hash=sha256:"), licence)


def fetch(listings: tuple[Path, ...], store: Path) -> None:
    """Have pip bring what is pinned; nothing is asked for what is there."""
    missing = [listing for listing in listings if not all(_found(library, store) for library in libraries(listing))]
    if not missing:
        return
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--quiet", "--no-deps", "--require-hashes"]
    command += [*WANTED_WHEELS, "--only-binary=:all:", f"--no-binary={SOURCES_ALONE}", f"--dest={store}"]
    subprocess.run([*command, *(f"--requirement={listing}" for listing in missing)], check=True)


def _found(library: Library, store: Path) -> list[Path]:
    return sorted(store.glob(f"{library.name}-{library.version}[-.]*"))


def _archive(library: Library, store: Path) -> Path:
    """Raises VendorError."""
    if not (found := _found(library, store)):
        raise VendorError(f"{library.name} {library.version} is not in {store}: run make vendor")
    return found[0]


def files(library: Library, store: Path) -> Iterator[File]:
    """Modules below "vendor/", licences below "licenses/". Raises VendorError."""
    archive = _archive(library, store)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != library.sha256:
        raise VendorError(f"{archive} is not the file that was pinned: remove it, and run make vendor")
    for path, content in _members(archive):
        if _is_licence(path):
            yield File(f"licenses/{library.name}/{PurePosixPath(path).name}", content)
        elif _is_module(library, path):
            yield File(f"vendor/{path}", content)


def metadata(library: Library, store: Path) -> bytes:
    """What a library says of itself (PEP 566). Raises VendorError."""
    ends = (".dist-info/METADATA", "PKG-INFO")
    return next(content for path, content in _members(_archive(library, store)) if path.endswith(ends))


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist() if not name.endswith("/"))
        return
    with tarfile.open(archive) as source:
        for member in source:
            if (content := source.extractfile(member)) is not None:
                yield member.name.partition("/")[2], content.read()


def _is_licence(path: str) -> bool:
    inside = PurePosixPath(path)
    return inside.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE")) and "vendor" not in inside.parts


def _is_module(library: Library, path: str) -> bool:
    wanted = PARTS.get(library.name, (f"{library.name}/",))
    return path.endswith(".py") and path.startswith(wanted) and not path.startswith(LEFT_OUT)
