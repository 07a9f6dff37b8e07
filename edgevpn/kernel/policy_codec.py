"""Policies as XFRM messages, and XFRM messages as policies."""

from __future__ import annotations

from typing import Any

from edgevpn.kernel.events import Acquire
from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.spec import (
    Action,
    Direction,
    Limits,
    Migration,
    Mode,
    Offload,
    PolicyKey,
    PolicySpec,
    PolicyState,
    Protocol,
    Selector,
    Template,
)
from edgevpn.kernel.xfrm_parts import (
    Values,
    any_network,
    encapsulation_attributes,
    family,
    limit_values,
    offload_attributes,
    read_address,
    read_mark,
    read_offload,
    read_selector,
    selector_values,
    tag_attributes,
)
from edgevpn.kernel.xfrm_wire import (
    USER_TMPL,
    USERPOLICY_INFO,
    userpolicy_id,
    userpolicy_info,
)

ANY_ALGORITHM = 0xFFFF_FFFF


def policy_message(spec: PolicySpec) -> nlmsg:
    """NEWPOLICY or UPDPOLICY."""
    message = userpolicy_info()
    message.update(policy_values(spec))
    message["attrs"] = tag_attributes(spec.key.if_id, spec.key.mark)
    if spec.templates:
        templates = b"".join(USER_TMPL.pack(template_values(template)) for template in spec.templates)
        message["attrs"].append(("XFRMA_TMPL", {"templates": templates}))
    if spec.offload is not None:
        message["attrs"] += offload_attributes(Offload(spec.offload, Direction.OUT, packet=True))
    return message


def policy_values(spec: PolicySpec) -> dict[str, Any]:
    """struct xfrm_userpolicy_info."""
    return {
        **selector_values(spec.selector),
        **limit_values(Limits(), "lft_soft"),
        **limit_values(Limits(), "lft_hard"),
        "priority": spec.priority,
        "dir": spec.direction,
        "action": spec.action,
    }


def socket_policy(address_family: int, direction: Direction) -> bytes:
    """What IP_XFRM_POLICY takes: a policy that lets all packets of a socket pass, as they are."""
    everything = any_network(address_family)
    spec = PolicySpec(key=PolicyKey(Selector(everything, everything), direction), priority=0)
    return USERPOLICY_INFO.pack(policy_values(spec))


def template_values(template: Template) -> dict[str, Any]:
    return {
        "id_daddr": template.destination.packed,
        "id_spi": template.spi.to_bytes(4, "big"),
        "id_proto": template.protocol,
        "family": family(template.destination),
        "saddr": template.source.packed,
        "reqid": template.reqid,
        "mode": template.mode,
        "optional": template.optional,
        "aalgos": ANY_ALGORITHM,
        "ealgos": ANY_ALGORITHM,
        "calgos": ANY_ALGORITHM,
    }


def policy_key_message(key: PolicyKey) -> nlmsg:
    """GETPOLICY or DELPOLICY."""
    message = userpolicy_id()
    message.update(selector_values(key.selector))
    message["dir"] = key.direction
    message["attrs"] = tag_attributes(key.if_id, key.mark)
    return message


def migrate_message(migration: Migration) -> nlmsg:
    """MIGRATE."""
    template = migration.template
    addresses = {
        "old_daddr": template.destination.packed,
        "old_saddr": template.source.packed,
        "new_daddr": migration.destination.packed,
        "new_saddr": migration.source.packed,
        "proto": template.protocol,
        "mode": template.mode,
        "reqid": template.reqid,
        "old_family": family(template.destination),
        "new_family": family(migration.destination),
    }
    message = policy_key_message(migration.policy)
    message["attrs"] += [("XFRMA_POLICY_TYPE", {}), ("XFRMA_MIGRATE", addresses)]
    message["attrs"] += encapsulation_attributes(migration.encapsulation)
    return message


def read_policy(info: Values, attributes: Values) -> PolicyState:
    """A policy of struct xfrm_userpolicy_info and its attributes."""
    offload = read_offload(attributes)
    spec = PolicySpec(
        key=PolicyKey(
            read_selector(info, "sel_"),
            Direction(info["dir"]),
            attributes.get("XFRMA_IF_ID", 0),
            read_mark(attributes),
        ),
        priority=info["priority"],
        templates=read_templates(attributes),
        action=Action(info["action"]),
        offload=None if offload is None else offload.interface,
    )
    return PolicyState(
        spec=spec,
        index=info["index"],
        octets=info["curlft_bytes"],
        packets=info["curlft_packets"],
        added_at=info["curlft_add_time"],
        first_used_at=info["curlft_use_time"] or None,
    )


def read_templates(attributes: Values) -> tuple[Template, ...]:
    octets: bytes = attributes.get("XFRMA_TMPL", {"templates": b""})["templates"]
    whole = len(octets) - len(octets) % USER_TMPL.size
    return tuple(read_template(USER_TMPL.unpack(octets, start)) for start in range(0, whole, USER_TMPL.size))


def read_template(values: Values) -> Template:
    return Template(
        read_address(values["saddr"], values["family"]),
        read_address(values["id_daddr"], values["family"]),
        values["reqid"],
        Mode(values["mode"]),
        Protocol(values["id_proto"]),
        bool(values["optional"]),
        int.from_bytes(values["id_spi"], "big"),
    )


def read_acquire(info: Values, attributes: Values) -> Acquire | None:
    """An ACQUIRE; None for one that does not say which template it is about."""
    templates = read_templates(attributes)
    if not templates:
        return None
    address_family = family(templates[0].destination)
    return Acquire(
        read_selector(info, "sel_"),
        read_address(info["saddr"], address_family),
        read_address(info["id_daddr"], address_family),
        templates[0].reqid,
        attributes.get("XFRMA_IF_ID", 0),
        info["policy_index"],
    )
