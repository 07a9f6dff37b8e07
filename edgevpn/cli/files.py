"""Files that verbs write and read: what was made goes to its owner alone."""

from __future__ import annotations

import argparse
import base64
import os
import stat
import sys
from pathlib import Path, PurePath

from edgevpn.api.records import Artifact
from edgevpn.cli.output import GOOD, as_json
from edgevpn.config.errors import Refused
from edgevpn.files import replace_file

LARGEST = 64 << 20
"""Octets that are read."""


def write_artifact(
    artifact: Artifact, options: argparse.Namespace, output: Path | None, *, to_terminal: bool = False
) -> int:
    """Write what was made: to the output, as JSON, to standard output if it is text, or under its own name."""
    if options.json and output is None:
        print(as_json(artifact))
        return GOOD
    if output is None and to_terminal and not artifact["base64"]:
        print(artifact["content"], end="")
        return GOOD
    content = base64.b64decode(artifact["content"]) if artifact["base64"] else artifact["content"].encode()
    place = output or Path(PurePath(artifact["name"]).name)
    write_private(place, content)
    print(as_json({"name": str(place)}) if options.json else place)
    return GOOD


def write_private(path: Path, content: bytes) -> None:
    """Write a file that is ours alone from the first octet on; one that it replaces is lost only when it is written.

    What is there and no file, such as /dev/null or a pipe, is written to and stays what it is. Raises Refused.
    """
    try:
        if _takes_a_file(path):
            replace_file(path, content, keep_owner=False)
        else:
            with open(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "wb") as file:
                file.write(content)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", "choose another") from error


def _takes_a_file(path: Path) -> bool:
    """Whether nothing is there yet, or a file."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return True


def read_octets(path: Path) -> bytes:
    """What is in a file, or on standard input for -. Raises Refused."""
    try:
        if path == Path("-"):
            content = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}", "name another") from error
    if len(content) > LARGEST:
        raise Refused(f"{path} is too large", f"allowed: {LARGEST >> 20} MB")
    return content


def read_text(path: Path) -> str:
    """The same, as text. Raises Refused."""
    try:
        return read_octets(path).decode()
    except UnicodeDecodeError:
        raise Refused(f"{path} is not UTF-8 text") from None
