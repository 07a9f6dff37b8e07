from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD
from edgevpn.daemon.control.server import ControlServer, listen
from tests.support.daemon import Faults, everybody
from tests.support.services import HOME, Served, serving

Output = pytest.CaptureFixture[str]


def test_output_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `edgevpn version | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["version"]) == FAILED


def test_output_for_which_there_is_no_room(capfd: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `edgevpn version > FILE` on a full disk: it is said, as what was asked for may be done."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["version"]) == FAILED
    sentence = "the answer cannot be written: No space left on device; what was asked for may be done all the same"
    assert capfd.readouterr() == ("", f"edgevpn: {sentence}\n")


def test_streams_that_are_closed() -> None:
    """As in `edgevpn version <&- >&- 2>&-`."""
    command = f"exec '{sys.executable}' -c 'import sys; from edgevpn.cli import main; sys.exit(main())' \"$@\""
    for closed in (">&-", "<&-", "2>&-", "<&- >&- 2>&-"):
        words = ["bash", "-c", f"{command} {closed}", "bash", "config", "explain", "site.mtu"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        assert (done.returncode, done.stderr) == (GOOD, "")


def test_what_is_refused_is_one_line(tmp_path: Path, capsys: Output) -> None:
    assert main(["config", "unset", "gateway.id", "-c", str(tmp_path / "e.toml")]) == FAILED
    assert capsys.readouterr() == ("", "edgevpn: gateway.id is not set\n")


def test_what_is_wrong_with_the_file_is_a_line_for_each(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "e.toml"
    path.write_text("[pond]\n[lake]\n")
    assert main(["device", "list", "-c", str(path)]) == BAD_CONFIG
    assert capsys.readouterr() == ("", f"{path}:1: pond: is not a key here\n{path}:2: lake: is not a key here\n")


def loaded(*arguments: str) -> set[str]:
    """The modules of ours, and of others that are large, that a command loads."""
    program = (
        "import sys; from edgevpn.cli import main; status = main(sys.argv[1:]);"
        "print(*(name for name in sys.modules), file=sys.stderr); sys.exit(status)"
    )
    words = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return set(done.stderr.split())


def test_only_what_a_verb_needs_is_loaded() -> None:
    """A router takes its time over every module."""
    assert not {"edgevpn.config", "edgevpn.daemon", "edgevpn.ike", "tomlkit", "cryptography"} & loaded("version")
    assert not {"edgevpn.daemon", "edgevpn.ike", "cryptography"} & loaded("config", "explain")


DAEMON = """
import sys
from edgevpn.cli.daemon import _daemon
_daemon()
import asyncio, hashlib, hmac
from pathlib import Path
assert asyncio.base_events.ssl is None
assert "libssl" not in Path("/proc/self/maps").read_text()
assert not {"html", "http.client", "aiohttp", "tomlkit"} & {*sys.modules}
assert hashlib.sha1(b"abc").hexdigest() == "a9993e364706816aba3e25717850c26c9cd0d89d"
assert hmac.digest(b"key", b"data", "sha384") == hmac.new(b"key", b"data", hashlib.sha384).digest()
"""


def test_what_the_daemon_does_without() -> None:
    """Python's OpenSSL: its own hashes and MACs are as good, and TLS is spoken by the panel alone."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", DAEMON], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")


def test_good_is_zero() -> None:
    assert (GOOD, FAILED, BAD_CONFIG) == (0, 1, 2)


# What is refused, and with which status: the same sentence, whoever refuses it.
REFUSED = {
    "config unset gateway.id": FAILED,
    "config set gateway.idd x.example": FAILED,
    "config set web.port 0": FAILED,
    "config set web.port http": FAILED,
    "config set site.office.local 192.0.2.77": BAD_CONFIG,
    "config rollback 9": FAILED,
    "device add ben expires=2020-01-01": FAILED,
    "device add ben pool=nowhere": BAD_CONFIG,
    "device add a/b": FAILED,
    "device add phone": FAILED,
    "device set phone v4=10.77.0.1": BAD_CONFIG,
    "device set nobody owner=Ben": FAILED,
    "device remove nobody": FAILED,
    "site add office remote=192.0.2.7": FAILED,
    "site add shop remote=192.0.2.7 local_networks=10.1.0.0/24 remote_networks=10.2.0.0/24": BAD_CONFIG,
    "site set office mtu=1": FAILED,
    "site show nobody": FAILED,
    "apply /nowhere/edgevpn.toml": FAILED,
    "apply /dev/null": FAILED,
}


@asynccontextmanager
async def listening(served: Served, path: Path) -> AsyncIterator[None]:
    """The methods of a gateway, on a socket."""
    server = ControlServer(served.methods, frozenset({"site"}), everybody, Faults())
    task = asyncio.create_task(server.serve(listen(path)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_daemon_refuses_as_a_file_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    """With the same exit status, and a sentence of the same kind: of our own, or with the place in the file."""
    monkeypatch.setenv("EDGEVPN_SOCKET", str(tmp_path / "control.sock"))
    async with serving(tmp_path) as served, listening(served, tmp_path / "control.sock"):
        for words, status in REFUSED.items():
            for options in ([], ["-c", str(served.path)]):
                assert await asyncio.to_thread(main, [*words.split(), *options]) == status, (words, options)
                out, err = capsys.readouterr()
                assert (out, err.count("\n")) == ("", 1), (words, err)
                assert err.startswith("edgevpn: ") is (status == FAILED), (words, err)
        assert served.path.read_text() == HOME


async def test_a_new_login_comes_with_its_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Which is shown this once, by the daemon as without; no owner is left with one that nobody knows."""
    monkeypatch.setenv("EDGEVPN_SOCKET", str(tmp_path / "control.sock"))
    async with serving(tmp_path) as served, listening(served, tmp_path / "control.sock"):
        for login in ("psk", "password"):
            assert await asyncio.to_thread(main, ["device", "set", "phone", f"login={login}"]) == GOOD
            assert f"\n{login}: " in capsys.readouterr().out
        assert await asyncio.to_thread(main, ["device", "set", "phone", "login=password", "owner=Ben"]) == GOOD
        assert capsys.readouterr().out == "device phone is changed\n"


def test_a_secret_is_read_or_made(capsys: Output) -> None:
    """Not both: nobody would know which holds."""
    with pytest.raises(SystemExit):
        main(["device", "set", "phone", "--secret", "-", "--new-secret"])
    assert "not allowed with argument --secret" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ports", "why"),
    [("5,x", "'x' is no port; allowed: 1 to 65535"), ("500", "'' is no port"), ("9,9", "two different ports")],
)
def test_ports_that_are_none(ports: str, why: str, capsys: Output) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--ports", ports])
    assert why in capsys.readouterr().err
