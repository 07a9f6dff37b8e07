"""When a certificate of ours is due to be issued anew: decisions alone, from the certificate and the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509

from edgevpn.pki.authority import Authority, ServerNames
from edgevpn.pki.certificate import extension, not_after, not_before
from edgevpn.pki.keys import KeyKind, is_kind, is_public, public_of
from edgevpn.pki.names import canonical
from edgevpn.pki.signed import is_signed_by

LAST_PART = 3
"""A certificate is renewed in the last third of its life, so that a router that is away for weeks comes in time."""
AT_LEAST = timedelta(days=30)


class Due(Enum):
    """Why a certificate is to be issued now."""

    MISSING = "there is none"
    OTHER_AUTHORITY = "the CA is another now"
    NAMES_CHANGED = "the public name is another now"
    KEY_CHANGED = "another kind of key is wanted now"
    ENDS_SOON = "it ends soon"


def renew_at(certificate: x509.Certificate) -> datetime:
    """When a certificate is to be renewed if nothing else happens."""
    begin, end = not_before(certificate), not_after(certificate)
    return end - max((end - begin) / LAST_PART, min(AT_LEAST, (end - begin) / 2))


def days_left(certificate: x509.Certificate, at: datetime) -> int:
    """Whole days until it ends; negative once it has."""
    return (not_after(certificate) - at).days


def server_due(
    current: x509.Certificate | None, names: ServerNames, authority: Authority, kind: KeyKind, at: datetime
) -> Due | None:
    """Why the gateway's certificate is to be issued anew, or None."""
    if current is None:
        return Due.MISSING
    signer = public_of(authority.key)
    same_name = canonical(current.issuer) == canonical(authority.certificate.subject)
    if not same_name or not is_signed_by(current, signer):
        return Due.OTHER_AUTHORITY
    alternative = extension(current, x509.SubjectAlternativeName)
    if alternative is None or set(alternative) != set(names.general_names()):
        return Due.NAMES_CHANGED
    key = current.public_key()
    if not is_public(key) or not is_kind(key, kind):
        return Due.KEY_CHANGED
    return Due.ENDS_SOON if _ends_soon(current, authority, at) else None


def authority_due(authority: Authority, at: datetime) -> Due | None:
    """Whether the CA is to be renewed: later than a third before its end, since each device would have to take it."""
    left = not_after(authority.certificate) - at
    return Due.ENDS_SOON if left <= timedelta(days=366) else None


def _ends_soon(current: x509.Certificate, authority: Authority, at: datetime) -> bool:
    """Not where a new one could not end later: then it is the CA's turn."""
    return at >= renew_at(current) and not_after(current) < not_after(authority.certificate)
