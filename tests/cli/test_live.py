"""The verbs of nouns, carried out by a daemon that keeps the contract of the control socket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgevpn.cli import main
from edgevpn.cli.live import plan_lines
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD
from edgevpn.config.nouns import NAME, paths
from edgevpn.config.setting import Setting, as_toml
from edgevpn.config.values import (
    ADDRESS,
    DOMAIN,
    EXPIRY,
    FILE,
    HOST,
    HOST_ADDRESS,
    IDENTITY,
    INTERFACE,
    NETWORK,
    ORDER,
    OWN_ADDRESS,
    PEER_IDENTITY,
    REMOTES,
    V4,
    V4_RANGE,
    V6,
    V6_RANGE,
)
from edgevpn.config.words import takes, value_of
from tests.support.daemon import control_server
from tests.support.stand_in import StandIn, device

Output = pytest.CaptureFixture[str]


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """It answers where the command line looks for it."""
    path = tmp_path / "control.sock"
    monkeypatch.setenv("EDGEVPN_SOCKET", str(path))
    monkeypatch.chdir(tmp_path)
    made = StandIn()
    with control_server(path, made.methods()):
        yield made


# What is typed, which method that is, and with which parameters.
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "device list": ("device.list", {}),
    "device show phone": ("device.show", {"name": "phone"}),
    "device add tablet platform=ios v4=10.9.0.7": (
        "device.add",
        {"name": "tablet", "settings": {"platform": "ios", "v4": "10.9.0.7"}},
    ),
    "device set phone owner=": ("device.set", {"name": "phone", "settings": {"owner": None}}),
    "device enable phone": ("device.set", {"name": "phone", "settings": {"enabled": True}}),
    "device disable phone": ("device.set", {"name": "phone", "settings": {"enabled": False}}),
    "device remove phone": ("device.remove", {"name": "phone"}),
    "device reset phone": ("device.reset", {"name": "phone"}),
    "device revoke phone": ("device.revoke", {"name": "phone"}),
    "site list": ("status", {}),
    "site add shop remote=shop.example.org": ("site.add", {"name": "shop", "settings": {"remote": "shop.example.org"}}),
    "site set office mtu=1400": ("site.set", {"name": "office", "settings": {"mtu": 1400}}),
    "site remove office": ("site.remove", {"name": "office"}),
    "site up office": ("site.up", {"name": "office"}),
    "site down office": ("site.down", {"name": "office"}),
    "site rekey office --ike": ("site.rekey", {"name": "office", "what": "ike"}),
    "site reach office 10.2.0.1": ("site.reach", {"name": "office", "address": "10.2.0.1"}),
    "site snippet office --for strongswan": ("site.snippet", {"name": "office", "form": "strongswan"}),
    "config show --defaults": ("config.show", {"defaults": True}),
    "config set web.port 8444": ("config.set", {"values": {"web.port": 8444}}),
    "config unset web.port": ("config.set", {"values": {"web.port": None}}),
    "config versions": ("config.versions", {}),
    "config rollback": ("config.rollback", {"number": 1}),
}


@pytest.mark.parametrize("words", CALLS)
def test_words_are_a_method(daemon: StandIn, capsys: Output, words: str) -> None:
    assert main(words.split()) == GOOD
    assert daemon.asked[-1] == CALLS[words]
    out, err = capsys.readouterr()
    assert out
    assert err == ""


@pytest.mark.parametrize("words", CALLS)
def test_words_for_programs(daemon: StandIn, capsys: Output, words: str) -> None:
    assert main([*words.split(), "--json"]) == GOOD
    json.loads(capsys.readouterr().out)


# A value for each kind of key that has no value by default.
EXAMPLES: dict[str, list[str]] = {
    ADDRESS.allowed: ["192.0.2.1"],
    OWN_ADDRESS.allowed: ["192.0.2.1"],
    HOST_ADDRESS.allowed: ["fd00::1"],
    V4.allowed: ["10.9.0.7"],
    V6.allowed: ["fd09::7"],
    HOST.allowed: ["vpn.example.org", "192.0.2.1"],
    REMOTES.allowed: ["any"],
    NETWORK.allowed: ["10.1.0.0/24", "fd01::/64"],
    V4_RANGE.allowed: ["192.168.1.200-192.168.1.230"],
    V6_RANGE.allowed: ["fd09::/64"],
    DOMAIN.allowed: ["example.org"],
    INTERFACE.allowed: ["br-lan"],
    IDENTITY.allowed: ["keyid:office"],
    PEER_IDENTITY.allowed: ["office@example.org"],
    FILE.allowed: ["/etc/edgevpn/key.pem"],
    EXPIRY.allowed: ["2099-12-31"],
    ORDER.allowed: ["aes128gcm16", "chacha20poly1305"],
}


def example(setting: Setting) -> list[str]:
    """What may be typed for a key."""
    allowed = setting.kind.allowed.removeprefix("one or more of: ")
    if setting.written is not None:
        return setting.written if isinstance(setting.written, list) else [as_toml(setting.written)]
    candidates = (["a"], ["1400"], ["0"], ["evpn-x"], [allowed.partition(" | ")[0].strip('"')])
    return EXAMPLES.get(allowed) or next(words for words in candidates if takes(setting, value_of(setting, words)))


def test_every_key_travels(daemon: StandIn, capsys: Output) -> None:
    """What arrives is what the file would get."""
    for noun, key, setting in paths():
        if not setting.secret:
            path = ".".join([*("x" if part == NAME else part for part in noun.path), key])
            words = example(setting)
            assert main(["config", "set", path, *words]) == GOOD
            arrived = daemon.asked[-1][1]["values"][path]
            assert setting.kind.read(arrived) == setting.kind.read(value_of(setting, words))
    capsys.readouterr()


@pytest.mark.parametrize("date", ["2099-12-31", "2099-12-31T06:30:00", "2099-12-31T06:30:00.5Z"])
def test_dates_travel_as_text(daemon: StandIn, capsys: Output, date: str) -> None:
    for words in (["device", "add", "tablet"], ["device", "set", "phone"]):
        assert main([*words, f"expires={date}"]) == GOOD
        assert EXPIRY.read(daemon.asked[-1][1]["settings"]["expires"]) == EXPIRY.read(date.replace("Z", "+00:00"))
    assert main(["config", "set", "gateway.log_level", "06:30:00"]) == GOOD  # no key takes one: the daemon says so
    assert daemon.asked[-1][1]["values"] == {"gateway.log_level": "06:30:00"}
    capsys.readouterr()


def test_devices_for_people(daemon: StandIn, capsys: Output) -> None:
    daemon.devices["old"] = device("old", refused="the device is disabled")
    assert main(["device", "list"]) == GOOD
    head, phone, old = capsys.readouterr().out.rstrip().split("\n")
    assert head.split()[:5] == ["NAME", "OWNER", "LOGIN", "POOL", "STATE"]
    assert phone.split()[:6] == ["phone", "-", "password", "home", "in", "10.9.0.2"]
    assert "the device is disabled" in old
    assert "never" in old


def test_a_secret_is_shown_once(daemon: StandIn, capsys: Output) -> None:
    assert main(["device", "add", "tablet"]) == GOOD
    assert "password: correct-horse-battery   (shown this once)" in capsys.readouterr().out


def test_a_secret_that_is_read_is_not_shown(daemon: StandIn, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, kind in ((["tablet"], "password"), (["desk", "login=psk"], "psk")):
        monkeypatch.setattr("sys.stdin", io.StringIO("my own secret\n"))
        assert main(["device", "add", *words, "--secret", "-"]) == GOOD
        assert daemon.asked[-1][1]["settings"][kind] == "my own secret"
    assert "secret" not in capsys.readouterr().out


def test_export_writes_a_file_for_its_owner_alone(daemon: StandIn, tmp_path: Path, capsys: Output) -> None:
    assert (
        main(["device", "export", "phone", "--for", "mobileconfig", "--on-demand", "always", "--network", "Home"])
        == GOOD
    )
    params = daemon.asked[-1][1]
    assert (params["on_demand"], params["networks"], params["domains"]) == ("always", ["Home"], [])
    made = tmp_path / "phone.mobileconfig"
    assert capsys.readouterr().out == "phone.mobileconfig\n"
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.read_text() == "profile of phone with "


DEMANDS = {
    "--for p12 --on-demand always": "a profile for p12 cannot switch itself on",
    "--for card --network Home": "a profile for card cannot switch itself on",
    "--for mobileconfig --on-demand domains": "--on-demand domains needs a domain; give --domain DOMAIN",
    "--for mobileconfig --network Home": "--network is of no use with --on-demand off; write --on-demand always",
    "--for mobileconfig --on-demand always --domain a.example": "--domain is of no use with --on-demand always",
}


@pytest.mark.parametrize("words", DEMANDS)
def test_what_a_profile_could_not_hold_is_refused(daemon: StandIn, capsys: Output, words: str) -> None:
    """Rather than left out without a word."""
    assert main(["device", "export", "phone", *words.split()]) == FAILED
    assert DEMANDS[words] in capsys.readouterr().err
    assert daemon.asked == []


def test_snippets_for_several_peers_stand_beside_each_other(
    daemon: StandIn, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = {"name": "vm.zip", "media_type": "application/zip", "base64": True, "content": "UEs="}
    monkeypatch.setattr(daemon, "site_snippet", lambda name, form: archive)
    with control_server(tmp_path / "other.sock", daemon.methods()):
        for form in ("strongswan", "routeros"):
            words = ["site", "snippet", "office", "--for", form, "--socket", str(tmp_path / "other.sock")]
            assert main(words) == GOOD
    assert capsys.readouterr().out == "office-strongswan.zip\noffice-routeros.zip\n"


def test_a_plan_is_told_in_words(daemon: StandIn, capsys: Output) -> None:
    change = {"path": "site.office.psk", "before": "***", "after": "***", "effect": "reconnect"}
    assert plan_lines({"changes": [change], "drops": ["office"], "warnings": []}) == [  # type: ignore[list-item]
        "site.office.psk: *** -> *** (at once; the tunnels that it concerns drop)",
        "tunnels that drop: office",
    ]


def test_details_are_for_people(daemon: StandIn, capsys: Output) -> None:
    assert main(["device", "show", "phone"]) == GOOD
    assert "device." not in capsys.readouterr().out
    assert main(["site", "show", "office"]) == GOOD
    assert capsys.readouterr().out.split("\n")[1].split() == ["state", "up"]


def test_whether_a_host_answers(daemon: StandIn, capsys: Output) -> None:
    assert main(["site", "reach", "office", "10.2.0.1"]) == GOOD
    assert capsys.readouterr().out == "10.2.0.1 answers: traffic passes both ways\n"
    assert main(["site", "reach", "office", "10.2.0.9"]) == FAILED
    assert "10.2.0.9 does not answer" in capsys.readouterr().err


def test_a_snippet_is_printed(daemon: StandIn, capsys: Output) -> None:
    assert main(["site", "snippet", "office", "--for", "routeros"]) == GOOD
    assert capsys.readouterr().out == "# routeros\n"


def test_a_secret_does_not_belong_on_the_command_line(daemon: StandIn, capsys: Output) -> None:
    assert main(["config", "set", "web.totp_secret", "A" * 32]) == FAILED
    assert main(["device", "set", "phone", "password=hunter22"]) == FAILED
    assert not any(method.endswith(".set") for method, _ in daemon.asked)
    assert "does not belong on the command line" in capsys.readouterr().err


def test_what_the_daemon_refuses(daemon: StandIn, capsys: Output) -> None:
    assert main(["device", "show", "nobody"]) == FAILED
    assert main(["device", "add", "a/b"]) == BAD_CONFIG
    assert main(["site", "show", "nobody"]) == FAILED
    assert capsys.readouterr().err == (
        "edgevpn: there is no device 'nobody'\ndevice: is no name\nedgevpn: there is no site nobody\n"
    )


def test_who_names_a_file_does_not_mean_the_daemon(daemon: StandIn, tmp_path: Path, capsys: Output) -> None:
    assert main(["config", "set", "web.port", "8444", "-c", str(tmp_path / "other.toml")]) == GOOD
    assert daemon.asked == []
    assert "8444" in (tmp_path / "other.toml").read_text()
    capsys.readouterr()


def test_without_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    """The file is worked on; what only a daemon can do says so."""
    monkeypatch.setenv("EDGEVPN_SOCKET", str(tmp_path / "nobody.sock"))
    monkeypatch.setattr("edgevpn.cli.program.DEFAULT_FILE", tmp_path / "edgevpn.toml")
    assert main(["config", "set", "web.port", "8444"]) == GOOD
    assert "8444" in (tmp_path / "edgevpn.toml").read_text()
    for words in (["device", "revoke", "phone"], ["site", "up", "office"]):
        assert main(words) == FAILED
        assert "the daemon is not running" in capsys.readouterr().err
