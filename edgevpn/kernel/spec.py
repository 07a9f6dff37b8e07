"""What the kernel is asked to hold of IPsec: SAs and policies, as plain values.

Addresses are those of `ipaddress`. SPIs are numbers, as ip(8) shows them. Algorithm names are the kernel's. Keys are
kept out of every `repr`.
"""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Self, TypeAlias

from edgevpn.frozen import dataclass, replace

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network

# Our own choices. What bears one of these is ours to reconcile and to remove; nothing else is.
OURS_REQID = range(0x6576_0000, 0x6577_0000)
OURS_IF_ID = range(0x6576_0000, 0x6577_0000)

# RFC 4303 §2.1: 0 is for local use, 1 to 255 are reserved.
SPI_RANGE = range(0x100, 0x1_0000_0000)

# XFRMA_REPLAY_ESN_MAX octets of bitmap, counted as the kernel counts them.
MAX_REPLAY_WINDOW = 4096


class Open(IntEnum):
    """Numbers of which kernels to come may have more: an unknown one is kept."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or not 0 <= value <= 0xFF:
            return None
        member = int.__new__(cls, value)
        member._name_, member._value_ = f"UNKNOWN_{value}", value
        return member


class Protocol(Open):
    """What a template may ask for, by IP protocol number; ours are all ESP."""

    ROUTING = 43
    ESP = 50
    AH = 51
    DSTOPTS = 60
    IPCOMP = 108
    ANY = 255


class Mode(Open):
    """XFRM_MODE_*; ours are transport and tunnel."""

    TRANSPORT = 0
    TUNNEL = 1
    ROUTE_OPTIMIZATION = 2
    IN_TRIGGER = 3
    BEET = 4
    IPTFS = 5


class Direction(IntEnum):
    """XFRM_POLICY_*: where in the packet's way a policy or an SA stands."""

    IN = 0
    OUT = 1
    FWD = 2


class Action(Open):
    """XFRM_POLICY_ALLOW, XFRM_POLICY_BLOCK: what happens to packets that a policy selects."""

    ALLOW = 0
    BLOCK = 1


class SaFlag(IntFlag):
    """XFRM_STATE_*, and from bit 8 up XFRM_SA_XFLAG_*; ESN is `SaSpec.esn`."""

    NO_ECN = 1
    DECAP_DSCP = 2
    NO_PMTU_DISCOVERY = 4
    WILDCARD_RECEIVE = 8
    ICMP = 16
    AF_UNSPEC = 32
    DONT_ENCAP_DSCP = 1 << 8
    SEQUENCE_MAY_WRAP = 2 << 8


NO_SA_FLAGS = SaFlag(0)


@dataclass(frozen=True, slots=True)
class Aead:
    """A combined-mode algorithm. `key` includes the salt; `icv_bits` is the length of the ICV."""

    name: str
    key: bytes = field(repr=False)
    icv_bits: int


@dataclass(frozen=True, slots=True)
class Encryption:
    """An encryption algorithm without integrity; `key` includes the nonce of rfc3686(ctr(aes))."""

    name: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Integrity:
    """An integrity algorithm whose output is cut to `truncation_bits`."""

    name: str
    key: bytes = field(repr=False)
    truncation_bits: int


@dataclass(frozen=True, slots=True)
class UdpEncap:
    """ESP in UDP (RFC 3948), the ports seen from the sender of the SA's packets."""

    source_port: int
    destination_port: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Matches packets whose mark, under `mask`, is `value`."""

    value: int
    mask: int = 0xFFFF_FFFF


# Our own choice: what our packets to peers bear, IKE as well as ESP, so that they are not led into a tunnel. Beside it
# lie the bits of mwan3 (0x3f00) and of pbr (0xff0000); a program that marks packets may use all bits but these.
OURS_MARK = Mark(0x6500_0000, 0xFF00_0000)


@dataclass(frozen=True, slots=True)
class Offload:
    """The interface whose hardware shall work for an SA: cryptography only, or the whole packet."""

    interface: str
    direction: Direction
    packet: bool = False


@dataclass(frozen=True, slots=True)
class DeviceFeatures:
    """What a network device does for ESP: the cipher, checksums inside it. `able`: it could, were it switched on."""

    esp: bool = False
    checksum: bool = False
    able: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Octets, packets, seconds since the SA was added; None where there is no limit."""

    octets: int | None = None
    packets: int | None = None
    seconds: int | None = None


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class PortMask:
    """Ports that, under `mask`, are `port`. Selects ICMP too: type as source, code as destination."""

    port: int
    mask: int = 0xFFFF


@dataclass(frozen=True, slots=True)
class Selector:
    """Packets by address, protocol (0: any) and port (None: any)."""

    source: IpNetwork
    destination: IpNetwork
    protocol: int = 0
    source_port: PortMask | None = None
    destination_port: PortMask | None = None

    def __post_init__(self) -> None:
        if self.source.version != self.destination.version:
            raise ValueError(f"selector with two address families: {self.source}, {self.destination}")

    def __hash__(self) -> int:
        """By what nearly always differs: policies are looked up often, and the hash of a network takes long."""
        return hash((int(self.source.network_address), int(self.destination.network_address), self.protocol))

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination}" + (f" protocol {self.protocol}" if self.protocol else "")


@dataclass(frozen=True, slots=True)
class Sequence:
    """Where an SA stands: last number sent, highest number received, and which before it were seen.

    `bitmap` is in the kernel's own order and good for an SA with the same replay window only.
    """

    sent: int = 0
    received: int = 0
    bitmap: bytes = b""


@dataclass(frozen=True, slots=True)
class SaKey:
    """What the kernel finds an SA by."""

    destination: IpAddress
    spi: int
    protocol: Protocol = Protocol.ESP
    mark: Mark | None = None

    def __hash__(self) -> int:
        """An SPI is chosen by chance: it alone nearly always differs."""
        return self.spi

    def __str__(self) -> str:
        return f"SA {self.spi:08x} to {self.destination}"


@dataclass(frozen=True, slots=True)
class Tags:
    """What an SA or an allocated SPI is known by as ours, or not."""

    reqid: int
    if_id: int

    @property
    def ours(self) -> bool:
        """Whether it bears one of our tags."""
        return self.reqid in OURS_REQID or self.if_id in OURS_IF_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class SaSpec:
    """One SA, one direction.

    `replay_window` in packets, 0 for none. `sequence` makes it continue where another stood. `selector` None selects
    every packet. `mapping_interval`: seconds between two `SaMappingChanged`, 0 for one with every packet.
    Raises ValueError where fields contradict each other.
    """

    source: IpAddress
    destination: IpAddress
    spi: int
    reqid: int
    cipher: Aead | Encryption
    integrity: Integrity | None = None
    protocol: Protocol = Protocol.ESP
    mode: Mode = Mode.TUNNEL
    if_id: int = 0
    replay_window: int = 64
    esn: bool = False
    encapsulation: UdpEncap | None = None
    selector: Selector | None = None
    soft: Limits = UNLIMITED
    hard: Limits = UNLIMITED
    mark: Mark | None = None
    output_mark: Mark | None = None
    offload: Offload | None = None
    flags: SaFlag = NO_SA_FLAGS
    mapping_interval: int = 0
    sequence: Sequence | None = None

    def __post_init__(self) -> None:
        if self.source.version != self.destination.version:
            raise ValueError(f"SA with two address families: {self.source}, {self.destination}")
        if self.spi not in SPI_RANGE:
            raise ValueError(f"SPI {self.spi} is out of range")
        if not 0 <= self.replay_window <= MAX_REPLAY_WINDOW:
            raise ValueError(f"replay window of {self.replay_window} packets")
        if isinstance(self.cipher, Aead) and self.integrity is not None:
            raise ValueError(f"{self.cipher.name} brings its own integrity")

    def __str__(self) -> str:
        return str(self.key)

    @property
    def key(self) -> SaKey:
        """What the kernel will find it by."""
        return SaKey(self.destination, self.spi, self.protocol, self.mark)

    @property
    def ours(self) -> bool:
        """Whether it bears one of our tags."""
        return self.reqid in OURS_REQID or self.if_id in OURS_IF_ID

    def without_keys(self) -> Self:
        """As it is read back from the kernel: no keys, and no sequence numbers to start from."""
        integrity = None if self.integrity is None else replace(self.integrity, key=b"")
        return replace(self, cipher=replace(self.cipher, key=b""), integrity=integrity, sequence=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaState:
    """An SA as the kernel has it.

    `spec` is without keys, and its `offload` is what is in effect, not what was asked for. Times are in seconds since
    1970, None for never; kernels before 6.2 do not say when an inbound SA was last used. `late`, `replayed` and
    `forged` count inbound packets dropped because they were older than the replay window, had been received before, or
    had a wrong ICV.
    """

    spec: SaSpec
    octets: int = 0
    packets: int = 0
    added_at: int = 0
    first_used_at: int | None = None
    last_used_at: int | None = None
    sequence: Sequence = Sequence()
    late: int = 0
    replayed: int = 0
    forged: int = 0


@dataclass(frozen=True, slots=True)
class SaCounts:
    """What an SA has counted; `last_used_at` in seconds since 1970, None for never. `forged`: as of `SaState`."""

    octets: int = 0
    packets: int = 0
    last_used_at: int | None = None
    forged: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """The SA that a policy asks for. `optional`: packets may pass without it where there is none."""

    source: IpAddress
    destination: IpAddress
    reqid: int
    mode: Mode = Mode.TUNNEL
    protocol: Protocol = Protocol.ESP
    optional: bool = False
    spi: int = 0


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """What the kernel finds a policy by."""

    selector: Selector
    direction: Direction
    if_id: int = 0
    mark: Mark | None = None

    def __hash__(self) -> int:
        """See `Selector`."""
        return hash(self.selector) + self.direction

    def __str__(self) -> str:
        return f"policy {self.direction.name.lower()} {self.selector}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """What happens to the packets of a selector in one direction; the lowest `priority` wins.

    `offload`: the interface that applies the policy in hardware, for SAs with `Offload.packet`.
    """

    key: PolicyKey
    priority: int
    templates: tuple[Template, ...] = ()
    action: Action = Action.ALLOW
    offload: str | None = None

    def __str__(self) -> str:
        return str(self.key)

    @property
    def selector(self) -> Selector:
        """The packets that it is about."""
        return self.key.selector

    @property
    def direction(self) -> Direction:
        """Where they are on their way."""
        return self.key.direction

    @property
    def ours(self) -> bool:
        """Whether it bears one of our tags."""
        return self.key.if_id in OURS_IF_ID or any(template.reqid in OURS_REQID for template in self.templates)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """A policy as the kernel has it. Times are in seconds since 1970, None for never."""

    spec: PolicySpec
    index: int
    octets: int = 0
    packets: int = 0
    added_at: int = 0
    first_used_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """New outer addresses for a policy and for the SAs that its template asks for (XFRM_MSG_MIGRATE)."""

    policy: PolicyKey
    template: Template
    source: IpAddress
    destination: IpAddress
    encapsulation: UdpEncap | None = None
