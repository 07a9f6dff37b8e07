"""SAs and policies to test with, and a kernel that lives in a namespace of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from hypothesis import strategies as st

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.spec import (
    MAX_REPLAY_WINDOW,
    OURS_IF_ID,
    OURS_REQID,
    SPI_RANGE,
    Action,
    Aead,
    Direction,
    Encryption,
    Integrity,
    IpNetwork,
    Limits,
    Mark,
    Mode,
    PolicyKey,
    PolicySpec,
    PortMask,
    Protocol,
    SaFlag,
    SaSpec,
    Selector,
    Sequence,
    Template,
    UdpEncap,
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
SELECTOR = Selector(ip_network("10.1.0.0/24"), ip_network("10.2.0.0/16"))
POLICY = PolicySpec(key=PolicyKey(SELECTOR, Direction.OUT, IF_ID), priority=1000, templates=(TEMPLATE,))


def sa(spi: int = OUT.spi, **changes: Any) -> SaSpec:
    """`OUT`, but for its SPI and other changes."""
    return replace(OUT, spi=spi, **changes)


IN_KEY = frozenset(field.name for field in fields(PolicyKey))


def policy(**changes: Any) -> PolicySpec:
    """`POLICY`, but for changes, of its key or besides."""
    key = replace(POLICY.key, **{name: changes.pop(name) for name in IN_KEY & changes.keys()})
    return replace(POLICY, key=key, **changes)


U32 = st.integers(0, 0xFFFF_FFFF)
U64 = st.integers(0, (1 << 64) - 2)
Version: TypeAlias = Literal[4, 6]
FOUR: Version = 4
SIX: Version = 6
VERSIONS = st.sampled_from([FOUR, SIX])


def networks(version: Version) -> st.SearchStrategy[IpNetwork]:
    return st.builds(
        lambda address, length: ip_network((address, length), strict=False),
        st.ip_addresses(v=version).map(lambda address: address.packed),
        st.integers(0, 32 if version == 4 else 128),
    )


def ports() -> st.SearchStrategy[PortMask | None]:
    return st.none() | st.builds(PortMask, st.integers(0, 0xFFFF), st.integers(1, 0xFFFF))


@st.composite
def selectors(draw: st.DrawFn) -> Selector:
    version = draw(VERSIONS)
    sides = draw(networks(version)), draw(networks(version))
    return Selector(*sides, draw(st.integers(0, 255)), draw(ports()), draw(ports()))


def limits() -> st.SearchStrategy[Limits]:
    return st.builds(Limits, st.none() | U64, st.none() | U64, st.none() | st.integers(1, (1 << 64) - 1))


def marks() -> st.SearchStrategy[Mark | None]:
    return st.none() | st.builds(Mark, U32, U32)


CIPHERS: st.SearchStrategy[Aead | Encryption] = st.sampled_from(
    [GCM, Aead("rfc4309(ccm(aes))", bytes(19), 64), Encryption("cbc(aes)", bytes(16))]
)
INTEGRITIES = st.none() | st.just(Integrity("hmac(sha256)", bytes(32), 128))


@st.composite
def sequences(draw: st.DrawFn, window: int, esn: bool) -> Sequence:
    """Where an SA with this replay window can stand."""
    high = (1 << 64) - 1 if esn else 0xFFFF_FFFF
    sent, received = draw(st.integers(0, high)), draw(st.integers(0, high))
    width = 4 if window <= 32 and not esn else 4 * -(-window // 32)
    return Sequence(sent, received, draw(st.binary(min_size=width, max_size=width)))


@st.composite
def sas(draw: st.DrawFn) -> SaSpec:
    """Every SA that can be; without offload, which needs an interface."""
    version = draw(VERSIONS)
    cipher = draw(CIPHERS)
    window, esn = draw(st.integers(0, MAX_REPLAY_WINDOW)), draw(st.booleans())
    return SaSpec(
        source=draw(st.ip_addresses(v=version)),
        destination=draw(st.ip_addresses(v=version)),
        spi=draw(st.integers(SPI_RANGE.start, SPI_RANGE.stop - 1)),
        reqid=draw(U32),
        cipher=cipher,
        integrity=draw(INTEGRITIES) if isinstance(cipher, Encryption) else None,
        mode=draw(st.sampled_from([Mode.TUNNEL, Mode.TRANSPORT, Mode.BEET])),
        if_id=draw(U32),
        replay_window=window,
        esn=esn,
        encapsulation=draw(st.none() | st.builds(UdpEncap, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))),
        soft=draw(limits()),
        hard=draw(limits()),
        mark=draw(marks()),
        output_mark=draw(marks()),
        flags=SaFlag(draw(st.sampled_from([0, 0x7F, 0x101, 0x300]))),
        mapping_interval=draw(U32),
        sequence=draw(sequences(window, esn)),
    )


@st.composite
def policies(draw: st.DrawFn) -> PolicySpec:
    """Every policy that can be; without offload, which needs an interface."""
    return PolicySpec(
        key=PolicyKey(draw(selectors()), draw(st.sampled_from(Direction)), draw(U32), draw(marks())),
        priority=draw(U32),
        templates=tuple(draw(st.lists(templates(), max_size=4))),
        action=draw(st.sampled_from(Action)),
    )


@st.composite
def templates(draw: st.DrawFn) -> Template:
    version = draw(VERSIONS)
    return Template(
        draw(st.ip_addresses(v=version)),
        draw(st.ip_addresses(v=version)),
        draw(U32),
        draw(st.sampled_from(Mode)),
        draw(st.sampled_from(Protocol)),
        draw(st.booleans()),
        draw(U32),
    )


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
