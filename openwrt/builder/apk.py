"""Packages for apk 3 (OpenWrt 25.12 and later): the tree and the arguments from which `apk mkpkg` makes each.

The container itself is apk's own to write. Where there is no apk 3, `recipe` is carried to a machine that has one, a
router with 25.12 for instance, and run there.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Iterator

from openwrt.builder.archive import PROGRAM, Entry, File, Folder
from openwrt.builder.packages import LICENSE, MAINTAINER, Package

BOOKS = "lib/apk/packages"

HEAD = """#!/bin/sh
[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "${IPKG_INSTROOT}/lib/functions.sh"
export root="${IPKG_INSTROOT}"
"""


def tree(package: Package) -> tuple[Entry, ...]:
    """The package's files, and the books about them that OpenWrt's default_postinst reads."""
    listed = sorted(f"/{entry.path}" for entry in package.entries if isinstance(entry, File))
    books = [File(f"{BOOKS}/{package.name}.list", _lines(listed))]
    if package.users:
        books.append(File(f"{BOOKS}/{package.name}.rusers", _lines([package.users])))
    if package.conffiles:
        books.append(File(f"{BOOKS}/{package.name}.conffiles", _lines(package.conffiles)))
        books.append(File(f"{BOOKS}/{package.name}.conffiles_static", _lines(_digests(package))))
    return (*package.entries, *books)


def _digests(package: Package) -> Iterator[str]:
    contents = {f"/{entry.path}": entry.content for entry in package.entries if isinstance(entry, File)}
    for path in package.conffiles:
        yield f"{path} {hashlib.sha256(contents[path]).hexdigest()}"


def scripts(package: Package) -> dict[str, str]:
    """By the name of the moment. What the package adds comes after the common part, unlike with opkg."""
    name = f'export pkgname="{package.name}"\n'
    installed = f"{HEAD}{name}add_group_and_user\ndefault_postinst\n{_body(package.postinst)}"
    return {
        "post-install": installed,
        "post-upgrade": f"#!/bin/sh\nexport PKG_UPGRADE=1\n{_body(installed)}",
        "pre-deinstall": f"{HEAD}{name}default_prerm\n{_body(package.prerm)}",
    }


def arguments(package: Package) -> list[str]:
    """What `apk mkpkg` is told, with paths below the package's own folder."""
    info = {
        "name": package.name,
        "version": package.version,
        "description": package.description,
        "arch": "noarch",
        "license": LICENSE,
        "origin": f"openwrt/{package.name}",
        "maintainer": MAINTAINER,
        "depends": " ".join(package.depends),
    }
    words = ["mkpkg"]
    for key, value in info.items():
        words += ["--info", f"{key}:{value}"]
    for moment in scripts(package):
        words += ["--script", f"{moment}:{package.name}/{moment}"]
    return [*words, "--files", f"{package.name}/files", "--output", f"{package.name}-{package.version}.apk"]


def recipe(packages: Iterable[Package]) -> Iterator[Entry]:
    """All of it as one tree, with a script `build` that makes the packages and their index in the present directory."""
    packages = tuple(packages)
    for package in packages:
        yield Folder(f"{package.name}/files", 0o755)
        for entry in tree(package):
            yield _moved(entry, f"{package.name}/files")
        for moment, script in scripts(package).items():
            yield File(f"{package.name}/{moment}", script.encode(), PROGRAM)
    yield File("build", _build_script(packages).encode(), PROGRAM)


def _build_script(packages: tuple[Package, ...]) -> str:
    lines = [f'"$apk" {shlex.join(arguments(package))}' for package in packages]
    made = shlex.join(f"{package.name}-{package.version}.apk" for package in packages)
    return BUILD_SCRIPT.format(packages="\n".join(lines), made=made)


# Owners go into the packages, so it wants root. A key signs what is made; without one, install with --allow-untrusted.
BUILD_SCRIPT = """#!/bin/sh
# Makes the packages and their index:  ./build [KEY]   (as root; apk 3 as $APK, else from PATH)
set -eu
cd "$(dirname "$0")"
apk=${{APK:-apk}}
chown -R 0:0 .
{packages}
"$apk" ${{1:+--sign-key "$1"}} --allow-untrusted mkndx --output packages.adb {made}
"""


def _moved(entry: Entry, folder: str) -> Entry:
    path = f"{folder}/{entry.path}"
    match entry:
        case File(content=content, mode=mode):
            return File(path, content, mode)
        case Folder(mode=mode):
            return Folder(path, mode)


def _body(script: str) -> str:
    return "".join(line for line in script.splitlines(keepends=True) if not line.startswith("#!"))


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
