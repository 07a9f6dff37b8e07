"""Why a certificate, a key, a file or a wish is refused: a reason that code can match on, and words for its owner."""

from __future__ import annotations

from enum import Enum

LONGEST_SHOWN = 120


class Reason(Enum):
    """What is wrong; the value says it of the thing that is meant."""

    # Certificates and their paths.
    UNREADABLE = "cannot be read"
    TOO_MUCH = "is more than we are ready to look at"
    UNKNOWN_ISSUER = "was signed by no CA that is trusted here"
    LOOP = "is signed in a circle"
    BAD_SIGNATURE = "does not bear its issuer's signature"
    WEAK_KEY = "has a key that is too weak, or of a kind that is not used"
    WEAK_SIGNATURE = "is signed with a hash that can be forged"
    EXPIRED = "has expired"
    NOT_YET_VALID = "is not valid yet"
    NOT_A_CA = "signs certificates and is not allowed to"
    PATH_TOO_LONG = "has more CAs below it than it allows"
    NAME_NOT_PERMITTED = "bears a name that its CA may not give"
    UNKNOWN_CRITICAL_EXTENSION = "asks for something that is not understood here"
    POLICY_REQUIRED = "asks for a check of policies, which is not done here"
    WRONG_KEY_USAGE = "has a key that may not sign"
    WRONG_EKU = "was made for another purpose"
    WRONG_NAME = "is not the certificate of who the peer says it is"
    REVOKED_LEAF = "has been revoked"
    REVOKED_INTERMEDIATE = "was issued by a CA that has been revoked"
    REVOCATION_UNKNOWN = "may have been revoked, and no current CRL says"
    BLOCKED = "is on the block list"

    # What the owner brings or asks for.
    WRONG_PASSWORD = "does not open with this password"  # noqa: S105 - words for a person
    MISSING = "is missing"
    MISMATCH = "does not belong together"
    NOT_ALLOWED = "is not allowed"
    THERE_ALREADY = "is there already"

    # Files.
    DAMAGED = "is damaged"
    UNSAFE = "can be read or changed by others"
    FILE_FAILED = "could not be read or written"


def shown(value: object) -> str:
    """A value, perhaps a stranger's, as one printable line of at most `LONGEST_SHOWN` characters."""
    text = str(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


class PkiError(Exception):
    """Something of the PKI is refused or has failed.

    `subject` says what (a certificate's subject, a file), `field` which part of it ("validity.notAfter"), `detail` what
    stands there and what should, `cure` what helps. None of them ever holds key material or a password.
    """

    def __init__(self, reason: Reason, subject: object, field: str = "", detail: str = "", cure: str = "") -> None:
        self.reason = reason
        self.subject = shown(subject)
        self.field = field
        self.detail = detail
        self.cure = cure
        told = f" ({': '.join(filter(None, (field, detail)))})" if field or detail else ""
        super().__init__(f"{self.subject} {reason.value}{told}" + (f"; {cure}" if cure else ""))


class CertificateRefused(PkiError):  # noqa: N818 - a verdict
    """A certificate, or the path above it, is not accepted."""


class WishRefused(PkiError):  # noqa: N818 - a verdict
    """A name, a lifetime or the like that the owner asks for cannot be had."""


class BundleError(PkiError):
    """A key or certificate that the owner brings cannot be used."""


class StoreError(PkiError):
    """A file of the store cannot be read or written."""
