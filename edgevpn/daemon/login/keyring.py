"""Our keys and certificates for a configuration, and whom it trusts: read from files once, then used for every peer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from hashlib import sha1
from pathlib import Path
from typing import TypeAlias

from cryptography import x509

from edgevpn.config.model import Auth, Config, Pki, Site
from edgevpn.config.services import KeyType, Revocation
from edgevpn.config.site import Signature
from edgevpn.daemon.peers import Proof, pool_peer_names
from edgevpn.frozen import dataclass, replace
from edgevpn.ike.crypto import signature
from edgevpn.ike.crypto.signature import SignatureScheme, kind_of
from edgevpn.ike.peer import Certified, Credential, Signing
from edgevpn.ike.wire.payloads import Identification
from edgevpn.pki import identity as pki_identity
from edgevpn.pki import revocation as pki_revocation
from edgevpn.pki.authority import ServerNames
from edgevpn.pki.bundle import Bundle, bundle_of, read_parts
from edgevpn.pki.certificate import der_of
from edgevpn.pki.errors import CertificateRefused, PkiError, Reason
from edgevpn.pki.external import read_server
from edgevpn.pki.identity import IkeId
from edgevpn.pki.keys import KeyKind, PrivateKey, is_public, spki
from edgevpn.pki.office import Office
from edgevpn.pki.records import Holder
from edgevpn.pki.revocation import Crl, distribution_points, read_crl
from edgevpn.pki.rules import Purpose
from edgevpn.pki.validate import Judge, Trust, VerifiedKey, check_anchor

KEY_KINDS = {
    KeyType.RSA_2048: KeyKind.RSA_2048,
    KeyType.RSA_3072: KeyKind.RSA_3072,
    KeyType.RSA_4096: KeyKind.RSA_4096,
    KeyType.ECDSA_256: KeyKind.ECDSA_P256,
    KeyType.ECDSA_384: KeyKind.ECDSA_P384,
}
REVOCATIONS = {
    Revocation.STRICT: pki_revocation.Revocation.STRICT,
    Revocation.SOFT: pki_revocation.Revocation.SOFT,
    Revocation.OFF: pki_revocation.Revocation.OFF,
}
BESIDE = KeyKind.ECDSA_P256
"""What is kept beside an RSA key: faster, for peers that can verify it."""

REVOKED = frozenset({Reason.BLOCKED, Reason.REVOKED_LEAF, Reason.REVOKED_INTERMEDIATE})
"""Why a session ends whose certificate was good when it began."""

LONGEST_NAME = 64
"""Characters of a common name (RFC 5280 appendix A.1)."""

Fetch: TypeAlias = Callable[[Sequence[str]], tuple[Crl, ...]]
"""Gets revocation lists from these places, as far as they can be had."""

POOLS = ""
"""The name among sites that stands for all pools."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A peer's certificates are good: by which peer it comes, with which key (SPKI, DER), and what was verified."""

    peer: str
    public_key: bytes = field(repr=False)
    verified: VerifiedKey


@dataclass(frozen=True, slots=True)
class Keyring:
    """All of it, never changed: a new one takes its place.

    `holders` are the devices that our CA has given certificates, by fingerprint. `faults` is what could not be used.
    """

    proofs: Mapping[str, Proof]
    keys: Mapping[str, PrivateKey] = field(repr=False)
    judges: Mapping[str, Judge]
    holders: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[PkiError, ...] = ()

    def sign(self, name: str, scheme: SignatureScheme, octets: bytes) -> bytes | None:
        """A signature with the key of that credential; None if it makes none such. Takes a router's CPU some while."""
        key = self.keys.get(name)
        if key is None:
            return None
        try:
            return signature.sign(key, scheme, octets)
        except ValueError:
            return None

    def verify_asking(
        self,
        peers: tuple[str, ...],
        claimed: Identification | None,
        certificates: tuple[bytes, ...],
        at: datetime,
        fetch: Fetch,
    ) -> Verdict:
        """The same as `verify`, with the lists that the certificates point to where we have none. Raises PkiError."""
        refusal: PkiError | None = None
        try:
            verdict = self.verify(peers, claimed, certificates, at)
        except PkiError as error:
            if error.reason is not Reason.REVOCATION_UNKNOWN:
                raise
            refusal, verdict = error, self.verify(peers, claimed, certificates, at, asked=False)
        if refusal is None and not verdict.verified.unchecked:
            return verdict
        if crls := fetch(_points(verdict.verified)):
            return self.verify(peers, claimed, certificates, at, crls)
        if refusal is not None:
            raise refusal
        return verdict

    def verify(
        self,
        peers: tuple[str, ...],
        claimed: Identification | None,
        certificates: tuple[bytes, ...],
        at: datetime,
        crls: tuple[Crl, ...] = (),
        *,
        asked: bool = True,
    ) -> Verdict:
        """The first of these peers that the certificates are good for, under this identity if one is claimed.

        Raises PkiError. `crls` are known besides; no list is asked without `asked`.
        """
        refusal: PkiError = CertificateRefused(Reason.MISSING, "the peer's certificate")
        for peer in peers:
            judge = self.judges.get(peer)
            if judge is None or not certificates:
                continue
            try:
                verified = judge.verify(certificates, at, crls, asked=asked)
                if claimed is not None:
                    pki_identity.prove(verified.certificate, ike_id(claimed))
            except PkiError as error:
                refusal = error
            else:
                return Verdict(peer, spki(verified.public_key), verified)
        raise refusal

    def revoked(self, peer: str, verified: VerifiedKey, at: datetime, fetch: Fetch) -> PkiError | None:
        """Why a peer that has come in by these certificates would not any more, if one of them has been revoked.

        The lists that they point to are asked where we have none. That none is to be had is no reason to go.
        """
        judge = self.judges.get(peer)
        if judge is None:
            return None
        refusal, is_open = _judged(verified, judge, at)
        if not is_open or not (crls := fetch(_points(verified))):
            return refusal
        return _judged(verified, judge, at, crls)[0]


def nothing_fetched(_: Sequence[str]) -> tuple[Crl, ...]:
    """For who wants to know what we know ourselves."""
    return ()


def _points(verified: VerifiedKey) -> list[str]:
    return [uri for each in verified.path for uri in distribution_points(each)]


def _judged(
    verified: VerifiedKey, judge: Judge, at: datetime, crls: tuple[Crl, ...] = ()
) -> tuple[PkiError | None, bool]:
    """Why one of the certificates is revoked, if one is known to be; and whether of one there is no list."""
    try:
        again = judge.verify(tuple(map(der_of, verified.path)), at, crls)
    except PkiError as error:
        return error if error.reason in REVOKED else None, error.reason is Reason.REVOCATION_UNKNOWN
    return None, bool(again.unchecked)


def ike_id(claimed: Identification) -> IkeId:
    """An identity as the PKI knows it. Raises CertificateRefused for a type that no certificate has."""
    try:
        return IkeId(pki_identity.Kind(claimed.id_type), claimed.data)
    except ValueError:
        raise CertificateRefused(
            Reason.WRONG_NAME, "the peer's certificate", "subjectAltName", f"ID type {claimed.id_type.name}"
        ) from None


def server_names(pki: Pki) -> ServerNames | None:
    """The public names, as the PKI wants them; None if there is none."""
    hosts = tuple(name for name in pki.public_name if isinstance(name, str))
    addresses = tuple(name for name in pki.public_name if not isinstance(name, str))
    return ServerNames(hosts, addresses) if pki.public_name else None


def prepare(office: Office, pki: Pki, at: datetime) -> None:
    """Make what is missing or due: the CA, the gateway's certificates, the CRL. Slow. Raises PkiError."""
    names = server_names(pki)
    if names is None or not pki.local_ca:
        return
    if not office.has_authority:
        office.init(f"edgevpn CA of {names.first}"[:LONGEST_NAME], KEY_KINDS[pki.key_type], at)
    kinds = {KEY_KINDS[pki.key_type]} if pki.certificate is None else set()
    for kind in (*kinds, *({BESIDE} if kinds and BESIDE not in kinds else ())):
        office.keep_server(names, kind, at)
    office.tend(at)


def open_keyring(config: Config, office: Office, at: datetime) -> Keyring:
    """Read all that a configuration names. What cannot be used is a fault, and whoever needs it stays out."""
    return _Opening(config, office, at).keyring()


class _Opening:
    """Collects keys and faults while a keyring is made."""

    def __init__(self, config: Config, office: Office, at: datetime) -> None:
        self._config = config
        self._office = office
        self._at = at
        self._keys: dict[str, PrivateKey] = {}
        self._faults: list[PkiError] = [*office.faults]

    def keyring(self) -> Keyring:
        config = self._config
        common = self._common_trust()
        proofs: dict[str, Proof] = {}
        judges: dict[str, Judge] = {}
        of_devices = Judge(common, Purpose.DEVICE)
        ours = tuple(self._server_credentials())
        if ours:
            proofs[POOLS] = Proof(Signing(ours, config.pki.sha1_signatures), _certified(common))
        for pool in config.pools:
            judges |= dict.fromkeys(pool_peer_names(pool), of_devices)
        for site in (site for site in config.sites if site.auth is not Auth.PSK):
            trust = self._site_trust(site, common)
            purpose = Purpose.SERVER if site.auth is Auth.EAP else Purpose.SITE
            judges[site.name] = Judge(trust, purpose)
            credentials = tuple(self._site_credentials(site)) or ours
            if credentials or site.auth is Auth.EAP:
                signing = Signing(credentials, config.pki.sha1_signatures, site.signature is Signature.PSS)
                proofs[site.name] = Proof(signing, _certified(trust))
        holders = {
            each.fingerprint: each.name for each in self._office.ledger.issued.values() if each.holder is Holder.DEVICE
        }
        return Keyring(proofs, self._keys, judges, holders, tuple(self._faults))

    def _server_credentials(self) -> Iterator[Credential]:
        """The gateway's own certificates, the one of few clients first: those who cannot verify it get the next."""
        pki, names = self._config.pki, server_names(self._config.pki)
        if names is None:
            return
        if pki.certificate is not None and pki.certificate_key is not None:
            try:
                read = read_server(_octets(pki.certificate), _octets(pki.certificate_key), names, self._at)
                yield self._credential("gateway", read.bundle)
            except PkiError as error:
                self._faults.append(error)
            return
        for kind in dict.fromkeys((BESIDE, KEY_KINDS[pki.key_type])):
            bundle = self._office.server(kind) if pki.local_ca else None
            if bundle is not None:
                yield self._credential(f"gateway {kind.value}", bundle)

    def _site_credentials(self, site: Site) -> Iterator[Credential]:
        if site.cert is None or site.key is None:
            return
        try:
            parts = (read_parts(_octets(path), source=str(path)) for path in (site.cert, site.key))
            yield self._credential(f"site {site.name}", bundle_of(*parts, source=str(site.cert)))
        except PkiError as error:
            self._faults.append(error)

    def _credential(self, name: str, bundle: Bundle) -> Credential:
        kind = kind_of(bundle.key)
        if kind is None:
            raise PkiError(Reason.WEAK_KEY, name)
        self._keys[name] = bundle.key
        above = bundle.chain[-1] if bundle.chain else bundle.certificate
        authority_kind = kind_of(above.public_key()) or kind
        return Credential(name, kind, bundle.sent, _key_hash(above), authority_kind)

    def _common_trust(self) -> Trust:
        """Our CA and those of [pki], and what they have revoked."""
        pki = self._config.pki
        anchors = tuple(anchor for path in pki.trust for anchor in self._anchors(path))
        crls = tuple(crl for path in pki.crl_files for crl in self._crls(path))
        return self._office.trust(REVOCATIONS[pki.revocation], anchors, crls)

    def _site_trust(self, site: Site, common: Trust) -> Trust:
        """Its own CAs where it has some, and all that is known to be revoked."""
        if not site.ca:
            return common
        anchors = tuple(anchor for path in site.ca for anchor in self._anchors(path))
        return replace(common, anchors=anchors, intermediates=())

    def _anchors(self, path: Path) -> Iterator[x509.Certificate]:
        """CAs of a file; what is none is a fault."""
        try:
            certificates = read_parts(_octets(path), source=str(path)).certificates
        except PkiError as error:
            self._faults.append(error)
            return
        for certificate in certificates:
            try:
                check_anchor(certificate)
            except PkiError as error:
                self._faults.append(error)
            else:
                yield certificate

    def _crls(self, path: Path) -> Iterator[pki_revocation.Crl]:
        try:
            yield read_crl(_octets(path))
        except PkiError as error:
            self._faults.append(error)


def _certified(trust: Trust) -> Certified:
    return Certified(tuple(dict.fromkeys(_key_hash(anchor) for anchor in trust.anchors)))


def _key_hash(certificate: x509.Certificate) -> bytes:
    """By which CERTREQ names a CA (RFC 7296 §3.7)."""
    key = certificate.public_key()
    return sha1(spki(key), usedforsecurity=False).digest() if is_public(key) else b""


def _octets(path: Path) -> bytes:
    """Raises PkiError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PkiError(Reason.FILE_FAILED, path, detail=error.strerror or str(error)) from error
