"""Our CA at work: what the daemon and the command line ask of it, each wish carried out and written down.

Making an RSA key takes a slow router many seconds: whoever has other things to do calls this in a thread. Nothing here
is to be called by two at once.

`at` is what the clock says. One that is not set yet says less than the newest time that was seen, and that one is taken
instead (see `clock`): what is issued then is valid for everybody whose clock is right.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509

from edgevpn.frozen import dataclass, replace
from edgevpn.pki import keys
from edgevpn.pki.authority import (
    CA_LIFETIME,
    CRL_LIFETIME,
    DEVICE_LIFETIME,
    SERVER_LIFETIME,
    Authority,
    Revoked,
    ServerNames,
    create_authority,
    issue_crl,
    issue_device,
    issue_server,
    issue_site,
    renew_authority,
)
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import fingerprint, next_update, not_after, subject_of, this_update
from edgevpn.pki.clock import moment
from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.keys import KeyKind, PrivateKey
from edgevpn.pki.names import canonical
from edgevpn.pki.records import Blocked, Holder, Ledger
from edgevpn.pki.renewal import Due, authority_due, days_left, renew_at, server_due
from edgevpn.pki.revocation import Crl, Revocation
from edgevpn.pki.store import Slot, Store
from edgevpn.pki.validate import Trust, check_anchor

SEEN_EVERY = timedelta(days=1)
"""How often the time is written down: rarely, since flash wears."""

SEEN_STEP = timedelta(days=30)
"""How far it may go on at once. A clock that was ahead by years for an hour would else lock everyone out for years."""

SLOTS = {
    KeyKind.RSA_2048: Slot.RSA,
    KeyKind.RSA_3072: Slot.RSA,
    KeyKind.RSA_4096: Slot.RSA,
    KeyKind.ECDSA_P256: Slot.ECDSA,
    KeyKind.ECDSA_P384: Slot.ECDSA,
    KeyKind.ED25519: Slot.ED25519,
}


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what we issue is good for."""

    ca: timedelta = CA_LIFETIME
    server: timedelta = SERVER_LIFETIME
    device: timedelta = DEVICE_LIFETIME


@dataclass(frozen=True, slots=True)
class Standing:
    """A certificate of ours as it stands, for status and `edgevpn pki show`."""

    what: str
    subject: str
    fingerprint: str
    ends: datetime
    days_left: int
    renewed_at: datetime


class Office:
    """The CA, its records, the gateway's own certificates. `faults` is what was wrong with the files at the start."""

    def __init__(
        self,
        store: Store,
        lifetimes: Lifetimes = Lifetimes(),
        make_key: Callable[[KeyKind], PrivateKey] = keys.make_key,
    ) -> None:
        """Open it. Raises PkiError where going on would lose something: a key that cannot be read, newer records."""
        self._store = store
        self._lifetimes = lifetimes
        self._make_key = make_key
        self._authority = store.authority()
        read = store.ledger()
        self.faults: tuple[PkiError, ...] = read.faults
        self._crl = self._own_crl()
        self._ledger = _completed(read.ledger, self._crl)

    @property
    def ledger(self) -> Ledger:
        """What has been issued, revoked and blocked."""
        return self._ledger

    @property
    def authority(self) -> Authority:
        """Our CA. Raises PkiError before there is one."""
        if self._authority is None:
            raise PkiError(Reason.MISSING, "the CA", cure="make one with: edgevpn pki init")
        return self._authority

    @property
    def has_authority(self) -> bool:
        """True once there is a CA."""
        return self._authority is not None

    def init(self, name: str, kind: KeyKind, at: datetime) -> Authority:
        """Make the CA. Raises PkiError where there is one: every device trusts it."""
        if self._authority is not None:
            called = subject_of(self._authority.certificate)
            raise PkiError(Reason.THERE_ALREADY, "a CA", detail=called, cure="look at it with: edgevpn pki show")
        at = self._now(at)
        return self._set_authority(create_authority(name, self._make_key(kind), at, self._lifetimes.ca), at)

    def import_authority(self, bundle: Bundle, at: datetime) -> Authority:
        """Take a CA that the owner brings, instead of the one that is here. Raises PkiError for what can be none."""
        at = self._now(at)
        check_anchor(bundle.certificate)
        if not_after(bundle.certificate) <= at:
            raise PkiError(Reason.EXPIRED, subject_of(bundle.certificate), "validity.notAfter")
        return self._set_authority(Authority(bundle.certificate, bundle.key, bundle.chain), at)

    def renew(self, at: datetime) -> Authority:
        """The CA for longer, under the same name and key."""
        at = self._now(at)
        return self._set_authority(renew_authority(self.authority, at, self._lifetimes.ca), at)

    def keep_server(self, names: ServerNames, kind: KeyKind, at: datetime, *, force: bool = False) -> Due | None:
        """Issue the gateway's certificate of this kind anew if it is due; say why it was. The key stays if it fits."""
        slot, at = SLOTS[kind], self._now(at)
        current = self._store.server(slot)
        due = server_due(current.certificate if current else None, names, self.authority, kind, at)
        if due is None and not force:
            return None
        fits = current is not None and keys.is_kind(keys.public_of(current.key), kind)
        key = current.key if current and fits else self._make_key(kind)
        certificate = issue_server(self.authority, keys.public_of(key), names, at, self._lifetimes.server)
        self._record(self._ledger.with_issued(certificate, Holder.SERVER, slot.value, names.first, at))
        self._store.save_server(slot, Bundle(key, certificate, self._above()))
        return due or Due.ENDS_SOON

    def server(self, kind: KeyKind) -> Bundle | None:
        """The gateway's own key of this kind and its chain, or None."""
        return self._store.server(SLOTS[kind])

    def enrol_device(
        self, name: str, identity: str, at: datetime, *, ends: datetime | None = None, kind: KeyKind = KeyKind.RSA_2048
    ) -> Bundle:
        """A key and certificate for a device. The key is given out once and not kept."""
        at = self._now(at)
        key = self._make_key(kind)
        certificate = issue_device(self.authority, keys.public_of(key), name, identity, at, self._ends(at, ends))
        self._record(self._ledger.with_issued(certificate, Holder.DEVICE, name, identity, at))
        return Bundle(key, certificate, self._above())

    def enrol_site(
        self,
        name: str,
        names: ServerNames,
        at: datetime,
        *,
        ends: datetime | None = None,
        kind: KeyKind = KeyKind.RSA_3072,
    ) -> Bundle:
        """The same for the gateway of a site."""
        at = self._now(at)
        key = self._make_key(kind)
        certificate = issue_site(self.authority, keys.public_of(key), names, at, self._ends(at, ends))
        self._record(self._ledger.with_issued(certificate, Holder.SITE, name, names.first, at))
        return Bundle(key, certificate, self._above())

    def revoke(
        self, holder: Holder, name: str, at: datetime, *, kept: tuple[str, ...] = (), compromised: bool = False
    ) -> frozenset[str]:
        """Revoke all certificates of a device or site but those `kept` (fingerprints, after a new one was issued).

        Returns the fingerprints that are refused from now on: end the sessions with one of them.
        """
        at = self._now(at)
        gone = [each for each in self._ledger.of(holder, name) if each.fingerprint not in kept]
        reason = x509.ReasonFlags.key_compromise if compromised else x509.ReasonFlags.cessation_of_operation
        self._record(self._ledger.with_revoked(tuple(each.serial for each in gone), at, reason))
        self.publish_crl(at)
        return frozenset(each.fingerprint for each in gone)

    def block(self, fingerprint: str, at: datetime, why: str = "") -> None:
        """Refuse a certificate, whoever has issued it."""
        at = self._now(at)
        self._record(self._ledger.with_blocked(Blocked(fingerprint.lower().replace(":", ""), at, why)))

    def unblock(self, fingerprint: str) -> None:
        """Refuse it no longer."""
        self._record(self._ledger.without_blocked(fingerprint.lower().replace(":", "")))

    def publish_crl(self, at: datetime) -> x509.CertificateRevocationList:
        """A new CRL of ours, kept and returned."""
        ledger = self._ledger.with_crl()
        crl = issue_crl(self.authority, ledger.crl_number, ledger.revoked.values(), self._now(at))
        self._record(ledger)
        self._store.save_crl(crl)
        self._crl = self._own_crl()
        return crl

    def tend(self, at: datetime) -> None:
        """What is due once in a while: the newest time that was seen, old records, the CRL. Call it hourly."""
        at = self._now(at)
        seen = min(at, self._ledger.seen + SEEN_STEP)
        if seen - self._ledger.seen >= SEEN_EVERY:
            self._record(replace(self._ledger, seen=seen).pruned(seen))
        if self._authority is not None and self._crl_is_due(at):
            self.publish_crl(at)

    def trust(
        self,
        revocation: Revocation = Revocation.SOFT,
        anchors: tuple[x509.Certificate, ...] = (),
        crls: tuple[Crl, ...] = (),
    ) -> Trust:
        """Whom to believe: our CA and those of others; with what is revoked and blocked. Ask again after each change.

        `anchors` and `crls` are those that the configuration names, beside what is in the store.
        """
        others = self._store.others()
        ours = (self._authority.certificate,) if self._authority else ()
        return Trust(
            anchors=(*ours, *others.anchors, *anchors),
            crls=(*((self._crl,) if self._crl else ()), *others.crls, *crls),
            revocation=revocation,
            blocked=self._ledger.refused,
            known_date=self._ledger.seen,
        )

    def standing(self, at: datetime) -> tuple[Standing, ...]:
        """Our CA and the gateway's certificates as they stand."""
        found = [("CA", self._authority.certificate)] if self._authority else []
        for slot in Slot:
            bundle = self._store.server(slot)
            if bundle is not None:
                found.append((slot.value, bundle.certificate))
        return tuple(_standing(what, certificate, at) for what, certificate in found)

    def authority_due(self, at: datetime) -> Due | None:
        """Whether the CA itself is to be renewed: every device then has to take the new one before the old one ends."""
        return authority_due(self.authority, at)

    def _set_authority(self, authority: Authority, at: datetime) -> Authority:
        self._store.save_authority(authority)
        self._authority = authority
        self.publish_crl(at)
        return authority

    def _record(self, ledger: Ledger) -> None:
        """On the disk first: what cannot be written down has not happened."""
        if ledger != self._ledger:
            self._store.save_ledger(ledger)
            self._ledger = ledger

    def _crl_is_due(self, at: datetime) -> bool:
        """At half its life; and at once where it is dated in the future, by a clock that was ahead."""
        due = next_update(self._crl.value) if self._crl else None
        return self._crl is None or due is None or at > due - CRL_LIFETIME / 2 or this_update(self._crl.value) > at

    def _now(self, clock: datetime) -> datetime:
        return moment(clock, self._ledger.seen).at

    def _ends(self, at: datetime, wanted: datetime | None) -> datetime:
        return at + self._lifetimes.device if wanted is None else wanted

    def _above(self) -> tuple[x509.Certificate, ...]:
        return (self.authority.certificate, *self.authority.chain)

    def _own_crl(self) -> Crl | None:
        """Our CRL if it is this CA's; a damaged one is a fault that the next one cures."""
        try:
            crl = self._store.crl()
        except PkiError as error:
            self.faults = (*self.faults, error)
            return None
        if crl is None or self._authority is None:
            return None
        return crl if crl.issuer == canonical(self._authority.certificate.subject) else None


def _completed(ledger: Ledger, crl: Crl | None) -> Ledger:
    """The records with what our CRL knows besides: it is all that is left when they are lost."""
    if crl is None:
        return ledger
    known = {
        entry.serial_number: Revoked(entry.serial_number, ledger.seen, x509.ReasonFlags.unspecified)
        for entry in crl.value
        if entry.serial_number not in ledger.revoked
    }
    number = crl.value.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return replace(ledger, revoked={**ledger.revoked, **known}, crl_number=max(ledger.crl_number, number))


def _standing(what: str, certificate: x509.Certificate, at: datetime) -> Standing:
    return Standing(
        what,
        subject_of(certificate),
        fingerprint(certificate),
        not_after(certificate),
        days_left(certificate, at),
        renew_at(certificate),
    )
