"""What SAs and policies have in common, as XFRM puts it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, TypeAlias

from edgevpn.kernel.interfaces import interface_index, interface_name
from edgevpn.kernel.spec import (
    Direction,
    IpAddress,
    IpNetwork,
    Limits,
    Mark,
    Offload,
    PortMask,
    Selector,
    UdpEncap,
)
from edgevpn.kernel.xfrm_wire import UDP_ENCAP_ESPINUDP, XFRM_INF, XFRM_OFFLOAD_INBOUND, XFRM_OFFLOAD_PACKET

Values: TypeAlias = Mapping[str, Any]
Attributes: TypeAlias = list[tuple[str, Any]]


def family(address: IpAddress) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def read_address(octets: bytes, address_family: int) -> IpAddress:
    """xfrm_address_t. Raises ValueError for a family that is neither."""
    if address_family == socket.AF_INET:
        return IPv4Address(octets[:4])
    if address_family == socket.AF_INET6:
        return IPv6Address(octets)
    raise ValueError(f"address family {address_family}")


def any_network(address_family: int) -> IpNetwork:
    return IPv4Network((0, 0)) if address_family == socket.AF_INET else IPv6Network((0, 0))


def selector_values(selector: Selector | None) -> dict[str, Any]:
    """A member `sel`, struct xfrm_selector."""
    if selector is None:
        return {}
    return {
        "sel_daddr": selector.destination.network_address.packed,
        "sel_saddr": selector.source.network_address.packed,
        **port_values("sel_dport", selector.destination_port),
        **port_values("sel_sport", selector.source_port),
        "sel_family": family(selector.destination.network_address),
        "sel_prefixlen_d": selector.destination.prefixlen,
        "sel_prefixlen_s": selector.source.prefixlen,
        "sel_proto": selector.protocol,
    }


def port_values(name: str, ports: PortMask | None) -> dict[str, bytes]:
    if ports is None:
        return {}
    return {name: ports.port.to_bytes(2, "big"), f"{name}_mask": ports.mask.to_bytes(2, "big")}


def read_selector(values: Values, prefix: str) -> Selector:
    address_family = values[prefix + "family"]
    return Selector(
        read_network(values[prefix + "saddr"], values[prefix + "prefixlen_s"], address_family),
        read_network(values[prefix + "daddr"], values[prefix + "prefixlen_d"], address_family),
        values[prefix + "proto"],
        read_ports(values, prefix + "sport"),
        read_ports(values, prefix + "dport"),
    )


def read_network(octets: bytes, prefix_length: int, address_family: int) -> IpNetwork:
    if address_family == socket.AF_INET:
        return IPv4Network((octets[:4], prefix_length), strict=False)
    return IPv6Network((octets, prefix_length), strict=False)


def read_ports(values: Values, name: str) -> PortMask | None:
    mask = int.from_bytes(values[f"{name}_mask"], "big")
    return PortMask(int.from_bytes(values[name], "big"), mask) if mask else None


def limit_values(limits: Limits, prefix: str) -> dict[str, int]:
    return {
        f"{prefix}_byte_limit": XFRM_INF if limits.octets is None else limits.octets,
        f"{prefix}_packet_limit": XFRM_INF if limits.packets is None else limits.packets,
        f"{prefix}_add_expires_seconds": limits.seconds or 0,
    }


def read_limits(info: Values, prefix: str) -> Limits:
    octets, packets = info[f"{prefix}_byte_limit"], info[f"{prefix}_packet_limit"]
    return Limits(
        None if octets == XFRM_INF else octets,
        None if packets == XFRM_INF else packets,
        info[f"{prefix}_add_expires_seconds"] or None,
    )


def tag_attributes(if_id: int, mark: Mark | None) -> Attributes:
    attributes: Attributes = [("XFRMA_IF_ID", if_id)] if if_id else []
    if mark is not None:
        attributes.append(("XFRMA_MARK", {"v": mark.value, "m": mark.mask}))
    return attributes


def read_mark(attributes: Values) -> Mark | None:
    mark = attributes.get("XFRMA_MARK")
    return None if mark is None else Mark(mark["v"], mark["m"])


def encapsulation_attributes(encapsulation: UdpEncap | None) -> Attributes:
    if encapsulation is None:
        return []
    values = {
        "encap_type": UDP_ENCAP_ESPINUDP,
        "encap_sport": encapsulation.source_port.to_bytes(2, "big"),
        "encap_dport": encapsulation.destination_port.to_bytes(2, "big"),
    }
    return [("XFRMA_ENCAP", values)]


def read_encapsulation(attributes: Values) -> UdpEncap | None:
    encap = attributes.get("XFRMA_ENCAP")
    if encap is None:
        return None
    return UdpEncap(int.from_bytes(encap["encap_sport"], "big"), int.from_bytes(encap["encap_dport"], "big"))


def offload_attributes(offload: Offload | None) -> Attributes:
    """Raises NetlinkError, ENODEV, where there is no such interface."""
    if offload is None:
        return []
    flags = XFRM_OFFLOAD_INBOUND if offload.direction is Direction.IN else 0
    flags |= XFRM_OFFLOAD_PACKET if offload.packet else 0
    return [("XFRMA_OFFLOAD_DEV", {"ifindex": interface_index(offload.interface), "flags": flags})]


def read_offload(attributes: Values) -> Offload | None:
    offload = attributes.get("XFRMA_OFFLOAD_DEV")
    if offload is None:
        return None
    direction = Direction.IN if offload["flags"] & XFRM_OFFLOAD_INBOUND else Direction.OUT
    return Offload(interface_name(offload["ifindex"]), direction, bool(offload["flags"] & XFRM_OFFLOAD_PACKET))
