"""The pages in LuCI, their way to the control socket, and who may go it: run, though not by LuCI."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import quickjs

from edgevpn.api import METHODS, ErrorCode
from edgevpn.daemon.control.server import Method
from openwrt.builder.lmo import ENTRY, OFFSET, compiled, hashed, messages
from openwrt.builder.packages import ROOT
from tests.support.daemon import answering, control_server, refusing

APP = ROOT / "openwrt/luci-app-edgevpn"
STUBS = Path(__file__).parent / "stubs"
VIEWS = APP / "htdocs/luci-static/resources/view"
PLUGIN = APP / "root/usr/share/rpcd/ucode/luci.edgevpn"
ACL = json.loads((APP / "root/usr/share/rpcd/acl.d/luci-app-edgevpn.json").read_text())["luci-app-edgevpn"]
MENU = json.loads((APP / "root/usr/share/luci/menu.d/luci-app-edgevpn.json").read_text())

# The panel's half of the way from LuCI into it; the daemon may be one without it.
FOR_THE_PANEL = {"web.ticket"}

CHILD = {"name": "lan", "bytes_in": 1_500_000, "bytes_out": 999, "suite": "aes256gcm16"}
IKE = {"remote": "198.51.100.7:4500", "established": 0, "children": [CHILD, CHILD]}
STATUS = {
    "version": "1.2.3",
    "started": 0,
    "kernel": "netlink",
    "sites": [
        {"name": "office", "state": "up", "remote": "vpn.example.org", "ike": [IKE]},
        {"name": "shop", "state": "down", "remote": "192.0.2.9", "ike": []},
    ],
}
RUNNING = {"daemon": True, "web": True}


class Page:
    """A view, rendered for an answer of the plugin."""

    def __init__(self, name: str, answer: Mapping[str, Any]) -> None:
        self._context = quickjs.Context()
        self._context.eval((STUBS / "luci.js").read_text())
        source = (VIEWS / f"edgevpn/{name}.js").read_text()
        self._context.eval(f"const page = (function() {{ {source} }})()")
        self._context.eval(f"const node = page.render({json.dumps(answer)})")

    def value(self, expression: str) -> Any:
        """A value of the page, once what waits is done."""
        self._context.eval(f"globalThis.found = {expression}")
        while self._context.execute_pending_job():
            pass
        text = self._context.eval(
            "JSON.stringify(globalThis.found instanceof Promise ? null : globalThis.found ?? null)"
        )
        return json.loads(text)

    def does(self, statement: str) -> None:
        """Do something, and what follows from it."""
        self.value(f"({statement}, null)")

    @property
    def text(self) -> str:
        """All texts in order."""
        found: str = self.value("texts(node)")
        return found


def plugin_methods() -> dict[str, str]:
    """What the plugin offers, and the method of the daemon that each asks for."""
    found = re.findall(r"^\t\t(\w+): \{(.*?)^\t\t\}", PLUGIN.read_text(), re.MULTILINE | re.DOTALL)
    asked = {name: re.search(r"ask\('([\w.]+)'", body) for name, body in found}
    return {name: match[1] if match else "" for name, match in asked.items()}


# Status ------------------------------------------------------------------------------------------------------------


def test_status() -> None:
    page = Page("status", {"result": STATUS, "running": RUNNING, "port": "8443"})

    assert "Service|Running|Panel|Running|Version|1.2.3|Running for|" in page.text
    assert "Health|No fault is known." in page.text
    assert "Sites|Name|State|Peer|For|In|Out|Cipher|office|Up|198.51.100.7:4500|" in page.text
    assert "|3.0 MB|2.0 kB|aes256gcm16|Up|Down|shop|Down|192.0.2.9|-|-|-|-|Up|Down" in page.text


def test_daemon_is_down() -> None:
    page = Page("status", {"error": {"code": "down"}, "running": {"daemon": False, "web": False}})

    assert "Service|Not running|Panel|Not running" in page.text
    assert "Health|The daemon is not running." in page.text
    assert page.value("find(node, 'button').filter(b => !b.attributes.disabled).map(texts)") == ["Start"]


def test_nothing_is_configured() -> None:
    page = Page("status", {"result": {**STATUS, "sites": []}, "running": RUNNING})
    assert "No site is configured." in page.text


def test_no_traffic_flows() -> None:
    page = Page("status", {"result": {**STATUS, "kernel": "memory"}, "running": RUNNING})
    assert "Health|The daemon runs without a kernel: no traffic flows." in page.text


def test_what_peers_say_is_text() -> None:
    """No child of an element is a bare string, which LuCI would read as HTML; the stand-in refuses any."""
    hostile = "<img src=x onerror=alert(1)>"
    site = {"name": hostile, "state": hostile, "remote": hostile, "ike": [{**IKE, "remote": hostile}]}
    device = {"name": hostile, "state": hostile, "address": hostile, "remote": hostile}
    page = Page("status", {"result": {**STATUS, "sites": [site], "devices": [device]}, "running": RUNNING})

    assert page.text.count(hostile) == 7
    assert page.value("find(node, 'img').length") == 0


@pytest.mark.parametrize(
    ("title", "call"),
    [
        ("Up", ["luci.edgevpn", "site_up", {"name": "shop"}]),
        ("Down", ["luci.edgevpn", "site_down", {"name": "office"}]),
        ("Reload", ["luci.edgevpn", "reload", {}]),
        ("Restart", ["luci.edgevpn", "service", {"action": "restart"}]),
        ("Stop", ["luci.edgevpn", "service", {"action": "stop"}]),
    ],
)
def test_buttons(title: str, call: list[object]) -> None:
    page = Page("status", {"result": STATUS, "running": RUNNING})
    page.does(f"press(node, {title!r})")
    assert page.value("calls") == [call]


def test_refusal_is_shown() -> None:
    page = Page("status", {"result": STATUS, "running": RUNNING})
    page.does("answers.reload = {error: {code: -32005, message: 'the configuration is bad', data: ['a.toml:3: psk']}}")

    page.does("press(node, 'Reload')")

    assert page.value("notes.map(([kind, node]) => [kind, texts(node)])") == [
        ["warning", "the configuration is bad\na.toml:3: psk"]
    ]


def test_into_the_panel() -> None:
    """The ticket goes in the fragment, which no server sees and no log keeps; the page cannot reach back."""
    page = Page("status", {"result": STATUS, "running": RUNNING, "port": "8443"})
    page.does("answers.ticket = {result: {ticket: 'a/b+c'}}")

    page.does("press(node, 'Open panel')")

    assert page.value("opened") == [{"opener": None, "location": "https://router.lan:8443/#ticket=a%2Fb%2Bc"}]


def test_no_ticket() -> None:
    page = Page("status", {"result": STATUS, "running": RUNNING, "port": "8443"})
    page.does("answers.ticket = {error: {code: -32601, message: 'there is no method'}}")

    page.does("press(node, 'Open panel')")

    assert page.value("opened.map(each => each.closed)") == [True]
    assert page.value("notes.length") == 1


def test_no_window() -> None:
    """No ticket is made that nobody would take."""
    page = Page("status", {"result": STATUS, "running": RUNNING, "port": "8443"})
    page.does("window.open = () => null")

    page.does("press(node, 'Open panel')")

    assert page.value("calls") == []
    assert page.value("notes.length") == 1


def test_it_keeps_itself_fresh() -> None:
    page = Page("status", {"result": STATUS, "running": RUNNING})
    page.does("answers.status = {error: {code: 'silent'}, running: {daemon: true, web: true}}")

    page.does("polled[0]()")

    assert "did not answer in time" in page.text


def test_settings_are_those_of_the_file() -> None:
    """Each option of the form is in /etc/config/edgevpn, or is noted there."""
    page = Page("settings", {})
    shipped = (ROOT / "openwrt/edgevpn/files/edgevpn.config").read_text()

    assert page.value("node.config") == "edgevpn"
    sections = page.value("node.sections.map(each => [each.type, each.name, each.options.map(o => o.name)])")
    for kind, name, options in sections:
        assert f"config {kind} '{name}'" in shipped
        for option in options:
            assert re.search(rf"\t#?(option|list) {option} '", shipped), option


# The plugin --------------------------------------------------------------------------------------------------------


class Plugin:
    """The plugin in rpcd's place, with a real control socket before it."""

    def __init__(self, path: Path, patience: int = 2000) -> None:
        self._path = path
        self._connection: socket.socket | None = None
        self.asked_of_ubus: list[tuple[str, str]] = []
        self._context = quickjs.Context()
        self._context.add_callable("host_clock", time.monotonic)
        self._context.add_callable("host_connect", self._connect)
        self._context.add_callable("host_send", self._send)
        self._context.add_callable("host_wait", self._wait)
        self._context.add_callable("host_receive", self._receive)
        self._context.add_callable("host_close", self._close)
        self._context.add_callable("host_ubus", self._ubus)
        self._context.eval((STUBS / "ucode.js").read_text())
        source = PLUGIN.read_text().replace("const PATIENCE = 2000;", f"const PATIENCE = {patience};")
        self._context.eval(f"const plugin = (function() {{ {source} }})()['luci.edgevpn']")

    def call(self, method: str, **values: str) -> Any:
        """The plugin's answer, by way of JSON as ubus's is."""
        return json.loads(self._context.eval(f"JSON.stringify(plugin.{method}.call({{args: {json.dumps(values)}}}))"))

    def ran(self) -> list[str]:
        """Commands that were started."""
        found: list[str] = json.loads(self._context.eval("JSON.stringify(ran)"))
        return found

    def _connect(self, path: str) -> bool:
        assert path == "/var/run/edgevpn/control.sock"
        self._connection = socket.socket(socket.AF_UNIX)
        try:
            self._connection.connect(str(self._path))
        except OSError:
            self._close()
            return False
        return True

    def _send(self, text: str) -> None:
        assert self._connection is not None
        self._connection.sendall(text.encode())

    def _wait(self, milliseconds: int) -> int:
        assert self._connection is not None
        readable, _, _ = select.select([self._connection], [], [], milliseconds / 1000)
        return len(readable)

    def _receive(self, octets: int) -> str:
        assert self._connection is not None
        return self._connection.recv(octets).decode()

    def _close(self) -> None:
        assert self._connection is not None
        self._connection.close()

    def _ubus(self, target: str, method: str) -> str:
        self.asked_of_ubus.append((target, method))
        return json.dumps({"edgevpn": {"instances": {"daemon": {"running": True}, "web": {"running": False}}}})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run/control.sock"


@pytest.fixture
def methods() -> dict[str, Method]:
    """Methods of a daemon, one answer too long for one read."""
    return {
        "status": answering({"version": "1.2.3", "sites": [], "filler": "x" * 200_000}),
        "site.up": refusing(ErrorCode.FAILED, "no answer from 192.0.2.9"),
        "reload": refusing(ErrorCode.CONFIG_INVALID, "bad", ["a.toml:3: psk"]),
    }


@pytest.fixture
def serving(path: Path, methods: dict[str, Method]) -> Iterator[None]:
    with control_server(path, methods):
        yield


@pytest.mark.usefixtures("serving")
def test_plugin_asks_the_daemon(path: Path) -> None:
    plugin = Plugin(path)

    answer = plugin.call("status")

    assert (answer["result"]["version"], len(answer["result"]["filler"])) == ("1.2.3", 200_000)
    assert (answer["running"], answer["port"]) == ({"daemon": True, "web": False}, "edgevpn.web.port")
    assert plugin.asked_of_ubus == [("service", "list")]
    assert plugin.call("site_up", name="shop") == {"error": {"code": -32004, "message": "no answer from 192.0.2.9"}}
    assert plugin.call("reload") == {"error": {"code": -32005, "message": "bad", "data": ["a.toml:3: psk"]}}
    assert plugin.call("ticket")["error"]["code"] == ErrorCode.METHOD_NOT_FOUND


def test_plugin_without_a_daemon(path: Path) -> None:
    assert Plugin(path).call("status")["error"] == {"code": "down"}


def test_plugin_does_not_wait_for_long(tmp_path: Path) -> None:
    """rpcd serves nobody meanwhile: a daemon that says nothing costs its patience, here none."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        assert Plugin(tmp_path / "control.sock", patience=0).call("site_down", name="x") == {
            "error": {"code": "silent"}
        }


def test_plugin_runs_nothing_else(path: Path) -> None:
    """The action is one of a list; nothing of a caller's gets into a command line."""
    plugin = Plugin(path)

    assert plugin.call("service", action="stop; reboot") == {"error": {"code": "action"}}
    assert plugin.call("service", action="restart") == {"result": None}

    assert plugin.ran() == ["/etc/init.d/edgevpn restart >/dev/null 2>&1 &"]


# What belongs together ---------------------------------------------------------------------------------------------


def test_methods_are_the_daemons() -> None:
    assert set(plugin_methods().values()) - {""} <= METHODS.keys() | FOR_THE_PANEL


def test_access_list() -> None:
    """Every method is granted once: to read is to look, to write is all that does something. No file may be run."""
    read, write = ACL["read"], ACL["write"]

    assert read == {"ubus": {"luci.edgevpn": ["status"]}, "uci": ["edgevpn"]}
    assert write.keys() == {"ubus", "uci"}
    granted = [*read["ubus"]["luci.edgevpn"], *write["ubus"]["luci.edgevpn"]]
    assert sorted(granted) == sorted(plugin_methods())
    assert write["uci"] == ["edgevpn"]


def test_views_ask_for_what_there_is() -> None:
    for view in VIEWS.rglob("*.js"):
        for target, method in re.findall(r"object: '([^']+)', method: '([^']+)'", view.read_text()):
            assert target == "luci.edgevpn"
            assert method in plugin_methods()


def test_menu() -> None:
    for entry in MENU.values():
        if entry["action"]["type"] == "view":
            assert (VIEWS / f"{entry['action']['path']}.js").is_file()
    assert MENU["admin/vpn/edgevpn"]["depends"]["acl"] == ["luci-app-edgevpn"]


# Translations ------------------------------------------------------------------------------------------------------


def shown() -> set[str]:
    """All texts that can be translated."""
    found = {text for view in VIEWS.rglob("*.js") for text in re.findall(r"_\('((?:[^'\\]|\\.)*)'\)", view.read_text())}
    return found | {entry["title"] for entry in MENU.values()} - {"edgevpn"} | {ACL["description"]}


def test_japanese_is_complete() -> None:
    translated = messages((APP / "po/ja/edgevpn.po").read_text())

    assert translated.keys() == shown()
    assert all(re.search("[\u3040-\u30ff\u4e00-\u9fff]", text) for text in translated.values())


def test_template_is_complete() -> None:
    template = (APP / "po/templates/edgevpn.pot").read_text()
    assert set(re.findall(r'^msgid "(.+)"$', template, re.MULTILINE)) == shown()


# As LuCI's own po2lmo computes them.
HASHES = {
    "Status": 0x663359C9,
    "Up": 0x3860E577,
    "h": 0x48543605,
    "The daemon is not running.": 0x1ECB338B,
    "状態診断": 0x6818704E,
    "秒": 0xFFEC254B,
    "é": 0xC4FBA554,
    "abé": 0x8F08A63C,
}


@pytest.mark.parametrize(("text", "value"), HASHES.items(), ids=HASHES)
def test_hash(text: str, value: int) -> None:
    assert hashed(text.encode()) == value


def test_compiled_catalogue() -> None:
    """Texts, each to a multiple of four; then entries in the order of their hashes; then where they begin."""
    octets = compiled('msgid ""\nmsgstr "Language: ja\\n"\n\nmsgid "Up"\nmsgstr "接続"\n\nmsgid "h"\nmsgstr "時間"\n')

    (start,) = OFFSET.unpack(octets[-4:])
    entries = list(ENTRY.iter_unpack(octets[start:-4]))
    assert [key for key, *_ in entries] == [HASHES["Up"], HASHES["h"]]
    assert [octets[at : at + length].decode() for _, _, at, length in entries] == ["接続", "時間"]
    assert all(at % 4 == 0 for _, _, at, _ in entries)
