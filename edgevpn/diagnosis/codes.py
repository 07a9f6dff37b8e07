"""The causes that are told apart, by codes that programs can rely on."""

from __future__ import annotations

from enum import Enum


class Code(Enum):
    """Why a connection did not come to be, or ended."""

    # Both sides have to agree on algorithms, packets and addresses.
    MODP_1024_ONLY = "modp1024-only"
    NO_COMMON_IKE_PROPOSAL = "no-common-ike-proposal"
    IKE_PROPOSAL_REFUSED = "ike-proposal-refused"
    OTHER_KE = "other-ke"
    NO_COMMON_ESP_PROPOSAL = "no-common-esp-proposal"
    PFS_DIFFERS = "pfs-differs"
    ESP_PROPOSAL_REFUSED = "esp-proposal-refused"
    NO_COMMON_SELECTORS = "no-common-selectors"
    SELECTORS_REFUSED = "selectors-refused"
    CHILD_REFUSED = "child-refused"
    NOT_CHILDLESS = "not-childless"
    NO_ADDRESS_LEFT = "no-address-left"
    ADDRESS_NOT_ASKED = "address-not-asked"
    ADDRESS_NOT_GIVEN = "address-not-given"
    KERNEL_REFUSED = "kernel-refused"
    MALFORMED = "malformed"
    OLD_VERSION = "old-version"

    # Who is it?
    ADDRESS_UNKNOWN = "address-unknown"
    IDENTITY_UNKNOWN = "identity-unknown"
    OTHER_IDENTITY = "other-identity"
    NOT_OUR_NAME = "not-our-name"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    KEY_UNKNOWN = "key-unknown"
    PPK_UNKNOWN = "ppk-unknown"
    PPK_MISSING = "ppk-missing"
    WRONG_PPK = "wrong-ppk"
    WRONG_KEY = "wrong-key"
    USER_UNKNOWN = "user-unknown"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a code
    OTHER_USER = "other-user"
    NO_COMMON_EAP = "no-common-eap"
    EAP_ABANDONED = "eap-abandoned"
    SERVER_NOT_PROVEN = "server-not-proven"
    SECOND_REFUSED = "second-refused"
    TOO_MANY_SAS = "too-many-sas"
    DEVICE_DISABLED = "device-disabled"
    DEVICE_EXPIRED = "device-expired"
    TOO_MANY_TRIES = "too-many-tries"
    LEFT_UNCONVINCED = "left-unconvinced"
    REFUSED_BY_PEER = "refused-by-peer"
    CANNOT_SIGN = "cannot-sign"

    # Certificates and signatures.
    CERT_MISSING = "cert-missing"
    CERT_TOO_MANY = "cert-too-many"
    CERT_EXPIRED = "cert-expired"
    CERT_NOT_YET_VALID = "cert-not-yet-valid"
    CERT_UNKNOWN_ISSUER = "cert-unknown-issuer"
    CERT_REVOKED = "cert-revoked"
    CERT_REVOCATION_UNKNOWN = "cert-revocation-unknown"
    CERT_WRONG_NAME = "cert-wrong-name"
    CERT_WRONG_PURPOSE = "cert-wrong-purpose"
    CERT_WEAK = "cert-weak"
    CERT_NOT_UNDERSTOOD = "cert-not-understood"
    CERT_BAD_PATH = "cert-bad-path"
    CERT_REFUSED = "cert-refused"
    SIGNATURE_UNKNOWN = "signature-unknown"
    SIGNATURE_WRONG = "signature-wrong"

    # Does the other side hear us?
    NAME_NOT_FOUND = "name-not-found"
    NO_WAY = "no-way"
    NOT_SERVED = "not-served"
    NOT_SENT = "not-sent"
    NO_ANSWER = "no-answer"
    NO_ANSWER_TO_AUTH = "no-answer-to-auth"
    NOTHING_ON_4500 = "nothing-on-4500"
    NOTHING_FOLLOWED = "nothing-followed"
    FRAGMENTS_MISSING = "fragments-missing"
    TOO_LATE = "too-late"

    # It was up.
    PEER_DEAD = "peer-dead"
    DELETED_BY_PEER = "deleted-by-peer"
    BEGUN_ANEW = "begun-anew"
    REPLACED = "replaced"
    EXPIRED = "expired"
    IDLE = "idle"
    NOT_AUTHENTICATED_ANEW = "not-authenticated-anew"
    ADDRESS_CHANGED = "address-changed"
