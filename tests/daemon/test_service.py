import io
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import SOCK_DGRAM, socket

import pytest

from edgevpn.api import METHODS, ErrorCode, RpcError
from edgevpn.client import Client
from edgevpn.config.errors import ConfigError
from edgevpn.config.reader import load
from edgevpn.daemon.logbook import Logbook
from edgevpn.daemon.options import KernelKind, RunOptions, StartFailed
from edgevpn.daemon.service import Service, run
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
def running(options: RunOptions) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon as its own process, ready."""
    edgevpn = Path(sys.executable).with_name("edgevpn")
    ports = f"{options.ports.ike},{options.ports.nat}"
    where = ["-c", str(options.config), "--socket", str(options.socket), "--ports", ports]
    command = [str(edgevpn), "run", "--kernel", "memory", *where]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own
        assert process.stderr is not None
        try:
            assert b"NO TRAFFIC FLOWS" in process.stderr.readline()
            assert b"started" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def service(options: RunOptions) -> Service:
    """The same in this process, with a log that nobody reads."""
    return Service(options, load(options.config), Logbook(logging.Logger("nobody"), None, io.StringIO()))


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
