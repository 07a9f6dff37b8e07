"""edgevpn.kernel.memory: what is its own; what it has in common with the real kernel is in test_contract."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from edgevpn.kernel.contract import Features
from edgevpn.kernel.errors import KernelError, NotFound, NotSupported
from edgevpn.kernel.memory import EVERYTHING, MemoryKernel
from edgevpn.kernel.operations import Add, Delete
from edgevpn.kernel.spec import (
    Aead,
    Direction,
    Encryption,
    Integrity,
    Migration,
    Offload,
    SaSpec,
    Sequence,
    Template,
    UdpEncap,
)
from tests.support.kernel import (
    ELSEWHERE,
    GCM,
    HERE,
    HERE6,
    KEY,
    OUT,
    POLICY,
    REQID,
    TEMPLATE,
    THERE,
    THERE6,
    policy,
    sa,
)


@pytest.fixture
def kernel() -> Iterator[MemoryKernel]:
    kernel = MemoryKernel()
    yield kernel
    kernel.close()


def test_keys_can_be_looked_at(kernel: MemoryKernel) -> None:
    """Here alone: the daemon never reads a key."""
    kernel.add_sa(OUT)
    assert kernel.installed(OUT.key).cipher == GCM
    assert kernel.get_sa(OUT.key).spec.cipher == Aead(GCM.name, b"", 128)
    with pytest.raises(KeyError):
        kernel.installed(sa(0x999).key)


def test_counters_can_be_set(kernel: MemoryKernel) -> None:
    kernel.add_sa(OUT)
    kernel.set_sa(OUT.key, octets=1000, packets=10, forged=1)
    state = kernel.get_sa(OUT.key)
    assert (state.octets, state.packets, state.forged) == (1000, 10, 1)
    with pytest.raises(KeyError):
        kernel.set_sa(sa(0x999).key, octets=1)


def test_clock() -> None:
    kernel = MemoryKernel(clock=lambda: 1234.5)
    kernel.add_sa(OUT)
    kernel.add_policy(POLICY)
    assert kernel.get_sa(OUT.key).added_at == kernel.get_policy(POLICY.key).added_at == 1234
    kernel.close()


LACKING = {
    "ESP for IPv4": (replace(EVERYTHING, esp4=False), OUT),
    "ESP for IPv6": (replace(EVERYTHING, esp6=False), sa(source=HERE6, destination=THERE6)),
}


@pytest.mark.parametrize(("have", "spec"), LACKING.values(), ids=LACKING)
def test_kernel_without_esp(have: Features, spec: SaSpec) -> None:
    kernel = MemoryKernel(have=have)
    with pytest.raises(NotSupported, match=r"module esp[46] is missing"):
        kernel.add_sa(spec)
    assert kernel.list_sas() == ()
    kernel.close()


def test_kernel_with_few_algorithms() -> None:
    kernel = MemoryKernel(algorithms={"cbc(aes)": frozenset({16}), "hmac(sha1)": frozenset()})
    kernel.try_algorithms(Encryption("cbc(aes)", bytes(16)), Integrity("hmac(sha1)", KEY, 96))
    with pytest.raises(NotSupported, match="lacks rfc4106"):
        kernel.try_algorithms(GCM)
    with pytest.raises(KernelError, match="Invalid argument"):
        kernel.try_algorithms(Encryption("cbc(aes)", bytes(17)), Integrity("hmac(sha1)", KEY, 96))
    kernel.close()


def test_kernel_without_migrate() -> None:
    kernel = MemoryKernel(have=replace(EVERYTHING, migrate=False))
    migration = Migration(policy=POLICY.key, template=TEMPLATE, source=HERE, destination=ELSEWHERE)
    with pytest.raises(NotSupported, match="re-create the SAs instead"):
        kernel.migrate(migration)
    kernel.close()


def test_migration_moves_what_the_template_asks_for_alone(kernel: MemoryKernel) -> None:
    other = Template(HERE, THERE, REQID + 1)
    kernel.add_policy(policy(templates=(TEMPLATE, other)))
    kernel.add_sa(replace(OUT, sequence=Sequence(7, 8, bytes(8))))
    kernel.add_sa(sa(0x2000, reqid=REQID + 1))
    encapsulation = UdpEncap(4500, 4500)

    kernel.migrate(
        Migration(policy=POLICY.key, template=TEMPLATE, source=HERE, destination=ELSEWHERE, encapsulation=encapsulation)
    )

    moved = replace(OUT, destination=ELSEWHERE, encapsulation=encapsulation)
    assert kernel.get_policy(POLICY.key).spec.templates == (Template(HERE, ELSEWHERE, REQID), other)
    assert kernel.get_sa(moved.key).spec == moved.without_keys()
    assert kernel.get_sa(moved.key).sequence == Sequence(7, 8, bytes(8))
    assert kernel.get_sa(sa(0x2000).key).spec.destination == THERE


def test_offload_is_what_the_hardware_takes() -> None:
    kernel = MemoryKernel(offloading=frozenset({"uplink"}))
    taken, refused = Offload("uplink", Direction.OUT), Offload("lo", Direction.OUT)
    kernel.add_sa(sa(0x1000, offload=taken))
    kernel.add_sa(sa(0x1001, offload=refused))
    assert kernel.get_sa(sa(0x1000).key).spec.offload == taken
    assert kernel.get_sa(sa(0x1001).key).spec.offload is None
    with pytest.raises(NotFound, match="no such interface"):
        kernel.add_sa(sa(0x1002, offload=Offload("nothing", Direction.OUT)))
    with pytest.raises(NotFound, match="no such interface"):
        kernel.add_policy(policy(offload="nothing"))
    kernel.add_policy(policy(offload="uplink"))
    kernel.close()


def test_sockets_are_kept(kernel: MemoryKernel) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        kernel.bypass_socket(sock)
        kernel.enable_udp_encapsulation(sock)
        assert kernel.bypassing == kernel.encapsulating == [sock]


def test_operations_fail_as_told(kernel: MemoryKernel) -> None:
    kernel.fail_next("add_sa", KernelError("add it", errno.ENOMEM))
    fates = kernel.apply([Add(OUT), Add(POLICY), Delete(POLICY.key)])
    assert [str(fate) for fate in fates] == ["cannot add it: Cannot allocate memory (ENOMEM)", "None", "None"]
    assert kernel.list_sas() == ()
