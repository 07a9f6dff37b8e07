"""edgevpn.kernel.errors."""

from __future__ import annotations

import errno

import pytest

from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound, NotPermitted, NotSupported


def test_all_parts() -> None:
    error = KernelError("add SA 00001000 to 192.0.2.1", errno.ENOSYS, "this kernel lacks it", "install kmod-it")
    assert str(error) == "cannot add SA 00001000 to 192.0.2.1: this kernel lacks it (ENOSYS); install kmod-it"


def test_the_errno_speaks_for_itself() -> None:
    error = KernelError("add it", errno.EINVAL)
    assert (error.operation, error.code, error.detail, error.cure) == ("add it", errno.EINVAL, "Invalid argument", "")
    assert str(error) == "cannot add it: Invalid argument (EINVAL)"


def test_an_errno_without_a_name() -> None:
    assert str(KernelError("add it", 524, "not supported")) == "cannot add it: not supported (524)"


@pytest.mark.parametrize("kind", [AlreadyExists, NotFound, NotPermitted, NotSupported])
def test_all_are_kernel_errors(kind: type[KernelError]) -> None:
    assert issubclass(kind, KernelError)
