"""edgevpn.kernel.nft, with programs in the place of nft; for nft itself see tests/lab/test_firewall.py."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevpn.kernel.errors import KernelError, NotPermitted, NotSupported
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.nftables import Command, Present

ADD_TABLE = Command("add", "table", {})


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """Writes a program, a shell script, and returns its name."""

    def written(script: str) -> str:
        path = tmp_path / "nft"
        path.write_text(f"#!/bin/sh\ncd {tmp_path}\n{script}\n")
        path.chmod(0o700)
        return str(path)

    return written


def test_what_nft_is_told(program: Callable[[str], str], tmp_path: Path) -> None:
    """JSON on its standard input, in its own language."""
    Nft(program('echo "$@" "$LC_ALL" >arguments; cat "$3" >commands')).change([ADD_TABLE])
    assert (tmp_path / "arguments").read_text() == "-j -f /proc/self/fd/0 C\n"
    told = json.loads((tmp_path / "commands").read_text())
    assert told["nftables"][1] == {"add": {"table": {"family": "inet", "name": "edgevpn"}}}


def test_nothing_to_tell(tmp_path: Path) -> None:
    Nft(str(tmp_path / "missing")).change([])


def test_present(program: Callable[[str], str], tmp_path: Path) -> None:
    nft = Nft(program('echo "$@" >arguments; echo \'{"nftables": [{"set": {"name": "a", "elem": ["b"]}}]}\''))
    assert nft.present() == Present({}, {"a": frozenset({"b"})})
    assert (tmp_path / "arguments").read_text() == "-j list table inet edgevpn\n"


def test_no_table(program: Callable[[str], str]) -> None:
    script = "echo 'Error: No such file or directory\nlist table inet edgevpn\n           ^^^^' >&2; exit 1"
    assert Nft(program(script)).present() is None


def test_listing_makes_no_sense(program: Callable[[str], str]) -> None:
    with pytest.raises(KernelError, match="cannot list our nft table: the listing makes no sense"):
        Nft(program("echo table")).present()


COMPLAINTS = {
    "JSON": (
        "Error: JSON support not compiled-in",
        NotSupported,
        "JSON support not compiled-in (ENOSYS); install nftables, or on OpenWrt nftables-json",
    ),
    "rights": ("Operation not permitted (you must be root)", NotPermitted, "run it as root, or with CAP_NET_ADMIN"),
    "nf_tables": ("Error: Could not process rule: Protocol not supported", NotSupported, "install kmod-nft-core"),
    "a module": ("Error: Could not process rule: Operation not supported", NotSupported, "install kmod-nft-nat"),
    "a part that is missing": (
        "internal:0:0-0: Error: Could not process rule: No such file or directory",
        KernelError,
        r"Could not process rule: No such file or directory \(ENOENT\)$",
    ),
    "the first error": (
        "warning: odd\n\nError: syntax error\x1b[31m, unexpected x\nError: another",
        KernelError,
        r"cannot change our nft table: syntax error\[31m, unexpected x \(EINVAL\)$",
    ),
    "no words": ("", KernelError, "no reason given"),
}


@pytest.mark.parametrize(("text", "kind", "match"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_complaints(
    program: Callable[[str], str], tmp_path: Path, text: str, kind: type[KernelError], match: str
) -> None:
    (tmp_path / "complaint").write_text(text)
    with pytest.raises(kind, match=match.replace("(ENOSYS)", r"\(ENOSYS\)")):
        Nft(program("cat complaint >&2; exit 1")).change([ADD_TABLE])


def test_module_is_missing_when_listing(program: Callable[[str], str]) -> None:
    """Nothing is known then: it is not as if there were no table."""
    with pytest.raises(NotSupported):
        Nft(program("echo 'Error: Operation not supported' >&2; exit 1")).present()


def test_nft_is_missing(tmp_path: Path) -> None:
    nft = Nft(str(tmp_path / "missing"))
    for call in (nft.present, lambda: nft.change([ADD_TABLE])):
        with pytest.raises(NotSupported, match=r"the program nft is missing.*; install nftables"):
            call()


def test_nft_cannot_be_run(program: Callable[[str], str], tmp_path: Path) -> None:
    name = program("")
    Path(name).write_text("no program")
    with pytest.raises(KernelError, match="the program nft cannot be run") as caught:
        Nft(name).present()
    assert caught.value.code == errno.ENOEXEC


def test_nft_does_not_end(program: Callable[[str], str]) -> None:
    with pytest.raises(KernelError, match="nft does not come to an end"):
        Nft(program("exec tail -f /dev/null"), limit=0.2).present()


def test_somebody_ends_nft(program: Callable[[str], str]) -> None:
    """It says nothing then, so we do."""
    with pytest.raises(KernelError, match="the program nft was ended by signal 15") as caught:
        Nft(program("kill -TERM $$")).present()
    assert caught.value.code == errno.EINTR
