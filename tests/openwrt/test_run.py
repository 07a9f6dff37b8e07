"""The packages run, and not the checkout: with the parts of Python that they depend on, and two cryptographies."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from edgevpn.client import Client
from openwrt.builder.__main__ import lay_out
from openwrt.builder.archive import File
from openwrt.builder.packages import Package
from tests.openwrt import feed
from tests.openwrt.conftest import EPOCH
from tests.support.ports import free_ports

GATEWAY = """
[gateway]
listen = ["{here}"]

[site.office]
start = "wait"
local = "{here}"
remote = "{there}"
psk = "a key that is long enough for a test"
local_networks = "10.{mine}.0.0/24"
remote_networks = "10.{yours}.0.0/24"
"""


@pytest.fixture(scope="module")
def router(packages: dict[str, Package], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages, laid out as opkg would."""
    root = tmp_path_factory.mktemp("router")
    for package in packages.values():
        lay_out(package.entries, root, EPOCH)
    return root


@pytest.fixture(scope="module", params=["oldest", "newest"])
def site_packages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The feed's share: cryptography as old as 24.10's, or as new as there is, with cffi below it."""
    folder = tmp_path_factory.mktemp("feed") / "site-packages"
    feed.fill(folder, request.param)
    return folder


@pytest.fixture
def command(router: Path, site_packages: Path, packages: dict[str, Package]) -> list[str]:
    """With the daemon's package installed and no other."""
    return feed.command(router, site_packages, packages["edgevpn"])


def run(command: list[str], *words: str) -> tuple[int, str, str]:
    ran = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=60)
    return ran.returncode, ran.stdout, ran.stderr


@contextmanager
def daemon(command: list[str], *words: str) -> Iterator[None]:
    """A daemon, once it answers."""
    with subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            told: list[str] = []
            while "started" not in (told or [""])[-1]:
                told.append(process.stderr.readline())
                assert told[-1], "".join(told)
            yield
        finally:
            process.terminate()
            process.stderr.read()


def test_it_is_the_package(command: list[str], router: Path) -> None:
    """The modules that answer are those in the package, and pyroute2, tomlkit and the others beside them."""
    start = str(router / "usr/lib/edgevpn/start.py")
    (router / "where.py").write_text(
        "import runpy, sys\n"
        "sys.argv = ['edgevpn', 'version']\n"
        f"try: runpy.run_path({start!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "import cryptography, edgevpn.kernel.framework, sdnotify, tabulate, tomli, tomlkit\n"
        "netlink = sys.modules['pyroute2.netlink']\n"
        "print(*(module.__file__ for module in (edgevpn, netlink, sdnotify, tabulate, tomli, tomlkit)))\n"
        "print(cryptography.__file__)\n"
    )
    status, out, err = run([*command[:-1], str(router / "where.py")])

    assert (status, err) == (0, "")
    _, ours, feeds = out.splitlines()
    assert {Path(path).is_relative_to(router / "usr/lib/edgevpn") for path in ours.split()} == {True}
    assert Path(feeds).is_relative_to(Path(command[5]))


def test_the_file_that_comes_with_it_is_good(command: list[str], router: Path) -> None:
    file = router / "etc/edgevpn/edgevpn.toml"
    status, out, _ = run(command, "check", str(file))
    assert (status, out) == (0, f"{file}: good, 0 sites\n")


def test_a_tunnel_comes_up(command: list[str], tmp_path: Path) -> None:
    """Two of them, each with a memory for a kernel: IKE for real, status and reload by the command line."""
    ports = free_ports()
    sockets = [tmp_path / "left/control.sock", tmp_path / "right/control.sock"]
    with ExitStack() as stack:
        for socket, here, there, mine, yours in zip(sockets, (1, 2), (2, 1), (1, 2), (2, 1), strict=True):
            file = tmp_path / f"{here}.toml"
            file.write_text(GATEWAY.format(here=f"127.0.0.{here}", there=f"127.0.0.{there}", mine=mine, yours=yours))
            file.chmod(0o600)
            where = ["--socket", str(socket), "--ports", f"{ports.ike},{ports.nat}"]
            stack.enter_context(daemon(command, "run", "-c", str(file), "--kernel", "memory", *where))

        status, out, err = run(command, "up", "office", "--socket", str(sockets[0]))

        assert (status, err) == (0, "")
        assert out.startswith("office: up, peer 127.0.0.2")
        for socket in sockets:
            with Client(socket) as client:
                assert [site["state"] for site in client.status()["sites"]] == ["up"]
            assert run(command, "reload", "--socket", str(socket)) == (0, "nothing has changed\n", "")
        assert "office" in run(command, "status", "--socket", str(sockets[1]))[1]


def test_without_cryptography(command: list[str], tmp_path: Path) -> None:
    """One sentence, not a traceback, and a status that the init script takes as "do not start"."""
    status, out, err = run([*command[:5], str(tmp_path), *command[6:]], "version")

    assert (status, out) == (1, "")
    assert err.startswith("edgevpn: edgevpn needs python3-cryptography, which is not installed;")
    assert err.count("\n") == 1


EVERY_MODULE = """
import importlib, pkgutil, runpy, sys
sys.argv = ['edgevpn', 'version']
try: runpy.run_path(START, run_name='__main__')
except SystemExit: pass
import edgevpn
for module in pkgutil.walk_packages(edgevpn.__path__, 'edgevpn.'):
    if not module.name.startswith('edgevpn.web'):
        importlib.import_module(module.name)
"""


def test_every_module_can_be_imported(command: list[str], router: Path) -> None:
    """Also by what the standard library itself imports for it."""
    script = router / "every.py"
    script.write_text(f"START = {command[-1]!r}\n{EVERY_MODULE}")

    status, _, err = run([*command[:-1], str(script)])

    assert (status, err) == (0, "")


AIOHTTP = """
import asyncio, sys
sys.path.insert(0, VENDOR)
from aiohttp import web

async def hello(request):
    return web.json_response({"path": request.path})

async def serve():
    app = web.Application()
    app.router.add_get("/{tail:.*}", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(b"GET /api HTTP/1.1\\r\\nHost: router\\r\\nConnection: close\\r\\n\\r\\n")
    print((await reader.read()).decode().splitlines()[-1])
    await runner.cleanup()

asyncio.run(serve())
files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
print(*(file for file in files if VENDOR in file and not file.endswith(".py")))
"""


def test_aiohttp_answers(router: Path, site_packages: Path, packages: dict[str, Package]) -> None:
    """The panel's libraries serve a request without a C extension, with the parts of Python that the packages name."""
    command = feed.command(router, site_packages, packages["edgevpn"], packages["edgevpn-web"])
    script = router / "serve.py"
    script.write_text(f"VENDOR = {str(router / 'usr/lib/edgevpn/vendor')!r}\n{AIOHTTP}")

    assert run([*command[:-1], str(script)]) == (0, '{"path": "/api"}\n\n', "")


def test_imports_are_depended_on(packages: dict[str, Package]) -> None:
    """Also what is imported only when it is needed: each module of ours is read."""
    for name, beside in (("edgevpn", ()), ("edgevpn-web", ("edgevpn",))):
        absent = feed.lacking(packages[name], *(packages[each] for each in beside))
        for entry in packages[name].entries:
            if (
                isinstance(entry, File)
                and entry.path.startswith("usr/lib/edgevpn/edgevpn/")
                and entry.path.endswith(".py")
            ):
                assert not absent & set(imported(entry.content)), entry.path


def imported(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield module.partition(".")[0]
