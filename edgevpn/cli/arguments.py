"""The words that the command line understands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from edgevpn.api import DEFAULT_SOCKET, SOCKET_VARIABLE
from edgevpn.cli.manual import ALIKE, DESCRIPTIONS

DEFAULT_FILE = Path("/etc/edgevpn/edgevpn.toml")

FILE_VERBS = ("check", "config", "device", "site")
"""The verbs that read and change the configuration: by the daemon if it runs, else in the file itself."""

UPKEEP_VERBS = ("apply", "confirm", "pki", "backup", "restore")
"""Those that concern everything at once."""

SIMULATED = ("windows11", "ios", "macos", "android11", "android12")
"""The clients that can be played."""

Verbs = Any  # what argparse returns has a private name

CONFIRM = "undo it after so long, unless it is confirmed by then: edgevpn confirm"
SHELLS = ("bash", "zsh")
FORMS = ("mobileconfig", "powershell", "sswan", "networkmanager", "swanctl", "p12", "card")
PEERS = ("edgevpn", "strongswan", "routeros", "card")

KEYS = "KEY=VALUE ...; lists with commas, KEY= takes a key out; edgevpn config explain {} says which there are"


def parser() -> argparse.ArgumentParser:
    """All verbs with their options."""
    top = argparse.ArgumentParser(prog="edgevpn")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    _add_daemon(verbs)
    check = verbs.add_parser("check", parents=[_json()], help="say all that is wrong with a configuration file")
    check.add_argument("file", type=Path, nargs="?", default=DEFAULT_FILE, metavar="FILE", help=f"else {DEFAULT_FILE}")
    check.add_argument("-c", "--config", dest="instead", type=Path, metavar="FILE", help="the same, as elsewhere")
    _add_config(verbs)
    _add_device(verbs)
    _add_site(verbs)
    _add_upkeep(verbs)
    _add_simulate(verbs)
    completion = verbs.add_parser("completion", help="print what a shell completes commands by")
    completion.add_argument("shell", choices=SHELLS)
    verbs.add_parser("version", help="print the version")
    _describe(top, "")
    return top


class _Help(argparse.HelpFormatter):
    """Wraps what is text, and leaves what holds for all in its columns."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == ALIKE else super()._fill_text(text, width, indent)


def _describe(command: argparse.ArgumentParser, words: str) -> None:
    """Say what a command and those below it do, and below each what holds for all."""
    command.formatter_class = _Help
    command.description, command.epilog = DESCRIPTIONS[words], ALIKE
    for word, below in subcommands(command):
        _describe(below, f"{words} {word}".lstrip())


def subcommands(command: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The verbs of a parser, or the actions of a verb."""
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _add_daemon(verbs: Verbs) -> None:
    daemon = _socket()
    run = verbs.add_parser("run", parents=[daemon, _file()], help="run the gateway in the foreground")
    run.add_argument(
        "--kernel", choices=("netlink", "memory"), default="netlink", help="memory: speak IKE, carry no traffic"
    )
    run.add_argument(
        "--export-keys", type=Path, metavar="FOLDER", help="append session keys for Wireshark: for debugging alone"
    )
    run.add_argument(
        "--ports",
        type=_ports,
        metavar="IKE,NAT",
        default="500,4500",
        help="UDP ports: for trials, as clients know no others",
    )
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"), help="instead of the file's")
    status = verbs.add_parser("status", parents=[daemon, _json()], help="show sites, their tunnels, and who is in")
    status.add_argument("--watch", action="store_true", help="again whenever something changes, until interrupted")
    log = verbs.add_parser("log", parents=[daemon, _json()], help="show the last lines of the daemon's log")
    log.add_argument("-f", "--follow", action="store_true", help="and those to come, until interrupted")
    log.add_argument("-n", "--lines", type=int, default=50, metavar="COUNT", help="how many of the last; else 50")
    verbs.add_parser("metrics", parents=[daemon, _json()], help="print counters as Prometheus reads them")
    up = verbs.add_parser("up", parents=[daemon, _json()], help="bring a site up and wait for it")
    up.add_argument("site", metavar="SITE")
    down = verbs.add_parser("down", parents=[daemon, _json()], help="close a site")
    down.add_argument("site", metavar="SITE")
    rekey = verbs.add_parser(
        "rekey", parents=[daemon, _json()], help="give a site's children new keys, and wait until they are in use"
    )
    rekey.add_argument("site", metavar="SITE")
    rekey.add_argument("--ike", action="store_true", help="the IKE SA instead")
    diagnose = verbs.add_parser(
        "diagnose", parents=[daemon, _language(), _json()], help="say why somebody could not connect"
    )
    diagnose.add_argument(
        "peer", nargs="?", metavar="PEER", help="a site, pool, identity or address; last for whoever came last"
    )
    diagnose.add_argument("--bundle", action="store_true", help="print all that helps to help, without secrets")
    diagnose.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="with this configuration in the bundle; else the daemon's"
    )
    replay = verbs.add_parser(
        "replay", parents=[_file(), _json()], help="say whether those in a bundle could connect with another file"
    )
    replay.add_argument("bundle", type=Path, metavar="BUNDLE", help="made by diagnose --bundle; - for standard input")
    replay.add_argument(
        "--peer", metavar="PEER", help="a site, device, identity or address alone; last for whoever failed last"
    )
    verbs.add_parser("doctor", parents=[daemon, _language(), _json()], help="look whether everything is as it must be")
    firewall = verbs.add_parser("firewall", help="our rules, and whether others let in what we need")
    actions = firewall.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("show", parents=[daemon, _json()], help="print the nft table that we keep")
    actions.add_parser(
        "check",
        parents=[daemon, _language(), _json()],
        help="look whether the ports are open, and can be reached from outside",
    )
    repair = verbs.add_parser("repair", parents=[daemon, _json()], help="put back what somebody has taken away from us")
    repair.add_argument("--dry-run", action="store_true", help="only say what would be done")
    verbs.add_parser("bench", parents=[_json()], help="measure what this machine can do: some seconds, as root")
    verbs.add_parser("offload", parents=[daemon, _json()], help="show who ciphers, how fast, and what each SA uses")
    verbs.add_parser("reload", parents=[daemon, _json()], help="have the daemon read its file again")
    web = verbs.add_parser("web", parents=[daemon], help="serve the panel, in the foreground")
    web.add_argument("--port", type=_port, metavar="PORT", help="TCP port, instead of the file's")
    verbs.add_parser(
        "setup-token", parents=[daemon, _json()], help="print where to open the panel without its password, once"
    )


def _add_config(verbs: Verbs) -> None:
    config = verbs.add_parser("config", help="show, explain and change the configuration")
    actions = config.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", parents=_either(), help="print it, without its secrets")
    show.add_argument("--defaults", action="store_true", help="with every key that is not written")
    actions.add_parser("schema", help="print its form as JSON Schema, for editors")
    explain = actions.add_parser("explain", help="say what a key or table means; all of them without KEY")
    explain.add_argument("key", nargs="?", metavar="KEY", help="such as site.office.mtu, site.mtu, mtu or site")
    change = actions.add_parser("set", parents=_either(), help="give a key a value")
    change.add_argument("key", metavar="KEY", help="such as site.office.mtu")
    change.add_argument("value", nargs="+", metavar="VALUE", help="several for a list; - reads it, as a secret must be")
    unset = actions.add_parser("unset", parents=_either(), help="take a key out")
    unset.add_argument("key", metavar="KEY", help="such as site.office.mtu")
    actions.add_parser("versions", parents=_either(), help="list what can be rolled back to")
    rollback = actions.add_parser("rollback", parents=_either(), help="go back to an earlier version")
    rollback.add_argument("number", type=int, nargs="?", default=1, metavar="N", help="1, the last one, if not given")


def _add_device(verbs: Verbs) -> None:
    device = verbs.add_parser("device", help="phones and laptops")
    actions = device.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_listing(actions, "device")
    add = actions.add_parser("add", parents=_either(), help="add one, and print the secret made for it")
    change = actions.add_parser("set", parents=_either(), help="change one")
    for each in (add, change):
        each.add_argument("name", metavar="NAME")
        each.add_argument("keys", nargs="*", metavar="KEY=VALUE", help=KEYS.format("device"))
    read = "read its password or pre-shared key"
    add.add_argument("--secret", choices=("-",), help=f"{read}; else one is made")
    secret = change.add_mutually_exclusive_group()
    secret.add_argument("--secret", choices=("-",), help=f"{read}; a new login needs one, else one is made")
    secret.add_argument("--new-secret", action="store_true", help="make a new password or pre-shared key")
    for action, words in (("enable", "let one in again"), ("disable", "keep one out"), ("remove", "forget one")):
        actions.add_parser(action, parents=_either(), help=words).add_argument("name", metavar="NAME")
    daemon = [_socket(), _json()]
    for action, words in (
        ("reset", "make a new password or pre-shared key, and print it"),
        ("revoke", "revoke all its certificates, and show it out"),
    ):
        actions.add_parser(action, parents=daemon, help=words).add_argument("name", metavar="NAME")
    export = actions.add_parser("export", parents=daemon, help="make its profile")
    export.add_argument("name", metavar="NAME")
    export.add_argument("--for", dest="form", choices=FORMS, required=True, help="what its platform reads")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="else named after gateway and device")
    export.add_argument("--secret", choices=("-",), help="read the password that goes in, or that opens the file")
    export.add_argument("--on-demand", choices=("off", "always", "domains"), default="off", help="of Apple devices")
    export.add_argument("--network", action="append", default=[], metavar="SSID", help="always, but in this Wi-Fi")
    export.add_argument("--domain", action="append", default=[], metavar="DOMAIN", help="when this is looked for")


def _add_site(verbs: Verbs) -> None:
    site = verbs.add_parser("site", help="tunnels to other gateways")
    actions = site.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_listing(actions, "site")
    for action, words in (("add", "add one, with a new pre-shared key unless it has one"), ("set", "change one")):
        change = actions.add_parser(action, parents=_either(), help=words)
        change.add_argument("name", metavar="NAME")
        change.add_argument("keys", nargs="*", metavar="KEY=VALUE", help=KEYS.format("site"))
        change.add_argument("--secret", choices=("-",), help="read the pre-shared key")
    actions.add_parser("remove", parents=_either(), help="forget one").add_argument("name", metavar="NAME")
    daemon = [_socket(), _json()]
    for action, words in (("up", "bring one up and wait for it"), ("down", "close one")):
        actions.add_parser(action, parents=daemon, help=words).add_argument("name", metavar="NAME")
    rekey = actions.add_parser("rekey", parents=daemon, help="give one new keys, and wait until they are in use")
    rekey.add_argument("name", metavar="NAME")
    rekey.add_argument("--ike", action="store_true", help="its IKE SA instead of its children")
    reach = actions.add_parser("reach", parents=daemon, help="ask whether a host behind one answers, by ICMP or TCP")
    reach.add_argument("name", metavar="NAME")
    reach.add_argument("address", metavar="ADDRESS", help="in the other network")
    snippet = actions.add_parser("snippet", parents=daemon, help="what the other end has to be told")
    snippet.add_argument("name", metavar="NAME")
    snippet.add_argument("--for", dest="form", choices=PEERS, required=True, help="what the other end is")
    snippet.add_argument("-o", "--output", type=Path, metavar="FILE", help="else standard output, if it is text")


def _add_simulate(verbs: Verbs) -> None:
    simulate = verbs.add_parser("simulate", parents=[_json()], help="play a phone or laptop, and tell how far it comes")
    simulate.add_argument("client", choices=SIMULATED)
    simulate.add_argument("--server", required=True, metavar="NAME", help="what its user types as the server")
    simulate.add_argument(
        "--address", metavar="ADDRESS", help="where the gateway is; else the server's name is looked up"
    )
    simulate.add_argument("--user", default="", metavar="USER")
    simulate.add_argument("--password-file", type=Path, metavar="FILE", help="log in by password")
    simulate.add_argument("--psk-file", type=Path, metavar="FILE", help="log in by pre-shared key")
    simulate.add_argument(
        "--certificate", type=Path, metavar="FILE", help="log in by this one and its key: PEM or PKCS #12"
    )
    simulate.add_argument("--certificate-password-file", type=Path, metavar="FILE", help="opens that file")
    simulate.add_argument(
        "--id", default="", metavar="TEXT", help="its identifier, as phones ask for it; else the user"
    )
    simulate.add_argument("--ca", type=Path, metavar="FILE", help="the CA that it trusts")
    simulate.add_argument("--by-hand", action="store_true", help="it ran no script of ours, and has no profile")
    simulate.add_argument("--eap-only", action="store_true", help="with a password: ask for no certificate (RFC 5998)")
    simulate.add_argument("--rekey", action="store_true", help="have it give both SAs new keys")
    simulate.add_argument("--roam", action="store_true", help="have it go on from other ports, or connect anew")
    simulate.add_argument("--stay", type=float, default=0.0, metavar="SECONDS", help="stay connected so long")
    ping = simulate.add_mutually_exclusive_group()
    ping.add_argument(
        "--ping",
        type=ip_address,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="ping this through the tunnel (may be given again); else the DNS servers that it is given",
    )
    ping.add_argument("--no-ping", action="store_true", help="ping nothing: the login alone")
    simulate.add_argument("--ports", type=_ports, metavar="IKE,NAT", default="500,4500", help="the gateway's UDP ports")


def _add_upkeep(verbs: Verbs) -> None:
    """What changes everything at once, and what goes with it."""
    apply = verbs.add_parser("apply", parents=_either(), help="make a file the configuration")
    apply.add_argument("file", type=Path, metavar="FILE", help="- for standard input")
    apply.add_argument("--dry-run", action="store_true", help="only say what would change, and which tunnels drop")
    apply.add_argument("--confirm", type=int, default=0, metavar="SECONDS", help=CONFIRM)
    verbs.add_parser("confirm", parents=[_socket(), _json()], help="let what was applied stand")
    pki = verbs.add_parser("pki", help="the certificate authority, and the gateway's certificates")
    actions = pki.add_subparsers(dest="action", metavar="ACTION", required=True)
    init = actions.add_parser("init", parents=_either(), help="make the CA; a public name does so by itself")
    init.add_argument("--name", default="", metavar="NAME", help="what it is called")
    actions.add_parser("show", parents=_either(), help="show the CA and the gateway's certificates")
    actions.add_parser("renew", parents=[_socket(), _json()], help="issue the gateway's certificates anew")
    bring = actions.add_parser("import", parents=_either(), help="take a CA that there is already")
    bring.add_argument("file", type=Path, metavar="FILE", help="its key and certificate: PEM or PKCS #12")
    bring.add_argument("--password", choices=("-",), help="read the password that opens it")
    export = actions.add_parser("export-ca", parents=_either(), help="write the CA's certificate")
    export.add_argument("--der", action="store_true", help="as DER instead of PEM; needs --output")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="else standard output")
    backup = verbs.add_parser("backup", parents=_either(), help="write everything into one encrypted file")
    backup.add_argument("output", type=Path, metavar="FILE")
    restore = verbs.add_parser("restore", parents=_either(), help="go back to what a backup holds")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--confirm", type=int, default=0, metavar="SECONDS", help=CONFIRM)
    for each in (backup, restore):
        each.add_argument("--password-file", type=Path, metavar="PATH", help="holds the password; else it is asked for")


def _add_listing(actions: Verbs, noun: str) -> None:
    actions.add_parser("list", parents=_either(), help=f"list every {noun}")
    show = actions.add_parser("show", parents=_either(), help=f"show all that is known of a {noun}")
    show.add_argument("name", metavar="NAME")


def _either() -> list[argparse.ArgumentParser]:
    """Options of what the daemon does if it runs, and what is done to the file if it does not."""
    option = argparse.ArgumentParser(add_help=False)
    option.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help=f"work on this file; else by the daemon, else on {DEFAULT_FILE}",
    )
    return [option, _socket(), _json()]


def _socket() -> argparse.ArgumentParser:
    option = argparse.ArgumentParser(add_help=False)
    option.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        help=f"control socket; else ${SOCKET_VARIABLE}, else {DEFAULT_SOCKET}",
    )
    return option


def _file() -> argparse.ArgumentParser:
    option = argparse.ArgumentParser(add_help=False)
    option.add_argument("-c", "--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help=f"else {DEFAULT_FILE}")
    return option


def _language() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--language", choices=("en", "ja"), help="instead of that of the environment")
    return parent


def _json() -> argparse.ArgumentParser:
    option = argparse.ArgumentParser(add_help=False)
    option.add_argument("--json", action="store_true", help="all of it, for programs")
    return option


def _ports(text: str) -> tuple[int, int]:
    """Two different ports, "500,4500". Raises ArgumentTypeError."""
    ike, _, nat = text.partition(",")
    if (found := (_port(ike), _port(nat)))[0] == found[1]:
        raise argparse.ArgumentTypeError("two different ports are needed, such as 500,4500")
    return found


def _port(text: str) -> int:
    """A port. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 0x10000):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no port; allowed: 1 to 65535")
    return int(text)
