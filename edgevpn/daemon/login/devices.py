"""Who may come in: the devices of the configuration, found by what they show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum

from cryptography.x509 import Certificate

from edgevpn.config.credential import NtHash, Psk, Secret
from edgevpn.config.identity import Identity, IdentityKind, Pattern
from edgevpn.config.model import Config, Device
from edgevpn.config.pool import Login
from edgevpn.daemon.peers import pattern_of, peer_of
from edgevpn.dn import CanonicalName, canonical_of_der, der_of, split
from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.identity import closeness
from edgevpn.ike.wire.payloads import Identification
from edgevpn.pki.identity import ids_of

SEQUENCE = b"\x30"
"""With which DER begins a Distinguished Name."""


class Refusal(Enum):
    """Why a device does not come in, in words for its owner."""

    UNKNOWN = "no device has this name"
    DISABLED = "the device is disabled"
    EXPIRED = "the time of the device is over"
    TOO_MANY_TRIES = "too many tries to log in as this device; it may try again in a minute"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Found:
    """A device, and the peer by which it comes in."""

    device: Device
    peer: str


class Devices:
    """An index of devices; a look-up costs the same however many there are. `clock` gives the time, with its zone."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._by_name = {device.name: device for device in config.devices}
        alone = ((each, each.id.folded) for each in config.devices if isinstance(each.id, Identity))
        self._by_key = {(peer_of(device), key): device for device, key in alone}
        self._several = [(pattern_of(each.id), each) for each in config.devices if isinstance(each.id, Pattern)]
        self._several.sort(key=lambda entry: closeness(entry[0]), reverse=True)

    def get(self, name: str) -> Device | None:
        """The device of that name."""
        return self._by_name.get(name)

    def find(self, peers: Iterable[str], shown: bytes) -> Found | Refusal:
        """The device that shows this name, by one of these peers. The type under which it shows it plays no part."""
        key = folded(shown)
        for peer in peers:
            if device := self._by_key.get((peer, key)):
                return self.refusal(device) or Found(device, peer)
        return Refusal.UNKNOWN

    def among(self, peer: str, proved: Iterable[Identification]) -> Found | Refusal:
        """The device that is whoever has proved one of these identities, if it is one that several may be."""
        identities = tuple(proved)
        for pattern, device in self._several:
            if peer_of(device) == peer and any(each in pattern for each in identities):
                return self.refusal(device) or Found(device, peer)
        return Refusal.UNKNOWN

    def name_of(self, peers: Iterable[str], shown: str) -> str:
        """The name of the device that shows itself so, by one of these peers, may it come in or not; "" if none."""
        key = _folded_text(shown)
        found = (self._by_key.get((peer, key)) for peer in peers)
        return next((device.name for device in found if device is not None), "")

    def holder(self, peer: str, name: str) -> Found | Refusal:
        """The device of that name, which has shown a certificate that we have given it."""
        device = self._by_name.get(name)
        if device is None or peer_of(device) != peer:
            return Refusal.UNKNOWN
        return self.refusal(device) or Found(device, peer)

    def refusal(self, device: Device) -> Refusal | None:
        """Why the device may not come in, or may not stay."""
        if not device.enabled:
            return Refusal.DISABLED
        if device.expires is not None and self._clock() >= device.expires:
            return Refusal.EXPIRED
        return None


def folded(shown: bytes) -> bytes | CanonicalName:
    """A name without what makes no difference, such as small and capital letters, which phones like to confuse."""
    if not shown.startswith(SEQUENCE):
        return shown.lower()
    try:
        return canonical_of_der(shown) or shown.lower()
    except ValueError:
        return shown.lower()


def _folded_text(shown: str) -> bytes | CanonicalName:
    """The same of what has been written down for people."""
    if "=" not in shown:
        return shown.lower().encode("utf-8", "replace")
    try:
        return canonical_of_der(der_of(split(shown)))
    except ValueError:
        return shown.lower().encode("utf-8", "replace")


def shown_as(device: Device, certificate: Certificate) -> str:
    """Under which name a device has logged in that has shown this certificate, of which there is no other proof."""
    named = ids_of(certificate)
    if isinstance(device.id, Pattern):
        return str(named[0]) if named else device.name
    text = device.id.kind in (IdentityKind.FQDN, IdentityKind.RFC822_ADDR, IdentityKind.KEY_ID)
    return device.id.data.decode("utf-8", "backslashreplace") if text else str(device.id)


def psk_of(device: Device) -> bytes | None:
    """The device's pre-shared key, if it logs in by one."""
    return device.credential.octets if device.login is Login.PSK and isinstance(device.credential, Psk) else None


def nt_hash_of(device: Device) -> bytes | None:
    """The NT hash of the device's password, if it logs in by one."""
    match device.credential:
        case NtHash(octets=octets) if device.login is Login.PASSWORD:
            return octets
        case Secret(text=text) if device.login is Login.PASSWORD:
            return nt_password_hash(text)
    return None
