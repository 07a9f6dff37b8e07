from __future__ import annotations

import asyncio

import pytest

from edgevpn.api import ErrorCode, RpcError
from edgevpn.config.errors import ConfigError, Problem, Refused
from edgevpn.daemon.base.options import StartFailed
from edgevpn.daemon.control.methods.table import NOTHING_CHANGED, not_found, table
from edgevpn.daemon.control.server import Method
from edgevpn.daemon.keeping.backup import BackupError
from edgevpn.daemon.keeping.configuration import NotNow
from edgevpn.daemon.sites.keeper import NotUp
from edgevpn.kernel.errors import KernelError
from edgevpn.pki.errors import PkiError, Reason

RAISED: dict[str, tuple[Exception, ErrorCode, str, object]] = {
    "a bad file": (
        ConfigError((Problem(fault="is odd", line=3, file="e.toml"), Problem(fault="too"))),
        ErrorCode.CONFIG_INVALID,
        NOTHING_CHANGED,
        ["e.toml:3: is odd", "too"],
    ),
    "a bad value": (Refused("is odd", "try 1"), ErrorCode.CONFIG_INVALID, "is odd; try 1", ["is odd; try 1"]),
    "down": (NotUp("the peer is silent"), ErrorCode.FAILED, "the peer is silent", None),
    "later": (NotNow("not now"), ErrorCode.FAILED, "not now", None),
    "a backup": (BackupError("wrong password"), ErrorCode.FAILED, "wrong password", None),
    "a port": (StartFailed("the port is taken"), ErrorCode.FAILED, "the port is taken", None),
    "the kernel": (KernelError("add SA", 1, "no"), ErrorCode.FAILED, str(KernelError("add SA", 1, "no")), None),
    "the CA": (PkiError(Reason.MISSING, "the CA"), ErrorCode.FAILED, str(PkiError(Reason.MISSING, "the CA")), None),
    "the disk": (
        OSError(28, "No space left on device", "/etc/x"),
        ErrorCode.FAILED,
        "/etc/x: No space left on device; make room, and try again",
        None,
    ),
    "itself": (not_found("site", "x" * 99), ErrorCode.NOT_FOUND, f"there is no site '{'x' * 40}'", None),
}


def method(fault: Exception | None = None, ready: bool = True) -> tuple[Method, asyncio.Event]:
    """`site.down` that raises this, or answers its parameters."""

    async def served(name: str) -> object:
        if fault:
            raise fault
        return name

    event = asyncio.Event()
    if ready:
        event.set()
    return table({"site.down": served}, event)["site.down"], event


@pytest.mark.parametrize(("fault", "code", "message", "data"), RAISED.values(), ids=RAISED)
async def test_what_goes_wrong_has_its_code(fault: Exception, code: ErrorCode, message: str, data: object) -> None:
    call, _ = method(fault)
    with pytest.raises(RpcError) as refusal:
        await call({"name": "office"})
    assert (refusal.value.code, refusal.value.message, refusal.value.data) == (code, message, data)


async def test_faults_are_nobodys_answer() -> None:
    call, _ = method(RuntimeError("a fault of ours"))
    with pytest.raises(RuntimeError):
        await call({"name": "office"})


async def test_parameters_are_checked_first() -> None:
    call, _ = method(ready=False)
    with pytest.raises(RpcError, match=r"site\.down: name is missing; allowed: a text"):
        await call({})


async def test_calls_wait_until_all_is_ready() -> None:
    call, ready = method(ready=False)
    waiting = asyncio.ensure_future(call({"name": "office"}))
    await asyncio.sleep(0)
    assert not waiting.done()
    ready.set()
    assert await waiting == "office"
