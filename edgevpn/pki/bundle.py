"""A key with its certificate and the CAs above it: read from what owners have (PEM, PKCS #8, PKCS #12), put in order.

Nothing here opens a file: octets and passwords come in, records come out, and neither shows in an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from itertools import chain as joined
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key, pkcs12

from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import UNREADABLE, complete, der_of, not_before, pem_of, quietly, read_certificate
from edgevpn.pki.errors import BundleError, CertificateRefused, Reason, shown
from edgevpn.pki.keys import PrivateKey, is_private, is_public, pkcs8, public_of, spki
from edgevpn.pki.names import canonical
from edgevpn.pki.signed import is_signed_by

LARGEST = 256 * 1024
MOST_CERTIFICATES = 32

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_KEY_LABELS = (b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY")
_PKCS12 = re.compile(rb"\x30[\x80-\x84].{0,4}?\x02\x01\x03\x30", re.DOTALL)
"""How a PFX begins: a SEQUENCE and version 3 (RFC 7292 §4)."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a file holds, in its order."""

    keys: tuple[PrivateKey, ...] = field(default=(), repr=False)
    certificates: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """A key, the certificate for it, and the CAs above that, each signed by the next."""

    key: PrivateKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def sent(self) -> tuple[bytes, ...]:
        """What goes into CERT payloads, DER: all but a root, which the peer has to have by itself (RFC 4945 §3.3)."""
        above = [each for each in self.chain if canonical(each.subject) != canonical(each.issuer)]
        return tuple(map(der_of, (self.certificate, *above)))

    def pem(self) -> bytes:
        """All of it in the clear, for a file of mode 0600; `read_parts` and `bundle_of` read it back."""
        return pkcs8(self.key) + b"".join(map(pem_of, (self.certificate, *self.chain)))


def read_parts(octets: bytes, password: str = "", source: str = "the file") -> Parts:
    """Read keys and certificates from PEM, DER or PKCS #12, known by their first octets. Raises BundleError."""
    if len(octets) > LARGEST:
        raise BundleError(Reason.TOO_MUCH, source, detail=f"{len(octets)} octets, {LARGEST} are read")
    if b"-----BEGIN " in octets:
        parts = _read_pem(octets, password, source)
    elif _PKCS12.match(octets):
        parts = _read_pkcs12(octets, password, source)
    else:
        parts = _read_der(octets, password, source)
    if len(parts.certificates) > MOST_CERTIFICATES:
        raise BundleError(Reason.TOO_MUCH, source, detail=f"more than {MOST_CERTIFICATES} certificates")
    return parts


def bundle_of(*parts: Parts, source: str = "the file") -> Bundle:
    """The one key, its certificate and the chain above it. Raises BundleError; what is not of the chain is left out."""
    keys = {spki(public_of(key)): key for each in parts for key in each.keys}
    if len(keys) != 1:
        fault = Reason.MISMATCH if keys else Reason.MISSING
        raise BundleError(fault, f"the private key of {source}", detail=f"{len(keys)} keys", cure="give one key")
    [(public, key)] = keys.items()
    certificates = tuple(dict.fromkeys(joined.from_iterable(each.certificates for each in parts)))
    ours = [each for each in certificates if _spki_of(each) == public]
    if not ours:
        what = Reason.MISMATCH if certificates else Reason.MISSING
        raise BundleError(what, f"the certificate of {source}", detail="none is for this key")
    leaf = max(ours, key=not_before)
    return Bundle(key, leaf, tuple(_upward(leaf, certificates)))


def is_in_order(certificates: Iterable[x509.Certificate]) -> bool:
    """True if each certificate is followed by its issuer's, as TLS servers want it and ACME clients write it."""
    given = tuple(certificates)
    return all(_is_issued_by(child, issuer) for child, issuer in pairwise(given))


def _upward(leaf: x509.Certificate, certificates: tuple[x509.Certificate, ...]) -> Iterator[x509.Certificate]:
    """The issuers of a certificate among others, nearest first; each once."""
    path = [leaf]
    while issuer := next((each for each in certificates if each not in path and _is_issued_by(path[-1], each)), None):
        yield issuer
        path.append(issuer)


def _is_issued_by(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    if canonical(child.issuer) != canonical(issuer.subject):
        return False
    key = issuer.public_key()
    return is_public(key) and is_signed_by(child, key)


def _spki_of(certificate: x509.Certificate) -> bytes:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return b""
    return spki(key) if is_public(key) else b""


def _read_pem(octets: bytes, password: str, source: str) -> Parts:
    keys, certificates = [], []
    for block in _BLOCK.finditer(octets):
        match block[1]:
            case b"CERTIFICATE" | b"X509 CERTIFICATE":
                certificates.append(_certificate_of(block[0], source))
            case label if label in _KEY_LABELS:
                keys.append(_key_of(block[0], password, source))
            case b"EC PARAMETERS":
                pass
            case label:
                raise BundleError(Reason.UNREADABLE, source, shown(label.decode()), "PEM of this kind is not used here")
    if not keys and not certificates:
        raise BundleError(Reason.UNREADABLE, source, detail="no whole PEM block")
    return Parts(tuple(keys), tuple(certificates))


def _certificate_of(pem: bytes, source: str) -> x509.Certificate:
    try:
        with quietly():
            return complete(x509.load_pem_x509_certificate(pem))
    except (*UNREADABLE, CertificateRefused) as error:
        raise BundleError(Reason.UNREADABLE, source, "CERTIFICATE", "malformed") from error


def _key_of(pem: bytes, password: str, source: str) -> PrivateKey:
    """A private key, in the clear or not."""
    if b"ENCRYPTED" in pem:
        return _decrypted(pem, password, source)
    try:
        return _fit(load_pem_private_key(pem, None), source)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # its text is not told: it may quote what it read
        raise BundleError(Reason.UNREADABLE, source, "private key") from None


def _decrypted(encoded: bytes, password: str, source: str) -> PrivateKey:
    if not password:
        raise BundleError(Reason.WRONG_PASSWORD, source, "private key", "it is encrypted", "give its password")
    load = load_pem_private_key if encoded.startswith(b"-----") else load_der_private_key
    try:
        return _fit(load(encoded, password.encode()), source)
    except (ValueError, UnsupportedAlgorithm):
        raise BundleError(Reason.WRONG_PASSWORD, source, "private key") from None


def _fit(key: object, source: str) -> PrivateKey:
    if not is_private(key):
        raise BundleError(Reason.WEAK_KEY, source, "private key", "neither RSA nor ECDSA, Ed25519 or Ed448")
    public_of(key)
    return key


def _read_der(octets: bytes, password: str, source: str) -> Parts:
    try:
        return Parts((), (read_certificate(octets),))
    except CertificateRefused:
        pass
    try:
        return Parts((_fit(load_der_private_key(octets, None), source),))
    except TypeError:
        return Parts((_decrypted(octets, password, source),))
    except (ValueError, UnsupportedAlgorithm):
        raise BundleError(Reason.UNREADABLE, source, detail="neither PEM nor DER nor PKCS #12") from None


def _read_pkcs12(octets: bytes, password: str, source: str) -> Parts:
    """A PFX. "No password" is written in two ways (RFC 7292 appendix B.1), and both are tried."""
    secrets = (password.encode(),) if password else (None, b"")
    for secret in secrets:
        try:
            with quietly():
                found = pkcs12.load_pkcs12(octets, secret)
        except UnsupportedAlgorithm:
            cure = "export it again with AES or 3DES"
            raise BundleError(Reason.UNREADABLE, source, "encryption", "not supported here", cure) from None
        except UNREADABLE:
            continue
        certificates = [each.certificate for each in (found.cert, *found.additional_certs) if each is not None]
        for each in certificates:
            complete(each)
        return Parts((_fit(found.key, source),) if found.key is not None else (), tuple(certificates))
    raise BundleError(Reason.WRONG_PASSWORD, source, "PKCS #12")
