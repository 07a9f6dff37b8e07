"""IKE messages in several datagrams, RFC 7383: how large these may be, and how a message comes together again.

Only fragments whose ICV was right come here, so that nobody but the peer can fill the memory, and it only so far.
"""

from __future__ import annotations

from dataclasses import field
from typing import Self

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import Settings
from edgevpn.ike.errors import Discard
from edgevpn.ike.iana import PayloadType
from edgevpn.ike.state import Path
from edgevpn.ike.wire.protected import Fragment

# From the RFCs.
IP_HEADERS = {4: 20, 6: 40}
UDP_HEADER = 8
NON_ESP_MARKER = 4  # RFC 3948 §2.2

# Our own bound.
MAX_MESSAGE = 32768  # octets of the payloads together; a chain of certificates has some 6,000
MAX_FRAGMENTS = 128  # of a message; each new one is compared with those that are there


def max_size(path: Path, settings: Settings) -> int:
    """The most octets of an IKE message in one datagram on this path (§2.5.1)."""
    version = path.remote.host.version
    whole = settings.fragment_size_v4 if version == 4 else settings.fragment_size_v6
    return whole - IP_HEADERS[version] - UDP_HEADER - NON_ESP_MARKER


@dataclass(frozen=True, slots=True)
class Reassembly:
    """The fragments of one message that have come so far (§2.6). The rest must come before `until`."""

    total: int
    until: float
    fragments: tuple[Fragment, ...] = field(default=(), repr=False)

    @classmethod
    def begin(cls, fragment: Fragment, until: float) -> Self:
        """With the first that came, whichever it is."""
        _check_total(fragment)
        return cls(fragment.total, until, (fragment,))

    def add(self, fragment: Fragment) -> Self:
        """With one more; Discard if it is not needed. A message that was cut finer begins anew (§2.5.2)."""
        _check_total(fragment)
        if fragment.total > self.total:
            return replace(self, total=fragment.total, fragments=(fragment,))
        if fragment.total < self.total:
            raise Discard(f"fragment of {fragment.total}, the others are of {self.total}")
        if any(each.number == fragment.number for each in self.fragments):
            raise Discard(f"fragment {fragment.number} once more")
        if self.octets + len(fragment.plaintext) > MAX_MESSAGE:
            raise Discard(f"fragments of more than {MAX_MESSAGE} octets")
        return replace(self, fragments=(*self.fragments, fragment))

    @property
    def octets(self) -> int:
        """How much has come."""
        return sum(len(each.plaintext) for each in self.fragments)

    @property
    def message(self) -> tuple[PayloadType, bytes] | None:
        """Type of the first payload and the chain of all, once nothing is missing."""
        if len(self.fragments) < self.total:
            return None
        ordered = sorted(self.fragments, key=lambda each: each.number)
        return ordered[0].first_payload, b"".join(each.plaintext for each in ordered)


def _check_total(fragment: Fragment) -> None:
    if fragment.total > MAX_FRAGMENTS:
        raise Discard(f"a message in {fragment.total} fragments, {MAX_FRAGMENTS} are read")
