"""Whether one certificate was signed by the key of another (RFC 5280 §6.1.3 (a)(1)).

cryptography's `verify_directly_issued_by` would do it, but wants the two names equal octet by octet, and §7.1 does not.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from edgevpn.pki.certificate import der_of
from edgevpn.pki.keys import PublicKey

GOOD_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512, hashes.SHA3_256, hashes.SHA3_384, hashes.SHA3_512)


def weak_hash(signed: x509.Certificate | x509.CertificateRevocationList) -> str:
    """The name of the hash that a signature rests on if it can be forged ("sha1"), else ""."""
    try:
        algorithm = signed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return f"algorithm {signed.signature_algorithm_oid.dotted_string}"
    return "" if algorithm is None or isinstance(algorithm, GOOD_HASHES) else algorithm.name


def is_signed_by(certificate: x509.Certificate, key: PublicKey) -> bool:
    """True if `key` made the signature of the certificate, by the algorithm that the signed part names too."""
    if _outer_algorithm(certificate) != _inner_algorithm(certificate.tbs_certificate_bytes):
        return False
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    try:
        algorithm, parameters = certificate.signature_hash_algorithm, certificate.signature_algorithm_parameters
        match key:
            case rsa.RSAPublicKey() if algorithm and isinstance(parameters, padding.PKCS1v15 | padding.PSS):
                key.verify(signature, signed, parameters, algorithm)
            case ec.EllipticCurvePublicKey() if isinstance(parameters, ec.ECDSA):
                key.verify(signature, signed, parameters)
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey() if algorithm is None:
                key.verify(signature, signed)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _outer_algorithm(certificate: x509.Certificate) -> bytes:
    """The signatureAlgorithm field: what stands right behind the signed part."""
    der, signed = der_of(certificate), certificate.tbs_certificate_bytes
    start = der.index(signed) + len(signed)
    return der[start : _end(der, start)]


def _inner_algorithm(tbs: bytes) -> bytes:
    """The signature field of a TBSCertificate (§4.1.2.3): behind the version, if there is one, and the serial."""
    at = _content(tbs, 0)
    if tbs[at] == 0xA0:
        at = _end(tbs, at)
    start = _end(tbs, at)
    return tbs[start : _end(tbs, start)]


def _content(der: bytes, at: int) -> int:
    """Where the content of the DER element at `at` begins. cryptography has read all of it, so lengths are sound."""
    return at + 2 + (der[at + 1] & 0x7F if der[at + 1] & 0x80 else 0)


def _end(der: bytes, at: int) -> int:
    """Where the DER element at `at` ends."""
    first, content = der[at + 1], _content(der, at)
    return content + (int.from_bytes(der[at + 2 : content]) if first & 0x80 else first)
