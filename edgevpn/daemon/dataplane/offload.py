"""Who works for an SA: the network card where it can, an engine of the crypto API, else the CPU; and why not more.

What is asked for is tried, read back, and believed only then. Nothing here fails for want of hardware.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from ipaddress import ip_network

from edgevpn.config.services import Offload as Wish
from edgevpn.frozen import dataclass, replace
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound
from edgevpn.kernel.spec import (
    Aead,
    Direction,
    IpAddress,
    Offload,
    PolicyKey,
    PolicySpec,
    SaKey,
    SaSpec,
    Selector,
    Template,
    UdpEncap,
)

KINDS = 64
"""Of carriers that are kept for the next SA."""
TRIAL_PRIORITY = 30_000
"""Of a policy that is there to see whether a card takes it: no packet finds it before all others."""


class By(Enum):
    """What does the work."""

    CPU = "cpu"
    DRIVER = "driver"  # an engine beside the CPU, through the crypto API
    CRYPTO = "crypto"  # the network card ciphers
    PACKET = "packet"  # the network card wraps whole packets


@dataclass(frozen=True, slots=True)
class Carrier:
    """Who works for an SA: `name` is the card or the driver. `why` says what kept a card from it, "" if nothing did."""

    by: By = By.CPU
    name: str = ""
    why: str = ""

    @property
    def by_card(self) -> bool:
        """Whether a network card does it."""
        return self.by in (By.CRYPTO, By.PACKET)

    @property
    def wraps(self) -> str:
        """The card that wraps whole packets; "" if none does."""
        return self.name if self.by is By.PACKET else ""

    def __str__(self) -> str:
        match self.by:
            case By.CPU:
                return "cpu"
            case By.DRIVER:
                return f"driver {self.name}"
        return f"{self.by.value}({self.name})"


BY_CPU = Carrier()


UNASKED = Carrier(why="nobody has asked yet")
"""The CPU has it, and `asked` is to find out whether anybody else could."""


class Offloader:
    """Adds and moves SAs, each with the best that works for it. Every call may raise KernelError.

    Packets wait for them, or are lost. So where no card could cipher the last time, the SA comes first, and its owner
    asks afterwards whether one can by now.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._without_card = False

    def add(self, spec: SaSpec, direction: Direction, wish: Wish) -> Carrier:
        """Add an SA; says who works for it, or that this is still to be `asked`."""
        if self._without_card:
            self._kernel.add_sa(spec)
            return UNASKED
        why = ""
        for attempt in self._attempts(spec, direction, wish):
            if isinstance(attempt, str):
                why = attempt
                continue
            try:
                self._kernel.add_sa(replace(spec, offload=attempt))
            except AlreadyExists:
                raise
            except KernelError as refusal:
                why = refusal.detail
            else:
                return self._read_back(spec.key, attempt)
        self._kernel.add_sa(spec)
        return self._of_cpu(spec, why)

    def move(
        self,
        key: SaKey,
        source: IpAddress,
        destination: IpAddress,
        encapsulation: UdpEncap | None,
        direction: Direction,
        wish: Wish,
    ) -> tuple[SaKey, Carrier]:
        """Move an SA to other addresses; who works for it is found out anew, or still to be `asked`."""
        if self._without_card:
            return self._kernel.move_sa(key, source, destination, encapsulation), UNASKED
        spec = self._kernel.get_sa(key).spec
        there = replace(spec, source=source, destination=destination, encapsulation=encapsulation)
        why = ""
        for attempt in self._attempts(there, direction, wish):
            if isinstance(attempt, str):
                why = attempt
                continue
            try:
                moved = self._kernel.move_sa(key, source, destination, encapsulation, attempt)
            except (AlreadyExists, NotFound):
                raise
            except KernelError as refusal:
                why = refusal.detail
            else:
                return moved, self._read_back(moved, attempt)
        moved = self._kernel.move_sa(key, source, destination, encapsulation)
        return moved, self._of_cpu(there, why)

    def asked(self, spec: SaSpec, direction: Direction, wish: Wish) -> Carrier:
        """Who works for an SA that the CPU has: a card may have learnt it since it was last asked, and gets it then."""
        why = ""
        for attempt in self._attempts(spec, direction, wish):
            if not isinstance(attempt, str):
                _, carrier = self.move(spec.key, spec.source, spec.destination, spec.encapsulation, direction, wish)
                return carrier
            why = attempt
        return self._of_cpu(spec, why)

    # --- below ---

    def _attempts(self, spec: SaSpec, direction: Direction, wish: Wish) -> Iterator[Offload | str]:
        """What is worth a try, the best first, and what is not, as a reason."""
        if wish is Wish.OFF:
            yield "offload is off"
            return
        here, there = (spec.destination, spec.source) if direction is Direction.IN else (spec.source, spec.destination)
        try:
            device = self._kernel.path_to(there, here).interface
            features = self._kernel.device_features(device)
        except KernelError as error:
            yield error.detail
            return
        self._without_card = not features.esp
        if not features.esp:
            able = "has esp-hw-offload switched off" if features.able else "has no esp-hw-offload"
            yield f"{device} {able}"
            return
        if wish is Wish.PACKET:
            offload = Offload(device, direction, packet=True)
            yield self._objection(offload, spec) or offload
        if spec.encapsulation is not None:
            yield f"{device} cannot cipher ESP in UDP, as a NAT needs it"
            return
        yield Offload(device, direction)

    def _objection(self, offload: Offload, spec: SaSpec) -> str:
        """Why a card takes no policies, which whole packets need; "" if it does. Leaves nothing behind."""
        selector = Selector(ip_network(spec.source), ip_network(spec.destination))
        policy = PolicySpec(
            key=PolicyKey(selector, offload.direction, spec.if_id),
            priority=TRIAL_PRIORITY,
            templates=(Template(spec.source, spec.destination, spec.reqid, spec.mode),),
            offload=offload.interface,
        )
        try:
            self._kernel.add_policy(policy)
        except KernelError as refusal:
            return refusal.detail
        self._kernel.delete_policy(policy.key)
        return ""

    def _read_back(self, key: SaKey, asked: Offload) -> Carrier:
        """What the kernel made of it: one without this feature takes the wish and does nothing about it."""
        spec = self._kernel.get_sa(key).spec
        if spec.offload is None:
            return self._of_cpu(spec, f"the kernel took it and does not use {asked.interface}")
        return Carrier(By.PACKET if spec.offload.packet else By.CRYPTO, spec.offload.interface)

    def _of_cpu(self, spec: SaSpec, why: str) -> Carrier:
        driver = self._kernel.crypto_driver(algorithm_of(spec))
        if driver is not None and driver.accelerator:
            return _carrier(By.DRIVER, driver.name, why)
        return _carrier(By.CPU, "", why)


@lru_cache(KINDS)
def _carrier(by: By, name: str, why: str) -> Carrier:
    """Thousands of SAs have the same."""
    return Carrier(by, name, why)


def algorithm_of(spec: SaSpec) -> str:
    """What the crypto API calls the algorithms of an SA."""
    if isinstance(spec.cipher, Aead) or spec.integrity is None:
        return spec.cipher.name
    form = "authencesn" if spec.esn else "authenc"
    return f"{form}({spec.integrity.name},{spec.cipher.name})"


def reason(carriers: tuple[Carrier, Carrier]) -> str:
    """What kept a card from either direction; "" if nothing did."""
    inward, outward = (carrier.why for carrier in carriers)
    if inward == outward:
        return inward
    return "; ".join(f"{way}: {why}" for way, why in (("in", inward), ("out", outward)) if why)


def for_card(policies: tuple[PolicySpec, ...], carrier: Carrier) -> tuple[PolicySpec, ...]:
    """Policies whose SA wraps whole packets are the card's too."""
    if not carrier.wraps:
        return policies
    return tuple(replace(policy, offload=carrier.wraps) for policy in policies)
