"""Paths from a peer's certificate up to a CA that we trust: which there may be (RFC 4158), not whether they hold.

A path is a tuple that begins with the peer's certificate and ends with the trusted CA's. Issuers are found by name; a
certificate whose key identifier fits comes before one whose does not. No certificate comes twice in a path, and neither
does a name with the same key: so a circle of CAs ends, while a CA that has signed its own new key (RFC 5280 §6.1,
"self-issued") does not look like one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from edgevpn.dn import CanonicalName
from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import extension, subject_of
from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.keys import is_public, spki
from edgevpn.pki.names import canonical, text_of

LONGEST = 8
"""Certificates in a path, the peer's and the CA's included."""

MOST = 16
"""Paths that are tried for one peer."""

Path = tuple["Link", ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A certificate with what is asked of it again and again while paths are built and checked."""

    certificate: x509.Certificate
    subject: CanonicalName
    issuer: CanonicalName
    public_key: object
    spki: bytes

    @property
    def self_issued(self) -> bool:
        """True where subject and issuer are the same name (RFC 5280 §6.1)."""
        return self.subject == self.issuer


def link(certificate: x509.Certificate) -> Link:
    """A certificate, made ready. A key that cannot be read is None: it is refused where it would be used."""
    try:
        key: object = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    octets = spki(key) if is_public(key) else b""
    return Link(certificate, canonical(certificate.subject), canonical(certificate.issuer), key, octets)


def paths(leaf: Link, pool: Iterable[Link], anchors: Iterable[Link]) -> Iterator[Path]:
    """The paths that names allow, likeliest first, at most `MOST`.

    Raises CertificateRefused where there is none: for a circle, or for an issuer that nobody knows.
    """
    search = _Search(tuple(pool), tuple(anchors))
    found = 0
    for path in search.upward((leaf,)):
        yield path
        found += 1
        if found == MOST:
            return
    if not found:
        raise search.refusal(leaf)


class _Search:
    """One depth-first walk; remembers the highest certificate that it could not get beyond."""

    def __init__(self, pool: tuple[Link, ...], anchors: tuple[Link, ...]) -> None:
        self._pool = pool
        self._anchors = anchors
        self._highest: Path = ()
        self._circle: Path = ()
        self._steps = 0

    def upward(self, path: Path) -> Iterator[Path]:
        """All ways from the end of `path` to an anchor."""
        self._steps += 1
        if len(path) > len(self._highest):
            self._highest = path
        top = path[-1]
        for anchor in _by_key(top, self._anchors):
            if anchor.certificate != top.certificate:
                yield (*path, anchor)
        if len(path) + 1 == LONGEST or self._steps > MOST * LONGEST:
            return
        for issuer in _by_key(top, self._pool):
            if not any(_same(issuer, each) for each in path):
                yield from self.upward((*path, issuer))
            elif not _same(issuer, top):
                self._circle = path

    def refusal(self, leaf: Link) -> CertificateRefused:
        """Why there is no path."""
        top = (self._highest or (leaf,))[-1].certificate
        issuer = text_of(top.issuer)
        if self._circle:
            return CertificateRefused(Reason.LOOP, subject_of(top), "issuer", issuer)
        cure = f"trust this CA, or have the peer send the certificate of {issuer}"
        return CertificateRefused(Reason.UNKNOWN_ISSUER, subject_of(top), "issuer", issuer, cure)


def _by_key(child: Link, candidates: tuple[Link, ...]) -> list[Link]:
    """Those who bear the name of a certificate's issuer, the right key identifier first (RFC 4158 §3.5.12)."""
    named = [each for each in candidates if each.subject == child.issuer]
    if len(named) < 2:
        return named
    wanted = extension(child.certificate, x509.AuthorityKeyIdentifier)
    identifier = wanted.key_identifier if wanted else None
    return sorted(named, key=lambda each: _identifier(each) != identifier)


def _identifier(each: Link) -> bytes | None:
    found = extension(each.certificate, x509.SubjectKeyIdentifier)
    return found.digest if found else None


def _same(one: Link, other: Link) -> bool:
    return one.subject == other.subject and one.spki == other.spki
