"""Where everything is kept. A folder of mode 0700, its files 0600:

    ca.pem              our CA: key, certificate, and the CAs above it if it is not the root
    server.pem          the gateway's RSA key, certificate and chain
    server-ecdsa.pem    the same with an ECDSA key, for peers that can verify it; and server-ed25519.pem
    issued.json         what was issued, revoked and blocked (`records`); issued.json.previous is its last state but one
    ca.crl              our CRL: a second memory of what is revoked, should issued.json be lost
    trusted/*.pem       CAs of others, one file each with what they need above them
    crls/*.crl          CRLs of others

Keys of devices are not kept: a device that has lost its key gets a new certificate.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edgevpn.frozen import dataclass
from edgevpn.pki import files, records
from edgevpn.pki.authority import Authority
from edgevpn.pki.bundle import Bundle, bundle_of, read_parts
from edgevpn.pki.errors import PkiError, Reason, StoreError
from edgevpn.pki.records import Ledger
from edgevpn.pki.revocation import Crl, read_crl
from edgevpn.pki.validate import check_anchor


class Slot(Enum):
    """The gateway's own certificates; the value is the name of the file."""

    RSA = "server.pem"
    ECDSA = "server-ecdsa.pem"
    ED25519 = "server-ed25519.pem"


@dataclass(frozen=True, slots=True)
class Read:
    """Records that could be read, and what is wrong with the files that could not."""

    ledger: Ledger
    faults: tuple[StoreError, ...] = ()


@dataclass(frozen=True, slots=True)
class Others:
    """CAs and CRLs of others, and what is wrong with the files that could not be read."""

    anchors: tuple[x509.Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()
    faults: tuple[PkiError, ...] = ()


class Store:
    """The folder. Each method is one file, read or written as a whole."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if it is missing. Raises StoreError."""
        self._folder = folder
        self._bundles: dict[str, tuple[bytes, Bundle]] = {}
        files.prepare(folder)

    def authority(self) -> Authority | None:
        """Our CA, or None. Raises PkiError where the file is of no use."""
        bundle = self._bundle("ca.pem")
        return Authority(bundle.certificate, bundle.key, bundle.chain) if bundle else None

    def save_authority(self, authority: Authority) -> None:
        """Keep our CA; the one before stays as ca.pem.previous."""
        bundle = Bundle(authority.key, authority.certificate, authority.chain)
        files.write(self._folder / "ca.pem", bundle.pem(), kept=True)

    def server(self, slot: Slot) -> Bundle | None:
        """One of the gateway's certificates, or None. Raises PkiError where the file is of no use."""
        return self._bundle(slot.value)

    def save_server(self, slot: Slot, bundle: Bundle) -> None:
        """Keep one of the gateway's certificates. Key and certificate are one file, so that they always fit."""
        files.write(self._folder / slot.value, bundle.pem())

    def remove_server(self, slot: Slot) -> None:
        """One of the gateway's certificates less."""
        files.remove(self._folder / slot.value)

    def ledger(self) -> Read:
        """The records. A damaged file is replaced by its last state but one, both by none: the CRL still stands.

        Raises StoreError only for the file of a newer release, which must not be overwritten.
        """
        path = self._folder / "issued.json"
        faults: list[StoreError] = []
        for each in (path, files.previous(path)):
            octets = files.read(each, secret=True)
            if octets is None:
                continue
            try:
                ledger = records.load(octets, each.name)
                if each != path:
                    files.write(path, octets)
                return Read(ledger, tuple(faults))
            except StoreError as error:
                if error.reason is not Reason.DAMAGED:
                    raise
                faults.append(error)
        return Read(Ledger(), tuple(faults))

    def save_ledger(self, ledger: Ledger) -> None:
        """Keep the records."""
        files.write(self._folder / "issued.json", records.dump(ledger), kept=True)

    def crl(self) -> Crl | None:
        """Our own CRL, or None. Raises PkiError where the file is of no use."""
        octets = files.read(self._folder / "ca.crl")
        return read_crl(octets) if octets is not None else None

    def save_crl(self, crl: x509.CertificateRevocationList) -> None:
        """Keep our own CRL."""
        files.write(self._folder / "ca.crl", crl.public_bytes(Encoding.DER))

    def others(self) -> Others:
        """CAs and CRLs of others. A file of no use is told of, and does not keep the rest from being used."""
        anchors: list[x509.Certificate] = []
        crls: list[Crl] = []
        faults: list[PkiError] = []
        for path in self._files("trusted", "*.pem"):
            try:
                read = read_parts(files.read(path) or b"", source=path.name).certificates
                for each in read:
                    check_anchor(each)
                anchors += read
            except PkiError as error:
                faults.append(error)
        for path in self._files("crls", "*.crl"):
            try:
                crls.append(read_crl(files.read(path) or b""))
            except PkiError as error:
                faults.append(error)
        return Others(tuple(anchors), tuple(crls), tuple(faults))

    def keep_crl(self, uri: str, octets: bytes) -> None:
        """Keep a CRL that was fetched, in place of the last one from there. Raises PkiError for what is none."""
        read_crl(octets)
        folder = self._folder / "crls"
        files.prepare(folder)
        files.write(folder / f"{hashlib.sha256(uri.encode()).hexdigest()[:16]}.crl", octets)

    def _bundle(self, name: str) -> Bundle | None:
        """Parsed once for each content: checking an RSA key takes a router half a second."""
        octets = files.read(self._folder / name, secret=True)
        if octets is None:
            return None
        known = self._bundles.get(name)
        if known is None or known[0] != octets:
            known = self._bundles[name] = octets, bundle_of(read_parts(octets, source=name), source=name)
        return known[1]

    def _files(self, folder: str, pattern: str) -> list[Path]:
        """What the owner has put into a folder of ours, in the order of names."""
        return sorted((self._folder / folder).glob(pattern))
