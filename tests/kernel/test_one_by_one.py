"""edgevpn.kernel.one_by_one; each operation is carried out in test_contract."""

from __future__ import annotations

import errno

import pytest

from edgevpn.kernel.errors import KernelError, NotFound
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.one_by_one import outcome
from edgevpn.kernel.operations import Add, Delete, Update
from tests.support.kernel import OUT, sa


def test_outcomes() -> None:
    kernel = MemoryKernel()
    refusal = KernelError("add it", errno.ENOMEM)
    kernel.fail_next("add_sa", refusal)
    assert outcome(kernel, Add(OUT)) is refusal
    assert outcome(kernel, Add(OUT)) is None
    assert isinstance(outcome(kernel, Delete(sa(0x999).key)), NotFound)
    with pytest.raises(ValueError, match="without a tag of ours"):
        outcome(kernel, Update(sa(reqid=1)))
    kernel.close()
