"""Where secrets of those who connect turn up that have no business there.

Secrets are those of a configuration, those that a peer of ours was set up with, those that edgevpn has made itself, and
those that two ends have agreed on: a peer with a log that holds nothing back tells what they are.
"""

import base64
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.pki.bundle import read_parts
from edgevpn.pki.errors import BundleError
from edgevpn.pki.keys import PrivateKey
from tests.lab.peers.connection import Auth, Certificate, Connection, Eap, EapTls, Psk

Secrets = Mapping[str, bytes]
"""By what they are called in a message: never by themselves."""

SHORTEST = 8  # octets; fewer are found anywhere by chance


def secrets_of(toml: str) -> Secrets:
    """The secrets that a configuration has inline, what is made of them, and the private keys that it names."""
    return dict(_in_table(tomlkit.parse(toml).unwrap(), ""))


def secrets_of_peers(connections: Iterable[Connection]) -> Secrets:
    """What peers prove themselves with."""
    return dict(secret for connection in connections for secret in _of_connection(connection))


def secrets_made(state: Path) -> Secrets:
    """What an edgevpn has made itself and keeps: the keys of its authority and gateway, and its devices' secrets."""
    stored = state / "secrets.toml"
    found = dict(secrets_of(stored.read_text())) if stored.exists() else {}
    for path in (state / "pki").glob("*.pem"):
        with suppress(BundleError):  # tests damage some on purpose
            found |= {f"key of {path.name}": _of_key(key) for key in read_parts(path.read_bytes()).keys}
    return found


DUMP = re.compile(r"^\d+\[[A-Z]+\] (?:<\S+> )?(?P<name>\S.*?) => \d+ bytes @ ", re.ASCII)
DUMPED = re.compile(r"^\d+\[[A-Z]+\] (?:<\S+> )? *\d+: (?P<octets>(?:[0-9A-F]{2} )+)", re.ASCII)
SECRET_NAMES = re.compile("secret|key|SKEYSEED|PPK")


def secrets_said(log: str) -> Secrets:
    """What strongSwan's log tells at its fourth level of the secrets that it has agreed on, numbered as they come.

    The one that it calls "secret" is what AUTH is made with: after EAP, the MSK.
    """
    found: dict[str, bytes] = {}
    name = ""
    for line in log.splitlines():
        if head := DUMP.search(line):
            name = f"{head['name']}, {len(found)}" if SECRET_NAMES.search(head["name"]) else ""
        elif name and (more := DUMPED.search(line)):
            found[name] = found.get(name, b"") + bytes.fromhex(more["octets"])
        else:
            name = ""
    return found


def leaked(octets: bytes, secrets: Secrets) -> list[str]:
    """Which of the secrets these octets have, in clear or in a common spelling, be it broken into lines."""
    lower = octets.lower()
    places = {lower, lower.translate(None, b"\r\n")}
    return [
        name
        for name, secret in secrets.items()
        if any(form.lower() in place for form in _forms(secret) for place in places)
    ]


def leaked_by_files(
    folder: Path, secrets: Secrets, *, owners: bool = False, without: Collection[Path] = ()
) -> list[str]:
    """Files below a folder that hold a secret and that others than their owner may read; all files with `owners`.

    Those in `without` are left out.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path not in without)
    read = (path for path in files if owners or stat.S_IMODE(path.stat().st_mode) & 0o077)
    return [f"{path.name}: {name}" for path in read for name in leaked(path.read_bytes(), secrets)]


def leaked_by_processes(secrets: Secrets) -> list[str]:
    """Processes whose command line holds a secret: everybody on the machine can read that."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:  # it has ended
            continue
        found += [f"{path.parent.name}: {name}" for name in leaked(line, secrets)]
    return found


def _in_table(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, bytes]]:
    for key, value in table.items():
        where = f"{path}.{key}" if path else key
        match key, value:
            case _, dict():
                yield from _in_table(value, where)
            case "psk" | "ppk", str():
                yield from _of_shared(where, value)
            case "psk_file" | "ppk_file", str():
                yield from _of_shared(where, Path(value).read_text().strip())
            case "password", str():
                yield from _of_password(where, value)
            case "nt_hash", str():
                yield where, bytes.fromhex(value)
            case "key" | "certificate_key", str():
                yield where, _key_octets(Path(value))


def _of_connection(connection: Connection) -> Iterator[tuple[str, bytes]]:
    for whose, auth in (("own", connection.auth), ("the other's", connection.remote_auth)):
        yield from _of_auth(f"{connection.name}: {whose}", auth)
    if connection.ppk is not None:
        yield from _of_shared(f"{connection.name}: PPK", connection.ppk.secret)


def _of_auth(where: str, auth: Auth | None) -> Iterator[tuple[str, bytes]]:
    match auth:
        case Psk(secret):
            yield from _of_shared(f"{where} key", secret)
        case Eap(password=password):
            yield from _of_password(f"{where} password", password)
        case Certificate(key=key) | EapTls(proof=Certificate(key=key)):
            yield f"{where} private key", _key_octets(key)


def _of_shared(where: str, text: str) -> Iterator[tuple[str, bytes]]:
    """The text, and the octets that it stands for."""
    yield where, text.encode()
    if text.startswith("0x"):
        yield f"octets of {where}", bytes.fromhex(text[2:])
    if text.startswith("0s"):
        yield f"octets of {where}", base64.b64decode(text[2:])


def _of_password(where: str, text: str) -> Iterator[tuple[str, bytes]]:
    yield where, text.encode()
    yield f"NT hash of {where}", nt_password_hash(text)


def _key_octets(path: Path) -> bytes:
    (key,) = read_parts(path.read_bytes()).keys
    return _of_key(key)


def _of_key(key: PrivateKey) -> bytes:
    """What of a private key nobody else has."""
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.private_numbers().private_value.to_bytes(key.key_size // 8 + 1, "big").lstrip(b"\0")
        case rsa.RSAPrivateKey():
            return key.private_numbers().d.to_bytes(key.key_size // 8, "big").lstrip(b"\0")
        case ed25519.Ed25519PrivateKey():
            return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    raise AssertionError(f"a key of type {type(key).__name__}")


def _forms(secret: bytes) -> set[bytes]:
    if len(secret) < SHORTEST:
        return set()
    escaped = repr(secret)[2:-1].encode()
    wide = secret.decode("latin-1").encode("utf-16-le")
    return {secret, escaped, wide, secret.hex().encode(), wide.hex().encode(), *_in_base64(secret)}


def _in_base64(secret: bytes) -> Iterator[bytes]:
    """Letters that are its alone, wherever in what is encoded it begins: a key's in a PEM file, say."""
    for before in range(3):
        first, end = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        plain = base64.b64encode(bytes(before) + secret)[first:end]
        yield plain
        yield plain.translate(bytes.maketrans(b"+/", b"-_"))
