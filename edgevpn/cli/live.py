"""`config`, `device` and `site` where the daemon runs: it changes the file, and what it changes holds at once."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from edgevpn.api import records
from edgevpn.cli.details import device_rows, site_rows
from edgevpn.cli.editing import given_value, keys_of, read_secret
from edgevpn.cli.files import write_artifact
from edgevpn.cli.listing import cell, rows_of
from edgevpn.cli.output import FAILED, GOOD, as_json, fail, painted, table, warn
from edgevpn.cli.status import moment, octets
from edgevpn.client import UP_TIMEOUT, Client
from edgevpn.config.diff import ABSENT
from edgevpn.config.errors import Refused
from edgevpn.config.nouns import setting_at
from edgevpn.config.setting import Effect
from edgevpn.config.words import path_of

SLOW = 60.0
"""Seconds for what makes keys."""
DEVICES = ("NAME", "OWNER", "LOGIN", "POOL", "STATE", "ADDRESSES", "FROM", "TODAY", "SEEN")
SITES = ("NAME", "STATE", "PEER", "WHY")

EFFECTS = {"live": Effect.LIVE, "next": Effect.NEXT, "reconnect": Effect.DROP, "restart": Effect.RESTART}

Verb = Callable[[Client, argparse.Namespace], int]


def told(applied: records.Applied, options: argparse.Namespace) -> int:
    """Say what a change has changed, and until when it has to be confirmed."""
    if options.json:
        print(as_json(applied))
        return GOOD
    print("\n".join(plan_lines(applied["plan"])))
    warn(applied["plan"]["warnings"])
    if applied["confirm_before"] is not None:
        print(f"undone at {moment(applied['confirm_before'])}, unless it is confirmed by then: edgevpn confirm")
    return GOOD


def plan_lines(plan: records.Plan) -> list[str]:
    """What changes, and which tunnels drop."""
    lines = [
        f"{each['path']}: {each['before'] or ABSENT} -> {each['after'] or ABSENT} ({EFFECTS[each['effect']].value})"
        for each in plan["changes"]
    ]
    dropped = [f"tunnels that drop: {', '.join(plan['drops'])}"] if plan["drops"] else []
    return [*lines, *dropped] or ["nothing has changed"]


# --- devices


def _devices(client: Client, options: argparse.Namespace) -> int:
    devices: list[records.DeviceStatus] = client.call("device.list")
    if options.json:
        print(as_json(devices))
    else:
        print(table(map(_device_cells, devices), DEVICES) if devices else "no device is configured")
    return GOOD


def _device_cells(device: records.DeviceStatus) -> tuple[str, ...]:
    sessions = device["sessions"]
    state = f"in ({len(sessions)})" if len(sessions) > 1 else "in" if sessions else device["refused"] or "out"
    addresses = [address for session in sessions for address in session["addresses"]]
    today = octets(device["today"]["received"] + device["today"]["sent"])
    seen = moment(device["seen"]) if device["seen"] else "never"
    cells = (
        device["owner"] or None,
        device["login"],
        device["pool"],
        painted(state),
        addresses,
        device["place"] or None,
    )
    return (device["name"], *map(cell, cells), today, seen)


def _device(client: Client, options: argparse.Namespace) -> int:
    found: records.DeviceDetail = client.call("device.show", name=options.name)
    print(as_json(found) if options.json else table(device_rows(found, time.time()), ("KEY", "VALUE")))
    return GOOD


def _add_device(client: Client, options: argparse.Namespace) -> int:
    keys = keys_of(("device", options.name), options.keys)
    return _made(
        client.call("device.add", SLOW, name=options.name, settings=_with_secret(keys, "login", options)), options
    )


def _set_device(client: Client, options: argparse.Namespace) -> int:
    """A new way to log in gets a secret that nobody knows, unless the keys say where it is: so another one is made."""
    keys = keys_of(("device", options.name), options.keys)
    login = ""
    if options.secret or "login" in keys:
        login = client.call("device.show", name=options.name)["device"]["login"]
    if options.secret:
        keys.setdefault("login", login)
    status = client.call("device.set", name=options.name, settings=_with_secret(keys, "login", options))
    is_elsewhere = any(key.endswith(("_file", "_env")) for key in keys)
    unknown = "login" in keys and status["login"] != login and not options.secret and not is_elsewhere
    if options.new_secret or unknown:
        return _made(client.call("device.reset", SLOW, name=options.name), options)
    print(as_json(status) if options.json else f"device {options.name} is changed")
    return GOOD


def _let_in(allowed: bool) -> Verb:
    def verb(client: Client, options: argparse.Namespace) -> int:
        status = client.call("device.set", name=options.name, settings={"enabled": allowed})
        words = "may come in" if allowed else "is kept out"
        print(as_json(status) if options.json else f"device {options.name} {words}")
        return GOOD

    return verb


def _remove_device(client: Client, options: argparse.Namespace) -> int:
    client.call("device.remove", SLOW, name=options.name)
    return _done(f"device {options.name} is forgotten", options)


def _reset(client: Client, options: argparse.Namespace) -> int:
    return _made(client.call("device.reset", SLOW, name=options.name), options)


def _revoke(client: Client, options: argparse.Namespace) -> int:
    client.call("device.revoke", SLOW, name=options.name)
    return _done(f"all certificates of {options.name} are revoked", options)


def _export(client: Client, options: argparse.Namespace) -> int:
    _check_demand(options)
    asked: dict[str, object] = {"form": options.form, "on_demand": options.on_demand}
    asked |= {"networks": options.network, "domains": options.domain}
    secret = {"secret": read_secret()} if options.secret else {}
    artifact = client.call("device.export", SLOW, name=options.name, **asked, **secret)
    return write_artifact(artifact, options, options.output)


def _check_demand(options: argparse.Namespace) -> None:
    """Refuse what would be left out of the profile without a word."""
    if options.form != "mobileconfig" and (options.on_demand != "off" or options.network or options.domain):
        raise Refused(
            f"a profile for {options.form} cannot switch itself on",
            "leave --on-demand out, or write --for mobileconfig",
        )
    if options.on_demand == "domains" and not options.domain:
        raise Refused("--on-demand domains needs a domain", "give --domain DOMAIN")
    for given, option, kind in ((options.network, "--network", "always"), (options.domain, "--domain", "domains")):
        if given and options.on_demand != kind:
            raise Refused(f"{option} is of no use with --on-demand {options.on_demand}", f"write --on-demand {kind}")


def _made(made: records.DeviceMade, options: argparse.Namespace) -> int:
    """A device and its secret, which is shown this once."""
    name = made["device"]["name"]
    secrets = {kind: made[kind] for kind in ("password", "psk") if made[kind]}
    shown = {} if getattr(options, "secret", None) else secrets
    if options.json:
        print(as_json({"name": name, **shown}))
        return GOOD
    print(f"device {name} is ready")
    for kind, text in shown.items():
        what = "password of its certificate's file" if made["device"]["login"] in ("certificate", "eap-tls") else kind
        print(f"{what}: {text}   (shown this once)")
    return GOOD


# --- sites


def _sites(client: Client, options: argparse.Namespace) -> int:
    sites = client.status()["sites"]
    if options.json:
        print(as_json(sites))
    else:
        rows = [(site["name"], painted(site["state"]), site["remote"], site["why"]) for site in sites]
        print(table(rows, SITES) if rows else "no site is configured")
    return GOOD


def _site(client: Client, options: argparse.Namespace) -> int:
    found = client.call("config.show", defaults=True).get("site", {}).get(options.name)
    if found is None:
        raise Refused(f"there is no site {options.name}")
    status = next((site for site in client.status()["sites"] if site["name"] == options.name), None)
    if options.json:
        print(as_json({"name": options.name, "status": status, **found}))
    else:
        standing = site_rows(status, time.time()) if status else []
        print(table([*standing, *rows_of(found, "")], ("KEY", "VALUE")))
    return GOOD


def _add_site(client: Client, options: argparse.Namespace) -> int:
    keys = keys_of(("site", options.name), options.keys)
    applied = client.call("site.add", SLOW, name=options.name, settings=_with_secret(keys, "auth", options))
    if not options.json:
        print(f"site {options.name} is configured; for the other end: edgevpn site snippet {options.name} --for PEER")
    return told(applied, options)


def _set_site(client: Client, options: argparse.Namespace) -> int:
    keys = keys_of(("site", options.name), options.keys)
    settings = _with_secret(keys, "auth", options)
    return told(client.call("site.set", name=options.name, settings=settings), options)


def _remove_site(client: Client, options: argparse.Namespace) -> int:
    return told(client.call("site.remove", name=options.name), options)


def _up(client: Client, options: argparse.Namespace) -> int:
    site = client.site_up(options.name)
    print(as_json(site) if options.json else f"{site['name']}: {site['state']}, peer {site['remote']}")
    return GOOD


def _down(client: Client, options: argparse.Namespace) -> int:
    client.site_down(options.name)
    return _done(f"{options.name}: down", options)


def _rekey(client: Client, options: argparse.Namespace) -> int:
    what = "ike" if options.ike else "child"
    site = client.call("site.rekey", UP_TIMEOUT, name=options.name, what=what)
    print(as_json(site) if options.json else f"{options.name}: has new keys")
    return GOOD


def _reach(client: Client, options: argparse.Namespace) -> int:
    reached: records.Reached = client.call("site.reach", name=options.name, address=options.address)
    if options.json:
        print(as_json(reached))
    elif reached["answered"]:
        print(f"{reached['address']} answers: traffic passes both ways")
    else:
        fail(f"{reached['address']} does not answer: it may be off, or let nobody in; else look at the firewalls")
    return GOOD if reached["answered"] else FAILED


def _snippet(client: Client, options: argparse.Namespace) -> int:
    artifact: records.Artifact = client.call("site.snippet", SLOW, name=options.name, form=options.form)
    if artifact["base64"]:  # by its own name it is named after this gateway alone, whichever site it is for
        artifact["name"] = f"{options.name}-{options.form}{PurePath(artifact['name']).suffix}"
    return write_artifact(artifact, options, options.output, to_terminal=True)


# --- the configuration


def _show(client: Client, options: argparse.Namespace) -> int:
    if options.json or options.defaults:
        tables = client.call("config.show", defaults=options.defaults)
        print(as_json(tables) if options.json else table(rows_of(tables, ""), ("KEY", "VALUE")))
        return GOOD
    from edgevpn.config.show import masked

    print(masked(client.call("config.text")), end="")
    return GOOD


def _set(client: Client, options: argparse.Namespace) -> int:
    path = path_of(options.key)
    value = given_value(path, options)
    return told(client.call("config.set", values={options.key: value}), options)


def _unset(client: Client, options: argparse.Namespace) -> int:
    setting_at(path_of(options.key))
    return told(client.call("config.set", values={options.key: None}), options)


def _versions(client: Client, options: argparse.Namespace) -> int:
    versions: list[records.SavedVersion] = client.call("config.versions")
    rows = [(str(each["number"]), moment(each["saved"])) for each in versions]
    if options.json:
        print(as_json(versions))
    else:
        print(table(rows, ("VERSION", "UNTIL")) if rows else "no version is kept yet")
    return GOOD


def _rollback(client: Client, options: argparse.Namespace) -> int:
    return told(client.call("config.rollback", number=options.number), options)


# --- below


def _with_secret(keys: Mapping[str, Any], by: str, options: argparse.Namespace) -> dict[str, Any]:
    """The keys, and with --secret the secret under the key that its kind has. It travels over the socket alone."""
    if not options.secret:
        return dict(keys)
    kind = "psk" if keys.get(by, "psk" if by == "auth" else "password") == "psk" else "password"
    return {**keys, kind: read_secret()}


def _done(sentence: str, options: argparse.Namespace) -> int:
    print(as_json({}) if options.json else sentence)
    return GOOD


VERBS: dict[str, dict[str, Verb]] = {
    "device": {
        "list": _devices,
        "show": _device,
        "add": _add_device,
        "set": _set_device,
        "enable": _let_in(True),
        "disable": _let_in(False),
        "remove": _remove_device,
        "reset": _reset,
        "revoke": _revoke,
        "export": _export,
    },
    "site": {
        "list": _sites,
        "show": _site,
        "add": _add_site,
        "set": _set_site,
        "remove": _remove_site,
        "up": _up,
        "down": _down,
        "rekey": _rekey,
        "reach": _reach,
        "snippet": _snippet,
    },
    "config": {
        "show": _show,
        "set": _set,
        "unset": _unset,
        "versions": _versions,
        "rollback": _rollback,
    },
}
"""What the daemon does of these; the rest needs no file, and no daemon."""
