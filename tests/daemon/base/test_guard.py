from __future__ import annotations

import pytest

from edgevpn.daemon.base.guard import UNGUARDED


def broken() -> None:
    raise RuntimeError("a fault")


async def broken_later() -> None:
    broken()


async def test_tests_see_every_fault() -> None:
    with pytest.raises(RuntimeError):
        UNGUARDED.call(broken, "work")
    with pytest.raises(RuntimeError):
        await UNGUARDED.wait(broken_later(), "work")
    with pytest.raises(RuntimeError):
        await UNGUARDED.keep(broken_later, "work")


async def test_what_goes_well_is_done() -> None:
    done: list[int] = []

    async def later() -> None:
        done.append(2)

    assert UNGUARDED.call(lambda: done.append(1), "work")
    assert await UNGUARDED.wait(later(), "work")
    await UNGUARDED.keep(later, "work")
    assert done == [1, 2, 2]
