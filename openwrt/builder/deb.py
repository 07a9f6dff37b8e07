"""Packages for Debian 13 and what descends from it: the daemon and the panel, with the same libraries packed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgevpn.cli.completion import script
from openwrt.builder.archive import PROGRAM, Entry, File, ar, compressed, tar
from openwrt.builder.packages import HOME, MAINTAINER, ROOT, panel, program, upstream_version

ARCHITECTURE = "all"
SCRIPTS = ("postinst", "prerm", "postrm")
UNITS = "usr/lib/systemd/system"
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/edgevpn",
    "zsh": "usr/share/zsh/vendor-completions/_edgevpn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """One package for dpkg."""

    name: str
    depends: tuple[str, ...]
    recommends: tuple[str, ...]
    suggests: tuple[str, ...]
    description: str
    entries: tuple[Entry, ...] = field(repr=False)

    @property
    def version(self) -> str:
        """With Debian's revision."""
        return f"{upstream_version()}-1"

    @property
    def file_name(self) -> str:
        """As dpkg-deb would name it."""
        return f"{self.name}_{self.version}_{ARCHITECTURE}.deb"


def edgevpn(store: Path) -> Deb:
    """The daemon, the command line and the unit."""
    return Deb(
        name="edgevpn",
        depends=("python3 (>= 3.11)", "python3-cryptography (>= 41.0.7)", "adduser"),
        recommends=("nftables",),
        suggests=("python3-openssl",),
        description="IKEv2 gateway for native clients and sites\n"
        " Phones, laptops and other sites by the clients that they have; ESP in the kernel.",
        entries=(
            File(f"{UNITS}/edgevpn.service", _debian("edgevpn.service")),
            File("usr/bin/edgevpn", _openwrt("edgevpn.launcher"), PROGRAM),
            File(f"{HOME}/start.py", _openwrt("start.py")),
            File("usr/share/edgevpn/edgevpn.toml", _openwrt("edgevpn.toml")),
            File("usr/share/doc/edgevpn/copyright", (ROOT / "LICENSE").read_bytes()),
            *(File(place, script(shell).encode()) for shell, place in COMPLETIONS.items()),
            *program(store),
        ),
    )


def edgevpn_web(store: Path) -> Deb:
    """The panel and its unit."""
    return Deb(
        name="edgevpn-web",
        depends=(f"edgevpn (= {upstream_version()}-1)",),
        recommends=(),
        suggests=(),
        description="Web panel of edgevpn\n It runs as a user of its own, without rights, and brings its own aiohttp.",
        entries=(
            File(f"{UNITS}/edgevpn-web.service", _debian("edgevpn-web.service")),
            File("usr/share/doc/edgevpn-web/copyright", (ROOT / "LICENSE").read_bytes()),
            *panel(store),
        ),
    )


def build(package: Deb, epoch: int) -> bytes:
    """The .deb of a package."""
    members = (
        ("debian-binary", b"2.0\n"),
        ("control.tar.gz", compressed(tar(_control(package), epoch))),
        ("data.tar.gz", compressed(tar(package.entries, epoch))),
    )
    return ar(members, epoch)


def _control(package: Deb) -> Iterator[File]:
    kibibytes = sum(len(entry.content) // 1024 + 1 for entry in package.entries if isinstance(entry, File))
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": ARCHITECTURE,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(kibibytes),
        "Depends": _joined(package.depends),
        "Recommends": _joined(package.recommends),
        "Suggests": _joined(package.suggests),
        "Section": "net",
        "Priority": "optional",
        "Description": package.description,
    }
    yield File("control", "".join(f"{name}: {value}\n" for name, value in fields.items() if value).encode())
    yield from (File(script, _debian(f"{package.name}.{script}"), PROGRAM) for script in SCRIPTS)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)


def _debian(name: str) -> bytes:
    return (ROOT / "openwrt/debian" / name).read_bytes()


def _openwrt(name: str) -> bytes:
    return (ROOT / "openwrt/edgevpn/files" / name).read_bytes()
