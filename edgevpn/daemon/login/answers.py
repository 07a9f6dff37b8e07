"""Answers what the core asks the world while two sides prove themselves: keys, passwords, certificates, addresses.

What takes the processor long, RSA signatures and paths of certificates, is done in threads, so that no handshake delays
another. A signature on a curve takes no longer than the key exchange before it, and less than the way to a thread. What
a stranger shows is compared and never believed; that a name is unknown makes no difference in what is done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from edgevpn.config.identity import Identity
from edgevpn.config.model import Config, Device, Pool
from edgevpn.config.pool import Login
from edgevpn.daemon.addresses.leases import Leases
from edgevpn.daemon.base.logs import note, note_report
from edgevpn.daemon.base.sparing import Sparing
from edgevpn.daemon.dataplane.caught import is_caught
from edgevpn.daemon.login.devices import Devices, Found, Refusal, nt_hash_of, psk_of, shown_as
from edgevpn.daemon.login.fetching import Fetcher
from edgevpn.daemon.login.keyring import Keyring, Verdict
from edgevpn.daemon.login.tls import Handshake, Handshakes, TlsFailed, is_there
from edgevpn.daemon.login.tries import Tries
from edgevpn.daemon.login.vouched import Shown, Vouched
from edgevpn.daemon.peers import ike_ppk, pool_settings, visitor_unique
from edgevpn.frozen import replace
from edgevpn.ike import peer as ike
from edgevpn.ike.contract import Input, Level, report
from edgevpn.ike.crypto.signature import Algorithm
from edgevpn.ike.errors import Cause
from edgevpn.ike.iana import IdType
from edgevpn.ike.peer import IpAddress, Wants
from edgevpn.ike.questions import (
    CertificatesRefused,
    CertificatesVerified,
    FindPassword,
    FindPsk,
    Lease,
    Leased,
    PasswordFound,
    PskFound,
    Question,
    Release,
    Sign,
    Signed,
    TalkTls,
    TlsAnswered,
    TlsRefused,
    TlsSucceeded,
    VerifyCertificates,
)
from edgevpn.ike.sa import Address
from edgevpn.ike.session import Holder
from edgevpn.ike.wire.payloads import Identification
from edgevpn.pki.errors import PkiError
from edgevpn.pki.identity import ids_of

log = logging.getLogger("edgevpn.auth")

SLOW = frozenset({Algorithm.PKCS1, Algorithm.PSS})
"""Signatures that a router takes a tenth of a second for."""

Begin: TypeAlias = Callable[[Coroutine[Any, Any, None]], object]
"""Begins a task that ends with the gateway."""


class Answers:
    """What is known: devices, keys and addresses of the running configuration. `feed` takes answers to the core.

    `on_refused` is told of devices that may not come in, with the SPI of their IKE SA. `place_of` tells where somebody
    is who has an address of a pool.
    """

    def __init__(self, feed: Callable[[Input], None], begin: Begin) -> None:
        self._feed = feed
        self._begin = begin
        self._config: Config
        self._common: dict[str, ike.NetworkSettings] = {}  # by pool
        self.devices: Devices
        self.keyring: Keyring
        self.leases: Leases
        self.on_refused: Callable[[bytes, Refusal], None] = lambda spi, why: None
        self.place_of: Callable[[IpAddress], Address | None] = lambda address: None
        self.vouched = Vouched()
        self.fetcher = Fetcher()
        self.handshakes = Handshakes()
        self.tries = Tries(time.monotonic)
        self.refused = Counter[Refusal]()
        self._sparing = Sparing(time.monotonic)

    def use(self, config: Config, devices: Devices, leases: Leases) -> None:
        """Answer by this configuration from now on."""
        self._config, self.devices, self.leases = config, devices, leases
        self._common = {pool.name: pool_settings(pool) for pool in config.pools}
        self.fetcher.kept = timedelta(seconds=config.pki.crl_refresh)
        if any(device.login is Login.EAP_TLS for device in config.devices) and not is_there():
            cure = "install pyOpenSSL: pip install 'edgevpn[eap-tls]', or the package python3-pyopenssl"
            note(log, logging.ERROR, "eap_tls_not_possible", why="its library is not installed", cure=cure)

    def ask(self, question: Question) -> None:
        """Answer now, or when it is worked out."""
        match question:
            case Sign(spi, name, scheme, octets) if scheme.algorithm not in SLOW:
                self._feed(Signed(spi, self.keyring.sign(name, scheme, octets)))
            case Sign():
                self._begin(self._sign(question))
            case VerifyCertificates():
                self._begin(self._verify(question))
            case FindPsk(spi, peers, identity, place):
                found = self._found(spi, peers, identity.data, place)
                key = psk_of(found.device) if found else None
                ppk = ike_ppk(found.device) if found else None
                self._feed(PskFound(spi, found.peer if found else peers[0], key, ppk, _holder(found)))
            case FindPassword(spi, peers, user, place):
                found = self._found(spi, peers, user.encode(), place)
                nt_hash = nt_hash_of(found.device) if found else None
                ppk = ike_ppk(found.device) if found else None
                self._feed(PasswordFound(spi, found.peer if found else peers[0], nt_hash, ppk, _holder(found)))
            case TalkTls():
                self._begin(self._talk(question))
            case Lease():
                self._lease(question)

    def release(self, news: Release) -> None:
        """Addresses are free again."""
        self.leases.give_back(news.addresses)

    def came_in(self, device: str, place: Address) -> None:
        """A device has logged in from there, so what it showed was right."""
        self.tries.was_right(device, place.host)

    def _found(self, spi: bytes, peers: tuple[str, ...], shown: bytes, place: Address) -> Found | None:
        found = self.devices.find(peers, shown)
        if isinstance(found, Found) and not self.tries.allow(found.device.name, place.host):
            found = Refusal.TOO_MANY_TRIES
        if isinstance(found, Found):
            self.vouched.note(spi, Shown(found.device.name))
            return found
        self.refused[found] += 1
        if (left_out := self._sparing.left_out("device_refused")) is not None:
            fields = {"shown": shown.decode("utf-8", "replace"), "why": found.value}
            note_report(log, report(Level.INFO, "device_refused", **fields), left_out)
        self.on_refused(spi, found)
        return None

    def _lease(self, question: Lease) -> None:
        pool = question.peer.partition("/")[0]
        known = self.vouched.shown(question.spi).device
        device = self.devices.get(known) if known else None
        unique = visitor_unique(device.unique) if device else None
        wants = self._due(question.wants, pool, device)
        # One that shows anew who it is before it lets go of its old IKE SA (RFC 7296 §2.8.3) is no second one.
        again = tuple(each for each in wants.before if self.place_of(each) == question.place)
        addresses = self.leases.take(
            pool, _tenant(question, device), wants, alone=unique is ike.Unique.REPLACE, again=again
        )
        if unique is ike.Unique.REFUSE and not set(again).isdisjoint(addresses):
            unique = ike.Unique.SHARE
        self._feed(Leased(question.spi, addresses, self._settings(pool, device), unique))

    def _due(self, wants: Wants, pool: str, device: Device | None) -> Wants:
        """What it shall have of what it asks for: no IPv6 that leads nowhere, unless it would leak else."""
        config = self._pool(pool)
        spare = config is not None and not config.v6 and not is_caught(device, config)
        return replace(wants, ipv6=False) if spare else wants

    def _settings(self, pool: str, device: Device | None) -> Any:
        """What a device is told of the network where it differs from its pool; thousands do not."""
        config, common = self._pool(pool), self._common.get(pool)
        if config is None or device is None:
            return None
        own = pool_settings(config, device)
        return common if own == common else own

    def _pool(self, name: str) -> Pool | None:
        return next((each for each in self._config.pools if each.name == name), None)

    async def _sign(self, question: Sign) -> None:
        signature = await asyncio.to_thread(self.keyring.sign, question.name, question.scheme, question.octets)
        self._feed(Signed(question.spi, signature))

    def _holder_of(self, verdict: Verdict, claimed: tuple[Identification, ...]) -> Found | Refusal:
        """The device that has shown these certificates, and has claimed to be this if anything."""
        named = (Identification(IdType(each.kind.value), each.data) for each in ids_of(verdict.verified.certificate))
        proved = (*claimed, *named)
        holder = self.keyring.holders.get(verdict.verified.fingerprints[0], "")
        outcomes = [self.devices.find((verdict.peer,), each.data) for each in proved]
        outcomes.append(self.devices.holder(verdict.peer, holder))  # Windows shows the subject's name alone
        outcomes.append(self.devices.among(verdict.peer, proved))
        found = next((each for each in outcomes if isinstance(each, Found)), None)
        return found or next((each for each in outcomes if each is not Refusal.UNKNOWN), Refusal.UNKNOWN)

    async def _talk(self, question: TalkTls) -> None:
        """One turn of TLS; with the last the peer's certificates are there to be judged, and who has them."""
        spi = question.spi
        try:
            handshake = self.handshakes.of(spi, self.keyring)
            if not await asyncio.to_thread(handshake.take, question.octets):
                self._feed(TlsAnswered(spi, handshake.said()))
                return
            verdict = await self._judged(question.peers, None, handshake.certificates)
            found = self._holder_of(verdict, ())
        except TlsFailed as why:
            answer: Input = TlsRefused(spi, why.cause)
        except PkiError as why:
            answer = TlsRefused(spi, Cause.CERTIFICATE_REFUSED, why)
        else:
            answer = self._logged_in(spi, handshake, verdict, found)
        self.handshakes.forget(spi)
        self._feed(answer)

    def _logged_in(self, spi: bytes, handshake: Handshake, verdict: Verdict, found: Found | Refusal) -> Input:
        if isinstance(found, Refusal):
            self.refused[found] += 1
            return TlsRefused(spi, Cause.CERTIFICATE_REFUSED, found)
        self.vouched.note(spi, Shown(found.device.name, verdict.verified))
        user = shown_as(found.device, verdict.verified.certificate)
        ppk, holder = ike_ppk(found.device), _holder(found)
        return TlsSucceeded(spi, handshake.concluded(), found.peer, user, handshake.msk, ppk, holder)

    async def _judged(
        self, peers: tuple[str, ...], claimed: Identification | None, certificates: tuple[bytes, ...]
    ) -> Verdict:
        """Raises PkiError."""
        now = datetime.now(UTC)
        fetch = self.fetcher.crls
        return await asyncio.to_thread(
            self.keyring.verify_asking, peers, claimed, certificates, now, lambda uris: fetch(uris, now)
        )

    async def _verify(self, question: VerifyCertificates) -> None:
        try:
            verdict = await self._judged(question.peers, question.identity, question.certificates)
        except PkiError as why:
            self._feed(CertificatesRefused(question.spi, why))
        else:
            self._feed(self._admitted(question, verdict))

    def _admitted(self, question: VerifyCertificates, verdict: Verdict) -> Input:
        """A site is who its certificate says; a visitor has to be a device besides."""
        if "/" not in verdict.peer:
            self.vouched.note(question.spi, Shown(None, verdict.verified))
            return CertificatesVerified(question.spi, verdict.peer, verdict.public_key)
        found = self._holder_of(verdict, (question.identity,))
        if isinstance(found, Refusal):
            self.refused[found] += 1
            return CertificatesRefused(question.spi, found)
        self.vouched.note(question.spi, Shown(found.device.name, verdict.verified))
        ppk, holder = ike_ppk(found.device), _holder(found)
        return CertificatesVerified(question.spi, verdict.peer, verdict.public_key, ppk, holder)


def _tenant(question: Lease, device: Device | None) -> str:
    """The name by which a device finds its address again; one of several has one that is no device's."""
    if device is not None and isinstance(device.id, Identity):
        return device.name
    return f"{device.name if device else ''}: {question.user or question.remote_id}"


def _holder(found: Found | None) -> Holder | None:
    """Whom the core is to count sessions of: a device that is one alone, however it spells what it shows."""
    return Holder(found.device.name) if found and isinstance(found.device.id, Identity) else None
