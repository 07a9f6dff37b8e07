"""SAs as XFRM messages, and XFRM messages as SAs."""

from __future__ import annotations

from typing import Any

from edgevpn.kernel.events import Expire, SaMappingChanged
from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.spec import (
    Aead,
    Encryption,
    Integrity,
    IpAddress,
    Mark,
    Mode,
    Protocol,
    SaFlag,
    SaKey,
    SaSpec,
    SaState,
    Selector,
    Sequence,
)
from edgevpn.kernel.xfrm_parts import (
    Attributes,
    Values,
    encapsulation_attributes,
    family,
    limit_values,
    offload_attributes,
    read_address,
    read_encapsulation,
    read_limits,
    read_mark,
    read_offload,
    read_selector,
    selector_values,
    tag_attributes,
)
from edgevpn.kernel.xfrm_wire import (
    XFRM_STATE_ESN,
    usersa_id,
    usersa_info,
    userspi_info,
)

# The widest window that struct xfrm_replay_state has room for.
SHORT_WINDOW = 32


def sa_message(spec: SaSpec, counters: SaState | None = None) -> nlmsg:
    """NEWSA or UPDSA. With `counters`, the SA goes on counting from there."""
    message = usersa_info()
    message.update(sa_values(spec))
    message["attrs"] = [
        *algorithm_attributes(spec),
        *replay_attributes(spec),
        *encapsulation_attributes(spec.encapsulation),
        *tag_attributes(spec.if_id, spec.mark),
        *output_mark_attributes(spec.output_mark),
        *offload_attributes(spec.offload),
    ]
    if extra := spec.flags >> 8:
        message["attrs"].append(("XFRMA_SA_EXTRA_FLAGS", int(extra)))
    if spec.mapping_interval:
        message["attrs"].append(("XFRMA_MTIMER_THRESH", spec.mapping_interval))
    if counters is not None:
        message["attrs"].append(("XFRMA_LTIME_VAL", lifetime_current(counters)))
    return message


def sa_values(spec: SaSpec) -> dict[str, Any]:
    """struct xfrm_usersa_info."""
    esn_attribute = needs_esn_attribute(spec)
    return {
        **selector_values(spec.selector),
        "id_daddr": spec.destination.packed,
        "id_spi": spec.spi.to_bytes(4, "big"),
        "id_proto": spec.protocol,
        "saddr": spec.source.packed,
        **limit_values(spec.soft, "lft_soft"),
        **limit_values(spec.hard, "lft_hard"),
        "reqid": spec.reqid,
        "family": family(spec.destination),
        "mode": spec.mode,
        "replay_window": 0 if esn_attribute else spec.replay_window,
        "flags": (spec.flags & 0xFF) | (XFRM_STATE_ESN if spec.esn else 0),
    }


def algorithm_attributes(spec: SaSpec) -> Attributes:
    cipher, integrity = spec.cipher, spec.integrity
    values: dict[str, Any] = {
        "alg_name": cipher.name.encode(),
        "alg_key_len": 8 * len(cipher.key),
        "alg_key": cipher.key,
    }
    if isinstance(cipher, Aead):
        return [("XFRMA_ALG_AEAD", {**values, "alg_icv_len": cipher.icv_bits})]
    attributes: Attributes = [("XFRMA_ALG_CRYPT", values)]
    if integrity is not None:
        values = {"alg_name": integrity.name.encode(), "alg_key_len": 8 * len(integrity.key), "alg_key": integrity.key}
        attributes.append(("XFRMA_ALG_AUTH_TRUNC", {**values, "alg_trunc_len": integrity.truncation_bits}))
    return attributes


def needs_esn_attribute(spec: SaSpec) -> bool:
    """Whether the replay state fits struct xfrm_replay_state_esn only."""
    return spec.esn or spec.replay_window > SHORT_WINDOW


def replay_attributes(spec: SaSpec) -> Attributes:
    sequence = spec.sequence or Sequence()
    if not needs_esn_attribute(spec):
        if spec.sequence is None:
            return []
        bitmap = int.from_bytes(sequence.bitmap, "little")
        return [("XFRMA_REPLAY_VAL", {"oseq": sequence.sent, "seq": sequence.received, "bitmap": bitmap})]
    words = -(-spec.replay_window // 32)
    values = {
        "bmp_len": words,
        "oseq": sequence.sent & 0xFFFF_FFFF,
        "seq": sequence.received & 0xFFFF_FFFF,
        "oseq_hi": sequence.sent >> 32,
        "seq_hi": sequence.received >> 32,
        "replay_window": spec.replay_window,
        "bmp": sequence.bitmap or bytes(4 * words),
    }
    return [("XFRMA_REPLAY_ESN_VAL", values)]


def output_mark_attributes(mark: Mark | None) -> Attributes:
    return [] if mark is None else [("XFRMA_SET_MARK", mark.value), ("XFRMA_SET_MARK_MASK", mark.mask)]


def lifetime_current(state: SaState) -> dict[str, int]:
    return {
        "bytes": state.octets,
        "packets": state.packets,
        "add_time": state.added_at,
        "use_time": state.first_used_at or 0,
    }


def sa_key_message(key: SaKey) -> nlmsg:
    """GETSA or DELSA."""
    message = usersa_id()
    message["daddr"] = key.destination.packed
    message["spi"] = key.spi.to_bytes(4, "big")
    message["family"] = family(key.destination)
    message["proto"] = key.protocol
    message["attrs"] = tag_attributes(0, key.mark)
    return message


def spi_message(source: IpAddress, destination: IpAddress, reqid: int, if_id: int, mode: Mode, spis: range) -> nlmsg:
    """ALLOCSPI."""
    message = userspi_info()
    message["info_id_daddr"] = destination.packed
    message["info_id_proto"] = Protocol.ESP
    message["info_saddr"] = source.packed
    message["info_reqid"] = reqid
    message["info_family"] = family(destination)
    message["info_mode"] = mode
    message["min"], message["max"] = spis.start, spis.stop - 1
    message["attrs"] = tag_attributes(if_id, None)
    return message


def read_sa_key(info: Values, attributes: Values, prefix: str = "") -> SaKey:
    """The key of an SA in struct xfrm_usersa_info."""
    destination = read_address(info[prefix + "id_daddr"], info[prefix + "family"])
    spi = int.from_bytes(info[prefix + "id_spi"], "big")
    return SaKey(destination, spi, Protocol(info[prefix + "id_proto"]), read_mark(attributes))


def read_sa(info: Values, attributes: Values, *, with_keys: bool = False) -> SaState | None:
    """An SA of struct xfrm_usersa_info and its attributes; None for an SPI that is only allocated."""
    cipher, integrity = read_algorithms(attributes, with_keys)
    if cipher is None:
        return None
    key = read_sa_key(info, attributes)
    flags = info["flags"] & ~XFRM_STATE_ESN & 0xFF
    window, sequence = read_replay(info, attributes)
    spec = SaSpec(
        source=read_address(info["saddr"], info["family"]),
        destination=key.destination,
        spi=key.spi,
        reqid=info["reqid"],
        cipher=cipher,
        integrity=integrity,
        protocol=key.protocol,
        mode=Mode(info["mode"]),
        if_id=attributes.get("XFRMA_IF_ID", 0),
        replay_window=window,
        esn=bool(info["flags"] & XFRM_STATE_ESN),
        encapsulation=read_encapsulation(attributes),
        selector=read_sa_selector(info),
        soft=read_limits(info, "lft_soft"),
        hard=read_limits(info, "lft_hard"),
        mark=key.mark,
        output_mark=read_output_mark(attributes),
        offload=read_offload(attributes),
        flags=SaFlag(flags | attributes.get("XFRMA_SA_EXTRA_FLAGS", 0) << 8),
        mapping_interval=attributes.get("XFRMA_MTIMER_THRESH", 0),
    )
    return SaState(
        spec=spec,
        octets=info["curlft_bytes"],
        packets=info["curlft_packets"],
        added_at=info["curlft_add_time"],
        first_used_at=info["curlft_use_time"] or None,
        last_used_at=attributes.get("XFRMA_LASTUSED"),
        sequence=sequence,
        late=info["stats_replay_window"],
        replayed=info["stats_replay"],
        forged=info["stats_integrity_failed"],
    )


def read_algorithms(attributes: Values, with_keys: bool) -> tuple[Aead | Encryption | None, Integrity | None]:
    def key(values: Values) -> bytes:
        return values["alg_key"][: values["alg_key_len"] // 8] if with_keys else b""

    if aead := attributes.get("XFRMA_ALG_AEAD"):
        return Aead(read_name(aead), key(aead), aead["alg_icv_len"]), None
    crypt, auth = attributes.get("XFRMA_ALG_CRYPT"), attributes.get("XFRMA_ALG_AUTH_TRUNC")
    return (
        Encryption(read_name(crypt), key(crypt)) if crypt else None,
        Integrity(read_name(auth), key(auth), auth["alg_trunc_len"]) if auth else None,
    )


def read_name(algorithm: Values) -> str:
    name: bytes = algorithm["alg_name"]
    return name.partition(b"\0")[0].decode("ascii", "replace")


def read_replay(info: Values, attributes: Values) -> tuple[int, Sequence]:
    """The replay window, and how far the numbers went."""
    if esn := attributes.get("XFRMA_REPLAY_ESN_VAL"):
        sent, received = esn["oseq_hi"] << 32 | esn["oseq"], esn["seq_hi"] << 32 | esn["seq"]
        return esn["replay_window"], Sequence(sent, received, esn["bmp"])
    if short := attributes.get("XFRMA_REPLAY_VAL"):
        bitmap = short["bitmap"].to_bytes(4, "little")
        return info["replay_window"], Sequence(short["oseq"], short["seq"], bitmap)
    return info["replay_window"], Sequence()


def read_output_mark(attributes: Values) -> Mark | None:
    value = attributes.get("XFRMA_SET_MARK")
    return None if value is None else Mark(value, attributes.get("XFRMA_SET_MARK_MASK", 0xFFFF_FFFF))


def read_sa_selector(info: Values) -> Selector | None:
    """An SA's selector; None where it selects everything."""
    narrowing = ("sel_prefixlen_s", "sel_prefixlen_d", "sel_proto")
    ports = int.from_bytes(info["sel_sport_mask"] + info["sel_dport_mask"], "big")
    return read_selector(info, "sel_") if ports or any(info[name] for name in narrowing) else None


def read_expire(info: Values, attributes: Values) -> Expire:
    """An EXPIRE."""
    return Expire(read_sa_key(info, attributes, "state_"), info["state_reqid"], bool(info["hard"]))


def read_mapping(info: Values, attributes: Values) -> SaMappingChanged:
    """A MAPPING."""
    address_family = info["id_family"]
    return SaMappingChanged(
        SaKey(
            read_address(info["id_daddr"], address_family),
            int.from_bytes(info["id_spi"], "big"),
            Protocol(info["id_proto"]),
            read_mark(attributes),
        ),
        info["reqid"],
        read_address(info["new_saddr"], address_family),
        int.from_bytes(info["new_sport"], "big"),
        read_address(info["old_saddr"], address_family),
        int.from_bytes(info["old_sport"], "big"),
    )
