"""What can be wrong with a message, and what the peer is told about it (RFC 7296 §2.21, §3.10.1)."""

from __future__ import annotations

from typing import ClassVar

from edgevpn.ike.iana import NotifyType


class Discard(Exception):
    """The datagram is dropped: no answer, no change of state. For anything wrong before the ICV is verified."""


class IkeError(Exception):
    """A fault found in a message whose sender is known, or in IKE_SA_INIT.

    `notify` and `data` go to the peer; the text is for the owner's log only. `fatal` says whether the IKE SA dies.
    """

    notify: ClassVar[NotifyType]
    fatal: ClassVar[bool] = False

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


class InvalidKePayload(IkeError):
    """The key exchange method guessed by the initiator is not the one chosen (RFC 7296 §1.2, §1.3)."""

    notify = NotifyType.INVALID_KE_PAYLOAD

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


class TsUnacceptable(IkeError):
    """No traffic selector of the peer overlaps ours (RFC 7296 §2.9)."""

    notify = NotifyType.TS_UNACCEPTABLE


class SinglePairRequired(IkeError):
    """The responder accepts only one pair of addresses (RFC 7296 §2.9)."""

    notify = NotifyType.SINGLE_PAIR_REQUIRED


class NoAdditionalSas(IkeError):
    """The peer may not create another CHILD SA on this IKE SA (RFC 7296 §1.3)."""

    notify = NotifyType.NO_ADDITIONAL_SAS


class InternalAddressFailure(IkeError):
    """No address can be leased from the pool (RFC 7296 §3.15.4)."""

    notify = NotifyType.INTERNAL_ADDRESS_FAILURE


class FailedCpRequired(IkeError):
    """The peer must ask for an address and did not (RFC 7296 §3.15.4)."""

    notify = NotifyType.FAILED_CP_REQUIRED


class TemporaryFailure(IkeError):
    """The request collides with an exchange in progress; the peer may try again (RFC 7296 §2.25)."""

    notify = NotifyType.TEMPORARY_FAILURE


class ChildSaNotFound(IkeError):
    """The CHILD SA to be rekeyed does not exist (RFC 7296 §2.25)."""

    notify = NotifyType.CHILD_SA_NOT_FOUND

    def __init__(self, protocol: int, spi: bytes) -> None:
        super().__init__(f"no CHILD SA with SPI {spi.hex()}")
        self.protocol = protocol
        self.spi = spi
