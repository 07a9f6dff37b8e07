"""edgevpn.kernel.xfrm, with a kernel that says what we lay ready; for the real one see test_contract."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound, NotPermitted, NotSupported
from edgevpn.kernel.events import Acquire, Expire, PolicyRemoved, SaMappingChanged, SaRemoved
from edgevpn.kernel.netlink import HEADER, NETLINK_XFRM, Message, Request, request
from edgevpn.kernel.network_spec import LinkSpec
from edgevpn.kernel.operations import Add
from edgevpn.kernel.policy_codec import policy_key_message, policy_message, policy_values, template_values
from edgevpn.kernel.sa_codec import sa_key_message, sa_message, sa_values
from edgevpn.kernel.spec import (
    OURS_REQID,
    Encryption,
    Integrity,
    Migration,
    PolicySpec,
    SaKey,
    SaSpec,
    SaState,
    Sequence,
    Template,
    UdpEncap,
)
from edgevpn.kernel.xfrm import Xfrm, read_event, request_for
from edgevpn.kernel.xfrm_wire import (
    USER_TMPL,
    USERSA_INFO,
    XfrmMsg,
    user_acquire,
    user_expire,
    user_mapping,
    userpolicy_id,
    userpolicy_info,
    usersa_id,
    usersa_info,
)
from tests.support.kernel import ELSEWHERE, GCM, HERE, IF_ID, OUT, POLICY, REQID, TEMPLATE, THERE, policy, sa
from tests.support.netlink import Wire, Wires, ack, done, larval_sa, message
from tests.support.rights import without_rights

FOREIGN = sa(reqid=1)
MOVED = replace(OUT, source=ELSEWHERE, encapsulation=UdpEncap(4500, 61000))


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture
def xfrm(wires: Wires) -> Xfrm:
    return Xfrm(wires.open)


@pytest.fixture
def wire(wires: Wires, xfrm: Xfrm) -> Wire:
    """The kernel's end of the requests."""
    return wires.opened[0]


def told(sequence: int, kind: XfrmMsg, said: Request) -> bytes:
    """A message of the kernel with the body of a request."""
    return message(kind, sequence, said.body, 2)


def an_sa(spec: SaSpec, sequence: int = 1) -> bytes:
    return told(sequence, XfrmMsg.NEWSA, request(XfrmMsg.NEWSA, sa_message(spec)))


def a_policy(spec: PolicySpec, sequence: int = 1) -> bytes:
    return told(sequence, XfrmMsg.NEWPOLICY, request(XfrmMsg.NEWPOLICY, policy_message(spec)))


def an_end(spec: SaSpec) -> bytes:
    """The notice that an SA was deleted: its key, and in attributes the rest, with the key octets."""
    notice = usersa_id()
    notice.update(dict(sa_key_message(spec.key)))
    whole = sa_message(spec)
    notice["attrs"] = [("XFRMA_SA", sa_values(spec)), *whole["attrs"]]
    return told(0, XfrmMsg.DELSA, request(XfrmMsg.DELSA, notice))


def sent(wire: Wire) -> list[tuple[int, bytes]]:
    return [(each.type, each.octets[HEADER.size :]) for each in wire.sent()]


def asked(kind: XfrmMsg, body: Request) -> tuple[int, bytes]:
    return kind, body.body


# What is asked

CALLS: dict[str, tuple[Callable[[Xfrm], object], XfrmMsg, Request]] = {
    "add SA": (lambda xfrm: xfrm.add_sa(OUT), XfrmMsg.NEWSA, request(XfrmMsg.NEWSA, sa_message(OUT))),
    "update SA": (lambda xfrm: xfrm.update_sa(OUT), XfrmMsg.UPDSA, request(XfrmMsg.UPDSA, sa_message(OUT))),
    "delete SA": (lambda xfrm: xfrm.delete_sa(OUT.key), XfrmMsg.DELSA, request(XfrmMsg.DELSA, sa_key_message(OUT.key))),
    "add policy": (
        lambda xfrm: xfrm.add_policy(POLICY),
        XfrmMsg.NEWPOLICY,
        request(XfrmMsg.NEWPOLICY, policy_message(POLICY)),
    ),
    "update policy": (
        lambda xfrm: xfrm.update_policy(POLICY),
        XfrmMsg.UPDPOLICY,
        request(XfrmMsg.UPDPOLICY, policy_message(POLICY)),
    ),
    "delete policy": (
        lambda xfrm: xfrm.delete_policy(POLICY.key),
        XfrmMsg.DELPOLICY,
        request(XfrmMsg.DELPOLICY, policy_key_message(POLICY.key)),
    ),
}


@pytest.mark.parametrize(("call", "kind", "body"), CALLS.values(), ids=CALLS)
def test_requests(xfrm: Xfrm, wire: Wire, call: Callable[[Xfrm], object], kind: XfrmMsg, body: Request) -> None:
    wire.answer(ack(1))
    call(xfrm)
    assert sent(wire) == [asked(kind, body)]


REFUSALS: dict[str, tuple[str, int, type[KernelError], str]] = {
    "taken": ("add SA", errno.EEXIST, AlreadyExists, "cannot add SA c0ffee01 to 198.51.100.2: it exists already"),
    "no ESP": ("add SA", errno.EPROTONOSUPPORT, NotSupported, "module esp4 is missing"),
    "no algorithm": ("update SA", errno.ENOSYS, NotSupported, r"this kernel lacks rfc4106\(gcm\(aes\)\)"),
    "no SA to update": ("update SA", errno.ESRCH, NotFound, "cannot update SA"),
    "no SA": ("delete SA", errno.ESRCH, NotFound, "cannot delete SA c0ffee01 to 198.51.100.2: there is none"),
    "no policy": ("delete policy", errno.ENOENT, NotFound, "cannot delete policy out"),
    "no rights": ("add policy", errno.EPERM, NotPermitted, "lacks CAP_NET_ADMIN"),
}


@pytest.mark.parametrize(("name", "code", "kind", "text"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(xfrm: Xfrm, wire: Wire, name: str, code: int, kind: type[KernelError], text: str) -> None:
    wire.answer(ack(1, code))
    with pytest.raises(kind, match=text):
        CALLS[name][0](xfrm)


def test_nothing_without_our_tag(xfrm: Xfrm, wire: Wire) -> None:
    for call in (
        lambda: xfrm.add_sa(FOREIGN),
        lambda: xfrm.update_sa(FOREIGN),
        lambda: xfrm.add_policy(policy(if_id=0, templates=())),
        lambda: xfrm.update_policy(policy(if_id=0, templates=())),
        lambda: xfrm.alloc_spi(THERE, HERE, 1),
    ):
        with pytest.raises(ValueError, match="without a tag of ours"):
            call()
    assert sent(wire) == []


def test_not_of_xfrm() -> None:
    with pytest.raises(TypeError, match="not of XFRM: add interface evpn-a"):
        request_for(Add(LinkSpec("evpn-a", IF_ID)))


def test_no_xfrm(wires: Wires) -> None:
    wires.refused.add(NETLINK_XFRM)
    with pytest.raises(NotSupported, match=r"module xfrm_user is missing.*install kmod-ipsec"):
        Xfrm(wires.open)


# What is read


def test_sas(xfrm: Xfrm, wire: Wire) -> None:
    """Only ours, and no SPI that is only allocated. What somebody else has may be beyond us."""
    odd = USERSA_INFO.pack({**sa_values(FOREIGN), "family": 0, "reqid": 1})
    by_if_id = sa(2 << 8, reqid=1, if_id=IF_ID)
    wire.answer(
        an_sa(OUT) + message(XfrmMsg.NEWSA, 1, odd, 2) + larval_sa(0x1000), an_sa(FOREIGN), an_sa(by_if_id), done(1)
    )
    assert [state.spec for state in xfrm.list_sas()] == [OUT.without_keys(), by_if_id.without_keys()]


def test_sa(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(an_sa(OUT), ack(1))
    assert xfrm.get_sa(OUT.key).spec == OUT.without_keys()
    assert sent(wire) == [asked(XfrmMsg.GETSA, request(XfrmMsg.GETSA, sa_key_message(OUT.key)))]


def test_sa_that_is_none_yet(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(larval_sa(0x1000), ack(1))
    with pytest.raises(NotFound, match="its SPI is only allocated"):
        xfrm.get_sa(SaKey(HERE, 0x1000))


def test_alloc_spi(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(larval_sa(0x1000), ack(1))
    assert xfrm.alloc_spi(THERE, HERE, REQID) == 0x1000


def test_no_spi_is_left(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(ack(1, errno.ENOENT))
    with pytest.raises(KernelError, match=r"cannot allocate an SPI for 192\.0\.2\.1"):
        xfrm.alloc_spi(THERE, HERE, REQID)


def test_policies(xfrm: Xfrm, wire: Wire) -> None:
    """Not those of sockets, and those of others only when asked."""
    theirs = policy(if_id=0, templates=(Template(HERE, THERE, 1),))
    of_a_socket = userpolicy_info()
    of_a_socket.update(sel_family=2, dir=3)
    socket_policy = told(1, XfrmMsg.NEWPOLICY, request(XfrmMsg.NEWPOLICY, of_a_socket))
    wire.answer(a_policy(POLICY), a_policy(theirs), socket_policy, done(1))
    assert [state.spec for state in xfrm.list_policies()] == [POLICY]
    wire.answer(a_policy(POLICY, 2), a_policy(theirs, 2), done(2))
    assert [state.spec for state in xfrm.list_policies(foreign=True)] == [POLICY, theirs]


def test_policy(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(a_policy(POLICY), ack(1))
    assert xfrm.get_policy(POLICY.key).spec == POLICY


READINGS: dict[str, Callable[[Xfrm], object]] = {
    "an SA": lambda xfrm: xfrm.get_sa(OUT.key),
    "a policy": lambda xfrm: xfrm.get_policy(POLICY.key),
    "an SPI": lambda xfrm: xfrm.alloc_spi(THERE, HERE, REQID),
}


@pytest.mark.parametrize("read", READINGS.values(), ids=READINGS)
@pytest.mark.parametrize("body", [b"", bytes(20)], ids=["nothing", "too little"])
def test_answer_makes_no_sense(xfrm: Xfrm, wire: Wire, read: Callable[[Xfrm], object], body: bytes) -> None:
    wire.answer(message(XfrmMsg.NEWSA, 1, body), ack(1))
    with pytest.raises(KernelError, match="the kernel's answer makes no sense"):
        read(xfrm)


@pytest.mark.parametrize("read", [Xfrm.list_sas, Xfrm.list_policies, lambda xfrm: xfrm.flush_sas(None)])
def test_list_makes_no_sense(xfrm: Xfrm, wire: Wire, read: Callable[[Xfrm], object]) -> None:
    wire.answer(message(XfrmMsg.NEWSA, 1, bytes(20), 2), done(1))
    with pytest.raises(KernelError, match="the kernel's answer makes no sense"):
        read(xfrm)


# Move


def lay_notices(wires: Wires, *notices: bytes) -> None:
    """What the next socket to be opened, that for notices, finds."""
    wires.laid[len(wires.opened)] = notices


STOOD = Sequence(sent=9, received=50, bitmap=b"\xff\0\0\0\1\0\0\0")


def test_move(xfrm: Xfrm, wire: Wire, wires: Wires) -> None:
    """The new one has the keys, and goes on where the notice of the old one's end says that that stood."""
    others = an_end(sa(0x2000)), told(0, XfrmMsg.NEWSA, request(XfrmMsg.NEWSA, sa_message(OUT)))
    lay_notices(wires, *others, an_end(replace(OUT, sequence=STOOD)))
    wire.answer(an_sa(OUT), ack(1), ack(2), ack(3))

    assert xfrm.move_sa(OUT.key, ELSEWHERE, THERE, UdpEncap(4500, 61000)) == MOVED.key

    expected = request(XfrmMsg.NEWSA, sa_message(replace(MOVED, sequence=STOOD), SaState(spec=OUT)))
    assert sent(wire)[1:] == [
        asked(XfrmMsg.DELSA, request(XfrmMsg.DELSA, sa_key_message(OUT.key))),
        asked(XfrmMsg.NEWSA, expected),
    ]
    assert wires.opened[1].fileno() == -1


def test_move_is_refused(xfrm: Xfrm, wire: Wire, wires: Wires) -> None:
    """The old one comes back."""
    lay_notices(wires, an_end(replace(OUT, sequence=STOOD)))
    wire.answer(an_sa(OUT), ack(1), ack(2), ack(3, errno.EEXIST), ack(4))
    with pytest.raises(AlreadyExists, match="cannot move SA"):
        xfrm.move_sa(OUT.key, ELSEWHERE, THERE, None)
    expected = request(XfrmMsg.NEWSA, sa_message(replace(OUT, sequence=STOOD), SaState(spec=OUT)))
    assert sent(wire)[-1] == asked(XfrmMsg.NEWSA, expected)


@pytest.mark.parametrize(
    "notices", [(), (an_end(sa(0x2000)),), (told(0, XfrmMsg.DELSA, request(XfrmMsg.DELSA, usersa_id())),)]
)
def test_move_without_notice(xfrm: Xfrm, wire: Wire, wires: Wires, notices: tuple[bytes, ...]) -> None:
    """Better no SA than one that repeats its sequence numbers."""
    lay_notices(wires, *notices)
    wire.answer(an_sa(OUT), ack(1), ack(2))
    with pytest.raises(KernelError, match="the kernel did not say where it stood; it is deleted"):
        xfrm.move_sa(OUT.key, ELSEWHERE, THERE, None)
    assert len(sent(wire)) == 2


def test_move_of_somebody_elses(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(an_sa(FOREIGN), ack(1))
    with pytest.raises(ValueError, match="without a tag of ours"):
        xfrm.move_sa(FOREIGN.key, ELSEWHERE, THERE, None)
    assert len(sent(wire)) == 1


def test_move_keeps_keys_out_of_errors(xfrm: Xfrm, wire: Wire, wires: Wires) -> None:
    lay_notices(wires, an_end(OUT))
    wire.answer(an_sa(OUT), ack(1), ack(2), ack(3, errno.EINVAL), ack(4, errno.EINVAL))
    with pytest.raises(KernelError, match="cannot restore SA") as caught:
        xfrm.move_sa(OUT.key, ELSEWHERE, THERE, None)
    assert GCM.key.hex() not in repr(caught.value) + repr(caught.value.__context__)


# Flush


def test_flush(xfrm: Xfrm, wire: Wire) -> None:
    """Ours, allocated SPIs included; what went by itself is no error and not counted."""
    wire.answer(an_sa(OUT), an_sa(FOREIGN), larval_sa(0x1000), larval_sa(0x1001, reqid=1), done(1))
    wire.answer(ack(2), ack(3, errno.ESRCH))
    assert xfrm.flush_sas(None) == 1
    keys = (OUT.key, SaKey(HERE, 0x1000))
    assert sent(wire)[1:] == [asked(XfrmMsg.DELSA, request(XfrmMsg.DELSA, sa_key_message(key))) for key in keys]


def test_flush_of_one_interface(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(an_sa(OUT), an_sa(sa(0x2000, if_id=IF_ID)), an_sa(sa(0x2001, if_id=IF_ID + 1)), done(1), ack(2))
    assert xfrm.flush_sas(IF_ID) == 1
    wire.answer(a_policy(POLICY, 3), a_policy(policy(if_id=IF_ID + 1), 3), done(3), ack(4))
    assert xfrm.flush_policies(IF_ID) == 1


def test_flush_is_refused(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(a_policy(POLICY), done(1), ack(2, errno.EPERM))
    with pytest.raises(NotPermitted):
        xfrm.flush_policies(None)


# Trials


def test_algorithms_are_tried(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(larval_sa(0x1000), ack(1), ack(2), ack(3))
    xfrm.try_algorithms(GCM)
    assert [kind for kind, _ in sent(wire)] == [XfrmMsg.ALLOCSPI, XfrmMsg.UPDSA, XfrmMsg.DELSA]


def test_algorithms_are_missing(xfrm: Xfrm, wire: Wire) -> None:
    """Nothing is left behind."""
    wire.answer(larval_sa(0x1000), ack(1), ack(2, errno.ENOSYS), ack(3))
    with pytest.raises(NotSupported, match=r"lacks cbc\(aes\) or hmac\(sha1\)"):
        xfrm.try_algorithms(Encryption("cbc(aes)", bytes(16)), Integrity("hmac(sha1)", bytes(20), 96))
    assert [kind for kind, _ in sent(wire)] == [XfrmMsg.ALLOCSPI, XfrmMsg.UPDSA, XfrmMsg.DELSA]


@pytest.mark.parametrize(("code", "expected"), [(0, True), (errno.EPROTONOSUPPORT, False)])
def test_has_esp(xfrm: Xfrm, wire: Wire, code: int, expected: bool) -> None:
    wire.answer(larval_sa(0x1000), ack(1), ack(2, code), ack(3))
    assert xfrm.has_esp(4) is expected


@pytest.mark.parametrize(("code", "expected"), [(errno.ENOPROTOOPT, False), (errno.ENOENT, True), (0, True)])
def test_has_migrate(xfrm: Xfrm, wire: Wire, code: int, expected: bool) -> None:
    wire.answer(ack(1, code))
    assert xfrm.has_migrate() is expected


def test_migrate_is_missing(xfrm: Xfrm, wire: Wire) -> None:
    wire.answer(ack(1, errno.ENOPROTOOPT))
    migration = Migration(policy=POLICY.key, template=TEMPLATE, source=HERE, destination=ELSEWHERE)
    with pytest.raises(NotSupported, match=r"built without XFRM_MIGRATE.*re-create the SAs instead"):
        xfrm.migrate(migration)


# Sockets, of this machine


def test_bypass_wants_rights(xfrm: Xfrm) -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        with (
            socket.socket(family, socket.SOCK_DGRAM) as sock,
            pytest.raises(NotPermitted, match="cannot exempt a socket from policies"),
        ):
            without_rights(xfrm.bypass_socket, sock)


def test_no_encapsulation_but_in_udp(xfrm: Xfrm) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock,
        pytest.raises(NotSupported, match="cannot receive ESP in UDP"),
    ):
        xfrm.enable_udp_encapsulation(sock)


# Events


def news(kind: XfrmMsg, said: Request) -> Message:
    return Message(kind, 0, 0, said.octets(said.flags, 0))


def expiry(reqid: int) -> Message:
    body = user_expire()
    body.update({f"state_{name}": value for name, value in sa_values(sa(reqid=reqid)).items()}, hard=1)
    return news(XfrmMsg.EXPIRE, request(XfrmMsg.EXPIRE, body))


def acquisition(reqid: int) -> Message:
    body = user_acquire()
    body.update(sel_family=2, saddr=HERE.packed, id_daddr=THERE.packed)
    templates = USER_TMPL.pack(template_values(replace(TEMPLATE, reqid=reqid)))
    body["attrs"] = [("XFRMA_TMPL", {"templates": templates})]
    return news(XfrmMsg.ACQUIRE, request(XfrmMsg.ACQUIRE, body))


def mapping(reqid: int) -> Message:
    body = user_mapping()
    body.update(id_daddr=HERE.packed, id_family=2, id_proto=50, reqid=reqid)
    return news(XfrmMsg.MAPPING, request(XfrmMsg.MAPPING, body))


KINDS = {expiry: Expire, acquisition: Acquire, mapping: SaMappingChanged}


@pytest.mark.parametrize(("made", "kind"), KINDS.items())
def test_events_of_ours_alone(made: Callable[[int], Message], kind: type[object]) -> None:
    assert isinstance(read_event(made(REQID)), kind)
    assert read_event(made(OURS_REQID.stop)) is None


def removed_sa(spec: SaSpec) -> Message:
    body = usersa_id()
    info = usersa_info()
    info.update(sa_values(spec))
    body["attrs"] = [("XFRMA_SA", dict(info)), ("XFRMA_IF_ID", spec.if_id)]
    return news(XfrmMsg.DELSA, request(XfrmMsg.DELSA, body))


def removed_policy(spec: PolicySpec) -> Message:
    """As `policy_message` writes it, with what the kernel says of it in the place of the message."""
    said = policy_message(spec)
    body = userpolicy_id()
    body["attrs"] = [("XFRMA_POLICY", policy_values(spec)), *said["attrs"]]
    return news(XfrmMsg.DELPOLICY, request(XfrmMsg.DELPOLICY, body))


def test_what_others_have_removed() -> None:
    assert read_event(removed_sa(OUT)) == SaRemoved(OUT.key)
    assert read_event(removed_sa(sa(reqid=9))) is None
    assert read_event(removed_policy(POLICY)) == PolicyRemoved(POLICY.key)
    assert read_event(removed_policy(policy(if_id=0, templates=()))) is None
    assert read_event(news(XfrmMsg.DELPOLICY, request(XfrmMsg.DELPOLICY, userpolicy_id()))) is None
    assert read_event(news(XfrmMsg.FLUSHSA, request(XfrmMsg.FLUSHSA, usersa_id()))) == SaRemoved(None)
    assert read_event(news(XfrmMsg.FLUSHPOLICY, request(XfrmMsg.FLUSHPOLICY, usersa_id()))) == PolicyRemoved(None)


def test_events_of_no_concern() -> None:
    assert read_event(news(XfrmMsg.NEWSA, request(XfrmMsg.NEWSA, sa_message(OUT)))) is None
    untold = user_acquire()
    untold.update(sel_family=2)
    assert read_event(news(XfrmMsg.ACQUIRE, request(XfrmMsg.ACQUIRE, untold))) is None
