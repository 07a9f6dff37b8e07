"""A certificate authority for tests, and what it issues, as PEM files."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.lab.peers.connection import Certificate

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

KEYS: dict[str, Callable[[], Key]] = {
    "ecdsa256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
"""Kinds of key by name, and how one is made."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA whose files are in `folder`."""

    folder: Path
    certificate: x509.Certificate
    key: Key

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, kind: str = "ecdsa256", *, more_names: int = 0) -> Certificate:
        """A certificate for a domain name; `more_names` others make it as long as wanted, some 25 octets each."""
        key = KEYS[kind]()
        names = [name, *(f"{number:04}.other.{name}" for number in range(more_names))]
        builder = _builder(name, self.certificate.subject, key)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        signed = builder.sign(self.key, _hash(self.key))
        return Certificate(
            _write(self.folder / f"{name}.pem", _pem(signed)), _write_key(self.folder, name, key), self.file
        )


def authority(folder: Path, kind: str = "ecdsa256") -> Authority:
    """A CA, its certificate in `folder`."""
    key = KEYS[kind]()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lab CA")])
    builder = _builder("Lab CA", subject, key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    certificate = builder.sign(key, _hash(key))
    made = Authority(folder, certificate, key)
    _write(made.file, _pem(certificate))
    return made


def _builder(name: str, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )


def _hash(key: Key) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _write_key(folder: Path, name: str, key: Key) -> Path:
    return _write(folder / f"{name}.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _write(path: Path, octets: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(octets)
    return path
