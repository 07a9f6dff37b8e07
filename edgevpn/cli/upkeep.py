"""`apply`, `confirm`, `pki`, `backup`, `restore`: by the daemon if it runs, else on the files themselves."""

from __future__ import annotations

import argparse
import base64
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgevpn import __version__
from edgevpn.api import records
from edgevpn.cli.editing import now, read_secret, tables_of, told
from edgevpn.cli.files import read_octets, read_text, write_artifact, write_private
from edgevpn.cli.live import SLOW, plan_lines
from edgevpn.cli.live import told as told_live
from edgevpn.cli.output import GOOD, as_json, table, warn
from edgevpn.cli.patience import telling
from edgevpn.cli.status import moment
from edgevpn.client import Client
from edgevpn.config.errors import Refused, dotted
from edgevpn.config.store import Store
from edgevpn.config.tables import Table
from edgevpn.frozen import replace

if TYPE_CHECKING:
    from edgevpn.daemon.keeping.holdings import Holdings
    from edgevpn.pki.office import Office

Verb = Callable[[Client | None, argparse.Namespace], int]

CERTIFICATES = ("WHAT", "SUBJECT", "ENDS", "DAYS LEFT", "FINGERPRINT")


def _apply(client: Client | None, options: argparse.Namespace) -> int:
    text = read_text(options.file)
    if not text.strip():  # as of a pipe whose other end has failed: not all that there is shall go
        raise Refused(f"{_called(options.file)} is empty", "to have nothing configured, write a comment in it")
    if client is None:
        return _apply_to_file(text, options)
    if options.dry_run:
        plan: records.Plan = client.call("config.plan", SLOW, text=text, name=_called(options.file))
        print(as_json(plan) if options.json else "\n".join(plan_lines(plan)))
        warn(() if options.json else plan["warnings"])
        return GOOD
    applied = client.call("config.apply", SLOW, text=text, confirm=options.confirm, name=_called(options.file))
    return told_live(applied, options)


def _called(file: Path) -> str:
    """How faults name a file."""
    return "(standard input)" if file == Path("-") else str(file)


def _apply_to_file(text: str, options: argparse.Namespace) -> int:
    if options.confirm:
        raise Refused("nobody would undo it: the daemon does not run", "leave --confirm out, or start the daemon")
    store = Store(options.config)
    prepared = store.prepare(lambda old: replace(old, config=text), now(), anew=True, name=_called(options.file))
    if not options.dry_run:
        store.commit(prepared)
    return told(prepared.saved, options)


def _confirm(client: Client | None, options: argparse.Namespace) -> int:
    running(client).call("config.confirm")
    print(as_json({}) if options.json else "it stands")
    return GOOD


# --- certificates


def _pki_show(client: Client | None, options: argparse.Namespace) -> int:
    return _certificates(client.call("pki.show", SLOW) if client else _standing(_office(options)), options)


def _pki_init(client: Client | None, options: argparse.Namespace) -> int:
    if client:
        named = {"name": options.name} if options.name else {}
        return _certificates(client.call("pki.init", SLOW, **named), options)
    from edgevpn.pki.keys import KeyKind

    office = _office(options)
    with telling("making keys"):
        office.init(options.name or f"edgevpn CA of {socket.gethostname()}"[:64], KeyKind.RSA_3072, now())
    return _certificates(_standing(office), options)


def _pki_renew(client: Client | None, options: argparse.Namespace) -> int:
    return _certificates(running(client).call("pki.renew", SLOW), options)


def _pki_import(client: Client | None, options: argparse.Namespace) -> int:
    octets = read_octets(options.file)
    password = read_secret() if options.password else ""
    if client:
        given = {"password": password} if password else {}
        content = base64.b64encode(octets).decode()
        return _certificates(client.call("pki.import", SLOW, content=content, **given), options)
    from edgevpn.pki.bundle import bundle_of, read_parts

    office = _office(options)
    office.import_authority(bundle_of(read_parts(octets, password)), now())
    return _certificates(_standing(office), options)


def _pki_export(client: Client | None, options: argparse.Namespace) -> int:
    if options.der and options.output is None and not options.json:
        raise Refused("DER is nothing for a terminal", "name a file with --output")
    form = "der" if options.der else "pem"
    artifact = client.call("pki.ca", SLOW, form=form) if client else _ca_of_files(options, form)
    return write_artifact(artifact, options, options.output, to_terminal=True)


def _ca_of_files(options: argparse.Namespace, form: str) -> records.Artifact:
    from edgevpn.pki.certificate import der_of, pem_of

    root = _office(options).authority.root
    content = pem_of(root).decode() if form == "pem" else base64.b64encode(der_of(root)).decode()
    return records.Artifact(name=f"edgevpn-ca.{form}", media_type="", base64=form == "der", content=content)


def _office(options: argparse.Namespace) -> Office:
    from edgevpn.pki.office import Office
    from edgevpn.pki.store import Store as Folder

    return Office(Folder(options.config.resolve().parent / "pki"))


def _standing(office: Office) -> list[records.CertificateStatus]:
    return [
        records.CertificateStatus(
            what=each.what,
            subject=each.subject,
            fingerprint=each.fingerprint,
            ends=each.ends.timestamp(),
            days_left=each.days_left,
        )
        for each in office.standing(now())
    ]


def _certificates(found: list[records.CertificateStatus], options: argparse.Namespace) -> int:
    if options.json:
        print(as_json(found))
        return GOOD
    rows = [
        (each["what"], each["subject"], moment(each["ends"]), str(each["days_left"]), each["fingerprint"])
        for each in found
    ]
    print(table(rows, CERTIFICATES) if rows else "there is no CA yet; set pki.public_name, or run: edgevpn pki init")
    return GOOD


# --- backups


def _backup(client: Client | None, options: argparse.Namespace) -> int:
    password = _password(options)
    if client:
        status = write_artifact(client.call("backup.create", SLOW, password=password), options, options.output)
        _warn_of_files(client.call("config.show"))
        return status
    from edgevpn.daemon.keeping.backup import Backup, BackupError, seal

    tables = tables_of(options.config)
    with _disk_said():
        if not options.config.exists():
            raise Refused(f"there is no {options.config} to be backed up", "name the configuration with -c")
        files = _holdings(options).read()
    try:
        octets = seal(Backup(files, time.time(), __version__), password, os.urandom)
    except BackupError as error:
        raise Refused(str(error)) from error
    write_private(options.output, octets)
    print(as_json({"name": str(options.output)}) if options.json else options.output)
    _warn_of_files(tables)
    return GOOD


def _warn_of_files(tables: Table) -> None:
    """Whoever loses this machine loses these, too."""
    from edgevpn.config.show import files_named

    named = "not in the backup, as the configuration only names it:"
    warn(f"{named} {file} ({dotted(path)})" for path, file in files_named(tables))


def _restore(client: Client | None, options: argparse.Namespace) -> int:
    octets, password = read_octets(options.file), _password(options)
    if client:
        content = base64.b64encode(octets).decode()
        applied = client.call("backup.restore", SLOW, content=content, password=password, confirm=options.confirm)
        return told_live(applied, options)
    if options.confirm:
        raise Refused("nobody would undo it: the daemon does not run", "leave --confirm out, or start the daemon")
    from edgevpn.daemon.keeping.backup import BackupError, unseal
    from edgevpn.daemon.keeping.restoring import judge

    config: Path = options.config.resolve()
    try:
        backup = unseal(octets, password)
        with _disk_said():
            judge(backup.files, config, now())
    except BackupError as error:
        raise Refused(str(error)) from error
    with _disk_said():
        config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # as on a machine that has nothing yet
        _holdings(options).put(backup.files, whole=True)
    print(as_json({}) if options.json else f"all is as it was at {moment(backup.made)}")
    return GOOD


def _holdings(options: argparse.Namespace) -> Holdings:
    from edgevpn.daemon.keeping.holdings import Holdings, Places

    config: Path = options.config.resolve()
    return Holdings(Places(config, config.parent / "pki", config.parent / "state"))


@contextmanager
def _disk_said() -> Iterator[None]:
    """What the disk refuses is one sentence. Raises Refused."""
    try:
        yield
    except OSError as error:
        raise Refused(f"{error.filename or 'disk'}: {error.strerror}", "make room, or ask root") from error


def _password(options: argparse.Namespace) -> str:
    if options.password_file is None:
        return read_secret()
    return read_text(options.password_file).rstrip("\r\n")


def running(client: Client | None) -> Client:
    """The daemon, for what only it can do. Raises Refused."""
    if client is None:
        raise Refused("the daemon does not run", "start it with: edgevpn run -c FILE")
    return client


@contextmanager
def said() -> Iterator[None]:
    """What is wrong with a certificate is one sentence. Raises Refused."""
    from edgevpn.pki.errors import PkiError

    try:
        yield
    except PkiError as error:
        raise Refused(str(error)) from error


PKI: dict[str, Verb] = {
    "init": _pki_init,
    "show": _pki_show,
    "renew": _pki_renew,
    "import": _pki_import,
    "export-ca": _pki_export,
}
VERBS: dict[str, Verb] = {"apply": _apply, "confirm": _confirm, "backup": _backup, "restore": _restore}


def verb_of(options: argparse.Namespace) -> Verb:
    """What these words ask for."""
    return PKI[options.action] if options.verb == "pki" else VERBS[options.verb]
