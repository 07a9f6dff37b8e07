"""The recipe for apk: the tree, the scripts, and what mkpkg is told."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from pathlib import Path

import pytest

from edgevpn import __version__
from openwrt.builder import apk
from openwrt.builder.__main__ import lay_out
from openwrt.builder.archive import File, tar
from openwrt.builder.packages import Package
from tests.openwrt.conftest import EPOCH

BOOKS = "lib/apk/packages"


@pytest.fixture(scope="module")
def recipe(packages: dict[str, Package], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe, unpacked."""
    folder = tmp_path_factory.mktemp("recipe")
    lay_out(apk.recipe(packages.values()), folder, EPOCH)
    return folder


def test_list_of_files(packages: dict[str, Package]) -> None:
    """Without it the router's default_postinst neither runs uci-defaults nor starts anything, and says nothing."""
    for name, package in packages.items():
        tree = {entry.path: entry for entry in apk.tree(package)}
        listed = tree[f"{BOOKS}/{name}.list"]
        assert isinstance(listed, File)
        assert listed.content.decode().split() == sorted(
            f"/{entry.path}" for entry in package.entries if isinstance(entry, File)
        )


def test_books(recipe: Path, packages: dict[str, Package]) -> None:
    folder = recipe / "edgevpn/files"

    assert (folder / BOOKS / "edgevpn.rusers").read_text() == "edgevpn=4500:edgevpn=4500\n"
    assert (folder / BOOKS / "edgevpn.conffiles").read_text() == "/etc/config/edgevpn\n/etc/edgevpn/edgevpn.toml\n"
    for line in (folder / BOOKS / "edgevpn.conffiles_static").read_text().splitlines():
        path, digest = line.split()
        assert hashlib.sha256((folder / path[1:]).read_bytes()).hexdigest() == digest
    assert (folder / "etc/edgevpn").stat().st_mode & 0o777 == 0o700
    assert (folder / "etc/config/edgevpn").stat().st_mode & 0o777 == 0o600
    assert not (recipe / "edgevpn-web/files" / BOOKS / "edgevpn-web.conffiles").exists()


def test_scripts(packages: dict[str, Package]) -> None:
    """What is our own comes after the common part here, and an upgrade runs neither of the scripts of removal."""
    scripts = apk.scripts(packages["edgevpn"])

    assert scripts.keys() == {"post-install", "post-upgrade", "pre-deinstall"}
    head = [
        "#!/bin/sh",
        '[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0',
        '. "${IPKG_INSTROOT}/lib/functions.sh"',
        'export root="${IPKG_INSTROOT}"',
        'export pkgname="edgevpn"',
    ]
    assert scripts["post-install"].splitlines() == [*head, "add_group_and_user", "default_postinst"]
    assert scripts["post-upgrade"].splitlines()[:3] == ["#!/bin/sh", "export PKG_UPGRADE=1", head[1]]
    assert scripts["pre-deinstall"].splitlines()[:6] == [*head, "default_prerm"]
    assert "uci -q commit firewall" in scripts["pre-deinstall"]


def test_what_mkpkg_is_told(packages: dict[str, Package]) -> None:
    words = apk.arguments(packages["edgevpn"])
    info = dict(
        value.split(":", 1) for option, value in zip(words[1::2], words[2::2], strict=True) if option == "--info"
    )

    assert words[0] == "mkpkg"
    assert (info["name"], info["version"], info["arch"]) == ("edgevpn", f"{__version__}-r1", "noarch")
    assert info["depends"].split() == list(packages["edgevpn"].depends)
    assert words[-4:] == ["--files", "edgevpn/files", "--output", f"edgevpn-{__version__}-r1.apk"]


def test_build_script(recipe: Path, tmp_path: Path, packages: dict[str, Package]) -> None:
    """apk is called once for each package and once for the index, in its own folder; it and chown are stood in for."""
    for name in ("apk", "chown"):
        (tmp_path / name).write_text(
            f'#!/bin/sh\nprintf "%s\\n" {name} "$@" end >>{shlex.quote(str(tmp_path))}/calls\n'
        )
        (tmp_path / name).chmod(0o755)

    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run([recipe / "build", "/keys/mine.pem"], check=True, env=environment)

    calls = [call.split("\n") for call in (tmp_path / "calls").read_text().removesuffix("\nend\n").split("\nend\n")]
    made = [f"{package.name}-{package.version}.apk" for package in packages.values()]
    assert calls == [
        ["chown", "-R", "0:0", "."],
        *(["apk", *apk.arguments(package)] for package in packages.values()),
        ["apk", "--sign-key", "/keys/mine.pem", "--allow-untrusted", "mkndx", "--output", "packages.adb", *made],
    ]


def test_the_same_bytes_again(packages: dict[str, Package]) -> None:
    once, again = (tar(tuple(apk.recipe(packages.values())), EPOCH) for _ in range(2))
    assert once == again
