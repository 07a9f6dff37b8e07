"""All that a gateway has on the disk: read together, and replaced together or not at all.

What is to take the place of what is there is first laid down beside it as a whole, in a folder that gets its name in
one step. From then on it holds: if the power goes in between, the next start goes on with it. The same way what may
have to be undone is kept beside it, until its owner confirms what was done: at a start nobody has.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from edgevpn.files import replace_file
from edgevpn.frozen import dataclass

COMING, UNDO = "restoring", "undo"
"""Folders beside the configuration file."""
WHOLE = "whole"
"""Stands in such a folder if what it does not have is to go."""

CONFIG, SECRETS = "edgevpn.toml", "secrets.toml"
PKI = ("ca.pem", "server*.pem", "issued.json", "ca.crl", "*.previous", "trusted/*.pem", "crls/*.crl")
STATE = ("leases.json", "usage.json", "panel/ca.pem", "panel/server*.pem", "panel/issued.json", "panel/ca.crl")
PRIVATE = 0o600
LARGEST = 16 << 20
"""Octets of all files together."""

Files = Mapping[str, bytes]
"""By their names in here, such as "pki/ca.pem", wherever the owner has them."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is."""

    config: Path
    pki: Path
    state: Path


class Holdings:
    """The files of one gateway. Every method may raise OSError; ValueError for a name that is none of ours."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._beside = places.config.parent

    def read(self) -> dict[str, bytes]:
        """Everything."""
        return {name: path.read_bytes() for name, path in self._present()}

    def read_config(self) -> dict[str, bytes]:
        """The configuration and its secrets alone."""
        return {name: self._path(name).read_bytes() for name in (CONFIG, SECRETS) if self._path(name).is_file()}

    def put(self, files: Files, *, whole: bool) -> None:
        """Let these take the place of what is there; with `whole`, of everything that is there."""
        self._lay_down(files, COMING, whole=whole)
        self.recover()

    def keep_for_undo(self, files: Files, *, whole: bool) -> None:
        """Keep these until `forget_undo`; `undo`, or the next start, puts them back."""
        self._lay_down(files, UNDO, whole=whole)

    @property
    def undo_waits(self) -> bool:
        """Whether something is kept that could be put back."""
        return (self._beside / UNDO).is_dir()

    def undo(self) -> None:
        """Put back what was kept."""
        (self._beside / UNDO).rename(self._beside / COMING)
        self.recover()

    def take_back(self, before: Files) -> None:
        """What was put is of no use, or could not be put: what was kept, which is `before`, is there again."""
        self._drop(COMING)
        if self.read() == before:
            self._drop(UNDO)
        else:
            self.undo()

    def forget_undo(self) -> None:
        """What was done stands."""
        self._drop(UNDO)

    def recover(self) -> None:
        """Go on with what was begun, if something was. It does not matter how often."""
        coming = self._beside / COMING
        if not coming.is_dir():
            return
        files = {path.relative_to(coming).as_posix(): path for path in coming.rglob("*") if path.is_file()}
        whole = files.pop(WHOLE, None) is not None
        for name, path in sorted(files.items(), key=lambda each: each[0] == CONFIG):  # it needs all the others
            self._write(name, path.read_bytes())
        if whole:
            for name, path in self._present():
                if name not in files:
                    path.unlink(missing_ok=True)
        self._drop(COMING)

    def _write(self, name: str, octets: bytes) -> None:
        path = self._path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, octets, path.stat().st_mode & 0o777 if path.exists() else PRIVATE)

    def _lay_down(self, files: Files, name: str, *, whole: bool) -> None:
        """A folder with these files, under its name only when it is complete and on the disk."""
        for each in files:
            self._path(each)
        for left in self._beside.glob(f".{name}.*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=self._beside))
        try:
            for each, octets in files.items():
                (folder / each).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace_file(folder / each, octets, PRIVATE)
            if whole:
                replace_file(folder / WHOLE, json.dumps(sorted(files)).encode(), PRIVATE)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._drop(name)
        folder.rename(self._beside / name)

    def _drop(self, name: str) -> None:
        """Take a folder away, in one step, and be the disk full."""
        folder = self._beside / name
        if folder.is_dir():
            gone = self._beside / f".{name}.gone"
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def _present(self) -> Iterator[tuple[str, Path]]:
        for name in (CONFIG, SECRETS):
            if (path := self._path(name)).is_file():
                yield name, path
        for prefix, folder, patterns in (("pki", self.places.pki, PKI), ("state", self.places.state, STATE)):
            for path in _matching(folder, patterns):
                yield f"{prefix}/{path.relative_to(folder).as_posix()}", path

    def _path(self, name: str) -> Path:
        """Where a file of that name is. Raises ValueError."""
        if name == CONFIG:
            return self.places.config
        if name == SECRETS:
            return self.places.config.with_name(SECRETS)
        folder, _, rest = name.partition("/")
        if not is_ours(name):
            raise ValueError(f"{name[:40]!r} is no file of a gateway")
        return (self.places.pki if folder == "pki" else self.places.state) / rest


def is_ours(name: str) -> bool:
    """Whether a file of that name can be among a gateway's; nothing that leads elsewhere is."""
    if name in (CONFIG, SECRETS):
        return True
    path = PurePosixPath(name)
    if name != path.as_posix() or not name.isprintable() or ".." in path.parts or len(path.parts) not in (2, 3):
        return False
    patterns = {"pki": PKI, "state": STATE}.get(path.parts[0], ())
    below = PurePosixPath(*path.parts[1:])
    return any(len(PurePosixPath(each).parts) == len(below.parts) and below.match(each) for each in patterns)


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))
