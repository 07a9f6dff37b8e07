"""Files as packages hold them, and the containers they go into: tar, gzip and ar, reproducibly."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

REGULAR = 0o644
PROGRAM = 0o755
SECRET = 0o600
FOLDER = 0o755


@dataclass(frozen=True, slots=True, order=True)
class File:
    """A regular file, by its path below the root of the router: "usr/bin/edgevpn"."""

    path: str
    content: bytes = field(repr=False)
    mode: int = REGULAR


@dataclass(frozen=True, slots=True, order=True)
class Folder:
    """A directory of its own kind; those that files imply need none."""

    path: str
    mode: int


Entry = File | Folder


def folders(entries: Iterable[Entry]) -> dict[str, int]:
    """Every directory that entries need, with its mode."""
    found: dict[str, int] = {}
    for entry in entries:
        above = list(map(str, PurePosixPath(entry.path).parents))[:-1]
        found |= {path: FOLDER for path in above if path not in found}
        if isinstance(entry, Folder):
            found[entry.path] = entry.mode
    return found


def tar(entries: Iterable[Entry], epoch: int) -> bytes:
    """A GNU tar of "./" names in order, all owned by root by number and of one time."""
    entries = tuple(entries)
    directories = folders(entries)
    members: list[tuple[tarfile.TarInfo, bytes]] = [(_member(".", FOLDER, epoch, tarfile.DIRTYPE), b"")]
    members += [(_member(path, mode, epoch, tarfile.DIRTYPE), b"") for path, mode in directories.items()]
    members += [
        (_member(entry.path, entry.mode, epoch, tarfile.REGTYPE), entry.content)
        for entry in entries
        if isinstance(entry, File)
    ]
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member, content in sorted(members, key=lambda pair: pair[0].name):
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return octets.getvalue()


def _member(path: str, mode: int, epoch: int, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path if path == "." else f"./{path}")
    member.type, member.mode, member.mtime = kind, mode, epoch
    return member


def compressed(content: bytes) -> bytes:
    """gzip without a name or a time."""
    return gzip.compress(content, 9, mtime=0)


def ordered_tar(members: Iterable[tuple[str, bytes]], epoch: int) -> bytes:
    """A tar of files in the order given, as the outer shell of an .ipk is."""
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            member = _member(name, REGULAR, epoch, tarfile.REGTYPE)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return octets.getvalue()


def ar(members: Iterable[tuple[str, bytes]], epoch: int) -> bytes:
    """A Unix archive in the order given, as a .deb is."""
    octets = b"!<arch>\n"
    for name, content in members:
        octets += f"{name:<16}{epoch:<12}{0:<6}{0:<6}{0o100644:<8o}{len(content):<10}`\n".encode()
        octets += content + b"\n" * (len(content) % 2)
    return octets
