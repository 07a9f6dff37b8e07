"""The Makefiles for OpenWrt's SDK say and do what the builder does: run over a stand-in for the SDK's includes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openwrt.builder.__main__ import STORE
from openwrt.builder.archive import File, folders
from openwrt.builder.packages import ROOT, Package

PACKAGE_MK = """
define BuildPackage
$(eval USERID:=)
$(eval $(Package/$(1)))
$(info package=$(1))
$(info version=$(PKG_VERSION)-r$(PKG_RELEASE))
$(info depends=$(strip $(DEPENDS)))
$(info users=$(USERID))
$(info arch=$(PKGARCH))
$(info section=$(SECTION))
$(info title=$(TITLE))
$(foreach part,conffiles description postinst prerm,$(file >$(OUT)/$(1).$(part),$(Package/$(1)/$(part))))
endef

compile:
	$(Build/Prepare)
	$(Build/Compile)

install-%:
	mkdir -p $(OUT)/$*
	$(call Package/$*/install,$(OUT)/$*)
"""
LUCI_MK = """
$(info package=$(notdir $(CURDIR)))
$(info version=$(PKG_VERSION)-r$(PKG_RELEASE))
$(info depends=$(strip $(LUCI_DEPENDS)))
$(info arch=$(LUCI_PKGARCH))
$(info title=$(LUCI_TITLE))
$(info description=$(LUCI_DESCRIPTION))
compile:
"""
FILES = {
    "rules.mk": "INCLUDE_DIR:=$(TOPDIR)/include\nPKG_BUILD_DIR:=$(OUT)/build\nDL_DIR:=$(OUT)/dl\nCP:=cp -fpR\n",
    "include/package.mk": PACKAGE_MK,
    "feeds/luci/luci.mk": LUCI_MK,
}


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in: its includes, a Python, and the libraries as downloaded."""
    top = tmp_path_factory.mktemp("sdk")
    for path, text in FILES.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    (top / "out/dl").mkdir(parents=True)
    (top / "out/dl/edgevpn").symlink_to(STORE)
    (top / "host/bin").mkdir(parents=True)
    (top / "host/bin/python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (top / "host/bin/python3").chmod(0o755)
    return top


def make(sdk: Path, folder: str, *targets: str) -> list[dict[str, str]]:
    """What the packages of a Makefile say; its targets are made."""
    settings = [f"TOPDIR={sdk}", f"OUT={sdk / 'out'}", f"STAGING_DIR_HOSTPKG={sdk / 'host'}"]
    command = ["make", "-s", "-C", str(ROOT / "openwrt" / folder), *settings, *targets]
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=alone)
    assert (ran.returncode, ran.stderr) == (0, "")
    said: list[dict[str, str]] = []
    for key, _, value in (line.partition("=") for line in ran.stdout.splitlines() if not line.startswith("/")):
        if key == "package":
            said.append({})
        said[-1][key] = value
    return said


def needs(text: str) -> set[str]:
    """Names in DEPENDS; all are selected with what needs them, as "+" says."""
    assert all(word.startswith("+") for word in text.split())
    return {word[1:] for word in text.split()}


def test_says(sdk: Path, packages: dict[str, Package]) -> None:
    found = {each["package"]: each for each in make(sdk, "edgevpn", "-n", "compile")}

    assert found.keys() == {"edgevpn", "edgevpn-web"}
    for name, each in found.items():
        package = packages[name]
        assert needs(each["depends"]) == set(package.depends)
        assert (each["version"], each["arch"]) == (package.version, "all")
        assert (each["section"], each["title"], each["users"]) == (package.section, package.title, package.users)


def test_scripts_and_conffiles(sdk: Path, packages: dict[str, Package]) -> None:
    make(sdk, "edgevpn", "-n", "compile")

    for name in ("edgevpn", "edgevpn-web"):
        package, out = packages[name], sdk / "out"
        assert (out / f"{name}.conffiles").read_text().split() == list(package.conffiles)
        assert (out / f"{name}.description").read_text().strip() == package.description
        for part, script in (("postinst", package.postinst), ("prerm", package.prerm)):
            lines = [line for line in script.splitlines() if not line.startswith("# ")]
            assert (out / f"{name}.{part}").read_text().splitlines() == (lines or [""])


def test_files(sdk: Path, packages: dict[str, Package]) -> None:
    """What the SDK would pack is what the builder packs, with the same modes."""
    make(sdk, "edgevpn", "compile", "install-edgevpn", "install-edgevpn-web")

    for name in ("edgevpn", "edgevpn-web"):
        root = sdk / "out" / name
        entries = packages[name].entries
        found = {path.relative_to(root).as_posix(): path for path in root.rglob("*")}
        wanted = {entry.path: entry for entry in entries if isinstance(entry, File)}
        assert {path for path, place in found.items() if place.is_file()} == wanted.keys()
        for path, entry in wanted.items():
            assert found[path].read_bytes() == entry.content
            assert found[path].stat().st_mode & 0o777 == entry.mode
        for path, mode in folders(entries).items():
            assert found[path].stat().st_mode & 0o777 == mode


def test_luci(sdk: Path, packages: dict[str, Package]) -> None:
    (found,) = make(sdk, "luci-app-edgevpn", "compile")

    package = packages["luci-app-edgevpn"]
    assert needs(found["depends"]) == set(package.depends)
    assert (found["package"], found["version"], found["arch"]) == (package.name, package.version, "all")
    assert (found["title"], found["description"]) == (package.title, package.description)


def test_feed_is_found() -> None:
    """scripts/feeds looks for these words in a Makefile."""
    for folder, words in (
        ("edgevpn", "$(eval $(call BuildPackage,edgevpn"),
        ("luci-app-edgevpn", "# call BuildPackage -"),
    ):
        assert words in (ROOT / "openwrt" / folder / "Makefile").read_text()
