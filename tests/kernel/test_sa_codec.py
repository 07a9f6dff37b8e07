"""edgevpn.kernel.sa_codec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import example, given, settings

from edgevpn.kernel.events import Expire, SaMappingChanged
from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.layout import parts_of
from edgevpn.kernel.netlink import Request, request
from edgevpn.kernel.sa_codec import (
    read_expire,
    read_mapping,
    read_sa,
    read_sa_key,
    sa_key_message,
    sa_message,
    spi_message,
)
from edgevpn.kernel.spec import (
    Aead,
    Direction,
    Encryption,
    Integrity,
    Limits,
    Mark,
    Mode,
    Offload,
    PortMask,
    SaFlag,
    SaKey,
    SaSpec,
    SaState,
    Selector,
    Sequence,
    UdpEncap,
)
from edgevpn.kernel.xfrm_wire import (
    USERSA_ID,
    USERSA_INFO,
    USERSPI_INFO,
    XfrmMsg,
    user_expire,
    user_mapping,
    usersa_info,
)
from tests.support.iproute2 import parts_of_request, sent_by
from tests.support.kernel import ELSEWHERE, HERE, HERE6, IF_ID, KEY, OUT, REQID, THERE, THERE6, sa, sas

ENDS = "src 192.0.2.1 dst 198.51.100.2 proto esp"
ENDS6 = "src 2001:db8::1 dst 2001:db8::2 proto esp"
GCM = f"aead rfc4106(gcm(aes)) 0x{KEY.hex()} 128"
SHA1 = f"auth-trunc hmac(sha1) 0x{KEY.hex()} 96"
SHA256_KEY = bytes(range(0x20, 0x40))

SRCADDR, REPLAY_ESN_VAL = 13, 23

# What ip(8) is told, and the same in our terms.
COMMANDS: dict[str, tuple[str, SaSpec]] = {
    "everything that an AEAD can have": (
        f"ip xfrm state add {ENDS} spi 0xc0ffee01 reqid 0x65760007 mode tunnel {GCM} replay-window 32"
        " encap espinudp 4500 4501 0.0.0.0 if_id 0x65760002 mark 5 mask 0xff output-mark 6 mask 0xf0"
        " limit byte-soft 1000 limit byte-hard 2000 limit packet-soft 30 limit packet-hard 40 limit time-soft 50"
        " limit time-hard 60 flag nopmtudisc extra-flag dont-encap-dscp",
        sa(
            replay_window=32,
            encapsulation=UdpEncap(4500, 4501),
            if_id=IF_ID,
            mark=Mark(5, 0xFF),
            output_mark=Mark(6, 0xF0),
            soft=Limits(1000, 30, 50),
            hard=Limits(2000, 40, 60),
            flags=SaFlag.NO_PMTU_DISCOVERY | SaFlag.DONT_ENCAP_DSCP,
        ),
    ),
    "IPv6, transport mode, ESN": (
        f"ip xfrm state add {ENDS6} spi 0xc0ffee02 reqid 0x65760007 mode transport"
        f" enc cbc(aes) 0x000102030405060708090a0b0c0d0e0f auth-trunc hmac(sha256) 0x{SHA256_KEY.hex()} 128"
        " flag esn replay-window 128 sel src 2001:db8::1/128 dst 2001:db8::2/128 proto udp sport 1701 dport 1701",
        sa(
            0xC0FFEE02,
            source=HERE6,
            destination=THERE6,
            mode=Mode.TRANSPORT,
            cipher=Encryption("cbc(aes)", bytes(range(16))),
            integrity=Integrity("hmac(sha256)", SHA256_KEY, 128),
            esn=True,
            replay_window=128,
            selector=Selector(ip_network(HERE6), ip_network(THERE6), 17, PortMask(1701), PortMask(1701)),
        ),
    ),
    "offload, no replay window": (
        f"ip xfrm state add {ENDS} spi 0xc0ffee03 reqid 0x65760007 mode tunnel enc ecb(cipher_null) {SHA1}"
        " replay-window 0 offload dev lo dir in",
        sa(
            0xC0FFEE03,
            cipher=Encryption("ecb(cipher_null)", b""),
            integrity=Integrity("hmac(sha1)", KEY, 96),
            replay_window=0,
            offload=Offload("lo", Direction.IN),
        ),
    ),
    "sequence numbers": (
        f"ip xfrm state add {ENDS} spi 0xc0ffee04 reqid 0x65760007 mode tunnel {GCM} replay-window 32"
        " replay-seq 0x10 replay-oseq 0x20",
        sa(0xC0FFEE04, replay_window=32, sequence=Sequence(sent=0x20, received=0x10)),
    ),
}


@pytest.mark.parametrize(("command", "spec"), COMMANDS.values(), ids=COMMANDS)
def test_sa_as_ip_sends_it(command: str, spec: SaSpec) -> None:
    ours = parts_of_request(request(XfrmMsg.NEWSA, sa_message(spec)), USERSA_INFO.size)
    theirs = parts_of_request(sent_by(command), USERSA_INFO.size)
    if spec.esn:  # ip(8) leaves the bitmap away, we send an empty one
        bitmap = ours.attributes[REPLAY_ESN_VAL].removeprefix(theirs.attributes[REPLAY_ESN_VAL])
        assert bitmap == bytes(16)
        ours.attributes[REPLAY_ESN_VAL] = theirs.attributes[REPLAY_ESN_VAL]
    assert ours == theirs


KEY_COMMANDS: dict[str, tuple[str, XfrmMsg, SaKey]] = {
    "delete": (
        f"ip xfrm state delete {ENDS} spi 0xc0ffee01 mark 5 mask 0xff",
        XfrmMsg.DELSA,
        SaKey(THERE, 0xC0FFEE01, mark=Mark(5, 0xFF)),
    ),
    "get": (f"ip xfrm state get {ENDS6} spi 0xc0ffee02", XfrmMsg.GETSA, SaKey(THERE6, 0xC0FFEE02)),
}


@pytest.mark.parametrize(("command", "kind", "key"), KEY_COMMANDS.values(), ids=KEY_COMMANDS)
def test_key_as_ip_sends_it(command: str, kind: XfrmMsg, key: SaKey) -> None:
    """ip(8) adds the source address, which the kernel looks at only where there is no SPI."""
    theirs = parts_of_request(sent_by(command), USERSA_ID.size)
    del theirs.attributes[SRCADDR]
    assert parts_of_request(request(kind, sa_key_message(key)), USERSA_ID.size) == theirs


def test_allocspi_as_ip_sends_it() -> None:
    command = f"ip xfrm state allocspi {ENDS} reqid 0x65760007 mode tunnel min 0x100 max 0x1ff"
    message = spi_message(HERE, THERE, REQID, 0, Mode.TUNNEL, range(0x100, 0x200))
    ours = parts_of_request(request(XfrmMsg.ALLOCSPI, message), USERSPI_INFO.size)
    assert ours == parts_of_request(sent_by(command), USERSPI_INFO.size)


def test_allocspi_for_an_interface() -> None:
    message = spi_message(HERE, THERE, REQID, IF_ID, Mode.TUNNEL, range(0x100, 0x200))
    ours = parts_of_request(request(XfrmMsg.ALLOCSPI, message), USERSPI_INFO.size)
    assert ours.attributes == {31: IF_ID.to_bytes(4, "little")}


def as_read(message: nlmsg) -> SaState:
    """What we send is what the kernel would send back."""
    state = read_sa(*parts_of(usersa_info, octets_of(request(XfrmMsg.NEWSA, message))), with_keys=True)
    assert state is not None
    return state


def octets_of(sent: Request) -> bytes:
    return sent.octets(sent.flags, 1)


@settings(max_examples=50)
@given(sas())
@example(replace(OUT, replay_window=0, sequence=Sequence(1, 2, bytes(4))))
def test_sas_come_back(spec: SaSpec) -> None:
    """Without an offload, whose interface must exist; a selector is told apart below."""
    state = as_read(sa_message(spec))
    assert state.spec == replace(spec, sequence=None)
    assert state.sequence == spec.sequence


def test_counters_come_back() -> None:
    """An SA that moves goes on counting."""
    counters = SaState(spec=OUT, octets=1000, packets=10, added_at=1234, first_used_at=1235)
    message = sa_message(OUT, counters)
    ours = parts_of_request(request(XfrmMsg.NEWSA, message), USERSA_INFO.size)
    assert ours.attributes[9] == b"".join(number.to_bytes(8, "little") for number in (1000, 10, 1234, 1235))


def test_never_used() -> None:
    message = sa_message(OUT, SaState(spec=OUT))
    assert parts_of_request(request(XfrmMsg.NEWSA, message), USERSA_INFO.size).attributes[9] == bytes(32)


@pytest.mark.parametrize(
    "selector",
    [
        Selector(ip_network("0.0.0.0/0"), ip_network("0.0.0.0/0"), 17),
        Selector(ip_network("0.0.0.0/0"), ip_network("0.0.0.0/0"), 0, PortMask(1)),
        Selector(ip_network("10.0.0.0/8"), ip_network("0.0.0.0/0")),
    ],
    ids=["a protocol", "a port", "a network"],
)
def test_selector_comes_back(selector: Selector) -> None:
    assert as_read(sa_message(sa(selector=selector))).spec.selector == selector


# What the kernel sends

INFO: Mapping[str, Any] = dict.fromkeys(USERSA_INFO.names, 0) | {
    "id_daddr": THERE.packed + bytes(12),
    "id_spi": b"spi1",
    "id_proto": 50,
    "saddr": HERE.packed + bytes(12),
    "sel_sport_mask": bytes(2),
    "sel_dport_mask": bytes(2),
    "family": 2,
    "mode": 1,
    "reqid": REQID,
}
AEAD: Mapping[str, Any] = {
    "XFRMA_ALG_AEAD": {
        "alg_name": b"rfc4106(gcm(aes))\0rubbish".ljust(64, b"\0"),
        "alg_key_len": 160,
        "alg_icv_len": 128,
        "alg_key": KEY + b"rubbish",
    }
}


def test_allocated_spi_is_no_sa() -> None:
    assert read_sa(INFO, {}) is None
    assert read_sa_key(INFO, {}) == SaKey(THERE, 0x73706931)


def test_keys_are_read_only_when_wanted() -> None:
    hidden, shown = read_sa(INFO, AEAD), read_sa(INFO, AEAD, with_keys=True)
    assert hidden is not None
    assert shown is not None
    assert hidden.spec.cipher == Aead("rfc4106(gcm(aes))", b"", 128)
    assert shown.spec.cipher == Aead("rfc4106(gcm(aes))", KEY, 128)


def test_counters_of_the_kernel() -> None:
    info = {
        **INFO,
        "curlft_bytes": 1000,
        "curlft_packets": 10,
        "curlft_add_time": 1234,
        "curlft_use_time": 1235,
        "stats_replay_window": 1,
        "stats_replay": 2,
        "stats_integrity_failed": 3,
    }
    state = read_sa(info, {**AEAD, "XFRMA_LASTUSED": 1240})
    assert state is not None
    assert (state.octets, state.packets, state.added_at) == (1000, 10, 1234)
    assert (state.first_used_at, state.last_used_at) == (1235, 1240)
    assert (state.late, state.replayed, state.forged) == (1, 2, 3)
    assert state.sequence == Sequence()


def test_output_mark_without_mask() -> None:
    """Kernels before 4.19 have no mask."""
    state = read_sa(INFO, {**AEAD, "XFRMA_SET_MARK": 6})
    assert state is not None
    assert state.spec.output_mark == Mark(6)


def test_what_kernels_to_come_may_add() -> None:
    state = read_sa({**INFO, "mode": 9, "id_proto": 200}, AEAD)
    assert state is not None
    assert (state.spec.mode, state.spec.protocol) == (9, 200)


def test_sa_of_no_family() -> None:
    with pytest.raises(ValueError, match="address family 0"):
        read_sa({**INFO, "family": 0}, AEAD)


@pytest.mark.parametrize("hard", [0, 1])
def test_expire(hard: int) -> None:
    message = user_expire()
    message.update({f"state_{name}": value for name, value in INFO.items()}, hard=hard)
    message["attrs"] = [("XFRMA_MARK", {"v": 5, "m": 0xFF})]
    parts = parts_of(user_expire, octets_of(request(XfrmMsg.EXPIRE, message)))
    assert read_expire(*parts) == Expire(SaKey(THERE, 0x73706931, mark=Mark(5, 0xFF)), REQID, hard=bool(hard))


def test_mapping() -> None:
    message = user_mapping()
    message.update(
        id_daddr=HERE.packed,
        id_spi=b"spi1",
        id_family=2,
        id_proto=50,
        reqid=REQID,
        old_saddr=THERE.packed,
        new_saddr=ELSEWHERE.packed,
        old_sport=b"\x11\x94",
        new_sport=b"\xee\x48",
    )
    parts = parts_of(user_mapping, octets_of(request(XfrmMsg.MAPPING, message)))
    key = SaKey(ip_address("192.0.2.1"), 0x73706931)
    assert read_mapping(*parts) == SaMappingChanged(key, REQID, ELSEWHERE, 61000, THERE, 4500)
