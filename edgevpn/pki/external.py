"""A server certificate that others make, such as an ACME client: read, put in order, held against what clients want."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from edgevpn.frozen import dataclass
from edgevpn.pki.authority import ServerNames
from edgevpn.pki.bundle import Bundle, bundle_of, is_in_order, read_parts
from edgevpn.pki.certificate import extension, is_self_issued, not_after, subject_of
from edgevpn.pki.clock import moment
from edgevpn.pki.errors import BundleError, Reason
from edgevpn.pki.renewal import renew_at
from edgevpn.pki.rules import Purpose, check_leaf, check_time


@dataclass(frozen=True, slots=True)
class Concern:
    """What is not wrong but will keep some clients away, or soon all."""

    field: str
    text: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class External:
    """A certificate that can be used, and what to say about it."""

    bundle: Bundle
    concerns: tuple[Concern, ...] = ()


def read_server(certificate: bytes, key: bytes, names: ServerNames, at: datetime, password: str = "") -> External:
    """Judge the files of an external certificate; both may be the same file. Raises PkiError for one of no use.

    To be called again when a file has changed: while an ACME client is writing, the two may not fit, and the refusal
    (MISMATCH, UNREADABLE) is a reason to keep what is in use and to look again.
    """
    read = read_parts(certificate, password, "the certificate's file")
    parts = (read,) if key == certificate else (read, read_parts(key, password, "the key's file"))
    bundle = bundle_of(*parts, source="the external certificate")
    check_time(bundle.certificate, moment(at))
    check_leaf(bundle.certificate, Purpose.SERVER)
    _check_names(bundle.certificate, names)
    concerns = [*_of_chain(bundle, read.certificates), *_of_clients(bundle.certificate), *_of_end(bundle, at)]
    return External(bundle, tuple(concerns))


def _check_names(certificate: x509.Certificate, names: ServerNames) -> None:
    """Each name that clients connect to stands in the SAN, as it is typed."""
    given = tuple(extension(certificate, x509.SubjectAlternativeName) or ())
    missing = [str(name.value) for name in names.general_names() if name not in given and not _is_text(name, names)]
    if missing:
        raise BundleError(
            Reason.WRONG_NAME,
            subject_of(certificate),
            "subjectAltName",
            f"{', '.join(missing)} is missing",
            "have it issued for that name, or change the public name",
        )


def _is_text(name: x509.GeneralName, names: ServerNames) -> bool:
    """An address as a dNSName: no public CA writes that, and only Windows would miss it."""
    return isinstance(name, x509.DNSName) and name.value in map(str, names.addresses)


def _of_chain(bundle: Bundle, given: tuple[x509.Certificate, ...]) -> Iterator[Concern]:
    if not bundle.chain and not is_self_issued(bundle.certificate):
        cure = "use the file that has the whole chain (fullchain.pem)"
        yield Concern("chain", "the CA's own certificate is missing, and clients have only the root", cure)
    elif not is_in_order(given):
        yield Concern("chain", "the certificates are not in order; they are sent in the right one")


def _of_clients(certificate: x509.Certificate) -> Iterator[Concern]:
    match certificate.public_key():
        case rsa.RSAPublicKey():
            pass
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1() | ec.SECP384R1()):
            yield Concern("key", "Android's own client, and iOS without a profile, take RSA only", "ask for an RSA key")
        case _:
            yield Concern("key", "Windows, Android and iOS without a profile do not take it", "ask for an RSA key")
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    if purposes is None or ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        yield Concern("extendedKeyUsage", "Windows and Apple want serverAuth there", "have it issued for a server")


def _of_end(bundle: Bundle, at: datetime) -> Iterator[Concern]:
    first = min((bundle.certificate, *bundle.chain), key=not_after)
    if at >= renew_at(first):
        yield Concern("validity.notAfter", f"{subject_of(first)} ends on {not_after(first):%Y-%m-%d}", "renew it")
