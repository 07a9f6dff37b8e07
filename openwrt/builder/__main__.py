"""The command line of the builder:  python -m openwrt.builder fetch|ipk|feed|apk|deb|sbom|stage|key"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from openwrt.builder import apk, deb, ipk
from openwrt.builder.archive import SECRET, Entry, File, compressed, folders, tar
from openwrt.builder.packages import DAEMON_LIBRARIES, ROOT, WEB_LIBRARIES, everything, upstream_version
from openwrt.builder.vendor import VendorError, fetch

STORE = ROOT / ".venv/vendor"
FALLBACK_EPOCH = 1_767_225_600


def main() -> int:
    """Carry out one command."""
    parser = argparse.ArgumentParser(prog="python -m openwrt.builder", description="Builds packages.")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="where the results go; else dist")
    parser.add_argument("--store", type=Path, default=STORE, help="where the libraries are; else .venv/vendor")
    parser.add_argument("--key", type=Path, help="signs the feed: a secret key of usign, or apk's private key")
    parser.add_argument("--package", help="for stage: the package whose files are laid out")
    options = parser.parse_args()
    try:
        COMMANDS[options.command](options)
    except VendorError as error:
        print(f"edgevpn: {error}", file=sys.stderr)
        return 1
    return 0


def source_date_epoch() -> int:
    """The time that all files get: as set, else that of the last commit, else a fixed one."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    commit = subprocess.run(command, capture_output=True, check=False, text=True)
    return int(commit.stdout) if commit.returncode == 0 and commit.stdout.strip() else FALLBACK_EPOCH


def _fetch(options: argparse.Namespace) -> None:
    fetch((DAEMON_LIBRARIES, WEB_LIBRARIES), options.store)


def _ipk(options: argparse.Namespace) -> None:
    for package in _ipks(options):
        _write(options.output / package.name, package.content)


def _feed(options: argparse.Namespace) -> None:
    made = _ipks(options)
    folder: Path = options.output / "feed"
    for package in made:
        _write(folder / package.name, package.content)
    index = ipk.index(made).encode()
    _write(folder / "Packages", index)
    _write(folder / "Packages.gz", compressed(index))
    if options.key is None:
        (folder / "Packages.sig").unlink(missing_ok=True)
        return
    from openwrt.builder.usign import SigningKey

    key = SigningKey.read(options.key)
    _write(folder / "Packages.sig", key.signature_text(index).encode())
    _write(folder / key.name, key.public_text().encode())


def _ipks(options: argparse.Namespace) -> tuple[ipk.Ipk, ...]:
    epoch = source_date_epoch()
    return tuple(ipk.build(package, epoch) for package in everything(options.store))


def _apk(options: argparse.Namespace) -> None:
    entries = tuple(apk.recipe(everything(options.store)))
    epoch = source_date_epoch()
    _write(options.output / "edgevpn-apk-recipe.tar.gz", compressed(tar(entries, epoch)))
    tool = os.environ.get("APK") or shutil.which("apk")
    if tool is None:
        print("There is no apk 3 here. Carry dist/edgevpn-apk-recipe.tar.gz to a machine that has it, a router with")
        print("OpenWrt 25.12 for instance, unpack it there and run ./build as root.")
        return
    folder: Path = options.output / "apk"
    shutil.rmtree(folder, ignore_errors=True)
    lay_out(entries, folder, epoch)
    key = [str(options.key.absolute())] if options.key else []
    environment = os.environ | {"APK": tool, "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run([folder / "build", *key], check=True, env=environment)


def _deb(options: argparse.Namespace) -> None:
    epoch = source_date_epoch()
    for package in (deb.edgevpn(options.store), deb.edgevpn_web(options.store)):
        _write(options.output / package.file_name, deb.build(package, epoch))


def _sbom(options: argparse.Namespace) -> None:
    from openwrt.builder.bill import bill

    _write(options.output / f"edgevpn-{upstream_version()}.cdx.json", bill(source_date_epoch()).encode())


def _stage(options: argparse.Namespace) -> None:
    """For the SDK: the files of one package, as they are to lie on the router."""
    chosen = next(package for package in everything(options.store) if package.name == options.package)
    lay_out(chosen.entries, options.output, source_date_epoch())


def _key(options: argparse.Namespace) -> None:
    from openwrt.builder.usign import SigningKey

    key = SigningKey.generate()
    path: Path = options.key or options.output / "edgevpn.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, SECRET)) as file:
        file.write(key.secret_text())
    _write(path.with_name(key.name), key.public_text().encode())


def lay_out(entries: Iterable[Entry], folder: Path, epoch: int) -> None:
    """Write a tree with its modes and times."""
    entries = tuple(entries)
    directories = folders(entries)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(directories):
        (folder / path).mkdir(exist_ok=True)
    for entry in entries:
        if isinstance(entry, File):
            (folder / entry.path).write_bytes(entry.content)
            (folder / entry.path).chmod(entry.mode)
            os.utime(folder / entry.path, (epoch, epoch))
    for path, mode in sorted(directories.items(), reverse=True):
        (folder / path).chmod(mode)
        os.utime(folder / path, (epoch, epoch))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    print(path)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "fetch": _fetch,
    "ipk": _ipk,
    "feed": _feed,
    "apk": _apk,
    "deb": _deb,
    "sbom": _sbom,
    "stage": _stage,
    "key": _key,
}

if __name__ == "__main__":
    sys.exit(main())
