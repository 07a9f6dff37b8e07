"""Pre-shared keys: written in the file, in a file of their own, or in the environment."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevpn.config import errors
from edgevpn.config.errors import MASKED, Findings, Refused
from edgevpn.config.model import Psk

KEYS = ("psk", "psk_file", "psk_env")
LONGEST = 1024
SHORTEST_SOUND = 16
"""Octets. A shorter key can be found by trying, by whoever sees one handshake as its responder (RFC 7296 §2.15)."""


def site_psk(given: Mapping[str, Any], environ: Mapping[str, str], path: errors.Path, findings: Findings) -> Psk | None:
    """The one pre-shared key that a site's table names; None, with the reason in `findings`, if there is none."""
    named = [key for key in KEYS if key in given]
    if len(named) != 1:
        fault = "is missing" if not named else f"stands beside {', '.join(named[1:])}"
        key = named[0] if named else "psk"
        findings.refuse((*path, key), fault, allowed="one of psk, psk_file and psk_env")
        return None
    key = named[0]
    value = MASKED if key == "psk" else errors.shown(str(given[key]))
    try:
        psk = _read(key, given[key], environ)
        if key == "psk_file":
            _check_mode(given[key], (*path, key), findings)
    except Refused as refusal:
        findings.refuse((*path, key), refusal.fault, value=value, cure=refusal.cure)
        return None
    if len(psk.octets) < SHORTEST_SOUND:
        findings.warn(
            (*path, key),
            f"the key has fewer than {SHORTEST_SOUND} octets and can be guessed",
            value=value,
            cure="make a new one with: openssl rand -base64 32",
        )
    return psk


def _read(key: str, written: Any, environ: Mapping[str, str]) -> Psk:
    match key:
        case "psk":
            return Psk("psk", _octets(written))
        case "psk_file":
            return Psk(f"psk_file {written}", _octets(_text_of(written)))
        case _:
            if written not in environ:
                raise Refused("this variable is not set", "set it for the service, or name another")
            return Psk(f"psk_env {written}", _octets(environ[written]))


def _octets(written: str) -> bytes:
    """The key that a text stands for: 0xHEX, 0sBASE64, or the text itself in UTF-8."""
    try:
        match written[:2]:
            case "0x":
                octets = bytes.fromhex(written[2:])
            case "0s":
                octets = base64.b64decode(written[2:], validate=True)
            case _:
                octets = written.encode()
    except (ValueError, binascii.Error):
        base = "hexadecimal" if written[:2] == "0x" else "Base64"
        raise Refused(f'the key begins with "{written[:2]}" and does not go on in {base}') from None
    if not 0 < len(octets) <= LONGEST:
        raise Refused(f"a key has 1 to {LONGEST} octets")
    return octets


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
