"""From what the core, the PKI and the list of devices report to a finding of the catalogue: which key is at fault, how.

Everything here is mapped from codes and records; no text of an error is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from shlex import quote

from edgevpn.daemon.figures.status import selector_text
from edgevpn.daemon.login.devices import Refusal as DeviceRefusal
from edgevpn.daemon.sites.keeper import Hindrance
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Field, Finding
from edgevpn.frozen import dataclass, replace
from edgevpn.ike.crypto.names import algorithm_name
from edgevpn.ike.errors import Cause
from edgevpn.ike.evidence import (
    KernelSays,
    Names,
    Offers,
    OtherMethod,
    Refusal,
    Selectors,
    Silence,
    Unfollowed,
    Verdict,
    Ways,
)
from edgevpn.ike.iana import ExchangeType, IdType, Ke, NotifyType, ProtocolId, TransformType
from edgevpn.ike.peer import Certified, Login, Password, Peer, Psk, Signing
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Transform
from edgevpn.ike.wire.selector import TrafficSelector
from edgevpn.pki.errors import PkiError, Reason

SHOWN_OFFERS = 3

TYPES = {
    TransformType.ENCR: "encryption algorithm",
    TransformType.PRF: "pseudorandom function (PRF)",
    TransformType.INTEG: "integrity algorithm",
    TransformType.KE: "key exchange (Diffie-Hellman group)",
    TransformType.ESN: "width of sequence numbers (ESN)",
    **{each: f"further key exchange ({each.name})" for each in TransformType if each.is_additional},
}

REASONS = {
    Reason.MISSING: Code.CERT_MISSING,
    Reason.TOO_MUCH: Code.CERT_TOO_MANY,
    Reason.EXPIRED: Code.CERT_EXPIRED,
    Reason.NOT_YET_VALID: Code.CERT_NOT_YET_VALID,
    Reason.UNKNOWN_ISSUER: Code.CERT_UNKNOWN_ISSUER,
    Reason.REVOKED_LEAF: Code.CERT_REVOKED,
    Reason.REVOKED_INTERMEDIATE: Code.CERT_REVOKED,
    Reason.BLOCKED: Code.CERT_REVOKED,
    Reason.REVOCATION_UNKNOWN: Code.CERT_REVOCATION_UNKNOWN,
    Reason.WRONG_NAME: Code.CERT_WRONG_NAME,
    Reason.WRONG_EKU: Code.CERT_WRONG_PURPOSE,
    Reason.WRONG_KEY_USAGE: Code.CERT_WRONG_PURPOSE,
    Reason.WEAK_KEY: Code.CERT_WEAK,
    Reason.WEAK_SIGNATURE: Code.CERT_WEAK,
    Reason.UNKNOWN_CRITICAL_EXTENSION: Code.CERT_NOT_UNDERSTOOD,
    Reason.POLICY_REQUIRED: Code.CERT_NOT_UNDERSTOOD,
    Reason.BAD_SIGNATURE: Code.CERT_BAD_PATH,
    Reason.LOOP: Code.CERT_BAD_PATH,
    Reason.NOT_A_CA: Code.CERT_BAD_PATH,
    Reason.PATH_TOO_LONG: Code.CERT_BAD_PATH,
    Reason.NAME_NOT_PERMITTED: Code.CERT_BAD_PATH,
}

REFUSALS = {
    DeviceRefusal.DISABLED: (Code.DEVICE_DISABLED, "enabled"),
    DeviceRefusal.EXPIRED: (Code.DEVICE_EXPIRED, "expires"),
    DeviceRefusal.TOO_MANY_TRIES: (Code.TOO_MANY_TRIES, "login"),
}

PLAIN: Mapping[Cause, tuple[Code, str]] = {
    # Causes that say all by themselves, with the key that has to do with them.
    Cause.MALFORMED: (Code.MALFORMED, ""),
    Cause.OLD_VERSION: (Code.OLD_VERSION, ""),
    Cause.ADDRESS_UNKNOWN: (Code.ADDRESS_UNKNOWN, "remote"),
    Cause.NO_COMMON_PROPOSAL: (Code.IKE_PROPOSAL_REFUSED, "ike_proposals"),
    Cause.NO_ADDRESS: (Code.NO_ADDRESS_LEFT, "v4"),
    Cause.ADDRESS_NOT_ASKED: (Code.ADDRESS_NOT_ASKED, "v4"),
    Cause.ADDRESS_NOT_GIVEN: (Code.ADDRESS_NOT_GIVEN, "virtual_ips"),
    Cause.NOT_CHILDLESS: (Code.NOT_CHILDLESS, "childless"),
    Cause.WRONG_KEY: (Code.WRONG_KEY, "psk"),
    Cause.PPK_UNKNOWN: (Code.PPK_UNKNOWN, "ppk_id"),
    Cause.PPK_MISSING: (Code.PPK_MISSING, "ppk_required"),
    Cause.WRONG_PPK: (Code.WRONG_PPK, "ppk"),
    Cause.NO_CERTIFICATE: (Code.CERT_MISSING, "ca"),
    Cause.TOO_MANY_CERTIFICATES: (Code.CERT_TOO_MANY, "ca"),
    Cause.WEAK_KEY: (Code.CERT_WEAK, "ca"),
    Cause.SIGNATURE_UNKNOWN: (Code.SIGNATURE_UNKNOWN, "ca"),
    Cause.SIGNATURE_WRONG: (Code.SIGNATURE_WRONG, "ca"),
    Cause.USER_UNKNOWN: (Code.USER_UNKNOWN, "id"),
    Cause.WRONG_PASSWORD: (Code.WRONG_PASSWORD, "password"),
    Cause.OTHER_USER: (Code.OTHER_USER, "id"),
    Cause.NO_COMMON_METHOD: (Code.NO_COMMON_EAP, "logins"),
    Cause.EAP_ABANDONED: (Code.EAP_ABANDONED, "logins"),
    Cause.SERVER_NOT_PROVEN: (Code.SERVER_NOT_PROVEN, "ca"),
    Cause.SECOND_REFUSED: (Code.SECOND_REFUSED, "unique"),
    Cause.TOO_MANY_SAS: (Code.TOO_MANY_SAS, "unique"),
    Cause.CANNOT_SIGN: (Code.CANNOT_SIGN, "cert"),
    Cause.TOO_LATE: (Code.TOO_LATE, "remote"),
    Cause.NO_ANSWER: (Code.PEER_DEAD, "dpd_delay"),
    Cause.DELETED_BY_PEER: (Code.DELETED_BY_PEER, ""),
    Cause.BEGUN_ANEW: (Code.BEGUN_ANEW, ""),
    Cause.EXPIRED: (Code.EXPIRED, "ike_life_time"),
    Cause.REPLACED: (Code.REPLACED, "unique"),
    Cause.IDLE: (Code.IDLE, ""),
    Cause.NOT_AUTHENTICATED_ANEW: (Code.NOT_AUTHENTICATED_ANEW, ""),
}

OF_DEVICES = frozenset({"id", "enabled", "expires", "password"})
OF_VISITORS = frozenset({"psk", "ppk", "ppk_id", "ppk_required"})
"""Keys of sites that devices have, too."""
NOBODYS = {Field.SETTING: "device.*.id"}
OF_THE_PKI = {"cert": "pki.key_type", "ca": "pki.trust"}
IN_POOLS = {"auth": "logins", "remote_networks": "v4", "local_networks": "networks"}
"""Keys of a site, and what has to do with the same in a pool."""


@dataclass(frozen=True, slots=True)
class About:
    """Whom something is about: peers that it may be, its address, who it says to be, which device was refused.

    `called`: we have begun.
    """

    peers: tuple[str, ...] = ()
    remote: str = ""
    identity: str = ""
    why: str = ""
    refusal: DeviceRefusal | None = None
    seen_on_nat_port: bool = False
    known: Mapping[str, Peer] | None = None
    device: str = ""
    called: bool = False

    def setting(self, key: str, child: str = "") -> str:
        """The full name of a key where this is about one noun; with `*` where it may be several."""
        nouns = dict.fromkeys(_noun(peer) for peer in self.peers)
        pools = [each for each in nouns if each.startswith("pool.")]
        if key in OF_DEVICES and (pools or not nouns):
            return f"device.{self.device or '*'}.{key}"
        noun = next(iter(nouns), "") if len(nouns) == 1 else pools[0] if pools else "site.*"
        if noun.startswith("pool.") and key in OF_VISITORS:
            return f"device.{self.device or '*'}.{key}"
        if noun.startswith("pool.") and key in OF_THE_PKI:
            return OF_THE_PKI[key]
        if noun.startswith("pool."):
            return f"{noun}.{IN_POOLS.get(key, key)}"
        within = f".child.{child}" if child and f"site.{child}" != noun else ""
        return f"{noun}{within}.{key}"


def finding_of(cause: Cause, evidence: object, about: About) -> Finding | None:
    """What to tell the owner; None for what is no end of anything."""
    if about.refusal in REFUSALS and cause in (Cause.KEY_UNKNOWN, Cause.USER_UNKNOWN, Cause.WRONG_PASSWORD):
        return _device(about.refusal, about)
    match evidence:
        case Offers():
            return _offers(evidence, about)
        case OtherMethod(wanted, ours):
            words = {Field.THEIRS: _ke(wanted), Field.OURS: ", ".join(map(_ke, ours))}
            return _found(Code.OTHER_KE, "ike_proposals", about, words)
        case Selectors():
            return _selectors(evidence, about)
        case Names():
            return _names(cause, evidence, about)
        case Ways(shown, peers):
            words = {Field.THEIRS: shown.name if shown else "EAP (user name and password)"}
            return _found(Code.METHOD_NOT_ALLOWED, "auth", _of(about, peers), words)
        case Verdict(reason):
            return _verdict(reason, about)
        case Refusal():
            return _refusal(evidence, about)
        case Silence(exchange):
            first = exchange is ExchangeType.IKE_SA_INIT
            return _found(Code.NO_ANSWER if first else Code.NO_ANSWER_TO_AUTH, "remote", about)
        case Unfollowed():
            return _unfollowed(evidence, about)
        case KernelSays(reason):
            return _found(Code.KERNEL_REFUSED, "esp_proposals", about, {Field.DETAIL: reason})
    if cause is Cause.LEFT_UNCONVINCED:
        return _found(Code.LEFT_UNCONVINCED, _proof_key(about), about)
    if cause not in PLAIN:
        return None
    code, key = PLAIN[cause]
    return _found(code, key, about, NOBODYS if code is Code.USER_UNKNOWN else None)


def hindered(hindrance: Hindrance, about: About, local: str) -> Finding:
    """A peer cannot even be called: for one thing because the address of ours that leads there is not served."""
    match hindrance:
        case Hindrance.NO_NAME:
            return _found(Code.NAME_NOT_FOUND, "remote", about)
        case Hindrance.NO_WAY:
            return _found(Code.NO_WAY, "remote", about)
        case Hindrance.NOT_SERVED:
            words = {Field.SETTING: "gateway.listen", Field.OURS: local, Field.DETAIL: about.setting("local")}
            return _found(Code.NOT_SERVED, "", about, words)


def unsent(about: About, why: str) -> Finding:
    """A peer was called, and what we sent has not left this machine."""
    return _found(Code.NOT_SENT, "remote", about, {Field.DETAIL: why})


def moved(about: About) -> Finding:
    """A peer goes on from another address."""
    return _found(Code.ADDRESS_CHANGED, "", about)


# --- below ---------------------------------------------------------------------------------------------------------


def _found(code: Code, key: str, about: About, more: Mapping[Field, str] | None = None, *, child: str = "") -> Finding:
    fields = {
        Field.SETTING: about.setting(key, child) if key else "",
        Field.PEER: about.peers[0] if about.peers else about.remote,
        Field.REMOTE: about.remote,
        Field.IDENTITY: about.identity,
        Field.DEVICE: quote(about.device) if about.device else "NAME",
        Field.DETAIL: about.why,
    }
    return Finding(code, fields | dict(more or {}))


def _noun(peer: str) -> str:
    pool, slash, _ = peer.partition("/")
    return f"pool.{pool}" if slash else f"site.{peer}"


def _of(about: About, peers: tuple[str, ...]) -> About:
    """The same, about these peers if there are any."""
    return replace(about, peers=peers) if peers else about


def _device(refusal: DeviceRefusal | None, about: About) -> Finding | None:
    if refusal not in REFUSALS:
        return None
    code, key = REFUSALS[refusal]
    fields = {Field.SETTING: f"device.{about.device or '*'}.{key}"}
    return _found(code, key, about, fields)


def _offers(evidence: Offers, about: About) -> Finding:
    theirs = tuple(each.transforms for each in evidence.theirs if each.protocol == evidence.protocol)
    methods = {t.transform_id for each in theirs for t in each if t.transform_type == TransformType.KE}
    words = {
        Field.THEIRS: _proposals(theirs),
        Field.OURS: _proposals(offer.transforms for offer in evidence.ours),
        Field.DIFFERS: " and no ".join(TYPES.get(each, each.name) for each in evidence.differs) or "protocol",
    }
    if evidence.protocol is ProtocolId.IKE:
        weak = methods == {Ke.MODP_1024} and TransformType.KE in evidence.differs
        code = Code.MODP_1024_ONLY if weak else Code.NO_COMMON_IKE_PROPOSAL
        return _found(code, "ike_proposals", about, words)
    pfs = evidence.differs == (TransformType.KE,)
    return _found(Code.PFS_DIFFERS if pfs else Code.NO_COMMON_ESP_PROPOSAL, "esp_proposals", about, words)


def _proposals(every: Iterable[tuple[Transform, ...]]) -> str:
    """A few proposals in keywords; equal ones once."""
    texts = list(dict.fromkeys("-".join(_transform(t) for t in transforms) for transforms in every))
    more = f" and {len(texts) - SHOWN_OFFERS} more" if len(texts) > SHOWN_OFFERS else ""
    return ", ".join(texts[:SHOWN_OFFERS]) + more or "nothing"


def _transform(transform: Transform) -> str:
    return algorithm_name(transform.transform_type, transform.transform_id, transform.key_length)


def _ke(method: Ke) -> str:
    return algorithm_name(TransformType.KE, method)


def _selectors(evidence: Selectors, about: About) -> Finding:
    """The end of the tunnel at which nothing meets; where both ends meet, it is the protocol or its ports."""
    child, ours_local, ours_remote = evidence.ours[0] if evidence.ours else ("", (), ())
    ends = (
        ("remote_networks", evidence.ts_remote, ours_remote),
        ("local_networks", evidence.ts_local, ours_local),
    )
    for key, theirs, ours in ends:
        if not _meet(theirs, ours, _networks_meet):
            return _found(Code.NO_COMMON_SELECTORS, key, about, _pair(theirs, ours), child=child)
    words = _pair(evidence.ts_remote, ours_remote)
    return _found(Code.NO_COMMON_SELECTORS, "protocol", about, words, child=child)


def _meet(
    theirs: tuple[TrafficSelector, ...],
    ours: tuple[TrafficSelector, ...],
    meets: Callable[[TrafficSelector, TrafficSelector], bool],
) -> bool:
    return any(meets(one, other) for one in theirs for other in ours)


def _networks_meet(one: TrafficSelector, other: TrafficSelector) -> bool:
    if one.start_address.version != other.start_address.version:
        return False
    first = max(int(one.start_address), int(other.start_address))
    return first <= min(int(one.end_address), int(other.end_address))


def _pair(theirs: tuple[TrafficSelector, ...], ours: tuple[TrafficSelector, ...]) -> dict[Field, str]:
    return {Field.THEIRS: _ranges(theirs), Field.OURS: _ranges(ours)}


def _ranges(selectors: tuple[TrafficSelector, ...]) -> str:
    return ", ".join(selector_text(each) for each in selectors) or "nothing"


def _names(cause: Cause, evidence: Names, about: About) -> Finding | None:
    about = _of(about, tuple(name for name, _ in evidence.expected))
    expected = list(dict.fromkeys(str(each) for _, each in evidence.expected if each is not None))
    words = {Field.IDENTITY: str(evidence.shown), Field.EXPECTED: " or ".join(expected) or "somebody else"}
    match cause:
        case Cause.IDENTITY_UNKNOWN:
            return _found(Code.IDENTITY_UNKNOWN, "remote_id", about, words)
        case Cause.OTHER_IDENTITY:
            return _found(Code.OTHER_IDENTITY, "remote_id", about, words)
        case Cause.NOT_OUR_NAME:
            key = "pki.public_name" if any("/" in peer for peer in about.peers) else about.setting("local_id")
            return _found(Code.NOT_OUR_NAME, "local_id", about, words | {Field.SETTING: key})
        case Cause.KEY_UNKNOWN:
            return _found(Code.KEY_UNKNOWN, "id", about, words | NOBODYS)
        case Cause.WRONG_KEY:
            return _found(Code.WRONG_KEY, "psk", about, words)
    return None


def _verdict(reason: object, about: About) -> Finding | None:
    match reason:
        case PkiError():
            detail = ": ".join(filter(None, (reason.field, reason.detail)))
            code = REASONS.get(reason.reason, Code.CERT_REFUSED)
            return _found(code, "ca", about, {Field.DETAIL: detail or reason.subject})
        case DeviceRefusal.UNKNOWN:
            return _found(Code.USER_UNKNOWN, "id", about, NOBODYS)
        case DeviceRefusal():
            return _device(reason, about)
    return _found(Code.CERT_REFUSED, "ca", about)


def _refusal(evidence: Refusal, about: About) -> Finding:
    words = {Field.DETAIL: evidence.notify.name}
    if evidence.exchange is ExchangeType.IKE_SA_INIT:
        return _found(Code.IKE_PROPOSAL_REFUSED, "ike_proposals", about, words)
    match evidence.notify:
        case NotifyType.AUTHENTICATION_FAILED:
            return _found(Code.REFUSED_BY_PEER, _proof_key(about), about, words)
        case NotifyType.NO_PROPOSAL_CHOSEN:
            return _found(Code.ESP_PROPOSAL_REFUSED, "esp_proposals", about, words)
        case NotifyType.TS_UNACCEPTABLE:
            return _found(Code.SELECTORS_REFUSED, "remote_networks", about, words)
    return _found(Code.CHILD_REFUSED, "remote_networks", about, words)


def _proof_key(about: About) -> str:
    """The key of the configuration by which we prove who we are to this peer."""
    peer = (about.known or {}).get(about.peers[0]) if about.peers else None
    match peer:
        case Peer(local_auth=Password()):
            return "password"
        case Peer(local_auth=Signing()) | Peer(remote_auth=Certified() | Login()):
            return "cert"
        case Peer(local_auth=Psk()):
            return "psk"
    return "auth"


def _unfollowed(evidence: Unfollowed, about: About) -> Finding:
    if evidence.total:
        words = {Field.DETAIL: f"{evidence.fragments} of {evidence.total} have come"}
        return _found(Code.FRAGMENTS_MISSING, "", about, words)
    only_500 = evidence.nat and not about.seen_on_nat_port
    return _found(Code.NOTHING_ON_4500 if only_500 else Code.NOTHING_FOLLOWED, "", about)


def identity_text(identity: object) -> str:
    """Who a peer says to be, in words; "" if it has not said."""
    return str(identity) if isinstance(identity, Identification) else ""


def name_of(identity: object) -> str:
    """The same as a device would show it, whatever its type."""
    if not isinstance(identity, Identification):
        return ""
    return str(identity) if identity.id_type == IdType.DER_ASN1_DN else identity.data.decode("utf-8", "replace")
