"""What `diagnose` and `doctor` say around the daemon's sentences, in the languages that those are in."""

from __future__ import annotations

from collections.abc import Mapping

from edgevpn.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One language; what stands in braces is filled in."""

    cure: str
    where: str
    sides: Mapping[str, str]
    peer: str
    origin: str
    called: str
    client: str
    stage: str
    unsent: str
    tries: str
    ago: str
    connected: str
    levels: Mapping[str, str]


ENGLISH = Words(
    cure="What helps: {}",
    where="Where: {side} ({fact})",
    sides={"ours": "here", "theirs": "at the peer", "both": "here or at the peer", "path": "between the two"},
    peer="peer {}",
    origin="from {}",
    called="called at {}",
    client="looks like {}",
    stage="came as far as {}",
    unsent="nothing was sent",
    tries="{} times",
    ago="{} ago",
    connected="{} has connected; nothing is wrong.",
    levels={"bad": "bad    ", "warning": "warning", "good": "good   "},
)
JAPANESE = Words(
    cure="対処: {}",
    where="場所: {side} ({fact})",
    sides={"ours": "こちら側", "theirs": "相手側", "both": "こちら側または相手側", "path": "途中の経路"},
    peer="相手 {}",
    origin="接続元 {}",
    called="接続先 {}",
    client="{} と思われます",
    stage="{} まで進みました",
    unsent="何も送信されていません",
    tries="{} 回",
    ago="{} 前",
    connected="{} は接続しました。問題はありません。",
    levels={"bad": "異常", "warning": "注意", "good": "正常"},
)
LANGUAGES = {"en": ENGLISH, "ja": JAPANESE}


def language_of(environ: Mapping[str, str]) -> str:
    """What the user's environment asks for, of the languages that we have; POSIX, chapter 8."""
    chosen = next(filter(None, (environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "ja" if chosen.startswith("ja") else "en"
