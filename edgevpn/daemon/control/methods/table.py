"""Between a line of the control socket and a method: parameters are checked, and what goes wrong gets its code."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edgevpn.api import METHODS, ErrorCode, RpcError
from edgevpn.config.errors import ConfigError, Refused
from edgevpn.daemon.base.options import StartFailed
from edgevpn.daemon.control.parameters import checked
from edgevpn.daemon.control.server import Method, Params
from edgevpn.daemon.keeping.backup import BackupError
from edgevpn.daemon.keeping.configuration import NotNow
from edgevpn.daemon.sites.keeper import NotUp
from edgevpn.kernel.errors import KernelError
from edgevpn.pki.errors import PkiError

Served = Callable[..., Awaitable[object]]
"""Takes a method's parameters by name."""

FAILURES = (NotUp, NotNow, BackupError, StartFailed, KernelError, PkiError)
"""What is said to the user as it stands: each is one sentence."""
NOTHING_CHANGED = "the configuration would be bad; nothing was changed"


def table(methods: Mapping[str, Served], ready: asyncio.Event) -> dict[str, Method]:
    """The methods as the control server takes them; calls wait until all is ready."""
    return {name: _method(name, served, ready) for name, served in methods.items()}


def not_found(noun: str, name: str) -> RpcError:
    """The refusal of a name that nothing has."""
    return RpcError(ErrorCode.NOT_FOUND, f"there is no {noun} {name[:40]!r}")


MENDED_BY = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "; make room, and try again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "; let the user of the daemon write there"),
}
"""What helps against what the disk says."""


@contextmanager
def failing() -> Iterator[None]:
    """Say what went wrong as the protocol does. Raises RpcError."""
    try:
        yield
    except ConfigError as error:
        raise RpcError(ErrorCode.CONFIG_INVALID, NOTHING_CHANGED, [str(each) for each in error.problems]) from error
    except Refused as refusal:
        sentence = "; ".join(filter(None, (refusal.fault, refusal.cure)))
        raise RpcError(ErrorCode.CONFIG_INVALID, sentence, [sentence]) from refusal
    except FAILURES as failure:
        raise RpcError(ErrorCode.FAILED, str(failure)) from failure
    except OSError as error:
        sentence = f"{error.filename or 'a file'}: {error.strerror or error}{MENDED_BY.get(error.errno or 0, '')}"
        raise RpcError(ErrorCode.FAILED, sentence) from error


def _method(name: str, served: Served, ready: asyncio.Event) -> Method:
    spec = METHODS[name]

    async def method(params: Params) -> object:
        given: dict[str, Any] = checked(name, spec, params)
        await ready.wait()
        with failing():
            return await served(**given)

    return method
