"""What the owner may ask for: names and identities that can stand in a certificate, and what else is typed by hand.

Each function returns what it was given, or raises WishRefused with the field's name and what is allowed there.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from edgevpn.pki.errors import Reason, WishRefused, shown

LONGEST_NAME = 64
"""Characters of a common name (RFC 5280 appendix A.1, ub-common-name)."""
LONGEST_HOST = 253
LONGEST_IDENTITY = 255
LONGEST_LIFETIME = timedelta(days=20 * 365)

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_MAIL_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def name(value: str, field: str) -> str:
    """A name for people: any script, one line."""
    if not 0 < len(value) <= LONGEST_NAME or not value.isprintable() or value != value.strip():
        raise refused(value, field, f"1 to {LONGEST_NAME} printable characters, no space at either end")
    return value


def host(value: str, field: str) -> str:
    """A domain name as DNS carries it, in lower case."""
    plain = value.rstrip(".").lower()
    if len(plain) > LONGEST_HOST or not _HOST.fullmatch(plain):
        cure = "" if value.isascii() else "; write it as xn--..., as a browser's address line shows it"
        raise refused(value, field, f"a domain name of letters, digits, dots and hyphens{cure}")
    return plain


def identity(value: str, field: str) -> str:
    """Who a device says it is: a domain name, or an e-mail address."""
    local, at, domain = value.rpartition("@")
    if not at:
        return host(value, field)
    if len(value) > LONGEST_IDENTITY or not _MAIL_LOCAL.fullmatch(local):
        raise refused(value, field, "a domain name, or an e-mail address in ASCII")
    return f"{local}@{host(domain, field)}"


def line(value: str, field: str, longest: int = LONGEST_IDENTITY) -> str:
    """Any text of one line, such as a user name. It may be a secret: it is not quoted."""
    if not 0 < len(value) <= longest or not value.isprintable():
        raise WishRefused(Reason.NOT_ALLOWED, field, detail=f"allowed: 1 to {longest} printable characters")
    return value


def end(value: datetime, now: datetime, field: str) -> datetime:
    """When something that is made now is to end."""
    if value <= now:
        raise refused(f"{value:%Y-%m-%d}", field, "a time to come")
    if value - now > LONGEST_LIFETIME:
        raise refused(f"{value:%Y-%m-%d}", field, f"at most {LONGEST_LIFETIME.days // 365} years from now")
    return value


def refused(value: object, field: str, allowed: str) -> WishRefused:
    """The refusal of a value that is no secret."""
    return WishRefused(Reason.NOT_ALLOWED, f'{field} "{shown(value)}"', detail=f"allowed: {allowed}")
