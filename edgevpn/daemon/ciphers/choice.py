"""Which ciphers are offered for traffic, and in what order: by what a trial found, or as the owner says. Pure.

A security class is all ciphers of one kind and strength: AEADs before others, long keys before short ones. Measured
order decides within a class alone; the owner's own list stands above classes. Proposals that the owner has written
are left as they are, whatever was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from edgevpn.config.keywords import ALGORITHMS, Role
from edgevpn.config.proposals import Proposal, esp_proposal
from edgevpn.config.tunnel import ESP_PROPOSALS
from edgevpn.frozen import dataclass, replace
from edgevpn.kernel.trial_results import Result, Verdict

AES256GCM, AES128GCM, CHACHA, AES_CBC = "aes256gcm16", "aes128gcm16", "chacha20poly1305", "aes256-sha256"
"""What is tried; others are judged by the one that is made of the same parts."""

BUILT_IN = tuple(map(esp_proposal, ESP_PROPOSALS))


@dataclass(frozen=True, slots=True)
class Ciphers:
    """What is known of this kernel's ciphers, by the names of what was tried; nothing before there was a trial."""

    results: Mapping[str, Result] = field(default_factory=dict)

    @property
    def broken(self) -> tuple[Result, ...]:
        """Those that drop or corrupt packets."""
        return tuple(each for each in self.results.values() if each.verdict in (Verdict.DROPS, Verdict.CORRUPTS))

    @property
    def conclusive(self) -> bool:
        """Whether any worked: where none does, it is the trial that fails."""
        return any(each.verdict is Verdict.WORKS for each in self.results.values())

    def of(self, word: str) -> Result | None:
        """What the trial says about a cipher of a proposal, by its keyword."""
        return self.results.get(tried_as(word))

    def excludes(self, word: str) -> bool:
        """Whether a cipher is not to be offered."""
        found = self.of(word)
        return self.conclusive and found is not None and found.verdict is not Verdict.WORKS

    def speed(self, word: str) -> int:
        """In bits a second; 0 where it was not measured."""
        found = self.of(word)
        return found.bits_per_second if found else 0


UNTRIED = Ciphers()


def tried_as(word: str) -> str:
    """The candidate of the trial that a cipher is judged by; "" for those that are not tried."""
    keyword = ALGORITHMS[word]
    match keyword.registry_name:
        case "CHACHA20_POLY1305":
            return CHACHA
        case "AES_CBC":
            return AES_CBC
        case name if name.startswith("AES_GCM"):
            return AES128GCM if keyword.key_bits == 128 else AES256GCM
    return ""


def arranged(proposals: tuple[Proposal, ...], order: tuple[str, ...], ciphers: Ciphers) -> tuple[Proposal, ...]:
    """What is offered of these: `order` is the owner's list, () for measured. Never nothing at all."""
    if proposals != BUILT_IN:
        return proposals
    left = tuple(each for each in (without_broken(each, ciphers) for each in proposals) if each.encr)
    if not order and not ciphers.conclusive:
        return proposals

    def rank(word: str) -> tuple[int, int]:
        return _rank(word, order, ciphers)

    ranked = [replace(each, encr=tuple(sorted(each.encr, key=rank))) for each in left]
    return tuple(sorted(ranked, key=lambda each: rank(each.encr[0])))


def without_broken(proposal: Proposal, ciphers: Ciphers) -> Proposal:
    """A proposal with those ciphers alone that carry packets; its `encr` may be left empty."""
    return replace(proposal, encr=tuple(word for word in proposal.encr if not ciphers.excludes(word)))


def insisted(proposals: tuple[Proposal, ...], ciphers: Ciphers) -> tuple[str, ...]:
    """The broken ciphers that stay, as the owner has written them."""
    words = dict.fromkeys(word for proposal in proposals for word in proposal.encr if ciphers.excludes(word))
    return () if proposals == BUILT_IN else tuple(words)


def _rank(word: str, order: tuple[str, ...], ciphers: Ciphers) -> tuple[int, int]:
    """Where a cipher stands: the lowest first, equal ones as they were."""
    if order:
        return (order.index(word) if word in order else len(order)), 0
    return _class_of(word), -ciphers.speed(word)


def _class_of(word: str) -> int:
    keyword = ALGORITHMS[word]
    assert keyword.role is Role.ENCR
    bits = keyword.key_bits or 256  # ChaCha20 carries no Key Length
    return (0 if keyword.aead else 1000) - bits
