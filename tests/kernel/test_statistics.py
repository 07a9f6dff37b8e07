"""edgevpn.kernel.statistics."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevpn.kernel.errors import KernelError, NotSupported
from edgevpn.kernel.statistics import read_statistics


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "xfrm_stat"


def test_counters(source: Path) -> None:
    source.write_text("XfrmInError             \t0\nXfrmInStateProtoError   \t17\n")
    assert read_statistics(source) == {"XfrmInError": 0, "XfrmInStateProtoError": 17}


def test_kernel_that_does_not_count(source: Path) -> None:
    with pytest.raises(NotSupported, match="built without XFRM_STATISTICS"):
        read_statistics(source)


@pytest.mark.parametrize("text", ["XfrmInError\n", "XfrmInError many\n", "XfrmInError 1 2\n"])
def test_no_sense(source: Path, text: str) -> None:
    source.write_text(text)
    with pytest.raises(KernelError, match="makes no sense"):
        read_statistics(source)
