"""Files that are whole at any moment: replaced in one step, never written in place."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, octets: bytes, mode: int = 0o600, *, keep_owner: bool = True) -> None:
    """Make `path` a file of these octets; whoever reads it meanwhile, or after a power cut, finds the old or the new.

    The mode holds from the first octet on. A file that is there keeps its owner, where we may give files away, or is
    ours from now on.
    Raises OSError, which names a file, and the old file is then as it was.
    """
    directory = path.parent
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=directory)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            if keep_owner:
                _keep_owner(path, handle)
            file.write(octets)
            file.flush()
            os.fsync(handle)
        temporary.replace(path)
    except BaseException as failure:
        temporary.unlink(missing_ok=True)
        if isinstance(failure, OSError) and failure.filename is None:
            failure.filename = str(path)  # of what is written the system says nothing but why
        raise
    _sync_directory(directory)


def remove_unfinished(path: Path) -> None:
    """Remove what a killed `replace_file` has left beside a file. Nobody may be writing it now. Raises OSError."""
    for each in path.parent.glob(f".{path.name}.*"):
        each.unlink(missing_ok=True)


def _keep_owner(path: Path, handle: int) -> None:
    with suppress(FileNotFoundError, PermissionError):
        old = path.stat()
        os.fchown(handle, old.st_uid, old.st_gid)


def _sync_directory(directory: Path) -> None:
    """The new name is on the disk too; some file systems cannot say so."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
