"""The words that the command line understands."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edgevpn.api import DEFAULT_SOCKET, SOCKET_VARIABLE

DEFAULT_FILE = Path("/etc/edgevpn/edgevpn.toml")

FILE_VERBS = ("check", "config", "device", "site")
"""The verbs that read and change the configuration file, whether the daemon runs or not."""

SIMULATED = ("windows11", "ios", "macos", "android11", "android12")
"""The clients that can be played."""

Verbs = Any  # what argparse returns has a private name

KEYS = "KEY=VALUE ...; lists with commas, KEY= takes a key out; edgevpn config explain {} says which there are"


def parser() -> argparse.ArgumentParser:
    """All verbs with their options."""
    top = argparse.ArgumentParser(prog="edgevpn", description="IKEv2 gateway: native clients and sites.")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    _add_daemon(verbs)
    check = verbs.add_parser("check", parents=[_json()], help="say all that is wrong with a configuration file")
    check.add_argument("file", type=Path, nargs="?", default=DEFAULT_FILE, metavar="FILE", help=f"else {DEFAULT_FILE}")
    _add_config(verbs)
    _add_device(verbs)
    _add_site(verbs)
    _add_simulate(verbs)
    verbs.add_parser("version", help="print the version")
    return top


def _add_daemon(verbs: Verbs) -> None:
    daemon = argparse.ArgumentParser(add_help=False)
    daemon.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        help=f"control socket; else ${SOCKET_VARIABLE}, else {DEFAULT_SOCKET}",
    )
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
    verbs.add_parser("status", parents=[daemon, _json()], help="show the sites and their tunnels")
    up = verbs.add_parser("up", parents=[daemon], help="bring a site up and wait for it")
    up.add_argument("site", metavar="SITE")
    down = verbs.add_parser("down", parents=[daemon], help="close a site")
    down.add_argument("site", metavar="SITE")
    rekey = verbs.add_parser(
        "rekey", parents=[daemon], help="give a site's children new keys, and wait until they are in use"
    )
    rekey.add_argument("site", metavar="SITE")
    rekey.add_argument("--ike", action="store_true", help="the IKE SA instead")
    diagnose = verbs.add_parser(
        "diagnose", parents=[daemon, _file(), _json()], help="say why somebody could not connect"
    )
    diagnose.add_argument(
        "peer", nargs="?", metavar="PEER", help="a site, pool, identity or address; last for whoever came last"
    )
    diagnose.add_argument("--language", choices=("en", "ja"), help="instead of that of the environment")
    diagnose.add_argument("--bundle", action="store_true", help="print all that helps to help, without secrets")
    verbs.add_parser("doctor", parents=[daemon, _json()], help="look whether everything is as it must be")
    verbs.add_parser("reload", parents=[daemon], help="have the daemon read its file again")
    web = verbs.add_parser("web", parents=[daemon], help="serve the panel, in the foreground")
    web.add_argument("--port", type=_port, metavar="PORT", help="TCP port, instead of the file's")
    verbs.add_parser("setup-token", parents=[daemon], help="print where to open the panel without its password, once")


def _add_config(verbs: Verbs) -> None:
    config = verbs.add_parser("config", help="show, explain and change the configuration")
    actions = config.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", parents=[_file(), _json()], help="print it, without its secrets")
    show.add_argument("--defaults", action="store_true", help="with every key that is not written")
    actions.add_parser("schema", help="print its form as JSON Schema, for editors")
    explain = actions.add_parser("explain", help="say what a key or table means; all of them without KEY")
    explain.add_argument("key", nargs="?", metavar="KEY", help="such as site.office.mtu, site.mtu, mtu or site")
    change = actions.add_parser("set", parents=[_file(), _json()], help="give a key a value")
    change.add_argument("key", metavar="KEY", help="such as site.office.mtu")
    change.add_argument("value", nargs="+", metavar="VALUE", help="several for a list; - reads it, as a secret must be")
    unset = actions.add_parser("unset", parents=[_file(), _json()], help="take a key out")
    unset.add_argument("key", metavar="KEY", help="such as site.office.mtu")
    actions.add_parser("versions", parents=[_file(), _json()], help="list what can be rolled back to")
    rollback = actions.add_parser("rollback", parents=[_file(), _json()], help="go back to an earlier version")
    rollback.add_argument("number", type=int, nargs="?", default=1, metavar="N", help="1, the last one, if not given")


def _add_device(verbs: Verbs) -> None:
    device = verbs.add_parser("device", help="phones and laptops")
    actions = device.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_listing(actions, "device")
    add = actions.add_parser("add", parents=[_file(), _json()], help="add one, and print the secret made for it")
    change = actions.add_parser("set", parents=[_file(), _json()], help="change one")
    for each in (add, change):
        each.add_argument("name", metavar="NAME")
        each.add_argument("keys", nargs="*", metavar="KEY=VALUE", help=KEYS.format("device"))
        each.add_argument("--secret", choices=("-",), help="read its password or pre-shared key; else one is made")
    change.add_argument("--new-secret", action="store_true", help="make a new password or pre-shared key")
    for action, words in (("enable", "let one in again"), ("disable", "keep one out"), ("remove", "forget one")):
        actions.add_parser(action, parents=[_file(), _json()], help=words).add_argument("name", metavar="NAME")


def _add_site(verbs: Verbs) -> None:
    site = verbs.add_parser("site", help="tunnels to other gateways")
    actions = site.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_listing(actions, "site")
    add = actions.add_parser("add", parents=[_file(), _json()], help="add one, and print the secret made for it")
    add.add_argument("name", metavar="NAME")
    add.add_argument("keys", nargs="*", metavar="KEY=VALUE", help=KEYS.format("site"))
    add.add_argument("--secret", choices=("-",), help="read the pre-shared key; else one is made")
    actions.add_parser("remove", parents=[_file(), _json()], help="forget one").add_argument("name", metavar="NAME")


def _add_simulate(verbs: Verbs) -> None:
    simulate = verbs.add_parser("simulate", help="play a phone or laptop, and tell how far it comes")
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
    simulate.add_argument("--rekey", action="store_true", help="have it give both SAs new keys")
    simulate.add_argument("--stay", type=float, default=0.0, metavar="SECONDS", help="stay connected so long")
    simulate.add_argument("--ports", type=_ports, metavar="IKE,NAT", default="500,4500", help="the gateway's UDP ports")


def _add_listing(actions: Verbs, noun: str) -> None:
    actions.add_parser("list", parents=[_file(), _json()], help=f"list every {noun}")
    show = actions.add_parser("show", parents=[_file(), _json()], help=f"show all keys of a {noun}")
    show.add_argument("name", metavar="NAME")


def _file() -> argparse.ArgumentParser:
    option = argparse.ArgumentParser(add_help=False)
    option.add_argument("-c", "--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help=f"else {DEFAULT_FILE}")
    return option


def _json() -> argparse.ArgumentParser:
    option = argparse.ArgumentParser(add_help=False)
    option.add_argument("--json", action="store_true", help="all of it, for programs")
    return option


def _ports(text: str) -> tuple[int, int]:
    """Two different ports, "500,4500"; ValueError for anything else."""
    ike, nat = (int(port) for port in text.split(","))
    if ike == nat or not {ike, nat} <= set(range(1, 0x10000)):
        raise ValueError(text)
    return ike, nat


def _port(text: str) -> int:
    """A port; ValueError for anything else."""
    if not 0 < (port := int(text)) < 0x10000:
        raise ValueError(text)
    return port
