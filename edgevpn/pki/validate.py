"""Whether a peer's certificate is to be believed: RFC 5280 §6 with the profile of RFC 4945 for IKE.

cryptography has a verifier of its own from version 42 on. It is not used to decide, since its rules are those of the
web (no Ed25519, no CRLs), its refusals are sentences rather than reasons, and OpenWrt 24.10 has 41.0.7: a peer must not
be let in by one release and kept out by another. The tests hold ours against it.

Left out on purpose: policies. IKE has no use for them, so any policy will do (§6.1.1 (c)), and then mappings and
inhibitAnyPolicy decide nothing; a certificate that *requires* a policy is refused, since we would not look for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from cryptography import x509

from edgevpn.frozen import dataclass, replace
from edgevpn.pki import rules
from edgevpn.pki.certificate import der_of, extension, fingerprint, not_after, read_certificate, subject_of
from edgevpn.pki.clock import RELEASED, Moment, moment
from edgevpn.pki.constraints import NO_LIMITS, NameLimits
from edgevpn.pki.errors import CertificateRefused, PkiError, Reason
from edgevpn.pki.keys import PublicKey, is_public, weakness
from edgevpn.pki.names import text_of
from edgevpn.pki.path import Link, Path, link, paths
from edgevpn.pki.revocation import Crl, Revocation, Status, status
from edgevpn.pki.rules import Purpose
from edgevpn.pki.signed import is_signed_by

MOST_CERTIFICATES = 12
"""That a peer may send."""

KEPT = 256
"""Paths that are remembered of peers that may come again."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom we believe, and how much we ask for. Made once from the configuration, used for every peer.

    `intermediates` are CAs that we know but do not trust by themselves. `blocked` holds fingerprints. `known_date` is
    the newest date that is known to have passed (see `clock`).
    """

    anchors: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()
    revocation: Revocation = Revocation.SOFT
    blocked: frozenset[str] = frozenset()
    known_date: datetime = RELEASED


@dataclass(frozen=True, slots=True)
class VerifiedKey:
    """A peer's public key that a CA of ours answers for, and what has to be remembered of it.

    `path` is all of it, the peer's first: one of them that is revoked ends the session. `expires` is when the first of
    the path does. `unchecked` names the certificates of which no CRL said anything.
    """

    public_key: PublicKey
    certificate: x509.Certificate
    subject: str
    path: tuple[x509.Certificate, ...]
    expires: datetime
    unchecked: tuple[str, ...] = ()
    clock_set: bool = True

    @property
    def der(self) -> bytes:
        """The peer's certificate."""
        return der_of(self.certificate)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Those of the path."""
        return tuple(map(fingerprint, self.path))


@dataclass(frozen=True, slots=True)
class _State:
    """What the CAs down to here leave open for those below (§6.1.2)."""

    issuer: Link
    room: int | None = None
    room_given_by: str = ""
    limits: NameLimits = NO_LIMITS
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a path does not hold, and how many of its certificates do."""

    held: int
    error: CertificateRefused


class Judge:
    """Judges peers by one `Trust` and for one purpose. Called from several threads.

    What was found right once stays so: signatures, names, keys and extensions do not change, and neither does `trust`.
    So of peers that come again only that is asked which may have changed, time and revocation.
    """

    def __init__(self, trust: Trust, purpose: Purpose, kept: int = KEPT) -> None:
        self.trust = trust
        self._purpose = purpose
        self._kept = kept
        self._anchors = tuple(map(link, trust.anchors))
        self._intermediates = tuple(map(link, trust.intermediates))
        self._known: OrderedDict[tuple[bytes, ...], Path] = OrderedDict()

    def verify(
        self, chain_der: Sequence[bytes], at: datetime, crls: tuple[Crl, ...] = (), *, asked: bool = True
    ) -> VerifiedKey:
        """Judge the certificates that a peer sent, its own first (RFC 7296 §3.6). Raises CertificateRefused.

        Of several paths the first that holds is taken; if none does, the refusal is that of the one that went furthest.
        `crls` are known besides; no list is asked without `asked`.
        """
        chain = tuple(chain_der)
        if (known := self._known.get(chain)) is not None:
            with suppress(CertificateRefused):
                return self._walk(known[1:], at, crls, asked).again(known)
        leaf, sent, unreadable = _read(chain)
        walk = self._walk(sent, at, crls, asked)
        refusals: list[_Refusal] = []
        try:
            for path in paths(leaf, walk.pool, self._anchors):
                outcome = walk.judge(path)
                if isinstance(outcome, VerifiedKey):
                    if not refusals:
                        self._remember(chain, path)
                    return outcome
                refusals.append(outcome)
        except CertificateRefused as error:
            raise unreadable or error from None
        raise max(refusals, key=_telling).error

    def _walk(self, sent: tuple[Link, ...], at: datetime, crls: tuple[Crl, ...], asked: bool) -> _Walk:
        revocation = self.trust.revocation if asked else Revocation.OFF
        trust = replace(self.trust, crls=(*self.trust.crls, *crls), revocation=revocation)
        now = moment(at, self.trust.known_date)
        return _Walk(trust, (*sent, *self._intermediates), self._anchors, now, self._purpose)

    def _remember(self, chain: tuple[bytes, ...], path: Path) -> None:
        """Only of what CAs have signed: who adds certificates of its own making fills no memory with them."""
        if {der_of(each.certificate) for each in path}.issuperset(chain):
            self._known[chain] = path
            if len(self._known) > self._kept:
                self._known.popitem(last=False)


def verify(chain_der: Sequence[bytes], trust: Trust, at: datetime, purpose: Purpose) -> VerifiedKey:
    """The same for a single peer. Raises CertificateRefused."""
    return Judge(trust, purpose).verify(chain_der, at)


def _telling(refusal: _Refusal) -> tuple[bool, int]:
    """A path whose signatures do not fit was perhaps never one: names alone suggested it."""
    return refusal.error.reason is not Reason.BAD_SIGNATURE, refusal.held


def check_anchor(certificate: x509.Certificate) -> None:
    """Raise CertificateRefused for what cannot be trusted as a CA, whoever wants it; said when it is configured."""
    rules.check_ca(certificate)
    rules.check_key(certificate, link(certificate).public_key)
    rules.check_extensions(certificate)


def _read(chain_der: Sequence[bytes]) -> tuple[Link, tuple[Link, ...], CertificateRefused | None]:
    """The peer's certificate, the others it sent (RFC 4945 §3.3.10), and the fault of one that could not be read."""
    if not chain_der:
        raise CertificateRefused(Reason.MISSING, "the peer's certificate", cure="have the peer send it in CERT")
    if len(chain_der) > MOST_CERTIFICATES:
        detail = f"{len(chain_der)} certificates, {MOST_CERTIFICATES} are read"
        raise CertificateRefused(Reason.TOO_MUCH, "the peer's chain", detail=detail)
    leaf, pool, fault = link(read_certificate(chain_der[0])), [], None
    for der in dict.fromkeys(chain_der[1:]):
        try:
            pool.append(link(read_certificate(der)))
        except CertificateRefused as error:
            fault = error
    return leaf, tuple(pool), fault


@dataclass(frozen=True, slots=True)
class _Walk:
    """Judges paths for one peer, from the CA down to the peer."""

    trust: Trust
    pool: tuple[Link, ...]
    anchors: tuple[Link, ...]
    now: Moment
    purpose: Purpose

    def judge(self, path: Path) -> VerifiedKey | _Refusal:
        """The peer's key if the path holds, else why not."""
        held = 0
        try:
            self._check_blocked(path)
            state = self._begin(path[-1])
            for at in range(len(path) - 2, -1, -1):
                held += 1
                state = self._down(state, path, at)
            return self._verified(path, state)
        except CertificateRefused as error:
            return _Refusal(held, error)

    def again(self, path: Path) -> VerifiedKey:
        """The peer's key if a path that has held does so still. Raises CertificateRefused."""
        state = _State(path[-1])
        for each in path:
            rules.check_time(each.certificate, self.now)
        for at in range(len(path) - 2, -1, -1):
            state = self._check_revoked(state, path, at)
        return self._verified(path, state)

    def _begin(self, anchor: Link) -> _State:
        """A CA's own certificate binds it as if another had issued it (RFC 5937 §3)."""
        check_anchor(anchor.certificate)
        rules.check_time(anchor.certificate, self.now)
        return self._as_ca(_State(anchor), anchor)

    def _down(self, state: _State, path: Path, at: int) -> _State:
        """One certificate further (§6.1.3), as a CA (§6.1.4) or as the peer itself (§6.1.5)."""
        each = path[at]
        self._check_signed(state, each)
        rules.check_time(each.certificate, self.now)
        if at == 0 or not each.self_issued:
            state.limits.check(each.certificate)
        rules.check_extensions(each.certificate)
        rules.check_key(each.certificate, each.public_key)
        if at == 0:
            rules.check_leaf(each.certificate, self.purpose)
        else:
            rules.check_ca(each.certificate)
            rules.check_ca_purpose(each.certificate, self.purpose)
        state = self._check_revoked(state, path, at)
        return state if at == 0 else self._as_ca(self._entered(state, each), each)

    def _check_signed(self, state: _State, each: Link) -> None:
        """The CA above has signed it. `paths` has seen to the names."""
        rules.check_signature_hash(each.certificate)
        key = state.issuer.public_key
        if not is_public(key) or not is_signed_by(each.certificate, key):
            detail = f"that of {text_of(each.certificate.issuer)}"
            raise CertificateRefused(Reason.BAD_SIGNATURE, subject_of(each.certificate), "signatureValue", detail)

    def _check_blocked(self, path: Path) -> None:
        """Before all else: nothing that is wrong besides may hide that the owner wants none of them."""
        for each in path:
            if self.trust.blocked and fingerprint(each.certificate) in self.trust.blocked:
                raise CertificateRefused(Reason.BLOCKED, subject_of(each.certificate), "fingerprint")

    def _entered(self, state: _State, each: Link) -> _State:
        """One CA fewer may follow, unless this one is the one above under a new key (§6.1.4 (l))."""
        if each.self_issued or state.room is None:
            return state
        if state.room == 0:
            raise CertificateRefused(
                Reason.PATH_TOO_LONG,
                state.room_given_by,
                "basicConstraints.pathLenConstraint",
                f"no room for {subject_of(each.certificate)}",
            )
        return replace(state, room=state.room - 1)

    def _as_ca(self, state: _State, each: Link) -> _State:
        """The limits that a CA's certificate sets for all below it (§6.1.4 (g), (m))."""
        basic = extension(each.certificate, x509.BasicConstraints)
        room, given_by = state.room, state.room_given_by
        if basic is not None and basic.path_length is not None and (room is None or basic.path_length < room):
            room, given_by = basic.path_length, subject_of(each.certificate)
        return _State(each, room, given_by, state.limits.narrowed(each.certificate), state.unchecked)

    def _check_revoked(self, state: _State, path: Path, at: int) -> _State:
        """No CRL speaks against it; under `strict`, one speaks for it (§6.1.3 (a)(3))."""
        if self.trust.revocation is Revocation.OFF:
            return state
        each = path[at]
        crls = [crl for crl in self.trust.crls if crl.issuer == each.issuer]
        signers = self._crl_signers(path, at) if crls else ()
        verdict, why = status(each.certificate, signers, crls, self.now)
        if verdict is Status.REVOKED:
            reason = Reason.REVOKED_LEAF if at == 0 else Reason.REVOKED_INTERMEDIATE
            raise CertificateRefused(reason, subject_of(each.certificate), "serialNumber", why)
        if verdict is Status.GOOD:
            return state
        subject = subject_of(each.certificate)
        if self.trust.revocation is Revocation.STRICT:
            raise CertificateRefused(Reason.REVOCATION_UNKNOWN, subject, "serialNumber", why, "provide a current CRL")
        return replace(state, unchecked=(*state.unchecked, subject))

    def _crl_signers(self, path: Path, at: int) -> Iterator[x509.Certificate]:
        """Who bears the issuer's name and may speak for it: CAs of ours, of the path, or signed by one of the path."""
        above, issuer = path[at + 1 :], path[at].issuer
        trusted = dict.fromkeys(each.certificate for each in (*above, *self.anchors) if each.subject == issuer)
        yield from trusted
        for other in self.pool:
            if other.subject == issuer and other.certificate not in trusted and self._speaks_for(other, above):
                yield other.certificate

    def _speaks_for(self, other: Link, above: Path) -> bool:
        """True for a certificate that a CA of the path has made for signing CRLs alone, or under another key."""
        try:
            rules.check_time(other.certificate, self.now)
            rules.check_signature_hash(other.certificate)
            rules.check_extensions(other.certificate)
        except PkiError:
            return False
        issuers = [
            each.certificate
            for each in above
            if other.issuer == each.subject
            and is_public(key := each.public_key)
            and is_signed_by(other.certificate, key)
        ]
        if not issuers or weakness(other.public_key):
            return False
        return status(other.certificate, issuers, self.trust.crls, self.now)[0] is not Status.REVOKED

    def _verified(self, path: Path, state: _State) -> VerifiedKey:
        key, certificate = path[0].public_key, path[0].certificate
        if not is_public(key):
            raise AssertionError("check_key has refused it")
        return VerifiedKey(
            public_key=key,
            certificate=certificate,
            subject=subject_of(certificate),
            path=tuple(each.certificate for each in path),
            expires=min(not_after(each.certificate) for each in path),
            unchecked=state.unchecked,
            clock_set=self.now.clock_set,
        )
