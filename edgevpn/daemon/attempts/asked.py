"""What was asked in an attempt, as `edgevpn replay` finds it in a bundle: readable text, and nothing secret.

A stranger has sent most of it. Whatever is no plain text is written as octets in hexadecimal, what is too much is not
kept at all, and what is read back may have been written by anybody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any, TypeVar

from edgevpn.api.records import Asked as Record
from edgevpn.diagnosis.entry import shown
from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.names import WORDS, algorithm_name
from edgevpn.ike.evidence import Asked, Names, OtherMethod, PpkNamed, Refusal
from edgevpn.ike.iana import AuthMethod, ExchangeType, IdType, Ke, NotifyType, PpkIdType, ProtocolId, TransformType
from edgevpn.ike.negotiate import proposals, without_ke
from edgevpn.ike.peer import IpAddress, Peer, Wants
from edgevpn.ike.state import Path
from edgevpn.ike.wire.payloads import ADDRESS_SIZE, Identification
from edgevpn.ike.wire.proposal import TRANSFORM_IDS, Proposal, Transform
from edgevpn.ike.wire.selector import TS_TYPES, TrafficSelector

LONGEST = 4000
"""Characters of one attempt: Windows, which offers most, takes about 1000."""

EAP = "EAP"
"""In the place of a method of AUTH: the peer wants to log in."""

USES_PPK, WITHOUT_PPK = NotifyType.USE_PPK.name, NotifyType.NO_PPK_AUTH.name

Answer = Refusal | OtherMethod | Names
"""How a peer that we called has answered."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Negotiation:
    """What was asked, by the peer or, where there is an answer to it, by us."""

    asked: Asked
    answer: Answer | None = None


def called(peer: Peer, path: Path, child: str, answer: Answer) -> Negotiation:
    """What we ask of a peer that we call: an IKE SA, and this child of it, or its first if none is named."""
    policy = peer.child(child) or next(iter(peer.children), None)
    later = isinstance(answer, Refusal) and answer.exchange is ExchangeType.CREATE_CHILD_SA
    offers = () if policy is None else policy.offers if later else without_ke(policy.offers)
    asked = Asked(
        local=path.local.host,
        remote=path.remote.host,
        ike=proposals(peer.offers, ProtocolId.IKE, b""),
        idi=peer.identity_at(path.local.host),
        idr=peer.wanted,
        wants=peer.wants,
        peer=peer.name,
        child=policy.name if policy else "",
        esp=proposals(offers, ProtocolId.ESP, b""),
        tsi=policy.ts_local if policy else (),
        tsr=policy.ts_remote if policy else (),
    )
    return Negotiation(asked, answer)


class Unreadable(ValueError):  # noqa: N818 - a verdict on a value
    """What should be such a record is none: at which place, and what is wrong with it."""

    def __init__(self, place: str, fault: str) -> None:
        super().__init__(shown(f"{place}: {fault}" if place else fault))
        self.place = place
        self.fault = fault


# --- writing -------------------------------------------------------------------------------------------------------


def written(negotiation: Negotiation) -> Record | None:
    """As text; None if it is more than a peer has to say."""
    asked, answer = negotiation.asked, negotiation.answer
    record = Record(
        began="us" if answer else "peer",
        local=str(asked.local),
        remote=str(asked.remote),
        peer=asked.peer,
        ike=[_proposal_text(each, ProtocolId.IKE) for each in asked.ike],
        idi=_identity_text(asked.idi),
        idr=_identity_text(answer.shown if isinstance(answer, Names) else asked.idr),
        auth=asked.method.name if asked.method is not None else EAP if asked.idi else "",
        user=_plain(asked.user.encode("utf-8", "replace")),
        ppk=_ppk_text(asked.ppk),
        wants=_wants_text(asked.wants),
        child=asked.child,
        esp=[_proposal_text(each, ProtocolId.ESP) for each in asked.esp],
        tsi=[_selector_text(each) for each in asked.tsi],
        tsr=[_selector_text(each) for each in asked.tsr],
        refused=answer.notify.name if isinstance(answer, Refusal) else "",
        exchange=answer.exchange.name if isinstance(answer, Refusal) else "",
        wanted=_transform_text(Transform(TransformType.KE, answer.wanted)) if isinstance(answer, OtherMethod) else "",
    )
    return record if _length(record) <= LONGEST else None


def kept(negotiation: Negotiation | None) -> str:
    """The same as JSON, which takes a third of the memory; "" if there is nothing to keep."""
    record = written(negotiation) if negotiation else None
    return json.dumps(record, separators=(",", ":")) if record else ""


def told(text: str) -> Record | None:
    """What was kept."""
    record: Record | None = json.loads(text) if text else None
    return record


def _length(record: Mapping[str, Any]) -> int:
    return sum(len(text) for value in record.values() for text in ([value] if isinstance(value, str) else value))


def _proposal_text(proposal: Proposal, usual: ProtocolId) -> str:
    other = "" if proposal.protocol is usual else f"{proposal.protocol.name}:"
    return other + "-".join(map(_transform_text, proposal.transforms))


def _transform_text(transform: Transform) -> str:
    """The keyword, or its numbers where that does not say all."""
    word = algorithm_name(transform.transform_type, transform.transform_id, transform.key_length)
    if _TRANSFORMS.get(word) == transform or _with_key_length(word) == transform:
        return word
    bits = "" if transform.key_length is None else str(transform.key_length)
    attributes = transform.unknown_attributes.hex()
    return f"{int(transform.transform_type)}.{int(transform.transform_id)}.{bits}.{attributes}"


def _identity_text(identity: Identification | None) -> str:
    if identity is None:
        return ""
    is_address = len(identity.data) == ADDRESS_SIZE.get(identity.id_type)
    return f"{identity.id_type.name}:{identity if is_address else _plain(identity.data)}"


def _plain(octets: bytes) -> str:
    """Text, if it is plain; "#" and the octets in hexadecimal if not."""
    plain = all(0x20 <= octet < 0x7F and octet not in b"<>" for octet in octets) and not octets.startswith(b"#")
    return octets.decode() if plain else f"#{octets.hex()}"


def _ppk_text(named: PpkNamed | None) -> list[str]:
    """What it says by notifications; of NO_PPK_AUTH no more than that it came, as it is made with a key."""
    if named is None:
        return []
    identity = [] if named.identity is None else [_ppk_id_text(named.identity)]
    return [USES_PPK, *identity, *([WITHOUT_PPK] if named.without else [])]


def _ppk_id_text(octets: bytes) -> str:
    """Its type and its text, or octets."""
    return f"{PpkIdType(octets[0]).name}:{_plain(octets[1:])}" if octets else "#"


def _wants_text(wants: Wants | None) -> list[str]:
    if wants is None:
        return []
    families = [name for name, wanted in (("ipv4", wants.ipv4), ("ipv6", wants.ipv6)) if wanted]
    return families + [str(address) for address in wants.before]


def _selector_text(ts: TrafficSelector) -> str:
    return f"{ts.start_address}-{ts.end_address}/{ts.protocol}/{ts.start_port}-{ts.end_port}"


# --- reading -------------------------------------------------------------------------------------------------------


def read(record: object) -> Negotiation:
    """The same from its text; Unreadable if it is none."""
    fields = _Fields(record)
    asked = Asked(
        local=fields.one("local", ip_address),
        remote=fields.one("remote", ip_address),
        ike=_numbered(fields.every("ike", lambda text: _proposal(text, ProtocolId.IKE))),
        idi=fields.one("idi", _identity),
        idr=fields.one("idr", _identity),
        method=fields.one("auth", _method),
        user=fields.one("user", lambda text: _octets(text).decode()),
        ppk=_ppk(fields.every("ppk", _ppk_word)),
        wants=_wants(fields.every("wants", _want)),
        peer=fields.one("peer", str),
        child=fields.one("child", str),
        esp=_numbered(fields.every("esp", lambda text: _proposal(text, ProtocolId.ESP))),
        tsi=fields.every("tsi", _selector),
        tsr=fields.every("tsr", _selector),
    )
    return Negotiation(asked, _answer(fields, asked) if fields.one("began", _is_us) else None)


class _Fields:
    """The fields of a record, which name themselves where they are not as they should be."""

    def __init__(self, record: object) -> None:
        if not isinstance(record, dict):
            raise Unreadable("", "is no object")
        self._record = record

    def one(self, key: str, read: Callable[[str], T]) -> T:
        """The text under that key, read."""
        return self._read(key, self._record.get(key), read)

    def every(self, key: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """The texts under that key, read."""
        texts = self._record.get(key)
        if not isinstance(texts, list):
            raise Unreadable(key, "is no list")
        return tuple(self._read(f"{key}[{index}]", text, read) for index, text in enumerate(texts))

    @staticmethod
    def _read(place: str, text: object, read: Callable[[str], T]) -> T:
        if not isinstance(text, str) or len(text) > LONGEST:
            raise Unreadable(place, "is no text, or too long a one")
        try:
            return read(text)
        except (ValueError, KeyError) as error:
            raise Unreadable(place, f'"{text}" cannot be read') from error


def _is_us(text: str) -> bool:
    return {"us": True, "peer": False}[text]


def _answer(fields: _Fields, asked: Asked) -> Answer:
    wanted = fields.one("wanted", lambda text: _transform(text).transform_id if text else None)
    if isinstance(wanted, Ke):
        return OtherMethod(wanted, ())
    if fields.one("refused", bool):
        notify = fields.one("refused", lambda text: _member(NotifyType, text))
        return Refusal(notify, fields.one("exchange", lambda text: _member(ExchangeType, text)))
    if asked.idr is None:
        raise Unreadable("idr", "is empty, and there is no other answer")
    return Names(asked.idr, ())


M = TypeVar("M", NotifyType, ExchangeType, AuthMethod, IdType, PpkIdType)
UNKNOWN = re.compile(r"UNKNOWN_(\d{1,5})")


def _member(registry: type[M], text: str) -> M:
    """A member by its name, those that have none of their own included."""
    unknown = UNKNOWN.fullmatch(text)
    return registry(int(unknown[1])) if unknown else registry[text]


def _method(text: str) -> AuthMethod | None:
    return None if text in ("", EAP) else _member(AuthMethod, text)


def _numbered(proposals: Iterable[tuple[ProtocolId, tuple[Transform, ...]]]) -> tuple[Proposal, ...]:
    return tuple(
        Proposal(number, protocol, b"", transforms) for number, (protocol, transforms) in enumerate(proposals, 1)
    )


def _proposal(text: str, usual: ProtocolId) -> tuple[ProtocolId, tuple[Transform, ...]]:
    other, colon, words = text.rpartition(":")
    protocol = ProtocolId[other] if colon else usual
    return protocol, tuple(_transform(word) for word in words.split("-") if word)


NUMBERS = re.compile(r"(\d{1,3})\.(\d{1,5})\.(\d{0,5})\.([0-9a-f]*)")


def _transform(text: str) -> Transform:
    known = _TRANSFORMS.get(text) or _with_key_length(text)
    if known is not None:
        return known
    numbers = NUMBERS.fullmatch(text)
    if numbers is None:
        raise ValueError(text)
    transform_type = TransformType(int(numbers[1]))
    transform_id = TRANSFORM_IDS.get(transform_type, int)(int(numbers[2]))
    bits = int(numbers[3]) if numbers[3] else None
    return Transform(transform_type, transform_id, bits, bytes.fromhex(numbers[4]))


def _with_key_length(text: str) -> Transform | None:
    """The transform of a keyword that has a key length in it."""
    digits = re.search(r"(?<=[a-z])\d{2,4}", text)
    if digits is None:
        return None
    found = _SIZED.get(f"{text[: digits.start()]}{{}}{text[digits.end() :]}")
    return Transform(*found, int(digits[0])) if found else None


_SIZED = {word: (kind, TRANSFORM_IDS[kind](number)) for kind, words in WORDS.items() for number, word in words.items()}
_TRANSFORMS = {word: Transform(*found) for word, found in _SIZED.items() if "{}" not in word}


def _identity(text: str) -> Identification | None:
    if not text:
        return None
    name, colon, plain = text.partition(":")
    if not colon:
        raise ValueError(text)
    id_type = _member(IdType, name)
    is_address = id_type in ADDRESS_SIZE and not plain.startswith("#")
    return Identification(id_type, ip_address(plain).packed if is_address else _octets(plain))


def _octets(text: str) -> bytes:
    return bytes.fromhex(text[1:]) if text.startswith("#") else text.encode("ascii")


def _ppk_word(text: str) -> str | bytes:
    """What PPK_IDENTITY had, or one of the other two."""
    if text in (USES_PPK, WITHOUT_PPK):
        return text
    name, colon, plain = text.partition(":")
    return bytes([_member(PpkIdType, name)]) + _octets(plain) if colon else _octets(name)


def _ppk(words: tuple[str | bytes, ...]) -> PpkNamed | None:
    identity = next((each for each in words if isinstance(each, bytes)), None)
    return PpkNamed(identity, WITHOUT_PPK in words) if words else None


def _want(text: str) -> IpAddress | str:
    return text if text in ("ipv4", "ipv6") else ip_address(text)


def _wants(wants: tuple[IpAddress | str, ...]) -> Wants | None:
    before = tuple(each for each in wants if not isinstance(each, str))
    return Wants("ipv4" in wants, "ipv6" in wants, before) if wants else None


SELECTOR = re.compile(r"([0-9a-f:.]+)-([0-9a-f:.]+)/(\d{1,3})/(\d{1,5})-(\d{1,5})")


def _selector(text: str) -> TrafficSelector:
    parts = SELECTOR.fullmatch(text)
    if parts is None:
        raise ValueError(text)
    start, end = ip_address(parts[1]), ip_address(parts[2])
    if start.version != end.version or int(start) > int(end):
        raise ValueError(text)
    return TrafficSelector(TS_TYPES[start.version], int(parts[3]), int(parts[4]), int(parts[5]), start, end)
