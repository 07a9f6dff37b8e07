"""The init script: what procd is told, line by line."""

from __future__ import annotations

import pytest

from openwrt.builder.ipk import Ipk
from tests.openwrt.router import Router

# Marked for the guest, where busybox is: mark.netns is on the shell in conftest.py.

DAEMON = """\
procd_open_instance daemon
procd_set_param command /usr/bin/edgevpn run --config /etc/edgevpn/edgevpn.toml
procd_set_param group edgevpn
procd_set_param respawn 3600 5 0
procd_set_param term_timeout 10
procd_set_param stdout 1
procd_set_param stderr 1
procd_set_param file /usr/lib/edgevpn/edgevpn/__init__.py
procd_set_param capabilities /etc/capabilities/edgevpn.json
procd_set_param no_new_privs 1
procd_add_jail edgevpn
procd_open_data
json_add_array firewall
json_add_object
json_add_string type rule
json_add_string src wan
json_add_string proto udp
json_add_string dest_port 500 4500
json_add_string target ACCEPT
json_close_object
json_add_object
json_add_string type rule
json_add_string src wan
json_add_string proto esp
json_add_string target ACCEPT
json_close_object
json_close_array
procd_close_data
procd_close_instance
"""
WEB = """\
procd_open_instance web
procd_set_param command /usr/bin/edgevpn web --port 8443
procd_set_param user edgevpn
procd_set_param group edgevpn
procd_set_param respawn 3600 5 0
procd_set_param term_timeout 10
procd_set_param stdout 1
procd_set_param stderr 1
procd_set_param file /usr/lib/edgevpn/edgevpn/__init__.py
procd_set_param capabilities /etc/capabilities/edgevpn-web.json
procd_set_param no_new_privs 1
procd_add_jail edgevpn-web
procd_close_instance
"""
TRIGGERS = """\
procd_add_reload_trigger edgevpn
procd_add_reload_interface_trigger wan
procd_add_reload_interface_trigger wan6
"""
OPENED, CLOSED, TOLD = (
    "procd_open_service edgevpn\n",
    "procd_close_service edgevpn\n",
    "procd_set_config_changed firewall\n",
)
CHECKED = "edgevpn check /etc/edgevpn/edgevpn.toml\n"
OWNERS = "chown root:edgevpn /var/run/edgevpn\nchown edgevpn:edgevpn /var/run/edgevpn/pycache-web\n"


@pytest.fixture
def installed(router: Router, ipks: dict[str, Ipk]) -> Router:
    """The daemon alone is installed, with ujail."""
    router.program("sbin/ujail", "exit 0")
    router.install("edgevpn", ipks["edgevpn"].content)
    router.calls()
    return router


def uci(router: Router, assignment: str) -> None:
    assert router.run("-c", f"uci set {assignment}").returncode == 0


def test_start(installed: Router) -> None:
    assert installed.service("start").returncode == 0

    assert installed.calls() == OPENED + OWNERS + CHECKED + DAEMON + TRIGGERS + CLOSED + TOLD
    assert installed.root.joinpath("var/run/edgevpn").stat().st_mode & 0o777 == 0o750
    assert installed.root.joinpath("var/run/edgevpn/pycache").stat().st_mode & 0o777 == 0o755
    assert installed.root.joinpath("var/run/edgevpn/pycache-web").stat().st_mode & 0o777 == 0o700


def test_start_with_the_panel(installed: Router, ipks: dict[str, Ipk]) -> None:
    installed.install("edgevpn-web", ipks["edgevpn-web"].content)

    assert installed.calls() == OPENED + OWNERS + CHECKED + DAEMON + WEB + TRIGGERS + CLOSED + TOLD


def test_panel_switched_off(installed: Router, ipks: dict[str, Ipk]) -> None:
    uci(installed, "edgevpn.web.enabled=0")

    installed.install("edgevpn-web", ipks["edgevpn-web"].content)

    assert "procd_open_instance web" not in installed.calls()


def test_disabled(installed: Router) -> None:
    """Without an instance procd stops what runs; the triggers stay, so that enabling it starts it."""
    uci(installed, "edgevpn.main.enabled=0")

    assert installed.service("start").returncode == 0

    assert installed.calls() == OPENED + TRIGGERS + CLOSED + TOLD


def test_settings(installed: Router) -> None:
    uci(installed, "edgevpn.main.file=/etc/edgevpn/other.toml")
    uci(installed, "edgevpn.main.log_level=debug")
    installed.run("-c", "uci add_list edgevpn.main.zone=guest")

    installed.service("start")

    calls = installed.calls()
    assert "procd_set_param command /usr/bin/edgevpn run --config /etc/edgevpn/other.toml\n" in calls
    assert "procd_append_param command --log-level debug\n" in calls
    assert [line for line in calls.splitlines() if " src " in line] == [
        *["json_add_string src wan"] * 2,
        *["json_add_string src guest"] * 2,
    ]


def test_bad_file_is_not_run_into(installed: Router) -> None:
    """One line in the log, no instance that would fail every five seconds."""
    installed.write("exit", "2")
    installed.write("says", "edgevpn.toml:3: psk: missing")

    installed.service("start")

    told = "logger -t edgevpn -p daemon.err not started: edgevpn.toml:3: psk: missing\n"
    assert installed.calls() == OPENED + OWNERS + CHECKED + told + TRIGGERS + CLOSED + TOLD


def test_bad_file_does_not_stop_what_runs(installed: Router) -> None:
    installed.write("running-daemon", "")
    installed.write("exit", "2")
    installed.write("says", "edgevpn.toml:3: psk: missing")

    installed.service("reload")

    told = "edgevpn reload\nlogger -t edgevpn -p daemon.err reload refused: edgevpn.toml:3: psk: missing\n"
    assert installed.calls() == OPENED + OWNERS + DAEMON + TRIGGERS + CLOSED + TOLD + told


def test_reload(installed: Router) -> None:
    """procd gets the same instance again, which restarts nothing; then the daemon applies what differs in its file."""
    installed.write("running-daemon", "")
    installed.write("says", "added: office")

    installed.service("reload")

    told = "edgevpn reload\nlogger -t edgevpn -p daemon.info reload: added: office\n"
    assert installed.calls() == OPENED + OWNERS + DAEMON + TRIGGERS + CLOSED + TOLD + told


def test_reload_starts_what_does_not_run(installed: Router) -> None:
    installed.service("reload")

    assert installed.calls() == OPENED + OWNERS + CHECKED + DAEMON + TRIGGERS + CLOSED + TOLD


def test_stop(installed: Router) -> None:
    """The rules go with the instance; an old firewall4 has to be told."""
    installed.service("stop")

    assert installed.calls() == "procd_kill edgevpn\n" + TOLD


def test_without_ujail(installed: Router) -> None:
    """procd would run the daemon with all rights and say nothing."""
    installed.root.joinpath("sbin/ujail").unlink()

    installed.service("start")

    warned = (
        "logger -t edgevpn -p daemon.warn procd-ujail is not installed: edgevpn runs with all the rights of its user\n"
    )
    assert warned in installed.calls()


def test_no_place_for_the_socket(installed: Router) -> None:
    installed.write("chown-fails", "")

    installed.service("start")

    told = "logger -t edgevpn -p daemon.err not started: /var/run/edgevpn cannot be made\n"
    assert installed.calls() == OPENED + OWNERS.splitlines(keepends=True)[0] + told + TRIGGERS + CLOSED + TOLD
