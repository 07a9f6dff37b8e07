"""One proposal, written as keywords joined by hyphens: "aes256gcm16-prfsha384-x25519"."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from edgevpn.config.errors import Refused
from edgevpn.config.keywords import ADDITIONAL, ALGORITHMS, ALIASES, BROKEN, KEYWORDS, PRF_OF_INTEG, Role
from edgevpn.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Proposal:
    """Algorithms by keyword (see `keywords.KEYWORDS`), each group in order of preference.

    An AEAD cipher leaves `integ` empty. In ESP `prf` is empty, and `ke` is the PFS group: empty for no PFS at all,
    with "none" among it where the peer may leave it out. In IKE `esn` is empty. `additional` are key exchanges that
    come after the first, those of each place in order of preference.
    """

    encr: tuple[str, ...]
    prf: tuple[str, ...]
    integ: tuple[str, ...]
    ke: tuple[str, ...]
    esn: tuple[str, ...]
    additional: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "-".join(self.keywords)

    @property
    def keywords(self) -> tuple[str, ...]:
        """All keywords; joined by hyphens they are read back as the same proposal."""
        return (*self.encr, *self.integ, *self.prf, *self.ke, *self.additional, *self.esn)

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """What is wrong with the weak algorithms that the owner has asked for, each said once."""
        return tuple(dict.fromkeys(ALGORITHMS[word].weak for word in self.keywords if ALGORITHMS[word].weak))


# What Windows offers until a script has told it better (RFC 8247 and RFC 8221 have long ruled most of it out).
LEGACY_IKE = Proposal(("aes256", "aes128"), ("prfsha256", "prfsha1"), ("sha256", "sha1"), ("modp1024",), ())
LEGACY_ESP = Proposal(("aes256", "aes128"), (), ("sha256", "sha1"), (), ("noesn",))


def ike_proposal(text: str) -> Proposal:
    """Read a proposal for IKE: cipher, integrity unless the cipher is an AEAD, PRF, key exchange, perhaps further ones.

    Raises Refused.
    """
    groups = _groups(text)
    _need(groups, Role.KE, "x25519")
    if "none" in groups[Role.KE]:
        raise Refused("IKE cannot do without a key exchange", 'take "none" out')
    if groups[Role.ESN]:
        raise Refused("sequence numbers are chosen for ESP", f"take {_quoted(groups[Role.ESN])} out")
    prf = groups[Role.PRF] or tuple(PRF_OF_INTEG[word] for word in groups[Role.INTEG])
    if not prf:
        raise Refused("no PRF is named", 'with an AEAD cipher add one, such as "prfsha256"')
    if not groups[Role.PRF] and _is_aead(groups):
        groups[Role.INTEG] = ()  # strongSwan's short form: "aes256gcm16-sha256-x25519" names only the PRF
    return Proposal(groups[Role.ENCR], prf, _integ(groups), groups[Role.KE], (), _additional(groups))


def esp_proposal(text: str) -> Proposal:
    """Read a proposal for ESP: cipher, integrity unless the cipher is an AEAD, PFS groups, "esn" or "noesn".

    Both kinds of sequence numbers are offered, ESN first, unless one is named. Raises Refused.
    """
    groups = _groups(text)
    if groups[Role.PRF]:
        raise Refused("ESP has no PRF", f"take {_quoted(groups[Role.PRF])} out")
    if groups[Role.KE] == ("none",):
        groups[Role.KE] = ()
    additional = _additional(groups)
    if additional and (not groups[Role.KE] or "none" in groups[Role.KE]):
        raise Refused("additional key exchanges come after a first one", 'name one, such as "x25519", and not "none"')
    esn = groups[Role.ESN] or ("esn", "noesn")
    return Proposal(groups[Role.ENCR], (), _integ(groups), groups[Role.KE], esn, additional)


def cipher(text: str) -> str:
    """Read the keyword of one cipher. Raises Refused."""
    word = _known(text.strip().lower())
    if KEYWORDS[word].role is not Role.ENCR:
        raise Refused(f'"{word}" is no cipher but {_an(KEYWORDS[word].role.value)}')
    return word


def _groups(text: str) -> dict[Role, tuple[str, ...]]:
    words = [_known(word) for word in text.strip().lower().split("-")]
    if len(set(words)) != len(words):
        raise Refused(f"{_quoted(word for word in dict.fromkeys(words) if words.count(word) > 1)} stands twice")
    groups = {role: tuple(word for word in words if KEYWORDS[word].role is role) for role in Role}
    _need(groups, Role.ENCR, "aes256gcm16")
    if len({KEYWORDS[word].aead for word in groups[Role.ENCR]}) > 1:
        raise Refused("AEAD ciphers and others cannot share a proposal", "write them as two proposals")
    return groups


def _known(word: str) -> str:
    word = ALIASES.get(word, word)
    if word in KEYWORDS:
        return word
    if word in BROKEN:
        raise Refused(f'"{word}" is refused: {BROKEN[word]}', "take it out")
    near = get_close_matches(word, KEYWORDS, n=1)
    raise Refused(f'"{word[:40]}" is no algorithm that we know', f'did you mean "{near[0]}"?' if near else "")


def _integ(groups: dict[Role, tuple[str, ...]]) -> tuple[str, ...]:
    """The integrity algorithms, which an AEAD cipher excludes and any other needs."""
    if not _is_aead(groups):
        _need(groups, Role.INTEG, "sha256")
    elif groups[Role.INTEG]:
        raise Refused("an AEAD cipher has its own integrity check", f"take {_quoted(groups[Role.INTEG])} out")
    return groups[Role.INTEG]


def _additional(groups: dict[Role, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(word for role in ADDITIONAL for word in groups[role])


def _is_aead(groups: dict[Role, tuple[str, ...]]) -> bool:
    return KEYWORDS[groups[Role.ENCR][0]].aead


def _need(groups: dict[Role, tuple[str, ...]], role: Role, example: str) -> None:
    if not groups[role]:
        raise Refused(f"no {role.value} is named", f'add one, such as "{example}"')


def _an(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)
