"""Which algorithms and which packets both sides can agree on: RFC 7296 §2.7, §2.9, §3.3.6, RFC 9370 §2.2.1."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.crypto.suite import Algorithm, ChildSuite, IkeSuite
from edgevpn.ike.errors import Cause, NoProposalChosen, TsUnacceptable
from edgevpn.ike.evidence import Offers, Selectors
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, ProtocolId, TransformType
from edgevpn.ike.peer import ChildPolicy, Offer
from edgevpn.ike.wire.proposal import Proposal, Transform
from edgevpn.ike.wire.selector import TrafficSelector

KNOWN_TYPES = frozenset(TransformType)
ADDITIONAL = frozenset(each for each in TransformType if each.is_additional)
KEY_EXCHANGES = ADDITIONAL | {TransformType.KE}

# Our own bounds.
MAX_SELECTORS = 32  # of one side of a child; each pair becomes policies in the kernel
KEPT_SUITES = 64  # thousands of sessions have few among them

_ike_suite, _child_suite = lru_cache(KEPT_SUITES)(IkeSuite), lru_cache(KEPT_SUITES)(ChildSuite)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One proposal with one transform of each type: what goes into the answer."""

    number: int
    transforms: tuple[Transform, ...]

    def answer(self, protocol: ProtocolId, spi: bytes) -> tuple[Proposal, ...]:
        """The proposal to send back, with our SPI."""
        return (Proposal(self.number, protocol, spi, self.transforms),)

    @property
    def ciphers(self) -> tuple[Transform, ...]:
        """The cipher; none in AH."""
        return tuple(t for t in self.transforms if t.transform_type == TransformType.ENCR)

    @property
    def ke(self) -> Ke:
        """The key exchange method; NONE where there is none."""
        return Ke(self._id(TransformType.KE, Ke.NONE))

    @property
    def additional(self) -> tuple[Algorithm, ...]:
        """The additional key exchanges, in the order in which they are carried out."""
        found = (t for t in self.transforms if t.transform_type in ADDITIONAL and t.transform_id != Ke.NONE)
        ordered = sorted(found, key=lambda transform: transform.transform_type)
        return tuple(Algorithm(t.transform_type, Ke(t.transform_id)) for t in ordered)

    @property
    def additional_methods(self) -> tuple[Ke, ...]:
        """Their methods."""
        return tuple(Ke(each.transform_id) for each in self.additional)

    def ike_suite(self) -> IkeSuite:
        """The choice as a suite of an IKE SA."""
        encr, key_length = self._encr()
        integ, prf = Integ(self._id(TransformType.INTEG, Integ.NONE)), Prf(self._id(TransformType.PRF, 0))
        return _ike_suite(encr, key_length, integ, prf, self.ke, self.additional)

    def child_suite(self) -> ChildSuite:
        """The choice as a suite of a CHILD SA."""
        encr, key_length = self._encr()
        integ = Integ(self._id(TransformType.INTEG, Integ.NONE))
        esn = self._id(TransformType.ESN, Esn.NO_ESN) == Esn.ESN
        return _child_suite(encr, key_length, integ, esn, self.ke, self.additional)

    def _encr(self) -> tuple[Encr, int]:
        transform = next(t for t in self.transforms if t.transform_type == TransformType.ENCR)
        return Encr(transform.transform_id), transform.key_length or 0

    def _id(self, transform_type: TransformType, otherwise: int) -> int:
        found = (t.transform_id for t in self.transforms if t.transform_type == transform_type)
        return next(found, otherwise)


def proposals(offers: tuple[Offer, ...], protocol: ProtocolId, spi: bytes) -> tuple[Proposal, ...]:
    """What we offer, as the SA payload of a request has it."""
    return tuple(Proposal(number, protocol, spi, offer.transforms) for number, offer in enumerate(offers, 1))


def without_ke(offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """The offers of a child that is made within IKE_AUTH, which has no KE payload for it (RFC 7296 §1.2)."""
    return tuple(_without(KEY_EXCHANGES, offer) for offer in offers)


def without_additional(offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Of these offers those that do without additional key exchanges, and without them."""
    return tuple(_without(ADDITIONAL, offer) for offer in offers if not needed(offer))


def _without(types: frozenset[TransformType], offer: Offer) -> Offer:
    """An offer without the transforms of these types; most have none."""
    left = tuple(t for t in offer.transforms if t.transform_type not in types)
    return offer if len(left) == len(offer.transforms) else Offer(left)


def needed(offer: Offer) -> frozenset[TransformType]:
    """The additional key exchanges that it does not do without."""
    every = ADDITIONAL.intersection(t.transform_type for t in offer.transforms)
    return every and every.difference(t.transform_type for t in offer.transforms if t.transform_id == Ke.NONE)


def offers_additional(offers: tuple[Offer, ...]) -> bool:
    """Whether any of them has additional key exchanges."""
    return any(t.transform_type in ADDITIONAL for offer in offers for t in offer.transforms)


def ke_optional(offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Of these offers those that do without a key exchange, and without it."""
    able = (offer for offer in offers if Ke.NONE in methods((offer,)) or not methods((offer,)))
    return without_ke(tuple(able))


def methods(offers: tuple[Offer, ...]) -> tuple[Ke, ...]:
    """The key exchange methods in these offers, most wanted first, each once."""
    found = (Ke(t.transform_id) for o in offers for t in o.transforms if t.transform_type == TransformType.KE)
    return tuple(dict.fromkeys(found))


def choose(offers: tuple[Offer, ...], asked: tuple[Proposal, ...], protocol: ProtocolId) -> Chosen:
    """Our most wanted offer that the peer proposes too, of its ciphers the first; NoProposalChosen if there is none."""
    for offer in offers:
        able = [
            Chosen(proposal.number, transforms)
            for proposal in asked
            if proposal.protocol == protocol and (transforms := _common(offer, proposal)) is not None
        ]
        if able:
            return min(able, key=lambda chosen: _place_of_cipher(chosen, offer))
    evidence = Offers(protocol, offers, asked, differing(offers, asked))
    raise NoProposalChosen(
        f"none of {len(asked)} {protocol.name} proposals is acceptable", Cause.NO_COMMON_PROPOSAL, evidence
    )


def _place_of_cipher(chosen: Chosen, offer: Offer) -> int:
    """How far down in our order: a peer may put each of its ciphers into a proposal of its own."""
    ciphers = chosen.ciphers
    return next((place for place, each in enumerate(offer.transforms) if each in ciphers), 0)


def differing(offers: tuple[Offer, ...], asked: tuple[Proposal, ...]) -> tuple[TransformType, ...]:
    """The types in which that pair of an offer and a proposal does not meet that is nearest to meeting."""
    pairs = (_apart(offer, proposal) for offer in offers for proposal in asked)
    return min(pairs, key=len, default=())


def _apart(offer: Offer, proposal: Proposal) -> tuple[TransformType, ...]:
    types = dict.fromkeys(t.transform_type for t in (*offer.transforms, *proposal.transforms))
    return tuple(
        each
        for each in types
        if _common(
            Offer(tuple(t for t in offer.transforms if t.transform_type == each)),
            replace(proposal, transforms=proposal.of_type(each)),
        )
        is None
    )


def check_answer(offers: tuple[Offer, ...], answer: tuple[Proposal, ...], protocol: ProtocolId) -> Chosen:
    """What the peer chose from our offers; NoProposalChosen if it is not one of them, whole and unaltered."""
    if len(answer) != 1 or not 1 <= answer[0].number <= len(offers):
        raise NoProposalChosen("the answer is not one of our proposals")
    chosen = choose((offers[answer[0].number - 1],), answer, protocol)
    if len(chosen.transforms) != len(answer[0].transforms):
        raise NoProposalChosen("the answer leaves a choice")
    return chosen


def acceptable(offers: tuple[Offer, ...], suite: IkeSuite) -> bool:
    """Whether these offers allow a suite that was agreed before the peer was known."""
    wanted = {
        (TransformType.ENCR, suite.encr, suite.key_length or None),
        (TransformType.PRF, suite.prf, None),
        (TransformType.KE, suite.ke, None),
    }
    if suite.integ != Integ.NONE:
        wanted.add((TransformType.INTEG, suite.integ, None))
    wanted |= {(each.transform_type, each.transform_id, None) for each in suite.additional}
    had = {each.transform_type for each in suite.additional}
    return any(
        wanted <= {(t.transform_type, t.transform_id, t.key_length) for t in offer.transforms} and needed(offer) <= had
        for offer in offers
    )


def narrow(asked: tuple[TrafficSelector, ...], allowed: tuple[TrafficSelector, ...]) -> tuple[TrafficSelector, ...]:
    """The packets in both, as few selectors as they come; TsUnacceptable if there are none (RFC 7296 §2.9)."""
    common: list[TrafficSelector] = []
    for both in (a.intersection(b) for a in asked for b in allowed):
        if both is None or any(one.contains(both) for one in common):
            continue
        common = [one for one in common if not both.contains(one)] + [both]
        if len(common) > MAX_SELECTORS:
            raise TsUnacceptable(f"more than {MAX_SELECTORS} selectors are common")
    if not common:
        raise TsUnacceptable("no selector overlaps ours")
    return tuple(common)


def narrow_policy(
    policies: Iterable[ChildPolicy], ts_remote: tuple[TrafficSelector, ...], ts_local: tuple[TrafficSelector, ...]
) -> ChildPolicy:
    """A policy that allows what the peer asks, narrowed to that; TsUnacceptable if none does.

    The first that allows all of it, else the first that allows some.
    """
    some: ChildPolicy | None = None
    policies = tuple(policies)
    for policy in policies:
        try:
            remote, local = narrow(ts_remote, policy.ts_remote), narrow(ts_local, policy.ts_local)
        except TsUnacceptable:
            continue
        narrowed = replace(policy, ts_local=local, ts_remote=remote)
        if all(_covered(ts, remote) for ts in ts_remote) and all(_covered(ts, local) for ts in ts_local):
            return narrowed
        some = some or narrowed
    if some is None:
        ours = tuple((policy.name, policy.ts_local, policy.ts_remote) for policy in policies)
        raise TsUnacceptable("no selector overlaps ours", Selectors(ts_local, ts_remote, ours))
    return some


def _covered(asked: TrafficSelector, narrowed: tuple[TrafficSelector, ...]) -> bool:
    return any(one.contains(asked) for one in narrowed)


def _common(offer: Offer, proposal: Proposal) -> tuple[Transform, ...] | None:
    """One transform of each type that either names; None where they have nothing in common."""
    ours, theirs = _by_type(offer.transforms), _by_type(proposal.transforms)
    types = ours | theirs
    if not KNOWN_TYPES.issuperset(types):
        return None  # a type that we do not know cannot be left out (§3.3.6)
    picked: list[Transform] = []
    for each in types:
        wanted, asked = ours.get(each, ()), theirs.get(each, ())
        match = next((t for t in wanted if t in asked and not _twice(t, picked)), None)
        if match is not None:
            picked.append(match)
        elif not wanted and (none := _none_of(asked)):
            picked.append(none)
        elif asked or not _none_of(wanted):
            return None
    return tuple(picked)


def _twice(transform: Transform, picked: list[Transform]) -> bool:
    """Whether a key exchange method has been picked for another of its exchanges (RFC 9370 §2.2.1)."""
    if transform.transform_type not in KEY_EXCHANGES or transform.transform_id == Ke.NONE:
        return False
    return any(t.transform_type in KEY_EXCHANGES and t.transform_id == transform.transform_id for t in picked)


def _by_type(transforms: Iterable[Transform]) -> dict[TransformType, list[Transform]]:
    found: dict[TransformType, list[Transform]] = {}
    for transform in transforms:
        found.setdefault(transform.transform_type, []).append(transform)
    return found


def _none_of(transforms: Iterable[Transform]) -> Transform | None:
    """The transform that says "or nothing of this type", if it is among them; for ESN it means 32-bit numbers."""
    return next((t for t in transforms if t.transform_id == 0 and t.key_length is None), None)
