"""Operations in the words of ip(8), for people to read, and to type if they wish."""

from __future__ import annotations

from edgevpn.kernel.network_spec import (
    MAIN_TABLE,
    OURS_ROUTE_PROTOCOL,
    AddressSpec,
    LinkSpec,
    LinkState,
    ProxySpec,
    RouteKind,
    RouteSpec,
    RuleSpec,
)
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from edgevpn.kernel.spec import Action, Mark, PolicyKey, PolicySpec, PortMask, SaKey, SaSpec, Selector, Template

WHOLE = 0xFFFF
ICMP, ICMPV6 = 1, 58


def ip_words(operation: Operation) -> str:
    """One command. An SA's keys are not in it. Raises TypeError for what ip(8) does not do."""
    match operation:
        case Add(SaSpec() as spec) | Update(SaSpec() as spec):
            return f"ip xfrm state {verb(operation)} src {spec.source} {sa_key(spec.key)} reqid {spec.reqid}"
        case Delete(SaKey() as key):
            return f"ip xfrm state delete {sa_key(key)}"
        case Add(PolicySpec() as spec) | Update(PolicySpec() as spec):
            return f"ip xfrm policy {verb(operation)} {policy(spec)}"
        case Delete(PolicyKey() as key):
            return f"ip xfrm policy delete {policy_key(key)}"
        case Add(LinkSpec() as spec):
            return f"ip link add {link(spec)}"
        case Delete(LinkState(name=name)):
            return f"ip link delete dev {name}"
        case SetMtu(state, mtu):
            return f"ip link set dev {state.name} mtu {mtu}"
        case SetUp(state):
            return f"ip link set dev {state.name} up"
        case Add(AddressSpec() as spec) | Delete(AddressSpec() as spec):
            once = " nodad" if isinstance(operation, Add) and spec.address.version == 6 else ""
            return f"{ip(spec.address.version)} address {verb(operation)} {spec.address} dev {spec.interface}{once}"
        case Add(RouteSpec() as spec) | Update(RouteSpec() as spec) | Delete(RouteSpec() as spec):
            return f"{ip(spec.destination.version)} route {verb(operation)} {route(spec)}"
        case Add(RuleSpec() as spec) | Delete(RuleSpec() as spec):
            return f"{ip(spec.version)} rule {verb(operation)} {rule(spec)}"
        case Add(ProxySpec() as spec) | Delete(ProxySpec() as spec):
            place = f"{spec.address} dev {spec.interface} protocol {OURS_ROUTE_PROTOCOL}"
            return f"{ip(spec.address.version)} neighbour {verb(operation)} proxy {place}"
    raise TypeError(f"no words for {operation}")


def verb(operation: Add | Update | Delete) -> str:
    match operation:
        case Add():
            return "add"
        case Delete():
            return "delete"
        case Update(RouteSpec()):
            return "replace"
        case Update():
            return "update"


def ip(version: int) -> str:
    return "ip -6" if version == 6 else "ip"


def link(spec: LinkSpec) -> str:
    mtu = "" if spec.mtu is None else f" mtu {spec.mtu}"
    underlying = "" if spec.underlying is None else f" dev {spec.underlying}"
    return f"{spec.name}{mtu} up type xfrm{underlying} if_id {spec.if_id:#x}"


def route(spec: RouteSpec) -> str:
    words = [
        "" if spec.kind is RouteKind.UNICAST else spec.kind.name.lower(),
        str(spec.destination),
        "" if spec.gateway is None else f"via {spec.gateway}",
        "" if spec.interface is None else f"dev {spec.interface}",
        "" if spec.table == MAIN_TABLE else f"table {spec.table}",
        f"proto {spec.protocol}",
        "" if spec.source is None else f"src {spec.source}",
        f"metric {spec.metric}",
    ]
    return " ".join(filter(None, words))


def rule(spec: RuleSpec) -> str:
    mark = "" if spec.unless is None else f"not fwmark {spec.unless.value:#x}/{spec.unless.mask:#x} "
    table = "main" if spec.table == MAIN_TABLE else spec.table
    suppressed = "" if spec.longer_than is None else f" suppress_prefixlength {spec.longer_than}"
    return f"{mark}lookup {table}{suppressed} priority {spec.priority} protocol {spec.protocol}"


def sa_key(key: SaKey) -> str:
    return f"dst {key.destination} proto {key.protocol.name.lower()} spi {key.spi:#x}{mark(key.mark)}"


def policy(spec: PolicySpec) -> str:
    action = "" if spec.action is Action.ALLOW else f" action {spec.action.name.lower()}"
    offload = "" if spec.offload is None else f" offload packet dev {spec.offload}"
    templates = "".join(f" tmpl {template(each)}" for each in spec.templates)
    return f"{policy_key(spec.key)}{action} priority {spec.priority}{offload}{templates}"


def policy_key(key: PolicyKey) -> str:
    if_id = f" if_id {key.if_id:#x}" if key.if_id else ""
    return f"{selector(key.selector)} dir {key.direction.name.lower()}{mark(key.mark)}{if_id}"


def selector(of: Selector) -> str:
    first, second = ("type", "code") if of.protocol in (ICMP, ICMPV6) else ("sport", "dport")
    protocol = f" proto {of.protocol}" if of.protocol else ""
    ports = port(first, of.source_port) + port(second, of.destination_port)
    return f"src {of.source} dst {of.destination}{protocol}{ports}"


def port(word: str, port: PortMask | None) -> str:
    """ip has no word for masks; where there is one it is shown all the same."""
    if port is None:
        return ""
    return f" {word} {port.port}" + ("" if port.mask == WHOLE else f"/{port.mask:#x}")


def template(of: Template) -> str:
    spi = f" spi {of.spi:#x}" if of.spi else ""
    level = " level use" if of.optional else ""
    ends = f"src {of.source} dst {of.destination} proto {of.protocol.name.lower()}"
    return f"{ends}{spi} reqid {of.reqid} mode {of.mode.name.lower()}{level}"


def mark(of: Mark | None) -> str:
    return "" if of is None else f" mark {of.value:#x} mask {of.mask:#x}"
