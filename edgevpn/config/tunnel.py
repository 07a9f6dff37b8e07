"""What the tunnels of sites and of devices have in common."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from edgevpn.config.kinds import DAY, FLAG, MINUTE, WEEK, choice, duration, integer, many, text
from edgevpn.config.proposals import Proposal
from edgevpn.config.services import YEAR, Offload
from edgevpn.config.setting import Default, Effect, derived, setting
from edgevpn.config.values import ESP_PROPOSAL, IKE_PROPOSAL, ORDER

INTERFACE_PREFIX = "evpn"
INTERFACE_LENGTH = 15
OWN_INTERFACE = text(
    f"{INTERFACE_PREFIX} and up to {INTERFACE_LENGTH - len(INTERFACE_PREFIX)} letters, digits, . _ -",
    rf"{INTERFACE_PREFIX}[A-Za-z0-9._-]{{0,{INTERFACE_LENGTH - len(INTERFACE_PREFIX)}}}",
)

IKE_PROPOSALS = [
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha512-prfsha256"
    "-x25519-ecp384-ecp256-ecp521-modp4096-modp3072-modp2048",
    "aes256-aes128-sha384-sha512-sha256-x25519-ecp384-ecp256-ecp521-modp4096-modp3072-modp2048",
]
ESP_PROPOSALS = [
    "aes256gcm16-aes128gcm16-chacha20poly1305-x25519-ecp384-ecp256-modp3072-modp2048-none",
    "aes256-aes128-sha256-sha384-sha512-x25519-ecp384-ecp256-modp3072-modp2048-none",
]


class Unique(Enum):
    """What a second IKE SA between the same identities does to the first."""

    KEEP = "keep"
    REPLACE = "replace"
    REFUSE = "refuse"


def own_interface(given: Mapping[str, Any]) -> str:
    """The name of the interface of a site or pool that gives it none."""
    return f"{INTERFACE_PREFIX}-{given['name']}"[:INTERFACE_LENGTH]


def tenth_more(key: str) -> Default:
    """The default of a life time: what is left of it after rekeying is for trying again."""
    return lambda given: given[key] + given[key] // 10


def from_crypto(key: str) -> Default:
    """The default of what [crypto] decides for all."""
    return lambda given: getattr(given["crypto"], key)


# --- keys that both have; what each says stands in its setting ----------------------------------------------------


def ike_proposals(written: list[str]) -> tuple[Proposal, ...]:
    return setting(many(IKE_PROPOSAL), "Algorithms for IKE, in order of preference.", written, effect=Effect.NEXT)


def esp_proposals() -> tuple[Proposal, ...]:
    return setting(
        many(ESP_PROPOSAL), "Algorithms for traffic, in order of preference.", ESP_PROPOSALS, effect=Effect.NEXT
    )


def cipher_order() -> tuple[str, ...]:
    return derived(
        ORDER, "Which cipher is chosen, as in [crypto].", "crypto.order", from_crypto("order"), effect=Effect.NEXT
    )


def offload() -> Offload:
    return derived(choice(Offload), "As in [crypto].", "crypto.offload", from_crypto("offload"), effect=Effect.NEXT)


def ike_rekey_time() -> int:
    return setting(
        duration(5 * MINUTE, WEEK, or_off=True), "After what time the IKE SA gets new keys.", "4h", effect=Effect.NEXT
    )


def ike_life_time() -> int:
    return derived(
        duration(5 * MINUTE, WEEK + DAY, or_off=True),
        "After what time an IKE SA that could not be rekeyed is closed.",
        "a tenth more than ike_rekey_time",
        tenth_more("ike_rekey_time"),
        effect=Effect.NEXT,
    )


def reauth_time() -> int:
    return setting(
        duration(MINUTE, YEAR, or_off=True),
        "After what time both sides show again who they are (RFC 4478). A client that cannot is cut off then:"
        " those of Windows, Apple and Android log in anew.",
        0,
        effect=Effect.NEXT,
    )


def idle_time() -> int:
    return setting(
        duration(MINUTE, WEEK, or_off=True),
        "After what time without a packet from the peer the tunnel is closed.",
        0,
        effect=Effect.NEXT,
    )


def esp_life_time(besides: str = "") -> int:
    return derived(
        duration(MINUTE, WEEK + DAY, or_off=True),
        f"After what time a CHILD SA that could not be rekeyed is removed.{besides}",
        "a tenth more than esp_rekey_time",
        tenth_more("esp_rekey_time"),
        effect=Effect.NEXT,
    )


def ppk_required() -> bool:
    return setting(
        FLAG,
        "Make no tunnel without the post-quantum pre-shared key. With false, a peer that does not know the key yet does"
        " without it.",
        True,
    )


def replay_window() -> int:
    return setting(
        integer(0, 4096, "packets, 0 for no replay check"),
        "How far packets may overtake one another.",
        256,
        effect=Effect.NEXT,
    )


def fragmentation() -> bool:
    return setting(FLAG, "Cut long IKE messages rather than let IP do it (RFC 7383).", True, effect=Effect.NEXT)
