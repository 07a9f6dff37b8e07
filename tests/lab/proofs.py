"""Certificates of the lab's peers: made as tests order them, and written to files as daemons read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from edgevpn.pki.keys import PrivateKey
from tests.lab.peers.connection import Certificate
from tests.support import certificates as support
from tests.support.certificates import Extensions, Made

# Daemons go by the machine's clock, whatever it says.
BEGIN, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
LONG_OVER, FAR_OFF = datetime(2001, 1, 1, tzinfo=UTC), datetime(2098, 1, 1, tzinfo=UTC)
BEFORE_IT_WAS_OVER, ONCE_IT_HAS_COME = datetime(2000, 7, 1, tzinfo=UTC), datetime(2098, 7, 1, tzinfo=UTC)

ANY_PEER = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def authority(
    subject: str, issuer: Made | None = None, *, path_length: int | None = None, ends: datetime = END
) -> Made:
    """A CA; a root unless another signs it."""
    return support.ca(subject, issuer, path_length=path_length, begins=BEGIN, ends=ends)


def holder(
    name: str,
    issuer: Made,
    more: Extensions = (),
    *,
    key: PrivateKey | None = None,
    purposes: Sequence[ObjectIdentifier] = ANY_PEER,
    begins: datetime = BEGIN,
    ends: datetime = END,
) -> Made:
    """The certificate of a peer: a domain name, or an e-mail address."""
    alternative = x509.RFC822Name(name) if "@" in name else x509.DNSName(name)
    extensions: Extensions = (
        (x509.SubjectAlternativeName([alternative]), False),
        (support.usage(digital=True), True),
        (x509.ExtendedKeyUsage(purposes), False),
        *more,
    )
    return support.certificate(name, issuer, extensions, key=key, begins=begins, ends=ends)


def revocations(issuer: Made, *revoked: Made) -> bytes:
    """The issuer's CRL, which is good for ever."""
    return support.crl(issuer, *revoked, issued=BEGIN, due=END)


class Cabinet:
    """A folder of certificates, keys and CRLs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def proof(self, root: Made, owner: Made, *between: Made, scheme: str = "") -> Certificate:
        """What a peer proves itself with: the owner's key and certificate, the CAs between it and the root."""
        number = len(list(self.folder.iterdir()))
        certificate, key = self.folder / f"{number}.pem", self.folder / f"{number}.key"
        certificate.write_bytes(b"".join(map(pem, (owner, *between))))
        key.touch(mode=0o600)
        key.write_bytes(owner.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Certificate(certificate, key, self.authority(root), scheme)

    def container(self, octets: bytes, password: str, authority: Path) -> Certificate:
        """The same from a PKCS#12 file."""
        key, own, _ = pkcs12.load_key_and_certificates(octets, password.encode())
        assert own is not None
        number = len(list(self.folder.iterdir()))
        certificate, path = self.folder / f"{number}.pem", self.folder / f"{number}.key"
        certificate.write_bytes(own.public_bytes(Encoding.PEM))
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # type: ignore[union-attr]
        return Certificate(certificate, path, authority)

    def authority(self, root: Made) -> Path:
        """A root's certificate."""
        path = self.folder / f"{root.certificate.serial_number}-ca.pem"
        if not path.exists() or path.read_bytes() != pem(root):  # somebody may be reading it
            path.write_bytes(pem(root))
        return path

    @property
    def crls(self) -> tuple[Path, ...]:
        """All CRLs that are there."""
        return tuple(sorted(self.folder.glob("*.crl")))

    def crl(self, issuer: Made, *revoked: Made) -> Path:
        """The issuer's CRL."""
        path = self.folder / f"{issuer.certificate.serial_number}.crl"
        path.write_bytes(revocations(issuer, *revoked))
        return path


def pem(made: Made) -> bytes:
    """The certificate alone."""
    return made.certificate.public_bytes(Encoding.PEM)
