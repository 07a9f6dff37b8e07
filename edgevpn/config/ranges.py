"""Networks, and runs of addresses that can be given to devices: a network of their own, or a part of one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from edgevpn.config.errors import Refused
from edgevpn.frozen import dataclass

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class AddressRange:
    """The addresses from `first` to `last`; of a `subnet`, those that one host can have."""

    first: Address
    last: Address
    subnet: Network | None = None

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.first.version

    @property
    def bounds(self) -> tuple[int, int]:
        """The first and last address as numbers; those of the whole subnet where there is one."""
        if self.subnet is None:
            return int(self.first), int(self.last)
        return int(self.subnet.network_address), int(self.subnet.broadcast_address)

    @property
    def size(self) -> int:
        """How many addresses can be given away."""
        return int(self.last) - int(self.first) + 1

    def __contains__(self, address: Address) -> bool:
        return address.version == self.version and int(self.first) <= int(address) <= int(self.last)

    def __str__(self) -> str:
        if self.subnet is not None:
            return str(self.subnet)
        return f"{self.first}-{self.last}" if self.first != self.last else str(self.first)


def address_range(text: str) -> AddressRange:
    """Read "10.9.0.0/24", "10.9.0.10-10.9.0.99" or one address. Raises Refused."""
    if "/" in text:
        return _subnet(network(text))
    first, dash, last = (part.strip() for part in text.partition("-"))
    low, high = _address(first), _address(last if dash else first)
    if low.version != high.version:
        raise Refused("begins with one IP version and ends with the other")
    if int(low) > int(high):
        raise Refused("ends before it begins", f'did you mean "{high}-{low}"?')
    return AddressRange(low, high)


def network(text: str) -> Network:
    """Read "10.9.0.0/24" or one address. Raises Refused."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        whole = ip_network(text, strict=False)
    except ValueError:
        raise Refused("is not a network") from None
    raise Refused("has bits set behind its prefix", f'did you mean "{whole}"?')


def _subnet(subnet: Network) -> AddressRange:
    first, last = subnet.network_address, subnet.broadcast_address
    if subnet.num_addresses > 2:  # RFC 3021 and RFC 6164: of two addresses both are hosts
        first += 1
        last -= 1 if subnet.version == 4 else 0
    return AddressRange(first, last, subnet)


def _address(text: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise Refused("is neither a range of addresses nor a network") from None
    if address.version == 6 and address.scope_id:
        raise Refused("has a zone index")
    return address
