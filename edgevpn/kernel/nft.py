"""The program nft, which alone knows every kernel's nf_tables; JSON goes in and comes out."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Collection, Sequence

from edgevpn.kernel.barriers import Barrier, barriers
from edgevpn.kernel.errors import KernelError, NotPermitted, NotSupported
from edgevpn.kernel.nftables import FAMILY, TABLE, Command, Present, read_listing, transaction

# Our own choices.
LIMIT = 30.0  # seconds; a large ruleset takes one
MAX_DETAIL = 200
PATH = f"{os.defpath}:/usr/sbin:/sbin"

# For "-" nft would open /dev/stdin, which not every /dev has.
STANDARD_INPUT = "/proc/self/fd/0"

INSTALL = "install nftables, or on OpenWrt nftables-json"

# What nft says, and what it means to us: kind, errno, cure.
SAYINGS: tuple[tuple[str, type[KernelError], int, str], ...] = (
    ("JSON support not compiled-in", NotSupported, errno.ENOSYS, INSTALL),
    ("Operation not permitted", NotPermitted, errno.EPERM, "run it as root, or with CAP_NET_ADMIN"),
    ("Protocol not supported", NotSupported, errno.EPROTONOSUPPORT, "install kmod-nft-core"),
    ("Operation not supported", NotSupported, errno.EOPNOTSUPP, "install kmod-nft-nat"),
    ("No such file or directory", KernelError, errno.ENOENT, ""),
)


class Nft:
    """Reads and changes our table in the calling thread's network namespace; that takes some hundredths of a second."""

    def __init__(self, program: str = "nft", limit: float = LIMIT) -> None:
        self._program = program
        self._limit = limit

    def present(self) -> Present | None:
        """What our table holds; None if there is none. Raises KernelError."""
        operation = "list our nft table"
        try:
            listing = self._run(operation, "list", "table", FAMILY, TABLE)
        except KernelError as error:
            if error.code == errno.ENOENT and not isinstance(error, NotSupported):
                return None
            raise
        try:
            return read_listing(listing)
        except ValueError as error:
            raise KernelError(operation, errno.EBADMSG, "the listing makes no sense") from error

    def shown(self) -> str:
        """Our table as nft writes it for people, "" if there is none. Raises KernelError."""
        return (
            "" if self.present() is None else self._run("show our nft table", "list", "table", FAMILY, TABLE, form=())
        )

    def barriers(self, uplinks: Collection[str], tunnels: Collection[str] = ()) -> tuple[Barrier, ...]:
        """The chains of others that keep IKE and ESP out on these interfaces. Raises KernelError."""
        operation = "list the nft ruleset"
        try:
            return barriers(self._run(operation, "list", "ruleset"), uplinks, tunnels)
        except ValueError as error:
            raise KernelError(operation, errno.EBADMSG, "the listing makes no sense") from error

    def change(self, commands: Sequence[Command]) -> None:
        """Carry out all commands or none. Raises KernelError."""
        if commands:
            self._run("change our nft table", "-f", STANDARD_INPUT, text=transaction(commands))

    def _run(self, operation: str, *arguments: str, text: str = "", form: tuple[str, ...] = ("-j",)) -> str:
        command = [self._program, *form, *arguments]
        environment = {"PATH": os.environ.get("PATH", PATH) + ":" + PATH, "LC_ALL": "C"}
        try:
            done = subprocess.run(  # noqa: S603 - our own words; what others chose is in the JSON
                command, input=text, text=True, capture_output=True, check=False, env=environment, timeout=self._limit
            )
        except FileNotFoundError as error:
            raise NotSupported(operation, errno.ENOENT, "the program nft is missing", INSTALL) from error
        except subprocess.TimeoutExpired as error:
            raise KernelError(operation, errno.ETIMEDOUT, "nft does not come to an end") from error
        except OSError as error:
            raise KernelError(operation, error.errno or errno.EIO, "the program nft cannot be run") from error
        if done.returncode < 0:
            raise KernelError(operation, errno.EINTR, f"the program nft was ended by signal {-done.returncode}")
        if done.returncode:
            raise refusal(operation, done.stderr)
        return done.stdout


def refusal(operation: str, stderr: str) -> KernelError:
    """What nft complains about."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    line = next((each for each in lines if each.startswith("Error:")), lines[0] if lines else "no reason given")
    detail = "".join(each for each in line.removeprefix("Error:").strip() if each.isprintable())[:MAX_DETAIL]
    for saying, kind, code, cure in SAYINGS:
        if saying in stderr:
            return kind(operation, code, detail, cure)
    return KernelError(operation, errno.EINVAL, detail)
