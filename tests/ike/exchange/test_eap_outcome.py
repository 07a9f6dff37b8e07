from __future__ import annotations

from edgevpn.ike.errors import Cause
from edgevpn.ike.exchange.eap_outcome import Failed, failed, following
from edgevpn.ike.iana import EapCode, EapType
from edgevpn.ike.wire.payloads import Eap


def test_failure_answers_the_response() -> None:
    """It bears its identifier (RFC 3748 §4.2), and tells nobody why."""
    done = failed(Eap(EapCode.RESPONSE, 7, EapType.TLS), Cause.CERTIFICATE_REFUSED, "laptop", "EXPIRED")
    assert done == Failed(Eap(EapCode.FAILURE, 7), Cause.CERTIFICATE_REFUSED, "laptop", "EXPIRED")


def test_identifiers_begin_anew() -> None:
    assert [following(each) for each in (0, 254, 255)] == [1, 255, 0]
