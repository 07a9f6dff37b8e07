"""Whether what a backup holds can take the place of what is here: all of it is read as its users would read it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from edgevpn.config.errors import ConfigError, Problem
from edgevpn.config.reader import parse
from edgevpn.config.stored import parse_stored
from edgevpn.daemon.addresses import leases
from edgevpn.daemon.figures import usage
from edgevpn.daemon.keeping.backup import BackupError
from edgevpn.daemon.keeping.holdings import CONFIG, SECRETS, Files
from edgevpn.files import replace_file
from edgevpn.pki.office import Office
from edgevpn.pki.store import Slot, Store

STATE_VERSIONS = {"state/leases.json": leases.VERSION, "state/usage.json": usage.VERSION}


def judge(files: Files, path: Path, now: datetime, environ: Mapping[str, str] = os.environ) -> None:
    """Raise ConfigError, PkiError or BackupError for the first part that is of no use. `path` is our file's."""
    if CONFIG not in files:
        raise BackupError("this backup holds no configuration")
    config, secrets = (_text(files.get(name, b""), name) for name in (CONFIG, SECRETS))
    parse(config, str(path), environ, parse_stored(secrets, str(path.with_name(SECRETS))), now)
    _judge_pki(files)
    for name, version in STATE_VERSIONS.items():
        if name in files:
            _judge_state(files[name], name, version)


def _judge_pki(files: Files) -> None:
    """A CA is opened as it is when the daemon starts; what is damaged is not taken back."""
    for prefix in ("pki/", "state/panel/"):
        held = {name.removeprefix(prefix): octets for name, octets in files.items() if name.startswith(prefix)}
        if not held:
            continue
        with TemporaryDirectory(prefix="edgevpn-") as folder:
            for name, octets in held.items():
                place = Path(folder, name)
                place.parent.mkdir(mode=0o700, exist_ok=True)
                replace_file(place, octets)
            store = Store(Path(folder))
            office = Office(store)
            for slot in Slot:
                store.server(slot)
            faults = (*office.faults, *store.others().faults)
        if faults:
            raise BackupError(f"this backup is damaged: {faults[0]}")


def _judge_state(octets: bytes, name: str, version: int) -> None:
    try:
        content = json.loads(octets)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("version") != version:
        raise BackupError(f"{name} in this backup is damaged, or of another release of edgevpn")


def _text(octets: bytes, name: str) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise ConfigError((Problem(file=name, fault="is not UTF-8 text"),)) from None
