"""The configuration on the disk: changed as a whole or not at all, with its last versions kept beside it."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from edgevpn.config.changes import Documents
from edgevpn.config.diff import Difference, difference
from edgevpn.config.edit import set_value
from edgevpn.config.errors import ConfigError, Problem, Refused
from edgevpn.config.migrate import migrate_text
from edgevpn.config.model import Config
from edgevpn.config.reader import parse
from edgevpn.config.source import contents, located, toml, unreadable
from edgevpn.config.stored import parse_stored, store_of
from edgevpn.files import replace_file
from edgevpn.frozen import dataclass, replace

VERSIONS = "versions"
KEPT = 5
PRIVATE = 0o600

Change = Callable[[Documents], Documents]


@dataclass(frozen=True, slots=True)
class Version:
    """What the configuration was until a change. `number` is 1 for the last one."""

    number: int
    folder: Path
    until: datetime


@dataclass(frozen=True, slots=True)
class Saved:
    """What a change has come to. `config` is None while faults from before it are left, as `problems` says.

    `problems` are warnings otherwise. `difference` is None where there was no good configuration before.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change that was judged and can be written, as long as nobody writes something else."""

    old: Documents
    new: Documents
    saved: Saved


class Store:
    """A configuration file, the secrets beside it, and their last versions."""

    def __init__(self, path: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.path = path.resolve()
        self._secrets = store_of(self.path)
        self._versions = self.path.parent / VERSIONS
        self._environ = environ

    def read(self) -> Documents:
        """The texts as they are; empty for what does not exist. Raises ConfigError."""
        return Documents(_text(self.path), _text(self._secrets))

    def change(self, change: Change, now: datetime, *, anew: bool = False) -> Saved:
        """Carry out a change, check what comes of it, and only then write it. An older form is brought up to date.

        Raises what `change` raises, and ConfigError for a result that is bad where it was good before, or worse than
        before; nothing is written then. A file that was bad may be mended fault by fault, unless it is not even TOML;
        with `anew` it does not matter what it was.
        """
        with self._alone():
            prepared = self.prepare(change, now, anew=anew)
            self._write(prepared.old, prepared.new)
        return prepared.saved

    def prepare(self, change: Change, now: datetime, *, anew: bool = False, name: str = "") -> Prepared:
        """What `change` would write, and what it would come to. Faults name the file as `name` says, if it does."""
        old = self.read()
        begun = old
        if not anew:
            toml(old.config, str(self.path))
            toml(old.secrets, str(self._secrets))
            begun = replace(old, config=migrate_text(old.config))
        new = change(begun)
        before, after = self._judged(old, now), self._judged(new, now, name)
        if isinstance(after, ConfigError):
            if anew:
                raise after
            if len(after.problems) > _faults(before):
                raise self.refusal(after.problems, old)
            return Prepared(old, new, Saved(None, after.problems, None))
        changed = difference(before, after) if isinstance(before, Config) else None
        return Prepared(old, new, Saved(after, after.warnings, changed))

    def refusal(self, problems: Sequence[Problem], documents: Documents) -> ConfigError:
        """The problems of a change that is not written, with the lines that these documents, which stay, have."""
        texts = {str(self.path): documents.config, str(self._secrets): documents.secrets}
        return ConfigError(
            tuple(
                placed
                for file, text in texts.items()
                for placed in located([each for each in problems if each.file == file], text, file)
            )
        )

    def commit(self, prepared: Prepared) -> None:
        """Write what was prepared. Raises ConfigError if it cannot be written, or somebody was faster."""
        with self._alone():
            if self.read() != prepared.old:
                fault = "has been changed by somebody else in this moment"
                raise _problem(self.path, fault, cure="look at it, and try again")
            self._write(prepared.old, prepared.new)

    def versions(self) -> tuple[Version, ...]:
        """What can be rolled back to, the last version first. Raises ConfigError."""
        try:
            found = sorted(self._numbered(), reverse=True)
            return tuple(
                Version(number, folder, datetime.fromtimestamp(folder.stat().st_mtime, UTC))
                for number, (_, folder) in enumerate(found, start=1)
            )
        except OSError as error:
            raise ConfigError((unreadable(self._versions, error),)) from error

    def version(self, number: int) -> Documents:
        """The texts of a version. Raises Refused if it is not kept, and ConfigError."""
        version = next((each for each in self.versions() if each.number == number), None)
        if version is None:
            count = len(self.versions())
            raise Refused(f"there is no version {number}", f"there are 1 to {count}" if count else "none is kept")
        return Documents(_text(version.folder / self.path.name), _text(version.folder / self._secrets.name))

    def rollback(self, number: int, now: datetime) -> Saved:
        """Go back to a version; what is now becomes the last one. Raises Refused, and ConfigError."""
        old = self.version(number)
        return self.change(lambda _: old, now, anew=True)

    def _judged(self, documents: Documents, now: datetime, name: str = "") -> Config | ConfigError:
        try:
            stored = parse_stored(documents.secrets, str(self._secrets))
            return parse(documents.config, name or str(self.path), self._environ, stored, now)
        except ConfigError as error:
            return error

    def _write(self, old: Documents, new: Documents) -> None:
        """Replace both files, so that at any moment what can be read is good: the old configuration or the new one.

        Secrets come before the configuration that needs them, and go after the one that needed them.
        """
        if new == old:
            return
        try:
            self._keep(old)
            meanwhile = _with_all_secrets(old, new)
            if meanwhile != old.secrets:
                replace_file(self._secrets, meanwhile.encode(), PRIVATE)
                self._give_to_reader()
            if new.config != old.config:
                replace_file(self.path, new.config.encode(), _mode(self.path))
            if new.secrets != meanwhile:
                replace_file(self._secrets, new.secrets.encode(), PRIVATE)
        except OSError as error:
            fault = f"cannot be written: {error.strerror}"
            raise _problem(self.path, fault, cure="nothing was changed; make room or ask root") from error

    def _give_to_reader(self) -> None:
        """Who owns the configuration owns its secrets."""
        with suppress(FileNotFoundError, PermissionError):
            owner = self.path.stat()
            os.chown(self._secrets, owner.st_uid, owner.st_gid)

    def _keep(self, old: Documents) -> None:
        """Put what is now among the versions, and drop the oldest."""
        if not self.path.exists():
            return
        self._versions.mkdir(mode=0o700, exist_ok=True)
        for left in self._versions.glob(".*"):
            shutil.rmtree(left, ignore_errors=True)
        found = sorted(self._numbered())
        number = found[-1][0] + 1 if found else 1
        folder = Path(tempfile.mkdtemp(prefix=".", dir=self._versions))
        replace_file(folder / self.path.name, old.config.encode(), PRIVATE)
        replace_file(folder / self._secrets.name, old.secrets.encode(), PRIVATE)
        folder.rename(self._versions / str(number))
        for _, oldest in found[: max(0, len(found) + 1 - KEPT)]:
            shutil.rmtree(oldest.rename(oldest.with_name(f".{oldest.name}")), ignore_errors=True)

    def _numbered(self) -> Iterator[tuple[int, Path]]:
        """The folders of versions by their numbers, which only grow."""
        if self._versions.is_dir():
            yield from ((int(each.name), each) for each in self._versions.iterdir() if each.name.isdecimal())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two who change the configuration at once do so one after the other. Raises ConfigError."""
        try:
            handle = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            cure = "make its folder" if isinstance(error, FileNotFoundError) else "ask its owner, or root"
            raise _problem(self.path, f"cannot be written: {error.strerror}", cure=cure) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _with_all_secrets(old: Documents, new: Documents) -> str:
    """The new secrets and those of the old that are gone: with them either configuration can be read."""
    try:
        needed, kept = parse_stored(old.secrets), parse_stored(new.secrets)
    except ConfigError:
        return new.secrets  # nothing could be read with them before
    text = new.secrets
    for path, keys in needed.items():
        for key, value in keys.items():
            if key not in kept.get(path, {}):
                text = set_value(text, (*path, key), value)
    return text


def _text(path: Path) -> str:
    try:
        return contents(path)[0]
    except FileNotFoundError:
        return ""


def _faults(judged: Config | ConfigError) -> int:
    return len(judged.problems) if isinstance(judged, ConfigError) else 0


def _mode(path: Path) -> int:
    """The mode that a file has, or shall have."""
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else PRIVATE


def _problem(path: Path, fault: str, *, allowed: str = "", cure: str = "") -> ConfigError:
    return ConfigError((Problem(file=str(path), fault=fault, allowed=allowed, cure=cure),))
