"""What our CA has issued and revoked, and whom the owner has blocked: plain values, and the JSON that they are kept in.

The file begins with its version. An older one is lifted version by version (`_LIFTS`), a newer one is not touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from cryptography import x509

from edgevpn.frozen import dataclass, replace
from edgevpn.pki.authority import Revoked
from edgevpn.pki.certificate import fingerprint, not_after
from edgevpn.pki.clock import RELEASED
from edgevpn.pki.errors import Reason, StoreError

VERSION = 1
FORGOTTEN_AFTER = timedelta(days=90)
"""An expired certificate is refused for that alone; its record is kept a while for its owner to look at."""


class Holder(Enum):
    """What a certificate was issued for."""

    SERVER = "server"
    DEVICE = "device"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that we have issued."""

    serial: int
    holder: Holder
    name: str
    identity: str
    fingerprint: str
    issued_at: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Blocked:
    """A certificate, ours or another's, that is refused whoever vouches for it."""

    fingerprint: str
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """All records. Changing them is building the next ledger."""

    issued: Mapping[int, Issued] = field(default_factory=dict)
    revoked: Mapping[int, Revoked] = field(default_factory=dict)
    blocked: Mapping[str, Blocked] = field(default_factory=dict)
    crl_number: int = 0
    seen: datetime = RELEASED
    """The newest time that was known to be right: what a clock is measured by after a power cut (see `clock`)."""

    @property
    def refused(self) -> frozenset[str]:
        """The fingerprints for `Trust.blocked`: of all that is blocked, and of all that we have revoked."""
        ours = (self.issued[serial].fingerprint for serial in self.revoked if serial in self.issued)
        return frozenset((*self.blocked, *ours))

    def of(self, holder: Holder, name: str) -> tuple[Issued, ...]:
        """The certificates of a device, a site or the server that are not revoked, the newest last."""
        found = [
            each
            for each in self.issued.values()
            if each.holder is holder and each.name == name and each.serial not in self.revoked
        ]
        return tuple(sorted(found, key=lambda each: each.issued_at))

    def with_issued(
        self, certificate: x509.Certificate, holder: Holder, name: str, identity: str, at: datetime
    ) -> Ledger:
        """One more certificate."""
        serial = certificate.serial_number
        record = Issued(serial, holder, name, identity, fingerprint(certificate), at, not_after(certificate))
        return replace(self, issued={**self.issued, serial: record})

    def with_revoked(self, serials: Iterator[int] | tuple[int, ...], at: datetime, reason: x509.ReasonFlags) -> Ledger:
        """Some certificates fewer. What is revoked already stays as it was."""
        added = {serial: Revoked(serial, at, reason) for serial in serials if serial not in self.revoked}
        return replace(self, revoked={**self.revoked, **added})

    def with_blocked(self, blocked: Blocked) -> Ledger:
        """One more on the block list."""
        return replace(self, blocked={**self.blocked, blocked.fingerprint: blocked})

    def without_blocked(self, fingerprint: str) -> Ledger:
        """One fewer."""
        return replace(self, blocked={key: value for key, value in self.blocked.items() if key != fingerprint})

    def with_crl(self) -> Ledger:
        """The ledger that the next CRL is made from, with its number."""
        return replace(self, crl_number=self.crl_number + 1)

    def pruned(self, at: datetime) -> Ledger:
        """Without the certificates that expired long ago, revoked or not (RFC 5280 §5: none needs to be in a CRL)."""
        kept = {serial: each for serial, each in self.issued.items() if each.ends + FORGOTTEN_AFTER > at}
        gone = self.issued.keys() - kept.keys()
        return replace(self, issued=kept, revoked={key: each for key, each in self.revoked.items() if key not in gone})


def dump(ledger: Ledger) -> bytes:
    """The file."""
    return json.dumps(
        {
            "version": VERSION,
            "seen": _text(ledger.seen),
            "crl_number": ledger.crl_number,
            "issued": [
                {
                    "serial": f"{each.serial:x}",
                    "holder": each.holder.value,
                    "name": each.name,
                    "identity": each.identity,
                    "fingerprint": each.fingerprint,
                    "issued_at": _text(each.issued_at),
                    "ends": _text(each.ends),
                }
                for each in ledger.issued.values()
            ],
            "revoked": [
                {"serial": f"{each.serial:x}", "at": _text(each.at), "reason": each.reason.value}
                for each in ledger.revoked.values()
            ],
            "blocked": [
                {"fingerprint": each.fingerprint, "at": _text(each.at), "why": each.why}
                for each in ledger.blocked.values()
            ],
        },
        ensure_ascii=False,
        indent=1,
    ).encode()


def load(octets: bytes, source: object) -> Ledger:
    """Read the file. Raises StoreError: DAMAGED, or NOT_ALLOWED for the file of a newer release."""
    try:
        data = json.loads(octets)
        version = data["version"]
        if not 0 < version <= VERSION:
            cure = "install that release again, or restore a backup"
            raise StoreError(Reason.NOT_ALLOWED, source, "version", f"{version}; up to {VERSION} is known here", cure)
        for lift in _LIFTS[version - 1 :]:
            data = lift(data)
        return _ledger(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(Reason.DAMAGED, source) from error


_LIFTS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = ()
"""Lift number n makes version n + 1 of version n."""


def _ledger(data: Mapping[str, Any]) -> Ledger:
    issued = [_issued(each) for each in data["issued"]]
    revoked = [
        Revoked(int(each["serial"], 16), _time(each["at"]), x509.ReasonFlags(each["reason"]))
        for each in data["revoked"]
    ]
    blocked = [Blocked(str(each["fingerprint"]), _time(each["at"]), str(each["why"])) for each in data["blocked"]]
    return Ledger(
        issued={each.serial: each for each in issued},
        revoked={each.serial: each for each in revoked},
        blocked={each.fingerprint: each for each in blocked},
        crl_number=int(data["crl_number"]),
        seen=_time(data["seen"]),
    )


def _issued(data: Mapping[str, Any]) -> Issued:
    return Issued(
        int(data["serial"], 16),
        Holder(data["holder"]),
        str(data["name"]),
        str(data["identity"]),
        str(data["fingerprint"]),
        _time(data["issued_at"]),
        _time(data["ends"]),
    )


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return time
