"""What the tunnels of sites and of devices have in common."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from edgevpn.config.kinds import text
from edgevpn.config.setting import Default

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
