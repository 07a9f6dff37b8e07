"""Answers what the core asks while both sides prove themselves: as the client does it, not as a gateway would."""

from __future__ import annotations

from datetime import datetime

from edgevpn.ike.crypto.signature import kind_of, sign
from edgevpn.ike.errors import Cause
from edgevpn.ike.questions import (
    Answer,
    CertificatesRefused,
    CertificatesVerified,
    FindPassword,
    FindPsk,
    Lease,
    Leased,
    PasswordFound,
    PskFound,
    Question,
    Sign,
    Signed,
    TalkTls,
    TlsRefused,
    VerifyCertificates,
)
from edgevpn.pki.errors import PkiError
from edgevpn.pki.identity import IkeId, Kind, prove
from edgevpn.pki.keys import spki
from edgevpn.pki.rules import Purpose
from edgevpn.pki.validate import Trust, verify
from edgevpn.simulate.clients import SimulatedClient
from edgevpn.simulate.user import ByCertificate, Typed, identification


def answer(question: Question, client: SimulatedClient, typed: Typed, at: datetime) -> Answer:
    """What the client makes of it. It is asked for no passwords and for no addresses: nobody logs in to it."""
    match question:
        case Sign():
            return _signed(question, typed)
        case VerifyCertificates():
            return _verified(question, client, typed, at)
        case FindPsk(spi=spi):
            return PskFound(spi, "", None)
        case FindPassword(spi=spi):
            return PasswordFound(spi, "", None)
        case TalkTls(spi=spi):
            return TlsRefused(spi, Cause.NO_COMMON_METHOD)
        case Lease(spi=spi):
            return Leased(spi, ())


def _signed(question: Sign, typed: Typed) -> Signed:
    if not isinstance(typed.secret, ByCertificate):
        return Signed(question.spi, None)
    return Signed(question.spi, sign(typed.secret.bundle.key, question.scheme, question.octets))


def _verified(question: VerifyCertificates, client: SimulatedClient, typed: Typed, at: datetime) -> Answer:
    """The certificate must be good, be for what was typed as server, and have a key that the client verifies."""
    wanted = identification(typed.server)
    try:
        verified = verify(question.certificates, Trust(typed.anchors), at, Purpose.SERVER)
        prove(verified.certificate, IkeId(Kind(wanted.id_type), wanted.data))
    except PkiError as error:
        return CertificatesRefused(question.spi, error)
    kind = kind_of(verified.public_key)
    if kind not in client.verifies:
        takes = ", ".join(sorted(each.value for each in client.verifies))
        shown = kind.value if kind else "of another kind"
        return CertificatesRefused(question.spi, f"its key is {shown}, and {client.words} verifies {takes} alone")
    return CertificatesVerified(question.spi, question.peers[0], spki(verified.public_key))
