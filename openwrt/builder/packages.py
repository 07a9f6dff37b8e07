"""What is in each package: files of the checkout and of the libraries, dependencies, users, scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from openwrt.builder.archive import PROGRAM, REGULAR, SECRET, Entry, File, Folder
from openwrt.builder.lmo import compiled
from openwrt.builder.vendor import files, libraries

ROOT = Path(__file__).parent.parent.parent
RELEASE = "r1"
MAINTAINER = "The edgevpn authors"
LICENSE = "Apache-2.0"
HOME = "usr/lib/edgevpn"
DAEMON_LIBRARIES = ROOT / "openwrt/vendor-daemon.txt"
WEB_LIBRARIES = ROOT / "openwrt/vendor-web.txt"

PYTHON = (
    "python3-light",
    "python3-asyncio",
    "python3-codecs",  # names of hosts are looked up by way of them
    "python3-ctypes",  # until Python 3.12, to try ciphers in a namespace of their own
    "python3-logging",
    "python3-multiprocessing",
    "python3-openssl",
    "python3-urllib",
    "python3-uuid",  # device profiles have them,
    "python3-xml",  # and those for Apple's devices are property lists
    "python3-cryptography",
)
KERNEL = (
    "kmod-ipsec",
    "kmod-ipsec4",
    "kmod-ipsec6",
    "kmod-xfrm-interface",
    "kmod-nf-conntrack-netlink",  # connections that began before their tunnel are forgotten
    "kmod-veth",  # ciphers are tried over a cable of their own
    "kmod-crypto-gcm",
    "kmod-crypto-sha256",
    "kmod-crypto-sha512",
    "kmod-crypto-chacha20poly1305",
)
WEB_PYTHON = ("python3-light", "python3-asyncio", "python3-codecs", "python3-lzma", "python3-urllib", "python3-uuid")
LUCI = ("luci-base", "rpcd-mod-ucode", "ucode-mod-socket")

# Path on the router: where it is in the checkout, and its mode.
SERVICE_FILES = {
    "etc/config/edgevpn": ("edgevpn.config", SECRET),
    "etc/edgevpn/edgevpn.toml": ("edgevpn.toml", SECRET),
    "etc/init.d/edgevpn": ("edgevpn.init", PROGRAM),
    "etc/uci-defaults/80-edgevpn": ("edgevpn.defaults", REGULAR),
    "etc/capabilities/edgevpn.json": ("edgevpn.capabilities.json", REGULAR),
    "etc/capabilities/edgevpn-web.json": ("edgevpn-web.capabilities.json", REGULAR),
    "lib/upgrade/keep.d/edgevpn": ("edgevpn.keep", REGULAR),
    "usr/bin/edgevpn": ("edgevpn.launcher", PROGRAM),
    f"{HOME}/start.py": ("start.py", REGULAR),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package, in no format yet. Scripts are what is the package's own: what formats add is not in them."""

    name: str
    title: str
    description: str
    section: str
    depends: tuple[str, ...]
    entries: tuple[Entry, ...] = field(repr=False)
    conffiles: tuple[str, ...] = ()
    users: str = ""
    postinst: str = ""
    prerm: str = ""

    @property
    def version(self) -> str:
        """In the form that opkg and apk both take."""
        return f"{upstream_version()}-{RELEASE}"


def upstream_version() -> str:
    """The version of the checkout."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "edgevpn/__init__.py").read_text(), re.MULTILINE)
    assert found, "edgevpn/__init__.py says no version"
    return found[1]


def edgevpn(store: Path) -> Package:
    """The daemon, the command line, and the service."""
    service = [File(path, _service_file(name), mode) for path, (name, mode) in SERVICE_FILES.items()]
    return Package(
        name="edgevpn",
        title="IKEv2 gateway for native clients and sites",
        description="IKEv2 gateway: phones, laptops and other sites by the clients that they have; ESP in the kernel.",
        section="net",
        depends=(*PYTHON, *KERNEL),
        entries=(Folder("etc/edgevpn", 0o700), *service, *program(store), _licence()),
        conffiles=("/etc/config/edgevpn", "/etc/edgevpn/edgevpn.toml"),
        users="edgevpn=4500:edgevpn=4500",
        prerm=_service_file("edgevpn.prerm").decode(),
    )


def edgevpn_web(store: Path) -> Package:
    """The panel, with aiohttp."""
    return Package(
        name="edgevpn-web",
        title="Web panel of edgevpn",
        description="Web panel of edgevpn, with its own copy of aiohttp; it runs as a user without rights.",
        section="net",
        depends=("edgevpn", *WEB_PYTHON),
        entries=tuple(panel(store)),
        postinst=RESTART,
        prerm=RESTART_WITHOUT,
    )


def luci_app() -> Package:
    """The pages in LuCI."""
    folder = ROOT / "openwrt/luci-app-edgevpn"
    pages = [File(f"www/{path}", content) for path, content in _below(folder / "htdocs")]
    rest = [File(path, content) for path, content in _below(folder / "root")]
    catalogues = [
        File(f"usr/lib/lua/luci/i18n/edgevpn.{po.parent.name}.lmo", compiled(po.read_text()))
        for po in sorted(folder.glob("po/*/edgevpn.po"))
    ]
    return Package(
        name="luci-app-edgevpn",
        title="LuCI support for edgevpn",
        description="Status and settings of edgevpn in LuCI, and the way from there into the panel.",
        section="luci",
        depends=("edgevpn", *LUCI),
        entries=(*pages, *rest, *catalogues),
        postinst=RELOAD_RPCD,
        prerm="",
    )


def program(store: Path) -> Iterator[File]:
    """The daemon's modules and libraries, in a directory that no version of Python is in the name of."""
    for path, content in _below(ROOT / "edgevpn", "*.py"):
        if not path.startswith("web/"):
            yield File(f"{HOME}/edgevpn/{path}", content)
    yield from _libraries(DAEMON_LIBRARIES, store)


def panel(store: Path) -> Iterator[File]:
    """The panel's modules, pages and libraries."""
    for path, content in _below(ROOT / "edgevpn/web"):
        if path.endswith((".py", ".yaml", ".json")):
            yield File(f"{HOME}/edgevpn/web/{path}", content)
    yield from (File(f"{HOME}/webui/{path}", content) for path, content in _below(ROOT / "webui"))
    yield from _libraries(WEB_LIBRARIES, store)


def everything(store: Path) -> tuple[Package, ...]:
    """All packages for a router."""
    return edgevpn(store), edgevpn_web(store), luci_app()


def _libraries(listing: Path, store: Path) -> Iterator[File]:
    for library in libraries(listing):
        yield from (File(f"{HOME}/{file.path}", file.content) for file in files(library, store))


def _licence() -> File:
    return File(f"{HOME}/licenses/edgevpn/LICENSE", (ROOT / "LICENSE").read_bytes())


def _service_file(name: str) -> bytes:
    return (ROOT / "openwrt/edgevpn/files" / name).read_bytes()


def _below(folder: Path, pattern: str = "*") -> Iterator[tuple[str, bytes]]:
    """The files of a tree by their paths in it, in order; none where there is no tree."""
    for path in sorted(folder.rglob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix(), path.read_bytes()


# The service of another package; in an image that is being built there is none to start.
RESTART = """#!/bin/sh
[ -n "$IPKG_INSTROOT" ] || /etc/init.d/edgevpn start
exit 0
"""
RESTART_WITHOUT = """#!/bin/sh
[ "$PKG_UPGRADE" = 1 ] || [ -n "$IPKG_INSTROOT" ] || ubus call service delete '{"name":"edgevpn","instance":"web"}'
exit 0
"""
RELOAD_RPCD = """#!/bin/sh
[ -n "$IPKG_INSTROOT" ] || /etc/init.d/rpcd reload
exit 0
"""
