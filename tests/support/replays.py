"""Attempts that fail against the gateway of a configuration, and configurations with which they would not.

attempt = played(case.left, case.ours, case.after)

Each is a real one: `pair` plays it against the peers of the configuration, with the daemon's own answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from edgevpn.config.model import Config
from edgevpn.daemon.peers import Proof, peers
from edgevpn.diagnosis.attempts import Attempt
from edgevpn.diagnosis.codes import Code
from edgevpn.ike.iana import IdType
from edgevpn.ike.peer import Certified, Peer, Ppk, Signing, Wants
from edgevpn.ike.state import RekeyChild
from edgevpn.ike.wire.payloads import Identification
from tests.support.certificates import DAY, NOW
from tests.support.configs import config
from tests.support.pair import LEFT
from tests.support.peers import ECP256, LAN, TO_RIGHT, selectors
from tests.support.provocations import (
    ALICE,
    AUTHORITY,
    GATEWAY,
    HOLDING_LAPTOP,
    LAPTOP,
    OTHER_CIPHER,
    OTHER_ESP,
    OTHER_NETWORK,
    PHONE,
    WINDOWS,
    Household,
    Watched,
    with_pfs,
)
from tests.support.visitors import PASSWORD, gateway

Table = dict[str, Any]
PROOF = Proof(Signing((GATEWAY,)), Certified((AUTHORITY,)))
SITE: Table = {
    "remote": str(LEFT),
    "psk": "a key that both have",
    "local_id": "right.example",
    "remote_id": "left.example",
    "local_networks": ["10.2.0.0/24"],
    "remote_networks": ["10.1.0.0/24"],
    "ike_proposals": "aes256gcm16-prfsha256-x25519",
    "esp_proposals": "aes256gcm16-x25519-none",
    "mobike": False,
    "fragmentation": False,
}
CBC_SITE = SITE | {"ike_proposals": "aes256-sha256-prfsha256-x25519"}
DEVICE: Table = {"id": "alice", "password": PASSWORD}
KEYED: Table = {"id": "alice", "login": "psk", "psk": "a key that both have"}
PPK: Table = {"ppk": "0x" + "42" * 32, "ppk_id": "winter"}
HAS_PPK = Ppk(b"winter", b"\x42" * 32)
NAMED = Identification(IdType.FQDN, b"alice")
ANYTHING = replace(LAN, ts_local=selectors("0.0.0.0/0"), ts_remote=selectors("0.0.0.0/0"))
VISITOR = replace(
    TO_RIGHT,
    remote_id=None,
    wants=Wants(ipv4=True, ipv6=False),
    local_auth=ALICE,
    remote_auth=Certified((AUTHORITY,)),
    children=(ANYTHING,),
)
BY_KEY = replace(VISITOR, local_id=NAMED, local_auth=TO_RIGHT.local_auth, remote_auth=TO_RIGHT.remote_auth)
BY_CERTIFICATE = replace(VISITOR, local_id=NAMED, local_auth=Signing((LAPTOP,)))


def site(**keys: Any) -> Config:
    return config(office={key: value for key, value in (SITE | keys).items() if value is not None})


def road(device: Table | None = None, **pool: Any) -> Config:
    """A pool for devices, and one device, if any."""
    return gateway({"phone-of-alice": device} if device else {}, pool=pool)


def played(left: Peer, ours: Config, after: Callable[[Watched], object] = lambda _: None) -> Attempt:
    """Left calls the gateway of this configuration; the attempt that came to nothing."""
    proofs = dict.fromkeys(("", *(each.name for each in ours.sites)), PROOF)
    world = HOLDING_LAPTOP if isinstance(left.local_auth, Signing) else PHONE
    watched = Watched(left, peers(ours, proofs), (world, Household(ours))).call(60)
    after(watched)
    return next(each for each in watched.right if each.asked)


@dataclass(frozen=True, slots=True)
class Case:
    """Who calls, with which configuration it fails, and with which it would not."""

    left: Peer
    ours: Config
    mended: Config
    after: Callable[[Watched], object] = field(default=lambda _: None)


def rekey(watched: Watched) -> None:
    watched.pair.left.ask(RekeyChild(watched.pair.left.child.spi_in))
    watched.pair.run(5)


STRANGER = Identification(IdType.FQDN, b"who.example")

CASES: dict[Code, Case] = {
    Code.ADDRESS_UNKNOWN: Case(TO_RIGHT, site(remote="203.0.113.9"), site()),
    Code.MODP_1024_ONLY: Case(
        WINDOWS,
        config(office=CBC_SITE),
        road(DEVICE, legacy=True),
    ),
    Code.NO_COMMON_IKE_PROPOSAL: Case(OTHER_CIPHER, site(), site(ike_proposals="aes256-sha256-prfsha384-x25519")),
    Code.IDENTITY_UNKNOWN: Case(replace(TO_RIGHT, local_id=STRANGER), site(), site(remote_id="who.example")),
    Code.NOT_OUR_NAME: Case(replace(TO_RIGHT, remote_id=STRANGER), site(), site(local_id="who.example")),
    Code.METHOD_NOT_ALLOWED: Case(TO_RIGHT, site(auth="certificate", psk=None), site()),
    Code.KEY_UNKNOWN: Case(BY_KEY, road(), road(KEYED)),
    Code.PPK_MISSING: Case(VISITOR, road(DEVICE | PPK), road(DEVICE)),
    Code.PPK_UNKNOWN: Case(
        replace(BY_KEY, ppk=replace(HAS_PPK, ppk_id=b"summer")),
        road(KEYED | PPK),
        road(KEYED | PPK | {"ppk_id": "summer"}),
    ),
    Code.USER_UNKNOWN: Case(VISITOR, road(DEVICE | {"id": "bob"}), road(DEVICE)),
    Code.DEVICE_DISABLED: Case(VISITOR, road(DEVICE | {"enabled": False}), road(DEVICE)),
    Code.DEVICE_EXPIRED: Case(VISITOR, road(DEVICE | {"expires": (NOW - DAY).date()}), road(DEVICE)),
    Code.ADDRESS_NOT_ASKED: Case(replace(BY_KEY, wants=None), road(KEYED), site(remote_id="alice")),
    Code.NO_COMMON_SELECTORS: Case(OTHER_NETWORK, site(), site(remote_networks=["10.77.0.0/24"])),
    Code.NO_COMMON_ESP_PROPOSAL: Case(OTHER_ESP, site(), site(esp_proposals="aes256-sha256")),
    Code.PFS_DIFFERS: Case(
        with_pfs(TO_RIGHT, ECP256),
        site(esp_proposals="aes256gcm16-x25519"),
        site(esp_proposals="aes256gcm16-ecp256"),
        rekey,
    ),
}


CALLING: Table = SITE | {
    "remote": "198.51.100.1",
    "local_id": "left.example",
    "remote_id": "right.example",
    "local_networks": ["10.1.0.0/24"],
    "remote_networks": ["10.2.0.0/24"],
}


def our(**keys: Any) -> Config:
    """A site called "right", which we call."""
    return config(right=CALLING | keys)
