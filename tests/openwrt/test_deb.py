"""The .deb as dpkg reads it, and what the units promise."""

from __future__ import annotations

import configparser
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from edgevpn import __version__
from openwrt.builder import deb
from openwrt.builder.__main__ import STORE
from openwrt.builder.archive import File
from tests.openwrt.conftest import EPOCH

NAMES = ("edgevpn", "edgevpn-web")


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both packages as files."""
    folder = tmp_path_factory.mktemp("debs")
    made = {}
    for package in (deb.edgevpn(STORE), deb.edgevpn_web(STORE)):
        made[package.name] = folder / package.file_name
        made[package.name].write_bytes(deb.build(package, EPOCH))
    return made


def dpkg_deb(*words: str) -> bytes:
    return subprocess.run(["dpkg-deb", *words], capture_output=True, check=True).stdout


def field(path: Path, name: str) -> str:
    return dpkg_deb("--field", str(path), name).decode().strip()


def unit(path: Path) -> configparser.ConfigParser:
    name = path.name.partition("_")[0]
    with tarfile.open(fileobj=io.BytesIO(dpkg_deb("--fsys-tarfile", str(path)))) as files:
        content = files.extractfile(f"./usr/lib/systemd/system/{name}.service")
        assert content is not None
        parsed = configparser.ConfigParser(interpolation=None)
        parsed.optionxform = str  # type: ignore[assignment,method-assign]
        parsed.read_string(content.read().decode())
    return parsed


def test_fields(debs: dict[str, Path]) -> None:
    assert {name: field(path, "Package") for name, path in debs.items()} == {name: name for name in NAMES}
    assert {field(path, "Architecture") for path in debs.values()} == {"all"}
    assert field(debs["edgevpn"], "Version") == f"{__version__}-1"
    assert field(debs["edgevpn"], "Depends") == "python3 (>= 3.11), python3-cryptography (>= 41.0.7), adduser"
    assert field(debs["edgevpn"], "Suggests") == "python3-openssl"
    assert field(debs["edgevpn-web"], "Depends") == f"edgevpn (= {__version__}-1)"


def test_files(debs: dict[str, Path]) -> None:
    """The owner's file is no file of the package: dpkg would ask about what the panel has written."""
    with tarfile.open(fileobj=io.BytesIO(dpkg_deb("--fsys-tarfile", str(debs["edgevpn"])))) as files:
        found = {member.name: member for member in files}

    assert {(member.uid, member.gid, member.mtime) for member in found.values()} == {(0, 0, EPOCH)}
    assert found["./usr/bin/edgevpn"].mode == 0o755
    assert "./usr/share/edgevpn/edgevpn.toml" in found
    assert not [name for name in found if name.startswith(("./etc/", "./lib/", "./var/"))]


@pytest.mark.parametrize("name", NAMES)
def test_confined(debs: dict[str, Path], name: str) -> None:
    service = unit(debs[name])["Service"]

    allowed = {"edgevpn": "CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW", "edgevpn-web": ""}
    assert service["CapabilityBoundingSet"] == allowed[name]
    for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelModules"):
        assert service[key] == "yes"
    assert (service["ProtectSystem"], service["UMask"]) == ("strict", "0077")
    assert ("User" in service) == (name == "edgevpn-web")
    assert "AF_NETLINK" in service["RestrictAddressFamilies"].split() or name == "edgevpn-web"


def test_supervised(debs: dict[str, Path]) -> None:
    """Ready when it says so, started again after a crash, but not on a file that it has refused."""
    found = unit(debs["edgevpn"])

    assert found["Service"]["Type"] == "notify"
    assert found["Service"]["Restart"] == "on-failure"
    assert found["Service"]["RestartPreventExitStatus"] == "2"
    assert found["Unit"]["StartLimitIntervalSec"] == "0"
    assert found["Service"]["KillMode"] == "mixed"  # else nft is ended, too, that takes our rules away
    assert found["Service"]["ExecReload"] == "/usr/bin/edgevpn reload"


def test_scripts(debs: dict[str, Path], tmp_path: Path) -> None:
    for name, path in debs.items():
        folder = tmp_path / name
        dpkg_deb("--control", str(path), str(folder))
        assert sorted(script.name for script in folder.iterdir()) == ["control", "postinst", "postrm", "prerm"]
        assert {script.stat().st_mode & 0o111 for script in folder.glob("p*")} == {0o111}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("edgevpn", "dev"), {"device"}),
        (("edgevpn", "firewall", ""), {"show", "check"}),
        (("edgevpn", "simulate", "andr"), {"android11", "android12"}),
    ],
)
def test_bash_completes_verbs(words: tuple[str, ...], offered: set[str], tmp_path: Path) -> None:
    script = tmp_path / "edgevpn"
    entries = {entry.path: entry for entry in deb.edgevpn(STORE).entries}
    entry = entries[deb.COMPLETIONS["bash"]]
    assert isinstance(entry, File)
    script.write_bytes(entry.content)
    asked = f"source {script}; COMP_WORDS=({' '.join(word or repr(word) for word in words)}); "
    asked += f"COMP_CWORD={len(words) - 1}; _shtab_edgevpn; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    told = subprocess.run(["bash", "-c", asked], capture_output=True, check=True, text=True).stdout
    assert set(told.split()) == offered
