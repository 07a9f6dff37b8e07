"""A kernel in memory: it keeps what the real one keeps and refuses what that refuses, and moves no packet."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, TypeVar

from edgevpn.frozen import replace
from edgevpn.kernel import faults
from edgevpn.kernel.contract import Early, Features, Flushed, require_all_ours, require_ours
from edgevpn.kernel.crypto_api import Driver
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.memory_base import can_fail, refuse
from edgevpn.kernel.memory_system import MemorySystem
from edgevpn.kernel.one_by_one import outcome
from edgevpn.kernel.operations import Operation
from edgevpn.kernel.spec import (
    SPI_RANGE,
    Aead,
    DeviceFeatures,
    Encryption,
    Integrity,
    IpAddress,
    Migration,
    Mode,
    Offload,
    PolicyKey,
    PolicySpec,
    PolicyState,
    SaCounts,
    SaKey,
    SaSpec,
    SaState,
    Sequence,
    Tags,
    Template,
    UdpEncap,
)

K = TypeVar("K")
V = TypeVar("V")

# What a kernel with everything has, and how long the keys may be, in octets; any length where none is given.
ALGORITHMS: Mapping[str, frozenset[int]] = {
    "rfc4106(gcm(aes))": frozenset({20, 28, 36}),
    "rfc4309(ccm(aes))": frozenset({19, 27, 35}),
    "rfc4543(gcm(aes))": frozenset({20, 28, 36}),
    "rfc7539esp(chacha20,poly1305)": frozenset({36}),
    "cbc(aes)": frozenset({16, 24, 32}),
    "cbc(camellia)": frozenset({16, 24, 32}),
    "cbc(des3_ede)": frozenset({24}),
    "rfc3686(ctr(aes))": frozenset({20, 28, 36}),
    "ecb(cipher_null)": frozenset({0}),
    "hmac(sha1)": frozenset(),
    "hmac(sha256)": frozenset(),
    "hmac(sha384)": frozenset(),
    "hmac(sha512)": frozenset(),
    "xcbc(aes)": frozenset({16}),
    "cmac(aes)": frozenset({16}),
}
UNUSED = Sequence()
MAX_EARLY = 64  # that were asked for last, for tests to look at
EVERYTHING = Features(esp4=True, esp6=True, xfrm_interface=True, migrate=True)


class MemoryEarly:
    """`contract.Early`: `waiting` is how many packets have come, `received` how many the kernel got in the end."""

    def __init__(self, in_udp: bool) -> None:
        self.in_udp = in_udp
        self.waiting = self.received = 0
        self.closed = False

    def deliver(self) -> int:
        self.received, self.waiting = self.waiting, 0
        self.close()
        return self.received

    def close(self) -> None:
        self.closed = True


class MemoryKernel(MemorySystem):
    """`contract.Kernel` without a kernel. Time does not pass in it: nothing expires and nothing counts by itself.

    `have` and `algorithms` are what it can do, `offloading` the interfaces whose hardware can, `clock` gives seconds
    since 1970.
    """

    def __init__(
        self,
        *,
        have: Features = EVERYTHING,
        algorithms: Mapping[str, frozenset[int]] = ALGORITHMS,
        offloading: frozenset[str] = frozenset(),
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        super().__init__(have)
        self._algorithms = algorithms
        self.offloading = offloading
        self._clock = clock
        self._sas: dict[SaKey, SaState] = {}
        self._allocated: dict[SaKey, Tags] = {}
        self._policies: dict[PolicyKey, PolicyState] = {}
        self._policies_made = 0
        self._last_spi = 0
        self.drivers: dict[str, Driver] = {}
        self.bypassing: list[socket.socket] = []
        self.encapsulating: list[socket.socket] = []
        self.early: dict[SaKey, MemoryEarly] = {}

    # For tests and measurements

    def set_sa(self, key: SaKey, **changes: Any) -> None:
        """Change what an SA has counted: fields of `SaState`. KeyError where there is none."""
        self._sas[key] = replace(self._sas[key], **changes)

    def installed(self, key: SaKey) -> SaSpec:
        """An SA as it was installed, keys included. KeyError where there is none."""
        return self._sas[key].spec

    # SAs

    @can_fail
    def add_sa(self, spec: SaSpec) -> None:
        require_ours(spec)
        self._check("add", spec)
        self._insert("add", spec)

    @can_fail
    def update_sa(self, spec: SaSpec) -> None:
        require_ours(spec)
        self._check("update", spec)
        if self._allocated.pop(spec.key, None) is not None:
            return self._insert("update", spec)
        state = self._find("update", spec.key)
        if (state.spec.encapsulation is None) != (spec.encapsulation is None):
            refuse("update", spec.key, errno.EINVAL, {})
        changed = replace(state.spec, soft=spec.soft, hard=spec.hard, encapsulation=spec.encapsulation)
        self._sas[spec.key] = replace(state, spec=changed)
        return None

    @can_fail
    def delete_sa(self, key: SaKey) -> None:
        if self._allocated.pop(key, None) is None:
            self._find("delete", key)
            del self._sas[key]

    @can_fail
    def get_sa(self, key: SaKey) -> SaState:
        state = self._find("read", key)
        return replace(state, spec=state.spec.without_keys())

    @can_fail
    def list_sas(self) -> tuple[SaState, ...]:
        return tuple(replace(state, spec=state.spec.without_keys()) for state in self._sas.values())

    @can_fail
    def count_sas(self) -> Mapping[SaKey, SaCounts]:
        counted = {
            key: SaCounts(each.octets, each.packets, each.last_used_at, each.forged) for key, each in self._sas.items()
        }
        return dict.fromkeys(self._allocated, SaCounts()) | counted

    @can_fail
    def alloc_spi(
        self,
        source: IpAddress,
        destination: IpAddress,
        reqid: int,
        *,
        if_id: int = 0,
        mode: Mode = Mode.TUNNEL,
        spis: range = SPI_RANGE,
    ) -> int:
        tags = Tags(reqid, if_id)
        require_ours(tags)
        candidates = chain(range(max(spis.start, self._last_spi + 1), spis.stop), spis)
        taken = {key.spi for key in (*self._sas, *self._allocated) if key.destination == destination}
        spi = next((spi for spi in candidates if spi not in taken), None)
        if spi is None:
            refuse("allocate", f"an SPI for {destination}", errno.ENOENT, {})
        self._allocated[SaKey(destination, spi)] = tags
        self._last_spi = spi
        return spi

    @can_fail
    def move_sa(
        self,
        key: SaKey,
        source: IpAddress,
        destination: IpAddress,
        encapsulation: UdpEncap | None,
        offload: Offload | None = None,
    ) -> SaKey:
        state = self._find("read", key)
        require_ours(state.spec)
        spec = replace(state.spec, source=source, destination=destination, encapsulation=encapsulation, offload=offload)
        if spec.key != key:
            self._check_free("move", spec.key)
        self._check_offload("move", spec)
        spec = replace(spec, offload=self._in_effect(offload))
        del self._sas[key]
        self._sas[spec.key] = replace(state, spec=spec)
        return spec.key

    @can_fail
    def migrate(self, migration: Migration) -> None:
        old, key = migration.template, migration.policy
        if not self._have.migrate:
            refuse("migrate", key, errno.ENOPROTOOPT, faults.MIGRATE)
        if key not in self._policies:
            refuse("migrate", key, errno.ENOENT, faults.MIGRATE)
        policy = self._policies[key]
        templates = tuple(moved(template, migration) for template in policy.spec.templates)
        self._policies[key] = replace(policy, spec=replace(policy.spec, templates=templates))
        for state in tuple(self._sas.values()):
            if asked_for(state.spec, old):
                self.move_sa(state.spec.key, migration.source, migration.destination, migration.encapsulation)

    @can_fail
    def try_algorithms(self, cipher: Aead | Encryption, integrity: Integrity | None = None) -> None:
        self._check_algorithms("try", "algorithms", 4, cipher, integrity)

    def _insert(self, verb: str, spec: SaSpec) -> None:
        key = spec.key
        self._check_free(verb, key)
        offload = self._in_effect(spec.offload)
        sequence = spec.sequence or UNUSED
        if offload != spec.offload or spec.sequence is not None:
            spec = replace(spec, offload=offload, sequence=None)
        self._sas[key] = SaState(spec=spec, added_at=int(self._clock()), sequence=sequence)

    def _find(self, verb: str, key: SaKey) -> SaState:
        if key not in self._sas:
            refuse(verb, key, errno.ESRCH, faults.SA_BY_KEY)
        return self._sas[key]

    def _check_free(self, verb: str, key: SaKey) -> None:
        if key in self._sas or key in self._allocated:
            refuse(verb, key, errno.EEXIST, {})

    def _check(self, verb: str, spec: SaSpec) -> None:
        self._check_offload(verb, spec)
        self._check_algorithms(verb, spec, spec.destination.version, spec.cipher, spec.integrity)

    def _check_offload(self, verb: str, spec: SaSpec) -> None:
        """A device that can takes neither ESP in UDP nor whole packets; any other, and the CPU does the work."""
        if spec.offload is None:
            return
        self._check_interface(verb, spec.key, spec.offload.interface)
        if spec.offload.interface in self.offloading and (spec.encapsulation or spec.offload.packet):
            refuse(verb, spec.key, errno.EINVAL, {})

    def _in_effect(self, offload: Offload | None) -> Offload | None:
        return offload if offload and offload.interface in self.offloading else None

    def _check_algorithms(
        self, verb: str, what: object, version: int, cipher: Aead | Encryption, integrity: Integrity | None
    ) -> None:
        algorithms = [cipher] if integrity is None else [cipher, integrity]
        code = 0
        if any(algorithm.name not in self._algorithms for algorithm in algorithms):
            code = errno.ENOSYS
        elif not (self._have.esp4 if version == 4 else self._have.esp6):
            code = errno.EPROTONOSUPPORT
        elif not all(self._takes(algorithm.name, len(algorithm.key)) for algorithm in algorithms):
            code = errno.EINVAL
        if code:
            refuse(verb, what, code, faults.adding_sa(version, cipher, integrity))

    def _takes(self, algorithm: str, key_length: int) -> bool:
        lengths = self._algorithms[algorithm]
        return not lengths or key_length in lengths

    # Policies

    @can_fail
    def add_policy(self, spec: PolicySpec) -> None:
        require_ours(spec)
        self._check_policy("add", spec)
        if spec.key in self._policies:
            refuse("add", spec.key, errno.EEXIST, faults.POLICY)
        self._set_policy(spec)

    @can_fail
    def update_policy(self, spec: PolicySpec) -> None:
        require_ours(spec)
        self._check_policy("update", spec)
        self._set_policy(spec)

    @can_fail
    def delete_policy(self, key: PolicyKey) -> None:
        self.get_policy(key)
        del self._policies[key]

    @can_fail
    def get_policy(self, key: PolicyKey) -> PolicyState:
        if key not in self._policies:
            refuse("read", key, errno.ENOENT, faults.POLICY)
        return self._policies[key]

    @can_fail
    def list_policies(self, *, foreign: bool = False) -> tuple[PolicyState, ...]:
        return tuple(self._policies.values())

    def _check_policy(self, verb: str, spec: PolicySpec) -> None:
        if spec.offload is not None:
            self._check_interface(verb, spec.key, spec.offload)

    def _set_policy(self, spec: PolicySpec) -> None:
        """The index counts in steps of 8, as the kernel's does; below them is the direction."""
        self._policies_made += 1
        index = 8 * self._policies_made + spec.direction
        self._policies[spec.key] = PolicyState(spec=spec, index=index, added_at=int(self._clock()))

    # Sockets

    @can_fail
    def bypass_socket(self, sock: socket.socket) -> None:
        self.bypassing.append(sock)

    @can_fail
    def enable_udp_encapsulation(self, sock: socket.socket) -> None:
        self.encapsulating.append(sock)

    @can_fail
    def keep_early(self, key: SaKey, *, in_udp: bool) -> Early:
        kept = self.early[key] = MemoryEarly(in_udp)
        while len(self.early) > MAX_EARLY:
            del self.early[next(iter(self.early))]
        return kept

    # What works for SAs

    @can_fail
    def device_features(self, interface: str) -> DeviceFeatures:
        self._check_interface("read", f"the features of {interface}", interface)
        able = interface in self.offloading
        return DeviceFeatures(esp=able, checksum=able, able=able)

    @can_fail
    def crypto_driver(self, algorithm: str) -> Driver | None:
        return self.drivers.get(algorithm)

    # All together

    @can_fail
    def features(self) -> Features:
        return self._have

    def apply(self, operations: Iterable[Operation]) -> tuple[KernelError | None, ...]:
        operations = tuple(operations)
        require_all_ours(operations)
        return tuple(outcome(self, operation) for operation in operations)

    @can_fail
    def flush_ours(self, if_id: int | None = None) -> Flushed:
        links = [link for link in self.list_links() if if_id in (None, link.if_id)]
        policies = [key for key in self._policies if if_id in (None, key.if_id)]
        sas = [key for key, state in self._sas.items() if if_id in (None, state.spec.if_id)]
        allocated = [key for key, spi in self._allocated.items() if if_id in (None, spi.if_id)]
        names = {link.name for link in links}
        routes = [route for route in self._routes.values() if if_id is None or route.interface in names]
        proxies, rules = (self.list_proxies(), self.list_rules()) if if_id is None else ((), ())
        remove(self._policies, policies)
        remove(self._sas, sas)
        remove(self._allocated, allocated)
        for route in routes:
            self.delete_route(route)
        for proxy in proxies:
            self.delete_proxy(proxy)
        for rule in rules:
            self.delete_rule(rule)
        for link in links:
            self.delete_link(link.name)
        return Flushed(len(sas) + len(allocated), len(policies), len(routes), len(links), len(proxies), len(rules))


def remove(objects: dict[K, V], keys: Iterable[K]) -> None:
    for key in keys:
        del objects[key]


def moved(template: Template, migration: Migration) -> Template:
    """A policy's template after a migration."""
    if template != migration.template:
        return template
    return replace(template, source=migration.source, destination=migration.destination)


def asked_for(spec: SaSpec, template: Template) -> bool:
    """Whether an SA is what a template asks for."""
    return (spec.source, spec.destination, spec.reqid, spec.mode) == (
        template.source,
        template.destination,
        template.reqid,
        template.mode,
    )
