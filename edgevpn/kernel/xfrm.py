"""SAs and policies of the real kernel."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Mapping
from contextlib import closing
from ipaddress import ip_address, ip_network

from edgevpn.frozen import replace
from edgevpn.kernel import faults
from edgevpn.kernel.batch import Step, carry_out, raise_first
from edgevpn.kernel.contract import Early, require_ours
from edgevpn.kernel.early import Tap
from edgevpn.kernel.errors import KernelError, NotFound, NotSupported
from edgevpn.kernel.events import Acquire, Event, Expire, PolicyRemoved, SaMappingChanged, SaRemoved
from edgevpn.kernel.faults import Faults, reading, telling
from edgevpn.kernel.layout import parts_of
from edgevpn.kernel.netlink import NETLINK_XFRM, EventSocket, Message, NetlinkSocket, Opener, Request, request
from edgevpn.kernel.operations import Add, Delete, Operation, Update
from edgevpn.kernel.policy_codec import (
    migrate_message,
    policy_key_message,
    policy_message,
    read_acquire,
    read_policy,
    socket_policy,
)
from edgevpn.kernel.sa_codec import (
    read_expire,
    read_mapping,
    read_sa,
    read_sa_key,
    sa_key_message,
    sa_message,
    spi_message,
)
from edgevpn.kernel.sa_counts import read_counts
from edgevpn.kernel.spec import (
    OURS_MARK,
    OURS_REQID,
    SPI_RANGE,
    Aead,
    Direction,
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
    Selector,
    Tags,
    Template,
    UdpEncap,
)
from edgevpn.kernel.xfrm_parts import Values
from edgevpn.kernel.xfrm_wire import (
    XFRM_POLICY_MAX,
    XfrmGroup,
    XfrmMsg,
    user_acquire,
    user_expire,
    user_mapping,
    userpolicy_id,
    userpolicy_info,
    usersa_id,
    usersa_info,
)

EVENT_GROUPS = (XfrmGroup.ACQUIRE, XfrmGroup.EXPIRE, XfrmGroup.MAPPING, XfrmGroup.SA, XfrmGroup.POLICY)

# RFC 5737, RFC 3849: addresses of nobody.
TRIAL_ADDRESSES: Mapping[int, tuple[IpAddress, IpAddress]] = {
    4: (ip_address("192.0.2.1"), ip_address("192.0.2.2")),
    6: (ip_address("2001:db8::1"), ip_address("2001:db8::2")),
}

# <linux/in.h>, <linux/in6.h>, <linux/udp.h>
IP_XFRM_POLICY, IPV6_XFRM_POLICY = 17, 35
UDP_ENCAP, UDP_ENCAP_ESPINUDP = 100, 2


class Xfrm:
    """XFRM netlink, and the socket options that belong to it. Errors are those of `contract.Kernel`."""

    def __init__(self, opened: Opener) -> None:
        self._opened = opened
        with telling("open", "XFRM netlink", faults.OPEN_XFRM):
            self._xfrm = NetlinkSocket(NETLINK_XFRM, opened)

    def close(self) -> None:
        """Close the socket."""
        self._xfrm.close()

    def change_xfrm(self, operations: Iterable[Operation]) -> tuple[KernelError | None, ...]:
        """Carry out operations on SAs and policies."""
        return carry_out(self._xfrm, [step(operation) for operation in operations])

    def _do_xfrm(self, operation: Operation) -> None:
        raise_first(self.change_xfrm((operation,)))

    # SAs

    def add_sa(self, spec: SaSpec) -> None:
        require_ours(spec)
        self._do_xfrm(Add(spec))

    def update_sa(self, spec: SaSpec) -> None:
        require_ours(spec)
        self._do_xfrm(Update(spec))

    def delete_sa(self, key: SaKey) -> None:
        self._do_xfrm(Delete(key))

    def get_sa(self, key: SaKey) -> SaState:
        with telling("read", key, faults.SA_BY_KEY):
            answer = self._xfrm.ask(request(XfrmMsg.GETSA, sa_key_message(key)))
        with reading(key):
            state = read_sa(*parts_of(usersa_info, answer))
        if state is None:
            raise NotFound(f"read {key}", errno.ESRCH, "its SPI is only allocated")
        return state

    def list_sas(self) -> tuple[SaState, ...]:
        with reading("SAs"):
            states = [read_sa(info, attributes) for info, attributes in self._dump_sas()]
        return tuple(state for state in states if state is not None)

    def count_sas(self) -> Mapping[SaKey, SaCounts]:
        with telling("list", "SAs", {}):
            dump = self._xfrm.dump(Request(XfrmMsg.GETSA, b""))
        with reading("SAs"):
            return read_counts(message.octets for message in dump)

    def _dump_sas(self) -> list[tuple[Values, Values]]:
        """Our SAs, those included that are only allocated SPIs."""
        with telling("list", "SAs", {}):
            dump = self._xfrm.dump(Request(XfrmMsg.GETSA, b""))
        with reading("SAs"):
            parts = [parts_of(usersa_info, message.octets) for message in dump]
        return [
            (info, attributes)
            for info, attributes in parts
            if Tags(info["reqid"], attributes.get("XFRMA_IF_ID", 0)).ours
        ]

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
        require_ours(Tags(reqid, if_id))
        message = spi_message(source, destination, reqid, if_id, mode, spis)
        with telling("allocate", f"an SPI for {destination}", {}):
            answer = self._xfrm.ask(request(XfrmMsg.ALLOCSPI, message))
        with reading("an allocated SPI"):
            return read_sa_key(*parts_of(usersa_info, answer)).spi

    def move_sa(
        self,
        key: SaKey,
        source: IpAddress,
        destination: IpAddress,
        encapsulation: UdpEncap | None,
        offload: Offload | None = None,
    ) -> SaKey:
        old = self._take_sa(key)
        spec = replace(old.spec, source=source, destination=destination, encapsulation=encapsulation, offload=offload)
        try:
            self._put_back("move", spec, old)
        except KernelError:
            self._put_back("restore", old.spec, old)
            raise
        return spec.key

    def _put_back(self, verb: str, spec: SaSpec, taken: SaState) -> None:
        """Add an SA that goes on counting where one that was taken stood."""
        message = sa_message(replace(spec, sequence=taken.sequence), taken)
        with telling(verb, spec, causes(Add(spec))):
            self._xfrm.do(request(XfrmMsg.NEWSA, message))

    def _take_sa(self, key: SaKey) -> SaState:
        """Delete an SA and return it with its keys, as it was when its last packet had passed.

        Only the notice of its end tells that: an SA that was read and then deleted may have sent packets in between,
        and must not send others under their numbers.
        """
        with closing(EventSocket(NETLINK_XFRM, (XfrmGroup.SA,), self._opened)) as notices:
            require_ours(self.get_sa(key).spec)
            self.delete_sa(key)
            messages, _ = notices.read()
        with reading(f"the end of {key}"):
            taken = [state for state in map(read_end, messages) if state is not None and state.spec.key == key]
        if not taken:
            raise KernelError(f"move {key}", errno.ENOBUFS, "the kernel did not say where it stood; it is deleted")
        return taken[0]

    def migrate(self, migration: Migration) -> None:
        with telling("migrate", migration.policy, faults.MIGRATE):
            self._xfrm.do(request(XfrmMsg.MIGRATE, migrate_message(migration)))

    # Policies

    def add_policy(self, spec: PolicySpec) -> None:
        require_ours(spec)
        self._do_xfrm(Add(spec))

    def update_policy(self, spec: PolicySpec) -> None:
        require_ours(spec)
        self._do_xfrm(Update(spec))

    def delete_policy(self, key: PolicyKey) -> None:
        self._do_xfrm(Delete(key))

    def get_policy(self, key: PolicyKey) -> PolicyState:
        with telling("read", key, faults.POLICY):
            answer = self._xfrm.ask(request(XfrmMsg.GETPOLICY, policy_key_message(key)))
        with reading(key):
            return read_policy(*parts_of(userpolicy_info, answer))

    def list_policies(self, *, foreign: bool = False) -> tuple[PolicyState, ...]:
        with telling("list", "policies", {}):
            dump = self._xfrm.dump(Request(XfrmMsg.GETPOLICY, b""))
        with reading("policies"):
            parts = [parts_of(userpolicy_info, message.octets) for message in dump]
            states = [read_policy(info, attributes) for info, attributes in parts if info["dir"] < XFRM_POLICY_MAX]
        return tuple(state for state in states if foreign or state.spec.ours)

    def flush_sas(self, if_id: int | None) -> int:
        """Remove our SAs and allocated SPIs, all or those of one if_id; returns how many."""
        with reading("SAs"):
            keys = [
                read_sa_key(info, attributes)
                for info, attributes in self._dump_sas()
                if if_id is None or attributes.get("XFRMA_IF_ID") == if_id
            ]
        return self._delete_all(keys)

    def flush_policies(self, if_id: int | None) -> int:
        """Remove our policies, all or those of one if_id; returns how many."""
        keys = [state.spec.key for state in self.list_policies() if if_id is None or state.spec.key.if_id == if_id]
        return self._delete_all(keys)

    def _delete_all(self, keys: Iterable[SaKey | PolicyKey]) -> int:
        fates = self.change_xfrm([Delete(key) for key in keys])
        raise_first(fates, besides=(NotFound,))  # gone by themselves meanwhile
        return fates.count(None)

    # Sockets

    def bypass_socket(self, sock: socket.socket) -> None:
        level, option = {
            socket.AF_INET: (socket.IPPROTO_IP, IP_XFRM_POLICY),
            socket.AF_INET6: (socket.IPPROTO_IPV6, IPV6_XFRM_POLICY),
        }[sock.family]
        with telling("exempt", "a socket from policies", {}):
            for direction in (Direction.IN, Direction.OUT):
                sock.setsockopt(level, option, socket_policy(sock.family, direction))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, OURS_MARK.value)

    def enable_udp_encapsulation(self, sock: socket.socket) -> None:
        with telling("receive", "ESP in UDP", faults.UDP_ENCAPSULATION):
            sock.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)

    def keep_early(self, key: SaKey, *, in_udp: bool) -> Early:
        return Tap(key, in_udp, self.bypass_socket)

    # Trials

    def try_algorithms(self, cipher: Aead | Encryption, integrity: Integrity | None = None) -> None:
        self._try_sa(*TRIAL_ADDRESSES[4], cipher, integrity)

    def _try_sa(
        self, source: IpAddress, destination: IpAddress, cipher: Aead | Encryption, integrity: Integrity | None
    ) -> None:
        reqid = OURS_REQID.start
        spi = self.alloc_spi(source, destination, reqid)
        spec = SaSpec(source=source, destination=destination, spi=spi, reqid=reqid, cipher=cipher, integrity=integrity)
        try:
            self._do_xfrm(Update(spec))
        finally:
            self.delete_sa(spec.key)

    def has_esp(self, version: int) -> bool:
        """Whether an ESP SA of IP version 4 or 6 can be added, with the algorithms that no ESP comes without."""
        cipher, integrity = Encryption("cbc(aes)", bytes(16)), Integrity("hmac(sha1)", bytes(20), 96)
        try:
            self._try_sa(*TRIAL_ADDRESSES[version], cipher, integrity)
        except NotSupported:
            return False
        return True

    def has_migrate(self) -> bool:
        """Whether the kernel would migrate SAs; asked about a policy that does not exist."""
        source, destination = TRIAL_ADDRESSES[4]
        selector = Selector(ip_network(source), ip_network(destination))
        template = Template(source, destination, OURS_REQID.start)
        policy = PolicyKey(selector, Direction.OUT)
        migration = Migration(policy=policy, template=template, source=source, destination=ip_address("192.0.2.3"))
        try:
            self.migrate(migration)
        except NotSupported:
            return False
        except NotFound:
            pass
        return True


def step(operation: Operation) -> Step:
    return Step(str(operation), causes(operation), lambda: request_for(operation))


def request_for(operation: Operation) -> Request:
    """Raises NetlinkError where an interface is named that does not exist, TypeError for what is not of XFRM."""
    match operation:
        case Add(SaSpec() as spec):
            return request(XfrmMsg.NEWSA, sa_message(spec))
        case Update(SaSpec() as spec):
            return request(XfrmMsg.UPDSA, sa_message(spec))
        case Delete(SaKey() as key):
            return request(XfrmMsg.DELSA, sa_key_message(key))
        case Add(PolicySpec() as spec):
            return request(XfrmMsg.NEWPOLICY, policy_message(spec))
        case Update(PolicySpec() as spec):
            return request(XfrmMsg.UPDPOLICY, policy_message(spec))
        case Delete(PolicyKey() as key):
            return request(XfrmMsg.DELPOLICY, policy_key_message(key))
    raise TypeError(f"not of XFRM: {operation}")


def causes(operation: Operation) -> Faults:
    """What errnos mean for an operation."""
    match operation:
        case Add(SaSpec() as spec) | Update(SaSpec() as spec):
            return faults.adding_sa(spec.destination.version, spec.cipher, spec.integrity)
        case Delete(SaKey()):
            return faults.SA_BY_KEY
    return faults.POLICY


def read_end(message: Message) -> SaState | None:
    """The SA, with its keys, that a notice says was deleted; None for other notices, and for an SPI only allocated."""
    if message.type != XfrmMsg.DELSA:
        return None
    _, attributes = parts_of(usersa_id, message.octets)
    info = attributes.get("XFRMA_SA")
    return None if info is None else read_sa(info, attributes, with_keys=True)


def read_event(message: Message) -> Event | None:
    """What a message of `EVENT_GROUPS` says about SAs and policies of ours; None for others'."""
    match message.type:
        case XfrmMsg.DELSA:
            return read_removed_sa(message)
        case XfrmMsg.DELPOLICY:
            return read_removed_policy(message)
        case XfrmMsg.FLUSHSA:
            return SaRemoved(None)
        case XfrmMsg.FLUSHPOLICY:
            return PolicyRemoved(None)
    event = read_news(message)
    return event if event is not None and event.reqid in OURS_REQID else None


def read_news(message: Message) -> Acquire | Expire | SaMappingChanged | None:
    """What the kernel tells by itself of an SA, whosever it is."""
    match message.type:
        case XfrmMsg.ACQUIRE:
            return read_acquire(*parts_of(user_acquire, message.octets))
        case XfrmMsg.EXPIRE:
            return read_expire(*parts_of(user_expire, message.octets))
        case XfrmMsg.MAPPING:
            return read_mapping(*parts_of(user_mapping, message.octets))
    return None


def read_removed_sa(message: Message) -> SaRemoved | None:
    _, attributes = parts_of(usersa_id, message.octets)
    info = attributes.get("XFRMA_SA")
    if info is None or not Tags(info["reqid"], attributes.get("XFRMA_IF_ID", 0)).ours:
        return None
    return SaRemoved(read_sa_key(info, attributes))


def read_removed_policy(message: Message) -> PolicyRemoved | None:
    _, attributes = parts_of(userpolicy_id, message.octets)
    info = attributes.get("XFRMA_POLICY")
    if info is None or info["dir"] >= XFRM_POLICY_MAX:
        return None
    spec = read_policy(info, attributes).spec
    return PolicyRemoved(spec.key) if spec.ours else None
