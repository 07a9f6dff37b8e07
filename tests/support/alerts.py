"""What others tell of failures, and what the same is here: strongSwan's alerts, and what owners of clients complain of.

A cause is provoked for real by `support.provocations`; what is no cause is told elsewhere, and a test shows where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgevpn.diagnosis.codes import Code


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """No cause of the catalogue, for this reason. `shown` is the test that shows what is done instead, if anything."""

    why: str
    shown: str = ""


ALERTS: Mapping[str, Code | Elsewhere] = {
    # All kinds of alert_t in strongSwan's bus.h, in its order and by its names; 33 in strongSwan 6.
    "RADIUS_NOT_RESPONDING": Elsewhere("devices are in the configuration; no RADIUS server is asked"),
    "SHUTDOWN_SIGNAL": Elsewhere(
        "somebody stops us, and the log says so",
        "tests/daemon/test_service.py::test_answers_as_described_until_told_to_stop",
    ),
    "LOCAL_AUTH_FAILED": Code.REFUSED_BY_PEER,
    "PEER_AUTH_FAILED": Code.WRONG_KEY,
    "PEER_ADDR_FAILED": Code.NAME_NOT_FOUND,
    "PEER_INIT_UNREACHABLE": Code.NO_ANSWER,
    "INVALID_IKE_SPI": Elsewhere(
        "anybody can send such a message, and nothing comes of it; that a peer has begun anew is told when it does",
        "tests/ike/test_endpoint.py::test_discarded",
    ),
    "PARSE_ERROR_HEADER": Code.OLD_VERSION,
    "PARSE_ERROR_BODY": Code.MALFORMED,
    "RETRANSMIT_SEND": Elsewhere(
        "nothing is wrong before the last repetition, which NO_ANSWER and PEER_DEAD tell of",
        "tests/ike/test_window.py::test_request_is_repeated_further_and_further_apart",
    ),
    "RETRANSMIT_SEND_CLEARED": Elsewhere(
        "an answer has come after all", "tests/ike/test_window.py::test_request_is_repeated_further_and_further_apart"
    ),
    "RETRANSMIT_SEND_TIMEOUT": Code.PEER_DEAD,
    "RETRANSMIT_RECEIVE": Elsewhere(
        "a lost answer is sent once more", "tests/ike/test_window.py::test_repeated_request_gets_the_same_answer"
    ),
    "HALF_OPEN_TIMEOUT": Code.NOTHING_FOLLOWED,
    "PROPOSAL_MISMATCH_IKE": Code.NO_COMMON_IKE_PROPOSAL,
    "PROPOSAL_MISMATCH_CHILD": Code.NO_COMMON_ESP_PROPOSAL,
    "TS_MISMATCH": Code.NO_COMMON_SELECTORS,
    "TS_NARROWED": Elsewhere(
        "the tunnel is up, for fewer packets; the status shows for which",
        "tests/lab/test_site_to_site.py::test_narrowing_by_the_peer",
    ),
    "INSTALL_CHILD_SA_FAILED": Code.KERNEL_REFUSED,
    "INSTALL_CHILD_POLICY_FAILED": Code.KERNEL_REFUSED,
    "UNIQUE_REPLACE": Code.REPLACED,
    "UNIQUE_KEEP": Code.SECOND_REFUSED,
    "KEEP_ON_CHILD_SA_FAILURE": Code.CHILD_REFUSED,
    "VIP_FAILURE": Code.NO_ADDRESS_LEFT,
    "AUTHORIZATION_FAILED": Code.DEVICE_DISABLED,
    "IKE_SA_EXPIRED": Code.EXPIRED,
    "CERT_EXPIRED": Code.CERT_EXPIRED,
    "CERT_REVOKED": Code.CERT_REVOKED,
    "CERT_VALIDATION_FAILED": Code.CERT_REVOCATION_UNKNOWN,
    "CERT_NO_ISSUER": Code.CERT_UNKNOWN_ISSUER,
    "CERT_UNTRUSTED_ROOT": Code.CERT_UNKNOWN_ISSUER,
    "CERT_EXCEEDED_PATH_LEN": Code.CERT_BAD_PATH,
    "CERT_POLICY_VIOLATION": Code.CERT_WRONG_PURPOSE,
}

COMPLAINTS: Mapping[str, Code | Elsewhere] = {
    # What owners of gateways ask about most.
    "Windows: policy match error, modp1024": Code.MODP_1024_ONLY,
    "Windows: the certificate is in no store that it looks into (13801, 13806)": Code.LEFT_UNCONVINCED,
    "Windows: IKE credentials are unacceptable, as it shows no certificate of ours": Code.CERT_UNKNOWN_ISSUER,
    "a certificate for another name": Code.CERT_WRONG_NAME,
    "a certificate for another purpose": Code.CERT_WRONG_PURPOSE,
    "a name of the server that is none of ours": Code.NOT_OUR_NAME,
    "Android: a certificate that it cannot verify, as it verifies RSA alone": Code.CANNOT_SIGN,
    "Android: the identifier is that of no device": Code.KEY_UNKNOWN,
    "Android: the user name is that of no device": Code.USER_UNKNOWN,
    "Android: it wants another way to log in": Code.NO_COMMON_EAP,
    "Android: another pre-shared key": Code.WRONG_KEY,
    "Android: another password": Code.WRONG_PASSWORD,
    "large packets of IKE get lost": Code.FRAGMENTS_MISSING,
    "large packets of IKE get lost, as the caller sees it": Code.NO_ANSWER_TO_AUTH,
    "connected, but sites do not load": Elsewhere(
        "TCP is clamped to what fits, both ways and in both families",
        "tests/lab/test_packet_sizes.py::test_tcp_on_a_narrow_path",
    ),
    "connected, but nothing comes back": Elsewhere(
        "`edgevpn doctor` sees packets that go one way alone", "tests/daemon/health/test_fitness.py::test_what_ails"
    ),
    "a second device drops the first": Code.REPLACED,
    "a second device is not let in": Code.SECOND_REFUSED,
    "two devices behind one NAT": Elsewhere(
        "sessions are known by their SPIs, so both stay", "tests/lab/test_road_warriors.py::test_ten_behind_one_nat"
    ),
}
