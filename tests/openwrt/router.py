"""A router's root in a folder: packages are installed there in opkg's order, by its shell functions written for tests.

Absolute paths in the packages' scripts are turned to that folder, and programs that a test machine lacks leave a line
in `calls`: so nothing outside the folder is touched, and no right is needed.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

STUBS = Path(__file__).parent / "stubs"
OUTSIDE = re.compile(r"(?<![\w$}./])/(?=(?:etc|lib|sbin|usr|var)/)")

# Stands in for the command line, which is tried elsewhere: it says what is in `says`, and exits as `exit` tells it.
COMMAND_LINE = """#!/bin/sh
echo edgevpn "$@" >>"$ROUTER/calls"
[ ! -e "$ROUTER/says" ] || cat "$ROUTER/says"
[ ! -e "$ROUTER/exit" ] || exit "$(cat "$ROUTER/exit")"
"""

FIREWALL = """
config zone
	option name 'lan'
	list network 'lan'
	option input 'ACCEPT'

config zone
	option name 'wan'
	list network 'wan'
	option masq '1'

config forwarding
	option src 'lan'
	option dest 'wan'
"""


def members(archive: bytes) -> dict[str, tuple[bytes, int]]:
    """Files of a compressed tar by their names, with their modes."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            if (content := files.extractfile(member)) is not None:
                found[member.name.removeprefix("./")] = content.read(), member.mode
    return found


class Router:
    """One router with a firewall of two zones, and `shell` for its scripts."""

    def __init__(self, root: Path, shell: tuple[str, ...]) -> None:
        self.root = root
        self._shell = shell
        for folder in ("etc/config", "etc/init.d", "lib", "bin", "usr/bin", "usr/lib/opkg/info", "var/run"):
            (root / folder).mkdir(parents=True)
        self.write("etc/config/firewall", FIREWALL)
        self.write("lib/functions.sh", (STUBS / "functions.sh").read_text())
        self.write("etc/rc.common", (STUBS / "rc.common").read_text())
        for path in ("bin/ubus", "etc/init.d/firewall", "etc/init.d/rpcd"):
            self.program(path, f'echo {Path(path).name} "$@" >>"$ROUTER/calls"')
        self.program("bin/uci", f'exec "{sys.executable}" -S "{STUBS / "uci.py"}" "$@"')

    def write(self, path: str, text: str) -> None:
        """Put a file there."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def program(self, path: str, body: str) -> None:
        """Put a shell script there."""
        self.write(path, f"#!/bin/sh\n{body}\n")
        (self.root / path).chmod(0o755)

    def read(self, path: str) -> str:
        """What a file holds."""
        return (self.root / path).read_text()

    def has(self, path: str) -> bool:
        """True if a file is there."""
        return (self.root / path).exists()

    def files(self) -> set[str]:
        """All files."""
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()}

    def sections(self, package: str) -> list[str]:
        """Names of a configuration's named sections."""
        return re.findall(r"^config \S+ '(.+)'$", self.read(f"etc/config/{package}"), re.MULTILINE)

    def calls(self) -> str:
        """What has been called since this was last asked."""
        path = self.root / "calls"
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text.replace(str(self.root), "")

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script in the router's shell."""
        path = f"{self.root}/bin:{self.root}/usr/bin:{os.environ['PATH']}"
        environment = {"PATH": path, "ROUTER": str(self.root), "IPKG_INSTROOT": "", **variables}
        environment["RUNNER"] = " ".join(self._shell)
        return subprocess.run([*self._shell, *words], env=environment, capture_output=True, text=True, check=False)

    def service(self, action: str) -> subprocess.CompletedProcess[str]:
        """/etc/init.d/edgevpn ACTION."""
        return self.run(str(self.root / "etc/rc.common"), str(self.root / "etc/init.d/edgevpn"), action)

    def install(self, name: str, ipk: bytes) -> None:
        """`opkg install`, or the second half of an upgrade: files, then what is done after them."""
        self._unpack(name, ipk)
        self._script(name, "default_postinst", PKG_UPGRADE="0")

    def upgrade(self, name: str, ipk: bytes) -> None:
        """`opkg upgrade`: the old one's way out, the new one's files, its way in."""
        self._script(name, "default_prerm", PKG_UPGRADE="1")
        self._unpack(name, ipk)
        self._script(name, "default_postinst", PKG_UPGRADE="1")

    def remove(self, name: str) -> None:
        """`opkg remove`: conffiles that were changed stay."""
        self._script(name, "default_prerm", PKG_UPGRADE="0")
        shipped = self._shipped(name)
        for path in self._listed(name):
            if path not in shipped or shipped[path] == self.read(path):
                (self.root / path).unlink(missing_ok=True)
        shutil.rmtree(self.root / f"usr/lib/opkg/info/{name}.shipped", ignore_errors=True)
        for file in self.root.glob(f"usr/lib/opkg/info/{name}.*"):
            file.unlink()

    def _unpack(self, name: str, ipk: bytes) -> None:
        shell = members(ipk)
        data, control = members(shell["data.tar.gz"][0]), members(shell["control.tar.gz"][0])
        before = self._shipped(name)
        conffiles = control["conffiles"][0].decode().split() if "conffiles" in control else []
        for path, (content, mode) in data.items():
            place = self.root / path
            if (
                f"/{path}" in conffiles
                and place.exists()
                and place.read_text() not in (before.get(path), content.decode())
            ):
                place = place.with_name(f"{place.name}-opkg")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(COMMAND_LINE.encode() if path == "usr/bin/edgevpn" else self._turned(path, content))
            place.chmod(mode)
        for script, (content, _) in control.items():
            self.write(f"usr/lib/opkg/info/{name}.{script}", self._turned(script, content).decode())
        self.write(f"usr/lib/opkg/info/{name}.list", "".join(f"/{path}\n" for path in data))
        for path in conffiles:
            self.write(f"usr/lib/opkg/info/{name}.shipped{path}", data[path[1:]][0].decode())

    def _turned(self, path: str, content: bytes) -> bytes:
        """A script with its absolute paths below this root."""
        is_script = path.startswith(("etc/init.d/", "etc/uci-defaults/")) or path.endswith("-pkg")
        return OUTSIDE.sub(f"{self.root}/", content.decode()).encode() if is_script else content

    def _script(self, name: str, function: str, **variables: str) -> None:
        info = str(self.root / f"usr/lib/opkg/info/{name}")
        ran = self.run("-c", f'. "$ROUTER/lib/functions.sh"; {function}', info=info, **variables)
        assert (ran.returncode, ran.stderr) == (0, "")

    def _listed(self, name: str) -> list[str]:
        return [line[1:] for line in self.read(f"usr/lib/opkg/info/{name}.list").splitlines()]

    def _shipped(self, name: str) -> dict[str, str]:
        folder = self.root / f"usr/lib/opkg/info/{name}.shipped"
        return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
