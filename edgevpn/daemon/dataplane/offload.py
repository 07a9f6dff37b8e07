"""Who works for an SA: the network card where it can, an engine of the crypto API, else the CPU; and why not more.

What is asked for is tried, read back, and believed only then. Nothing here fails for want of hardware.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import cached_property, lru_cache
from ipaddress import ip_network

from edgevpn.config.services import Offload as Wish
from edgevpn.frozen import dataclass, replace
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound
from edgevpn.kernel.network_spec import Path
from edgevpn.kernel.spec import (
    Aead,
    DeviceFeatures,
    Direction,
    IpAddress,
    Offload,
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

    def __str__(self) -> str:
        match self.by:
            case By.CPU:
                return "cpu"
            case By.DRIVER:
                return f"driver {self.name}"
        return f"{self.by.value}({self.name})"


BY_CPU = Carrier()


class Way:
    """How packets of ours leave from one address to another; the kernel is asked once, and may raise KernelError."""

    def __init__(self, kernel: Kernel, here: IpAddress, there: IpAddress) -> None:
        self._kernel = kernel
        self.ends = here, there

    @cached_property
    def path(self) -> Path:
        """By which interface, and how long packets may be there."""
        here, there = self.ends
        return self._kernel.path_to(there, here)

    @cached_property
    def features(self) -> DeviceFeatures:
        """What that interface does for ESP."""
        return self._kernel.device_features(self.path.interface)


class Offloader:
    """Adds and moves SAs, each with the best that works for it, on the way that it takes. May raise KernelError."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def add(self, spec: SaSpec, direction: Direction, wish: Wish, way: Way) -> Carrier:
        """Add an SA; says who works for it."""
        why = ""
        for attempt in self._attempts(spec, direction, wish, way):
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
        encapsulation: UdpEncap | None,
        direction: Direction,
        wish: Wish,
        way: Way,
    ) -> tuple[SaKey, Carrier]:
        """Move an SA to other addresses; who works for it is found out anew."""
        here, there = way.ends
        source, destination = (here, there) if direction is Direction.OUT else (there, here)
        spec = self._kernel.get_sa(key).spec
        moving = replace(spec, source=source, destination=destination, encapsulation=encapsulation)
        why = ""
        for attempt in self._attempts(moving, direction, wish, way):
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
        return moved, self._of_cpu(moving, why)

    # --- below ---

    def _attempts(self, spec: SaSpec, direction: Direction, wish: Wish, way: Way) -> Iterator[Offload | str]:
        """What is worth a try, the best first, and what is not, as a reason."""
        if wish is Wish.OFF:
            yield "offload is off"
            return
        try:
            device, features = way.path.interface, way.features
        except KernelError as error:
            yield error.detail
            return
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
            selector=selector,
            direction=offload.direction,
            priority=TRIAL_PRIORITY,
            templates=(Template(spec.source, spec.destination, spec.reqid, spec.mode),),
            if_id=spec.if_id,
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
    if carrier.by is not By.PACKET:
        return policies
    return tuple(replace(policy, offload=carrier.name) for policy in policies)
