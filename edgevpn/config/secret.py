"""Keys and passwords: written in the file, in a file of their own, in the environment, or kept in secrets.toml."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Generic, TypeVar

from edgevpn.config import errors
from edgevpn.config.credential import PASSWORD_HASH_SHAPE, NtHash, Ppk, Psk, Secret
from edgevpn.config.errors import MASKED, Findings, Refused
from edgevpn.frozen import dataclass

LONGEST = 1024
SHORTEST_SOUND = 16
"""Octets. A shorter key can be found by trying, by whoever sees one handshake as its responder (RFC 7296 §2.15)."""
SHORTEST_PPK = 32
"""Octets. A quantum computer halves the strength of what is there to be guessed (RFC 8784 §6)."""
SHORTEST_PASSWORD = 8
"""Characters. A password can be tried only against us, one login at a time."""

STORE = "secrets.toml"

Made = TypeVar("Made", bound=Psk | Ppk | Secret | NtHash, covariant=True)
Stored = Mapping[errors.Path, Mapping[str, str]]
"""What secrets.toml holds: for each table, its secret keys."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where secrets may be found that are not in the file itself."""

    environ: Mapping[str, str]
    stored: Stored = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Slot(Generic[Made]):
    """One secret, and the keys by which it can be written: the first inline, KEY_file and KEY_env where they are."""

    key: str
    make: Callable[[str, str], Made]
    weakness: Callable[[Any], str] = lambda _: ""
    cure: str = ""
    elsewhere: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that write it."""
        return (self.key, f"{self.key}_file", f"{self.key}_env") if self.elsewhere else (self.key,)


def credential(
    slots: tuple[Slot[Made], ...], given: Mapping[str, Any], sources: Sources, path: errors.Path, findings: Findings
) -> Made | None:
    """The one secret that a table names by any of these slots; None where there is none, or it is bad and noted."""
    stored = sources.stored.get(path, {})
    kept = [slot for slot in slots if slot.key in stored]
    named = [(slot, key) for slot in slots for key in slot.keys if key in given]
    places = [key for _, key in named] + [f"{slot.key} in {STORE}" for slot in kept]
    if len(places) > 1:
        key = named[0][1] if named else kept[0].key
        findings.refuse((*path, key), f"stands beside {', '.join(places[1:])}", allowed=one_of(slots))
        return None
    if named:
        return _written(*named[0], given, sources.environ, path, findings)
    if kept:
        return _made(kept[0], STORE, stored[kept[0].key], (*path, kept[0].key), f"{MASKED} in {STORE}", findings)
    return None


def one_of(slots: tuple[Slot[Any], ...]) -> str:
    """What is allowed where one of these is needed."""
    *some, last = (key for slot in slots for key in slot.keys)
    return f"one of {', '.join(some)} and {last}" if some else last


def _written(
    slot: Slot[Made],
    key: str,
    given: Mapping[str, Any],
    environ: Mapping[str, str],
    path: errors.Path,
    findings: Findings,
) -> Made | None:
    if key == slot.key:
        return _made(slot, key, given[key], (*path, key), MASKED, findings)
    value = errors.shown(str(given[key]))
    try:
        text = _text_of(given[key]) if key.endswith("_file") else _variable(given[key], environ)
        if key.endswith("_file"):
            _check_mode(given[key], (*path, key), findings)
    except Refused as refusal:
        findings.refuse((*path, key), refusal.fault, value=value, cure=refusal.cure)
        return None
    return _made(slot, f"{key} {given[key]}", text, (*path, key), value, findings)


def _made(slot: Slot[Made], source: str, text: str, path: errors.Path, value: str, findings: Findings) -> Made | None:
    try:
        made = slot.make(source, text)
    except Refused as refusal:
        findings.refuse(path, refusal.fault, value=value, cure=refusal.cure)
        return None
    if weakness := slot.weakness(made):
        findings.warn(path, weakness, value=value, cure=slot.cure)
    return made


def _psk(source: str, text: str) -> Psk:
    return Psk(source, _octets(text))


def _ppk(source: str, text: str) -> Ppk:
    return Ppk(source, _octets(text))


def _octets(text: str) -> bytes:
    """The key that a text stands for: 0xHEX, 0sBASE64, or the text itself in UTF-8."""
    try:
        match text[:2]:
            case "0x":
                octets = bytes.fromhex(text[2:])
            case "0s":
                octets = base64.b64decode(text[2:], validate=True)
            case _:
                octets = text.encode()
    except (ValueError, binascii.Error):
        base = "hexadecimal" if text[:2] == "0x" else "Base64"
        raise Refused(f'the key begins with "{text[:2]}" and does not go on in {base}') from None
    if not 0 < len(octets) <= LONGEST:
        raise Refused(f"a key has 1 to {LONGEST} octets")
    return octets


def _short_psk(made: Psk) -> str:
    short = len(made.octets) < SHORTEST_SOUND
    return f"the key has fewer than {SHORTEST_SOUND} octets and can be guessed" if short else ""


def _short_ppk(made: Ppk) -> str:
    short = len(made.octets) < SHORTEST_PPK
    return f"the key has fewer than {SHORTEST_PPK} octets, which a quantum computer could guess" if short else ""


def _secret(source: str, text: str) -> Secret:
    if not 0 < len(text) <= LONGEST:
        raise Refused(f"it has 1 to {LONGEST} characters")
    return Secret(source, text)


def _short_password(made: Secret) -> str:
    short = len(made.text) < SHORTEST_PASSWORD
    return f"the password has fewer than {SHORTEST_PASSWORD} characters and can be guessed" if short else ""


def _nt_hash(source: str, text: str) -> NtHash:
    return NtHash(source, bytes.fromhex(text))


def _password_hash(source: str, text: str) -> Secret:
    return Secret(source, PASSWORD_HASH_SHAPE.read(text))


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise Refused("this variable is not set", "set it for the service, or name another")
    return environ[name]


def _text_of(path: Path) -> str:
    """What a key file says, without the line end that editors add."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Refused("is no regular file")
            return file.read(4 * LONGEST).decode().rstrip("\r\n")
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}", "write the key into it, with mode 0600") from error
    except UnicodeDecodeError:
        raise Refused("holds octets that are no text", "write the key as 0sBASE64") from None


def _check_mode(path: Path, key: errors.Path, findings: Findings) -> None:
    """Raise Refused for a key file that others can change; warn of one that they can read."""
    mode = path.stat().st_mode
    if mode & stat.S_IWOTH:
        raise Refused("can be changed by every user of this machine", f"chmod 600 {path}")
    if mode & stat.S_IROTH:
        fault = "can be read by every user of this machine"
        findings.warn(key, fault, value=errors.shown(str(path)), cure=f"chmod 600 {path}")


PSK = Slot("psk", _psk, _short_psk, "make a new one with: openssl rand -base64 32")
PPK = Slot("ppk", _ppk, _short_ppk, "make a new one with: openssl rand -base64 32")
PASSWORD = Slot("password", _secret, _short_password, "make a longer one")
NT_HASH = Slot("nt_hash", _nt_hash, elsewhere=False)
PASSWORD_HASH = Slot("password_hash", _password_hash)
TOTP_SECRET = Slot("totp_secret", _secret, elsewhere=False)
