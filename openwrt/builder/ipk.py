"""Packages for opkg (OpenWrt 23.05 and 24.10), and the index of a feed of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from openwrt.builder.archive import PROGRAM, REGULAR, Entry, File, compressed, ordered_tar, tar
from openwrt.builder.packages import LICENSE, MAINTAINER, Package

ARCHITECTURE = "all"

# /lib/functions.sh of the router does the common part (users, uci-defaults, enable, start) and calls the package's own.
POSTINST = """#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "${IPKG_INSTROOT}/lib/functions.sh"
default_postinst "$0" "$@"
"""
PRERM = """#!/bin/sh
[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "${IPKG_INSTROOT}/lib/functions.sh"
default_prerm "$0" "$@"
"""


@dataclass(frozen=True, slots=True)
class Ipk:
    """A finished package: its file, and what the index says of it."""

    name: str
    control: str
    content: bytes = field(repr=False)


def control(package: Package, size: int, epoch: int) -> str:
    """The control file; a field without a value is left out, and Description is the last."""
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Depends": ", ".join(package.depends),
        "Source": f"openwrt/{package.name}",
        "SourceName": package.name,
        "License": LICENSE,
        "LicenseFiles": "LICENSE",
        "Section": package.section,
        "Require-User": package.users,
        "SourceDateEpoch": str(epoch),
        "Maintainer": MAINTAINER,
        "Architecture": ARCHITECTURE,
        "Installed-Size": str(size),
        "Description": package.description,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def build(package: Package, epoch: int) -> Ipk:
    """The .ipk of a package."""
    data = tar(package.entries, epoch)
    text = control(package, len(data), epoch)
    members: list[Entry] = [
        File("control", text.encode(), REGULAR),
        File("postinst", POSTINST.encode(), PROGRAM),
        File("prerm", PRERM.encode(), PROGRAM),
    ]
    for name, script in (("postinst-pkg", package.postinst), ("prerm-pkg", package.prerm)):
        if script:
            members.append(File(name, script.encode(), PROGRAM))
    if package.conffiles:
        members.append(File("conffiles", "".join(f"{path}\n" for path in package.conffiles).encode(), REGULAR))
    shell = (
        ("debian-binary", b"2.0\n"),
        ("data.tar.gz", compressed(data)),
        ("control.tar.gz", compressed(tar(members, epoch))),
    )
    name = f"{package.name}_{package.version}_{ARCHITECTURE}.ipk"
    return Ipk(name, text, compressed(ordered_tar(shell, epoch)))


def index(packages: Iterable[Ipk]) -> str:
    """Packages: each control file with the name, size and digest of its .ipk before the description."""
    stanzas = []
    for package in sorted(packages, key=lambda each: each.name):
        above, mark, description = package.control.partition("Description:")
        digest = hashlib.sha256(package.content).hexdigest()
        found = f"Filename: {package.name}\nSize: {len(package.content)}\nSHA256sum: {digest}\n"
        stanzas.append(above + found + mark + description)
    return "".join(f"{stanza}\n" for stanza in stanzas)
