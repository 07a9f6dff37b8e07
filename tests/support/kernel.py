"""SAs and policies to test with, and a kernel that lives in a namespace of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, cast

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.spec import (
    OURS_IF_ID,
    OURS_REQID,
    Aead,
    Direction,
    PolicySpec,
    SaSpec,
    Selector,
    Template,
)

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace

HERE, THERE, ELSEWHERE = (ip_address(text) for text in ("192.0.2.1", "198.51.100.2", "203.0.113.3"))
HERE6, THERE6 = ip_address("2001:db8::1"), ip_address("2001:db8::2")
REQID, IF_ID = OURS_REQID[7], OURS_IF_ID[2]

KEY = bytes(range(0x14))
GCM = Aead("rfc4106(gcm(aes))", KEY, 128)

OUT = SaSpec(source=HERE, destination=THERE, spi=0xC0FFEE01, reqid=REQID, cipher=GCM)
TEMPLATE = Template(HERE, THERE, REQID)
POLICY = PolicySpec(
    selector=Selector(ip_network("10.1.0.0/24"), ip_network("10.2.0.0/16")),
    direction=Direction.OUT,
    priority=1000,
    templates=(TEMPLATE,),
    if_id=IF_ID,
)


def sa(spi: int = OUT.spi, **changes: Any) -> SaSpec:
    """`OUT`, but for its SPI and other changes."""
    return replace(OUT, spi=spi, **changes)


def policy(**changes: Any) -> PolicySpec:
    """`POLICY`, but for changes."""
    return replace(POLICY, **changes)


class Inside:
    """An object whose methods are called in a namespace."""

    def __init__(self, namespace: Namespace, made: Callable[[], Any]) -> None:
        self._namespace = namespace
        self._object = namespace.call(made)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._object, name)
        return lambda *args, **kwargs: self._namespace.call(method, *args, **kwargs)


def kernel_in(namespace: Namespace) -> Kernel:
    """The real kernel, in a namespace."""
    from edgevpn.kernel.netlink_kernel import NetlinkKernel

    return cast(Kernel, Inside(namespace, NetlinkKernel))
