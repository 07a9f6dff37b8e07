"""What the kernel refuses, why, and what its owner can do about it."""

from __future__ import annotations

import errno
import os


class KernelError(Exception):
    """The kernel refused an operation.

    `operation` is what we wanted ("add SA c1234567 to 192.0.2.1"), `code` the errno, `detail` the reason as far as it
    is known, `cure` what helps, or "". None of them ever holds key material.
    """

    def __init__(self, operation: str, code: int, detail: str = "", cure: str = "") -> None:
        self.operation = operation
        self.code = code
        self.detail = detail or os.strerror(code)
        self.cure = cure
        name = errno.errorcode.get(code, str(code))
        super().__init__(f"cannot {operation}: {self.detail} ({name})" + (f"; {cure}" if cure else ""))


class AlreadyExists(KernelError):  # noqa: N818 - what is the case, as in FileExistsError
    """There is one already: EEXIST."""


class NotFound(KernelError):  # noqa: N818
    """There is no such SA, policy, link, address, route or setting."""


class NotSupported(KernelError):  # noqa: N818
    """This kernel was built without it, or lacks the module."""


class NotPermitted(KernelError):  # noqa: N818
    """The process lacks a capability: CAP_NET_ADMIN, or CAP_NET_RAW."""
