"""What is in the packages: every file with its mode, libraries whole, their licences, nothing that is not wanted."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openwrt.builder import deb, ipk
from openwrt.builder.__main__ import STORE
from openwrt.builder.archive import File, Folder
from openwrt.builder.packages import DAEMON_LIBRARIES, ROOT, SERVICE_FILES, WEB_LIBRARIES, Package, edgevpn
from openwrt.builder.vendor import VendorError, files, libraries
from tests.openwrt.conftest import EPOCH

PROGRAM = "usr/lib/edgevpn"
# Modules of the router's own feed.
FROM_THE_FEED = {"cryptography", "OpenSSL"}  # the latter where its owner wants it: loaded for EAP-TLS alone


def contents(package: Package) -> dict[str, bytes]:
    return {entry.path: entry.content for entry in package.entries if isinstance(entry, File)}


def modes(package: Package) -> dict[str, int]:
    return {entry.path: entry.mode for entry in package.entries}


def imports(content: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(content)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield module


def test_modes(packages: dict[str, Package]) -> None:
    """Settings may hold secrets; INSTALL_CONF of OpenWrt is 0600 too."""
    found = modes(packages["edgevpn"])

    assert found["etc/edgevpn"] == 0o700
    assert found["etc/config/edgevpn"] == found["etc/edgevpn/edgevpn.toml"] == 0o600
    assert found["etc/init.d/edgevpn"] == found["usr/bin/edgevpn"] == 0o755
    others = set(found) - {"etc/edgevpn", "usr/bin/edgevpn", "etc/init.d/edgevpn", *packages["edgevpn"].conffiles}
    assert {found[path] for path in others if f"/{path}" not in packages["edgevpn"].conffiles} == {0o644}


def test_conffiles_are_files(packages: dict[str, Package]) -> None:
    for package in packages.values():
        assert {path[1:] for path in package.conffiles} <= contents(package).keys()


def test_service_files(packages: dict[str, Package]) -> None:
    found = contents(packages["edgevpn"])
    for path, (name, _) in SERVICE_FILES.items():
        assert found[path] == (ROOT / "openwrt/edgevpn/files" / name).read_bytes()
    assert found["lib/upgrade/keep.d/edgevpn"] == b"/etc/edgevpn/\n"


def test_the_program_is_whole(packages: dict[str, Package]) -> None:
    """Every module of the checkout, each in one package."""
    daemon, panel = contents(packages["edgevpn"]), contents(packages["edgevpn-web"])
    for source in (ROOT / "edgevpn").rglob("*.py"):
        path = f"{PROGRAM}/{source.relative_to(ROOT).as_posix()}"
        is_panel = path.startswith(f"{PROGRAM}/edgevpn/web/")
        assert (path in panel, path in daemon) == (is_panel, not is_panel)


def test_no_path_is_in_two_packages(packages: dict[str, Package]) -> None:
    paths = [path for package in packages.values() for path in contents(package)]
    assert len(paths) == len(set(paths))


def test_pure_python(packages: dict[str, Package]) -> None:
    """One package for every CPU and every version of Python."""
    for package in packages.values():
        for path in contents(package):
            assert not path.endswith((".so", ".pyc", ".pyx", ".pyi"))
            assert not re.search(r"python3\.\d|site-packages|__pycache__|tests?/", path)


def test_no_fragment_for_the_firewall(packages: dict[str, Package]) -> None:
    """One bad fragment of nft and the router's firewall does not start as a whole: there is none to be bad."""
    for package in packages.values():
        assert not [path for path in contents(package) if path.endswith(".nft") or "nftables.d/" in path]


def test_imports_are_packed(packages: dict[str, Package]) -> None:
    """What our modules import is the standard library's, the feed's, or in the package or one that it depends on."""
    for name, beside in (("edgevpn", ()), ("edgevpn-web", ("edgevpn",))):
        packed = {path for each in (name, *beside) for path in contents(packages[each])}
        for path, content in contents(packages[name]).items():
            if not path.startswith(f"{PROGRAM}/edgevpn/") or not path.endswith(".py"):
                continue
            for module in imports(content):
                top = module.partition(".")[0]
                if top in sys.stdlib_module_names or top in FROM_THE_FEED or top == "edgevpn":
                    continue
                place = f"{PROGRAM}/vendor/{module.replace('.', '/')}"
                assert {f"{place}.py", f"{place}/__init__.py"} & packed, f"{path} imports {module}"


@pytest.mark.parametrize("listing", [DAEMON_LIBRARIES, WEB_LIBRARIES], ids=lambda listing: listing.stem)
def test_libraries_come_with_their_licences(listing: Path) -> None:
    for library in libraries(listing):
        found = [file.path for file in files(library, STORE)]
        assert [path for path in found if path.startswith(f"licenses/{library.name}/")], library.name
        assert [path for path in found if path.startswith("vendor/")], library.name


def test_another_file_is_not_taken(tmp_path: Path) -> None:
    """What is packed is what was pinned."""
    (sdnotify,) = (library for library in libraries(DAEMON_LIBRARIES) if library.name == "sdnotify")
    with pytest.raises(VendorError, match="make vendor"):
        list(files(sdnotify, tmp_path))

    (tmp_path / "sdnotify-0.3.2.tar.gz").write_bytes(b"something else")
    with pytest.raises(VendorError, match="not the file that was pinned"):
        list(files(sdnotify, tmp_path))


def test_the_same_bytes_again(packages: dict[str, Package], ipks: dict[str, ipk.Ipk]) -> None:
    again = edgevpn(STORE)

    assert ipk.build(again, EPOCH).content == ipks["edgevpn"].content
    assert ipk.build(again, EPOCH + 1).content != ipks["edgevpn"].content
    assert deb.build(deb.edgevpn(STORE), EPOCH) == deb.build(deb.edgevpn(STORE), EPOCH)


def test_folders_of_their_own_kind(packages: dict[str, Package]) -> None:
    found = [entry for package in packages.values() for entry in package.entries if isinstance(entry, Folder)]
    assert found == [Folder("etc/edgevpn", 0o700)]
