"""Where secrets of a configuration turn up that have no business there."""

import base64
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.pki.bundle import read_parts

Secrets = Mapping[str, bytes]
"""By what they are called in a message: never by themselves."""

SHORTEST = 8  # octets; fewer are found anywhere by chance


def secrets_of(toml: str) -> Secrets:
    """The secrets that a configuration has inline, what is made of them, and the private keys that it names."""
    return dict(_in_table(tomlkit.parse(toml).unwrap(), ""))


def leaked(octets: bytes, secrets: Secrets) -> list[str]:
    """Which of the secrets these octets have, in clear or in a common spelling."""
    lower = octets.lower()
    return [name for name, secret in secrets.items() if any(form.lower() in lower for form in _forms(secret))]


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
                yield where, value.encode()
            case "password", str():
                yield where, value.encode()
                yield f"NT hash of {where}", nt_password_hash(value)
            case "nt_hash", str():
                yield where, bytes.fromhex(value)
            case "key" | "certificate_key", str():
                yield where, _key_octets(Path(value))


def _key_octets(path: Path) -> bytes:
    """What of a private key nobody else has."""
    (key,) = read_parts(path.read_bytes()).keys
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
    return {secret, escaped, wide, secret.hex().encode(), wide.hex().encode(), base64.b64encode(secret).rstrip(b"=")}
