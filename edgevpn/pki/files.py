"""Files of keys and records: never readable by others, never half written, and never gone with the power.

A file is replaced in one step. Where it is `kept`, what was there before stays as NAME.previous, so that even a file
system that loses what it was told to keep leaves one of the two.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevpn.files import replace_file
from edgevpn.pki.errors import Reason, StoreError

LARGEST = 64 * 1024 * 1024
PREVIOUS = ".previous"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def prepare(folder: Path) -> None:
    """A folder for files of ours: there, and closed to others. Raises StoreError."""
    with _told(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & _OTHERS:
            folder.chmod(0o700)


def write(path: Path, octets: bytes, *, kept: bool = False) -> None:
    """Replace a file as a whole, mode 0600 from the first octet on. Raises StoreError, and then the old one stands."""
    with _told(path):
        if kept:
            _keep(path)
        replace_file(path, octets)


def read(path: Path, *, secret: bool = False) -> bytes | None:
    """A file's octets, or None where there is none. Raises StoreError; for a secret that others can read, too."""
    with _told(path):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        with file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                raise StoreError(Reason.FILE_FAILED, path, detail="no regular file of a reasonable size")
            if secret and status.st_mode & _OTHERS:
                cure = f"chmod 600 {path}, and think about who may have read it"
                raise StoreError(Reason.UNSAFE, path, "mode", f"{stat.S_IMODE(status.st_mode):o}", cure)
            return file.read()


def remove(path: Path) -> None:
    """A file less, and what was kept of it. Raises StoreError."""
    with _told(path):
        path.unlink(missing_ok=True)
        previous(path).unlink(missing_ok=True)


def previous(path: Path) -> Path:
    """Where a file's last state but one is kept."""
    return path.with_name(path.name + PREVIOUS)


def _keep(path: Path) -> None:
    """What is there gets a second name; where the file system has none to give, a copy."""
    spare = previous(path)
    spare.unlink(missing_ok=True)
    try:
        spare.hardlink_to(path)
    except FileNotFoundError:
        return
    except OSError:
        replace_file(spare, path.read_bytes())


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(Reason.FILE_FAILED, path, detail=error.strerror or "unknown error") from error
