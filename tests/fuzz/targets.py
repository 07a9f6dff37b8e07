"""What strangers, peers and owners can send us, each as a function of octets. None may raise, hang, or grow."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable
from contextlib import suppress

from cryptography import x509

from edgevpn.api import RpcError
from edgevpn.config.errors import ConfigError
from edgevpn.config.reader import parse
from edgevpn.daemon.control.server import parse_request
from edgevpn.daemon.keeping.backup import BackupError, unseal
from edgevpn.daemon.visitors.dhcp import NotInform
from edgevpn.daemon.visitors.dhcp import decode as decode_dhcp
from edgevpn.ike.carrier import Carrier
from edgevpn.ike.contract import Datagram, Send
from edgevpn.ike.cookies import bears_tag, is_first
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.errors import Discard, IkeError
from edgevpn.ike.iana import PayloadType
from edgevpn.ike.table import Table
from edgevpn.ike.wire.message import HEADER, Header, decode_message
from edgevpn.kernel.nftables import read_listing
from edgevpn.pki.bundle import read_parts
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.errors import PkiError
from edgevpn.pki.keys import pkcs8
from edgevpn.pki.revocation import read_crl
from edgevpn.pki.rules import Purpose
from edgevpn.pki.validate import Trust, verify
from tests.support.certificates import NOW, ca, crl, leaf
from tests.support.moments import (
    COOKIE,
    KEY,
    LOGIN,
    MOMENTS,
    SEALED,
    SEVERAL,
    Moment,
    moments_of,
    plain,
    reached,
    resealed,
)

Target = Callable[[bytes], None]
Harness = tuple[Target, list[bytes]]
"""What octets go into, and some that should."""


# --- the core, as strangers and peers see it ----------------------------------------------------------------------


def message(octets: bytes) -> None:
    """The decoder alone, of what is not encrypted."""
    octets = of_true_length(octets)
    with suppress(IkeError, Discard):
        decode_message(Header.decode(octets), octets)


def of_true_length(octets: bytes) -> bytes:
    """With the header's length set right, or else little would get beyond it."""
    return octets[:24] + len(octets).to_bytes(4) + octets[28:] if len(octets) >= HEADER.size else octets


class Stranger:
    """Endpoints in the middle of conversations, and a datagram of somebody who has no keys.

    The first octet chooses the moment. Where a cookie is asked for at the door, it is what the core would have sent.
    """

    def __init__(self, moments: list[Moment]) -> None:
        self._moments = [reached(*moment) for moment in moments]

    @property
    def seeds(self) -> list[bytes]:
        """What should come at each moment."""
        return [bytes([number]) + octets for number, (_, octets) in enumerate(self._moments)]

    def __call__(self, octets: bytes) -> None:
        side, _ = self._moments[octets[0] % len(self._moments)] if octets else self._moments[0]
        twin, path, datagram, now = twin_of(side.endpoint), side.path(), of_true_length(octets[1:]), side.pair.now
        challenge = None
        if is_first(datagram):
            bears_tag(datagram, path.remote.host.packed, twin.sieves)
            challenge = twin.challenge(datagram, path.remote.host.packed, path.remote.port, now)
        effects = twin.handle(Datagram(path, datagram), now)
        assert challenge is None or effects == (Send(path, challenge),)
        assert len(twin.sas) <= len(side.endpoint.sas) + 1


class Partner:
    """The same, and what the peer itself puts into a message in the place of what should come.

    The first octet chooses the moment, the second is the type of the first payload.
    """

    def __init__(self, moments: list[Moment]) -> None:
        self._moments = [reached(*moment) for moment in moments]

    @property
    def seeds(self) -> list[bytes]:
        """What should come at each moment."""
        return [bytes([number]) + plain(*moment) for number, moment in enumerate(self._moments)]

    def __call__(self, octets: bytes) -> None:
        if len(octets) < 2:
            return
        side, expected = self._moments[octets[0] % len(self._moments)]
        datagram = resealed(side, expected, PayloadType(octets[1]), octets[2:])
        twin_of(side.endpoint).handle(Datagram(side.path(), datagram), side.pair.now)


def twin_of(endpoint: Endpoint) -> Endpoint:
    """An endpoint in the same state, which can be spoiled."""
    twin, table = copy.copy(endpoint), Table()
    for spi, slot in endpoint._table._slots.items():
        table.put(spi, slot)
    twin._table, twin._carrier = table, Carrier(table)
    return twin


# --- decoders by themselves: of what visitors bring, of what owners and their programs do ----------------------------


class Choice:
    """Several decoders of what the same people bring. The first octet chooses."""

    def __init__(self, *parts: Harness) -> None:
        self._parts = parts

    @property
    def seeds(self) -> list[bytes]:
        """What should go into each."""
        return [bytes([number]) + octets for number, (_, known) in enumerate(self._parts) for octets in known]

    def __call__(self, octets: bytes) -> None:
        if octets:
            target, _ = self._parts[octets[0] % len(self._parts)]
            target(octets[1:])


def configuration(octets: bytes) -> None:
    with suppress(ConfigError, UnicodeDecodeError):
        parse(octets.decode(), "fuzz.toml", {})


def request(octets: bytes) -> None:
    with suppress(RpcError):
        parse_request(octets)


def chain(octets: bytes) -> None:
    """Of a peer's CERT payloads, with a mark between."""
    with suppress(PkiError):
        verify(octets.split(MARK), TRUST, NOW, Purpose.DEVICE)


def certificate(octets: bytes) -> None:
    with suppress(PkiError):
        read_parts(octets, "password")


def revocation(octets: bytes) -> None:
    with suppress(PkiError):
        read_crl(octets)


def dhcp(octets: bytes) -> None:
    with suppress(NotInform):
        decode_dhcp(octets)


def backup(octets: bytes) -> None:
    with suppress(BackupError):
        unseal(octets, "password")


def listing(octets: bytes) -> None:
    with suppress(ValueError):
        read_listing(octets.decode())


# --- all of them -----------------------------------------------------------------------------------------------------

CONFIGURATION = b"""[gateway]
listen = "192.0.2.1"
[site.office]
remote = "198.51.100.1"
psk = "a long and random text, as all should be"
local_networks = ["10.1.0.0/24"]
remote_networks = ["10.2.0.0/24"]
"""
REQUEST = {"jsonrpc": "2.0", "id": 1, "method": "site.rekey", "params": {"name": "office", "what": "ike"}}
LISTING = {"nftables": [{"chain": {"family": "inet", "table": "edgevpn", "name": "input", "hook": "input", "prio": 0}}]}
INFORM = struct.pack(
    ">BBBBIHH4s4s4s4s16s64s128s", 1, 1, 6, 0, 7, 0, 0, *([bytes(4)] * 4), bytes(16), bytes(64), bytes(128)
)
MARK = b"----"
ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
PHONE = leaf("phone", MIDDLE, x509.DNSName("phone.example.org"))
TRUST = Trust((ROOT.certificate,), crls=(read_crl(crl(ROOT)),))
BACKUP = b'{"kdf": "scrypt", "ln": 10, "r": 8, "p": 1, "cipher": "aes256gcm", "salt": "AA==", "nonce": "AA=="}'


def _core(kind: type[Stranger | Partner], moments: list[Moment]) -> Harness:
    made = kind(moments)
    return made, made.seeds


def _choice(*parts: Harness) -> Harness:
    made = Choice(*parts)
    return made, made.seeds


HARNESSES: dict[str, Callable[[], Harness]] = {
    "stranger": lambda: _core(Stranger, MOMENTS + moments_of(COOKIE)),
    "partner": lambda: _core(Partner, SEALED),
    "visitor": lambda: _choice(
        (message, [octets for life in (KEY, LOGIN, SEVERAL) for octets in life.lived().sent]),
        (chain, [PHONE.der + MARK + MIDDLE.der, PHONE.der]),
        (revocation, [crl(ROOT, MIDDLE)]),
        (dhcp, [INFORM + b"\x63\x82\x53\x63\x35\x01\x08\x37\x01\xf9\xff"]),
    ),
    "owner": lambda: _choice(
        (configuration, [CONFIGURATION]),
        (certificate, [pem_of(ROOT.certificate) + pkcs8(ROOT.key), ROOT.der]),
        (request, [json.dumps(REQUEST).encode()]),
        (backup, [b"edgevpn backup 1\n" + BACKUP + b"\n" + bytes(64)]),
        (listing, [json.dumps(LISTING).encode()]),
    ),
}
"""By name: what makes a target, and what goes into it where all is well, for the fuzzer to begin with."""
