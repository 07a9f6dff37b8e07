"""A backup: all that a gateway has, in one file that nobody reads without its password.

    magic       "edgevpn backup 1\\n"
    header      one line of JSON: the numbers of scrypt (RFC 7914), its salt, the nonce of AES-256-GCM
    the rest    sealed: a compressed JSON object; magic and header are authenticated with it

Whoever has the file can try passwords as fast as scrypt lets them: the password is to be a long one.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from edgevpn.daemon.keeping.holdings import Files, is_ours
from edgevpn.frozen import dataclass

MAGIC = b"edgevpn backup 1\n"
VERSION = 1
LONGEST_HEADER = 1024
LARGEST = 16 << 20
"""Octets of what a backup holds, unpacked."""
SHORTEST_PASSWORD = 10
MOST_MEMORY = 64 << 20
"""Octets that a password may take to be tried."""

KEY, SALT, NONCE = 32, 16, 12
"""Octets."""

Entropy = Callable[[int], bytes]


class BackupError(Exception):
    """The file cannot be used, or the password is none; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The numbers of scrypt: 16 MB of memory, and half a second on a small router."""

    log2_n: int = 14
    r: int = 8
    p: int = 1

    @property
    def bearable(self) -> bool:
        """Whether it can be worked out here; a file may ask for anything."""
        small = 1 <= self.log2_n <= 20 and 1 <= self.r <= 32 and 1 <= self.p <= 16
        return small and 128 * self.r << self.log2_n <= MOST_MEMORY


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds, when it was made (Unix time) and by which release."""

    files: Files
    made: float
    release: str


def seal(backup: Backup, password: str, entropy: Entropy, cost: Cost = Cost()) -> bytes:
    """The file. Raises BackupError for a password that is too short."""
    if len(password) < SHORTEST_PASSWORD:
        raise BackupError(f"the password is too short; allowed: {SHORTEST_PASSWORD} characters or more")
    salt, nonce = entropy(SALT), entropy(NONCE)
    header = {
        "kdf": "scrypt",
        "ln": cost.log2_n,
        "r": cost.r,
        "p": cost.p,
        "salt": _text(salt),
        "cipher": "aes256gcm",
        "nonce": _text(nonce),
    }
    head = MAGIC + json.dumps(header, separators=(",", ":")).encode() + b"\n"
    content = {
        "version": VERSION,
        "made": backup.made,
        "release": backup.release,
        "files": {name: _text(octets) for name, octets in sorted(backup.files.items())},
    }
    packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
    return head + AESGCM(_key(password, salt, cost)).encrypt(nonce, packed, head)


def unseal(octets: bytes, password: str) -> Backup:
    """What is in a file. Raises BackupError."""
    if not octets.startswith(MAGIC):
        raise BackupError("this is no backup of edgevpn, or one of a newer release")
    line, _, sealed = octets[len(MAGIC) :].partition(b"\n")
    head = octets[: len(octets) - len(sealed)]
    salt, nonce, cost = _header(line)
    try:
        packed = AESGCM(_key(password, salt, cost)).decrypt(nonce, sealed, head)
    except InvalidTag:
        raise BackupError("the password does not open this backup, or the file is damaged") from None
    return _content(_unpacked(packed))


def _header(line: bytes) -> tuple[bytes, bytes, Cost]:
    """Salt, nonce and cost. Raises BackupError."""
    try:
        header = json.loads(line) if len(line) <= LONGEST_HEADER else None
        match header:
            case {"kdf": "scrypt", "ln": int(ln), "r": int(r), "p": int(p), "cipher": "aes256gcm", **rest}:
                salt, nonce, cost = _octets(str(rest["salt"])), _octets(str(rest["nonce"])), Cost(ln, r, p)
                if cost.bearable and (len(salt), len(nonce)) == (SALT, NONCE):
                    return salt, nonce, cost
    except (ValueError, KeyError, RecursionError):
        pass
    raise BackupError("the header of this backup makes no sense; the file is damaged")


def _key(password: str, salt: bytes, cost: Cost) -> bytes:
    return Scrypt(salt=salt, length=KEY, n=1 << cost.log2_n, r=cost.r, p=cost.p).derive(password.encode())


def _unpacked(packed: bytes) -> Any:
    """The object that was packed. Who could seal it is its owner, but a mistake is not to fill the memory either."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, LARGEST)
        if not unpacker.eof:
            raise BackupError(f"this backup is too large; allowed: {LARGEST >> 20} MB")
        return json.loads(text)
    except (zlib.error, ValueError, RecursionError):
        raise BackupError("what is in this backup makes no sense") from None


def _content(content: Any) -> Backup:
    match content:
        case {"version": int(version)} if version > VERSION:
            raise BackupError("this backup is of a newer release of edgevpn; install that, or restore an older backup")
        case {"version": 1, "made": int() | float() as made, "release": str(release), "files": dict(files)}:
            return Backup({name: _file(name, text) for name, text in files.items()}, float(made), release)
    raise BackupError("what is in this backup makes no sense")


def _file(name: str, text: object) -> bytes:
    if not is_ours(name) or not isinstance(text, str):
        raise BackupError(f"this backup holds {name[:40]!r}, which is no file of a gateway")
    try:
        return _octets(text)
    except ValueError:
        raise BackupError(f"{name} in this backup is damaged") from None


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _octets(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not Base64") from error
