"""What can be wrong with a message, and what the peer is told about it (RFC 7296 §2.21, §3.10.1)."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from edgevpn.ike.iana import NotifyType


class Cause(Enum):
    """Why something was refused or has ended, for code to match on; the owner's side of what the peer is told."""

    # What both must agree on.
    MALFORMED = "malformed"
    OLD_VERSION = "old-version"  # IKEv1, which has no answer here
    ADDRESS_UNKNOWN = "address-unknown"  # no peer may come from there
    NO_COMMON_PROPOSAL = "no-common-proposal"
    OTHER_KE = "other-ke"
    NO_COMMON_SELECTORS = "no-common-selectors"
    NO_ADDRESS = "no-address"  # none could be leased
    ADDRESS_NOT_ASKED = "address-not-asked"
    ADDRESS_NOT_GIVEN = "address-not-given"  # we asked for one

    # Who the peer is.
    IDENTITY_UNKNOWN = "identity-unknown"
    OTHER_IDENTITY = "other-identity"  # the peer that we called is not who it should be
    NOT_OUR_NAME = "not-our-name"  # the peer asked for a gateway that we are not
    METHOD_NOT_ALLOWED = "method-not-allowed"  # it authenticates in another way than it should
    KEY_UNKNOWN = "key-unknown"  # there is no pre-shared key for it
    WRONG_KEY = "wrong-key"
    PPK_UNKNOWN = "ppk-unknown"  # it names a post-quantum pre-shared key that is not its, and cannot do without
    PPK_MISSING = "ppk-missing"  # it has to use one, and does not
    WRONG_PPK = "wrong-ppk"
    NO_CERTIFICATE = "no-certificate"
    TOO_MANY_CERTIFICATES = "too-many-certificates"
    CERTIFICATE_REFUSED = "certificate-refused"
    WEAK_KEY = "weak-key"
    SIGNATURE_UNKNOWN = "signature-unknown"  # made in a way that we do not know or allow
    SIGNATURE_WRONG = "signature-wrong"
    USER_UNKNOWN = "user-unknown"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a code
    OTHER_USER = "other-user"  # it gave one name and logged in with another
    NO_COMMON_METHOD = "no-common-method"  # of EAP
    EAP_ABANDONED = "eap-abandoned"  # the peer broke off, or did not come to an end
    SERVER_NOT_PROVEN = "server-not-proven"  # EAP alone does not show who answered
    SECOND_REFUSED = "second-refused"  # another IKE SA of the same peer stands
    TOO_MANY_SAS = "too-many-sas"  # of one peer
    NOT_CHILDLESS = "not-childless"  # the peer makes no IKE SA without a child (RFC 6023)
    LEFT_UNCONVINCED = "left-unconvinced"  # the peer has seen how we prove ourselves, and goes

    # We could not do our part.
    CANNOT_SIGN = "cannot-sign"  # no key of ours fits what the peer can verify, or it did not sign

    # How it ended.
    REFUSED_BY_PEER = "refused-by-peer"
    TOO_LATE = "too-late"
    NOTHING_FOLLOWED = "nothing-followed"  # IKE_SA_INIT was answered, and no whole IKE_AUTH has come
    NO_ANSWER = "no-answer"
    DELETED_BY_PEER = "deleted-by-peer"
    ASKED = "asked"
    BEGUN_ANEW = "begun-anew"  # by the peer, which has forgotten this one
    REPLACED = "replaced"
    EXPIRED = "expired"
    IDLE = "idle"
    NOT_AUTHENTICATED_ANEW = "not-authenticated-anew"
    REDIRECTED = "redirected"


class Discard(Exception):
    """The datagram is dropped: no answer, no change of state. For anything wrong before the ICV is verified."""


class OldVersion(Discard):
    """The datagram is of IKEv1 (RFC 9395), and gets no answer: IKEv1 has none that would say so (RFC 7296 §2.5)."""


class IkeError(Exception):
    """A fault found in a message whose sender is known, or in IKE_SA_INIT.

    `notify` and `data` go to the peer; text, `cause` and `evidence`, one of the records of `ike.evidence`, are the
    owner's only. `fatal` says whether the IKE SA dies.
    """

    notify: ClassVar[NotifyType]
    fatal: ClassVar[bool] = False
    cause: Cause = Cause.MALFORMED
    evidence: object = None

    @property
    def data(self) -> bytes:
        """Notification data that travels with `notify`."""
        return b""


class InvalidSyntax(IkeError):
    """A field is out of range, too short, too long, or does not fit its neighbours."""

    notify = NotifyType.INVALID_SYNTAX
    fatal = True


class UnsupportedCriticalPayload(IkeError):
    """A payload of unknown type has its critical bit set (RFC 7296 §2.5)."""

    notify = NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD

    def __init__(self, payload_type: int) -> None:
        super().__init__(f"payload type {payload_type} is unknown and critical")
        self.payload_type = payload_type

    @property
    def data(self) -> bytes:
        return bytes([self.payload_type])


class InvalidMajorVersion(IkeError):
    """The peer speaks a later major version than 2 (RFC 7296 §2.5)."""

    notify = NotifyType.INVALID_MAJOR_VERSION


class NoProposalChosen(IkeError):
    """None of the peer's proposals is acceptable (RFC 7296 §2.7)."""

    notify = NotifyType.NO_PROPOSAL_CHOSEN

    def __init__(self, text: str, cause: Cause = Cause.NO_COMMON_PROPOSAL, evidence: object = None) -> None:
        super().__init__(text)
        self.cause = cause
        self.evidence = evidence


class InvalidKePayload(IkeError):
    """The key exchange method guessed by the initiator is not the one chosen (RFC 7296 §1.2, §1.3)."""

    notify = NotifyType.INVALID_KE_PAYLOAD
    cause = Cause.OTHER_KE

    def __init__(self, wanted: int) -> None:
        super().__init__(f"key exchange method {wanted} is wanted")
        self.wanted = wanted

    @property
    def data(self) -> bytes:
        return self.wanted.to_bytes(2, "big")


class AuthenticationFailed(IkeError):
    """The peer is not who it says, or we do not know it (RFC 7296 §2.21.2)."""

    notify = NotifyType.AUTHENTICATION_FAILED
    fatal = True

    def __init__(self, text: str, cause: Cause, evidence: object = None) -> None:
        super().__init__(text)
        self.cause = cause
        self.evidence = evidence


class TsUnacceptable(IkeError):
    """No traffic selector of the peer overlaps ours (RFC 7296 §2.9)."""

    notify = NotifyType.TS_UNACCEPTABLE
    cause = Cause.NO_COMMON_SELECTORS

    def __init__(self, text: str, evidence: object = None) -> None:
        super().__init__(text)
        self.evidence = evidence


class SinglePairRequired(IkeError):
    """The responder accepts only one pair of addresses (RFC 7296 §2.9)."""

    notify = NotifyType.SINGLE_PAIR_REQUIRED


class NoAdditionalSas(IkeError):
    """The peer may not create another CHILD SA on this IKE SA (RFC 7296 §1.3)."""

    notify = NotifyType.NO_ADDITIONAL_SAS

    def __init__(self, text: str, cause: Cause = Cause.MALFORMED) -> None:
        super().__init__(text)
        self.cause = cause


class InternalAddressFailure(IkeError):
    """No address can be leased from the pool (RFC 7296 §3.15.4)."""

    notify = NotifyType.INTERNAL_ADDRESS_FAILURE
    cause = Cause.NO_ADDRESS


class FailedCpRequired(IkeError):
    """The peer must ask for an address and did not (RFC 7296 §3.15.4)."""

    notify = NotifyType.FAILED_CP_REQUIRED
    cause = Cause.ADDRESS_NOT_ASKED


class TemporaryFailure(IkeError):
    """The request collides with an exchange in progress; the peer may try again (RFC 7296 §2.25)."""

    notify = NotifyType.TEMPORARY_FAILURE


class StateNotFound(IkeError):
    """The peer goes on with key exchanges of which we know no beginning (RFC 9370 §2.2.4)."""

    notify = NotifyType.STATE_NOT_FOUND


class ChildSaNotFound(IkeError):
    """The CHILD SA to be rekeyed does not exist (RFC 7296 §2.25)."""

    notify = NotifyType.CHILD_SA_NOT_FOUND

    def __init__(self, protocol: int, spi: bytes) -> None:
        super().__init__(f"no CHILD SA with SPI {spi.hex()}")
        self.protocol = protocol
        self.spi = spi
