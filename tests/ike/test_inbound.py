"""edgevpn.ike.inbound; `first`, `need`, `notify` and `error` are tested with the vocabulary in test_contract."""

from __future__ import annotations

from edgevpn.ike.iana import CertEncoding, ExchangeType, NotifyType
from edgevpn.ike.inbound import Request, Response
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Certificate
from tests.support.handshake import RIGHT_PATH

LEAF, CA = Certificate(CertEncoding.X509_SIGNATURE, b"leaf"), Certificate(CertEncoding.X509_SIGNATURE, b"ca")


def test_all_payloads_of_a_kind() -> None:
    request = Request(ExchangeType.IKE_AUTH, 1, (LEAF, Notify(NotifyType.INITIAL_CONTACT), CA), RIGHT_PATH)
    assert request.all(Certificate) == (LEAF, CA)
    assert Response(ExchangeType.IKE_AUTH, (), RIGHT_PATH).all(Certificate) == ()


def test_octets_are_not_shown() -> None:
    assert "secret" not in repr(Response(ExchangeType.IKE_SA_INIT, (), RIGHT_PATH, b"secret"))
