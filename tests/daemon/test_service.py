import asyncio
import io
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from socket import SOCK_DGRAM, socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgevpn.api import METHODS, ErrorCode, RpcError
from edgevpn.client import Client
from edgevpn.config.errors import ConfigError
from edgevpn.config.reader import load
from edgevpn.daemon.base.logbook import Logbook
from edgevpn.daemon.base.options import KernelKind, RunOptions, StartFailed
from edgevpn.daemon.service import Faults, Service, run
from tests.support.gateways import until
from tests.support.ports import free_ports
from tests.support.shapes import misfits

HEAD = """
[gateway]
listen = ["127.0.0.1"]
"""
SITE = """
[site.office]
start = "wait"
remote = ["192.0.2.1"]
psk = "a key that is long enough for a test"
local_networks = ["10.1.0.0/24"]
remote_networks = ["10.2.0.0/24"]
"""


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    config = tmp_path / "edgevpn.toml"
    config.write_text(HEAD + SITE)
    config.chmod(0o600)
    socket = tmp_path / "run" / "control.sock"
    return RunOptions(config=config, socket=socket, kernel=KernelKind.MEMORY, ports=free_ports())


@contextmanager
def running(options: RunOptions, *expected: str) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon as its own process, ready. `expected` are the lines that come before that it says so, in any order."""
    edgevpn = Path(sys.executable).with_name("edgevpn")
    ports = f"{options.ports.ike},{options.ports.nat}"
    where = ["-c", str(options.config), "--socket", str(options.socket), "--ports", ports]
    command = [str(edgevpn), "run", "--kernel", "memory", *where]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own
        assert process.stderr is not None
        try:
            wanted = expected or ("NO TRAFFIC FLOWS",)
            lines = [process.stderr.readline().decode() for _ in wanted]
            assert all(any(text in line for line in lines) for text in wanted), lines
            assert b"started" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def service(options: RunOptions) -> Service:
    """The same in this process, with a log that nobody reads."""
    return Service(options, load(options.config), Logbook(logging.Logger("nobody"), None, io.StringIO()))


def test_a_crash_leaves_no_memory_behind(options: RunOptions) -> None:
    """Keys and passwords are in it."""
    with running(options) as daemon:
        assert resource.prlimit(daemon.pid, resource.RLIMIT_CORE) == (0, 0)


def test_answers_as_described_until_told_to_stop(options: RunOptions) -> None:
    with running(options) as daemon:
        with Client(options.socket) as client:
            for method in ("version", "status", "attempts", "health", "reload"):
                assert misfits(client.call(method), METHODS[method].result) == []
            assert [(site["name"], site["state"]) for site in client.status()["sites"]] == [("office", "down")]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=10) == 0
    assert not options.socket.exists()


def test_reload_tells_the_difference_and_keeps_what_is_good(options: RunOptions) -> None:
    with running(options), Client(options.socket) as client:
        options.config.write_text(
            HEAD + SITE + SITE.replace("office", "shop").replace("10.2.", "10.3.").replace("192.0.2.1", "192.0.2.9")
        )
        reloaded = client.reload()
        assert (reloaded["added"], reloaded["unchanged"]) == (["shop"], ["office"])
        options.config.write_text("[site.office]\nremote = 3\n")
        with pytest.raises(RpcError) as refused:
            client.reload()
        assert refused.value.code == ErrorCode.CONFIG_INVALID
        assert len(client.status()["sites"]) == 2


def test_bad_file_does_not_start(options: RunOptions) -> None:
    options.config.write_text("[site.office]\nremote = 3\n")
    with pytest.raises(ConfigError):
        run(options)


async def test_taken_socket_does_not_start(options: RunOptions) -> None:
    options.socket.mkdir(parents=True)
    with pytest.raises(StartFailed, match=str(options.socket)):
        await service(options).serve()


async def test_taken_port_does_not_start(options: RunOptions) -> None:
    """One sentence with the cure; the control socket is gone again."""
    with socket(type=SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", options.ports.nat))
        with pytest.raises(
            StartFailed, match=f"UDP port {options.ports.nat} of 127.0.0.1 is taken by .*process {os.getpid()}"
        ):
            await service(options).serve()
    assert not options.socket.exists()


def test_sites_by_name(options: RunOptions) -> None:
    with running(options), Client(options.socket) as client:
        with pytest.raises(RpcError, match="there is no site 'shop'; configured: office") as unknown:
            client.site_up("shop")
        assert unknown.value.code == ErrorCode.NOT_FOUND
        with pytest.raises(RpcError, match=r"site\.down: name is of another kind; allowed: a text"):
            client.call("site.down", name=7)
        with pytest.raises(RpcError, match=r'site\.rekey: what is of another kind; allowed: "ike" or "child"'):
            client.call("site.rekey", name="office", what="all")
        with pytest.raises(RpcError, match="office: the site is down"):
            client.site_rekey("office", "ike")
        client.site_down("office")


def test_hangup_reads_the_file_again(options: RunOptions) -> None:
    with running(options) as daemon:
        assert daemon.stderr is not None
        options.config.write_text(HEAD + SITE.replace("10.2.", "10.3."))
        daemon.send_signal(signal.SIGHUP)
        assert b"reloaded" in daemon.stderr.readline()
        options.config.write_text("[site.office]\nremote = 3\n")
        daemon.send_signal(signal.SIGHUP)
        assert b"config_invalid" in daemon.stderr.readline()


def test_attempts_are_told(options: RunOptions) -> None:
    """A site that nobody answers for: its cause is asked for by name, and told to who listens."""
    options.config.write_text(HEAD + IMPATIENT + SITE.replace("192.0.2.1", "127.0.0.9"))
    with running(options), Client(options.socket) as client, Client(options.socket) as listener:
        assert listener.call("subscribe", topics=["attempt"]) == {"topics": ["attempt"]}
        with pytest.raises(RpcError):
            client.site_up("office")
        event = next(listener.events("attempt"))
        (attempt,) = client.call("attempts", peer="office")
        assert event == {"topic": "attempt", "data": attempt | {"at": event["data"]["at"]}}
        assert (attempt["cause"], attempt["peer"]) == ("no-answer", "office")
        assert client.call("attempts", peer="nobody") == []
        with pytest.raises(RpcError) as refusal:
            client.call("attempts", peer=7)
    assert refusal.value.code == ErrorCode.INVALID_PARAMS


IMPATIENT = 'retransmit_time = "1s"\nretransmit_tries = 1\n'


# --- faults of ours


def broken() -> None:
    raise RuntimeError("with a secret in it")


async def broken_later() -> None:
    broken()


def test_a_fault_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Where it was, the first time; what it was about, every time."""
    faults = Faults()
    for _ in range(3):
        assert not faults.call(broken, "Datagram", lambda: b"\x01\x02")
    assert faults.count == 3
    assert caplog.text.count("fault doing=Datagram kind=RuntimeError spi=0102") == 3
    assert caplog.text.count("Traceback") == 1
    assert faults.call(lambda: None, "Datagram")


async def test_a_fault_that_comes_later(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    assert not await faults.wait(broken_later(), "answer")
    asyncio.get_running_loop().set_exception_handler(faults.of_loop)
    asyncio.get_running_loop().call_soon(broken)
    await until(lambda: faults.count == 2)
    assert "fault doing=answer" in caplog.text
    assert "fault doing=callback" in caplog.text
    faults.of_loop(asyncio.get_running_loop(), {"message": "odd"})
    assert "fault doing=odd" in caplog.text


async def test_work_that_goes_on_for_ever_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    faults, turns = Faults(), 0

    async def work() -> None:
        nonlocal turns
        turns += 1
        if turns < 3:
            broken()

    monkeypatch.setattr("edgevpn.daemon.service.RESTART", 0.0)
    await faults.keep(work, "work")
    assert (turns, faults.count) == (3, 2)


async def test_no_place_for_keys_does_not_start(options: RunOptions, tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    with pytest.raises(StartFailed, match=r"keys cannot be exported to .*; choose another with --export-keys"):
        await service(replace(options, export_keys=tmp_path / "keys")).serve()
    assert not options.socket.exists()


# --- the whole, in a process of its own


def ask(options: RunOptions, method: str, **params: object) -> Any:
    """What one call answers."""
    with Client(options.socket) as client:
        return client.call(method, 60.0, **params)


def test_what_was_not_confirmed_is_undone_by_the_next_start(options: RunOptions) -> None:
    before = options.config.read_text()
    with running(options) as daemon:
        ask(options, "config.set", values={"site.office.mtu": 1400}, confirm=600)
        assert "mtu" in options.config.read_text()
        daemon.kill()
        daemon.wait()
    with running(options, "NO TRAFFIC", "not_confirmed") as daemon:
        assert options.config.read_text() == before
        assert ask(options, "config.plan", text=before)["changes"] == []
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=10) == 0


def test_events_of_the_whole(options: RunOptions) -> None:
    with running(options), Client(options.socket) as listener:
        listener.call("subscribe", topics=["config", "log"])
        ask(options, "config.set", values={"gateway.log_level": "debug"})
        events = listener.events("config", "log")
        seen = [next(events) for _ in range(2)]
        assert {event["topic"] for event in seen} == {"config", "log"}


def test_logs_change_as_the_configuration_does(options: RunOptions) -> None:
    with running(options) as daemon:
        assert daemon.stderr is not None
        ask(options, "config.set", values={"gateway.log_format": "json"})
        line = json.loads(daemon.stderr.readline())
        assert (line["event"], line["level"]) == ("reloaded", "info")
        ask(options, "config.set", values={"gateway.log_format": None, "gateway.log_level": "error"})
        ask(options, "config.set", values={"gateway.log_level": "info"})
        assert daemon.stderr.readline().startswith(b"INFO reloaded")


def test_a_panel_with_the_real_daemon(options: RunOptions) -> None:
    with running(options):
        ticket = ask(options, "web.ticket")["ticket"]
        assert ask(options, "web.redeem", ticket=ticket) == {"good": True}
        settings = ask(options, "web.settings")
        assert misfits(settings, METHODS["web.settings"].result) == []


WORDS = st.sampled_from(
    [
        *METHODS,
        "name",
        "settings",
        "office",
        "phone",
        "text",
        "values",
        "confirm",
        "secret",
        "../x",
        "a\x00b",
        "\ud83d",
        "",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
PARAMS = st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "settings", "text", "values", "what", "form"), JSON))
SLOW = {"site.up", "site.rekey", "health", "backup.create", "pki.import", "pki.init", "pki.renew"}


def test_whatever_is_asked_is_answered(options: RunOptions) -> None:
    """Hundreds of calls that make no sense: each has an answer, none has a trace in the log, and all is as it was."""
    before = options.config.read_text()
    with running(options) as daemon, Client(options.socket) as client:

        @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from(sorted(METHODS.keys() - SLOW - {"config.apply"})), PARAMS)
        def call(method: str, params: dict[str, Any]) -> None:
            with suppress(RpcError):
                client.call(method, 20.0, **params)

        call()
        with pytest.raises(RpcError) as refusal:
            client.call("site.down", name="nobody")
        assert refusal.value.code == ErrorCode.NOT_FOUND
        faults = [line for line in client.call("log.recent", limit=1000) if "fault" in line["text"]]
        assert faults == []
        assert client.call("config.text").startswith(before[:20])
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=10) == 0


@contextmanager
def typed(options: RunOptions, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on until it is interrupted."""
    program = f"import sys; from edgevpn.cli import main; sys.exit(main({[*words, '--socket', str(options.socket)]!r}))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 130


def test_a_log_that_is_followed(options: RunOptions) -> None:
    with running(options), typed(options, "log", "-f") as following:
        assert following.stdout is not None
        assert any("started" in line for line in iter(following.stdout.readline, ""))
        ask(options, "config.set", values={"site.office.mtu": 1400})
        assert any("reloaded" in line for line in iter(following.stdout.readline, ""))


def test_a_status_that_is_watched(options: RunOptions) -> None:
    """Printed at once, and again when something has changed."""
    with running(options), typed(options, "status", "--watch") as watching:
        assert watching.stdout is not None
        assert any("office" in line for line in iter(watching.stdout.readline, ""))
        site = SITE.replace("office", "shop").replace("10.2.", "10.3.").replace("192.0.2.1", "192.0.2.9")
        options.config.write_text(HEAD + SITE + site)
        ask(options, "reload")
        assert any("shop" in line for line in iter(watching.stdout.readline, ""))
