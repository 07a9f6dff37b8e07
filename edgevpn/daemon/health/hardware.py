"""What `health` makes of ciphers, key exchanges, TLS, network cards, and other programs at our ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal

from edgevpn.daemon.ciphers.choice import UNTRIED, Ciphers
from edgevpn.diagnosis.entry import Text
from edgevpn.frozen import dataclass

Judgement = tuple[str, Literal["good", "warning", "bad"], Text, Text]
"""What was looked at, how it stands, a sentence, and what helps."""

NOTHING = Text("", "")


@dataclass(frozen=True, slots=True)
class Insisted:
    """A site or pool whose own proposals name a cipher that does not work here."""

    where: str
    cipher: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """A site or pool of whose proposals none can be carried out, for want of these algorithms."""

    where: str
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A program that has one of our ports, on an address that is not ours."""

    port: int
    name: str


@dataclass(frozen=True, slots=True)
class Hardware:
    """What was found. `untried` says why the ciphers were not tried, "" if they were.

    `unmet`: whose wish for a network card is not met, and why. `shut_out`: devices that log in by EAP-TLS, without a
    library for it.
    """

    ciphers: Ciphers = UNTRIED
    untried: str = ""
    insisted: tuple[Insisted, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    shut_out: tuple[str, ...] = ()
    unmet: Mapping[str, str] = field(default_factory=dict)
    strangers: tuple[Stranger, ...] = ()


def judgements(found: Hardware) -> Iterator[Judgement]:
    """All of them; nothing where nothing is known."""
    yield from _broken(found)
    yield from _lacking(found)
    yield from _shut_out(found)
    yield from _trial(found)
    yield from _cards(found)
    yield from _others(found)


def _broken(found: Hardware) -> Iterator[Judgement]:
    """What is missing is a matter of packages, and not offered; what breaks packets has to be known."""
    for each in found.ciphers.broken if found.ciphers.conclusive else ():
        driver = each.driver or "?"
        yield (
            "ciphers",
            "warning",
            Text(
                f"{each.name} {each.verdict.value} packets in this kernel (driver {driver}): {each.detail}."
                " It is not offered.",
                f"このカーネルの {each.name} (ドライバー {driver}) はパケットを壊します: {each.detail}。"
                "提案から外しました。",
            ),
            Text(
                "Update the kernel, or unload the driver, and restart; `edgevpn offload` shows all ciphers.",
                "カーネルを更新するか、ドライバーを外して再起動してください。一覧は `edgevpn offload` で見られます。",
            ),
        )
    for own in found.insisted:
        yield (
            "ciphers",
            "bad",
            Text(
                f"{own.where} uses {own.cipher}, which does not work in this kernel.",
                f"{own.where} が使う {own.cipher} は、このカーネルでは動きません。",
            ),
            Text(
                "Take it out of its esp_proposals, or take that key out altogether.",
                "その esp_proposals から外すか、esp_proposals 自体を消してください。",
            ),
        )


def _lacking(found: Hardware) -> Iterator[Judgement]:
    for each in found.lacking:
        words = ", ".join(each.algorithms)
        yield (
            "ciphers",
            "bad",
            Text(
                f"{each.where} cannot come up: the installed cryptography library has no {words}.",
                f"{each.where} は接続できません。この機器の暗号ライブラリに {words} がありません。",
            ),
            Text(
                "Add a proposal without it, or install cryptography 47 or later with OpenSSL 3.5 or later.",
                "それを使わない提案を加えるか、cryptography 47 以降と OpenSSL 3.5 以降を入れてください。",
            ),
        )


def _shut_out(found: Hardware) -> Iterator[Judgement]:
    if found.shut_out:
        names = ", ".join(found.shut_out)
        yield (
            "logins",
            "bad",
            Text(
                f"Devices that log in by EAP-TLS are refused: pyOpenSSL is not installed ({names}).",
                f"EAP-TLS でログインするデバイスは接続できません。pyOpenSSL がありません ({names})。",
            ),
            Text(
                "Install python3-openssl (Debian), python3-pyopenssl (OpenWrt), or edgevpn[eap-tls] (pip).",
                "Debian: python3-openssl、OpenWrt: python3-pyopenssl、pip: edgevpn[eap-tls] を入れてください。",
            ),
        )


def _trial(found: Hardware) -> Iterator[Judgement]:
    ciphers = found.ciphers
    if found.untried:
        said = Text(
            f"Ciphers are offered in built-in order: {found.untried}.",
            f"暗号は既定の順で提案します: {found.untried}。",
        )
        yield "ciphers", "good", said, NOTHING
    elif ciphers.results and not ciphers.conclusive:
        yield (
            "ciphers",
            "warning",
            Text(
                "No cipher carried a packet in the trial, so it says nothing.",
                "試験でどの暗号もパケットを運べなかったため、結果は使えません。",
            ),
            Text(
                "See whether the kernel has veth, or set crypto.self_test to false.",
                "カーネルに veth があるか確認するか、crypto.self_test を false にしてください。",
            ),
        )
    elif ciphers.results and not ciphers.broken:
        said = Text("The kernel's ciphers carry packets.", "カーネルの暗号はパケットを正しく運びます。")
        yield "ciphers", "good", said, NOTHING


def _cards(found: Hardware) -> Iterator[Judgement]:
    for name, why in found.unmet.items():
        yield (
            "offload",
            "warning",
            Text(
                f"{name}: the CPU does what a network card was to do: {why}.",
                f"{name}: ネットワークカードに任せるはずの処理を CPU が行っています: {why}。",
            ),
            Text(
                'Set offload to "auto" if that is right; `edgevpn offload` shows what each card can do.',
                'それでよければ offload を "auto" にしてください。カードの機能は `edgevpn offload` で見られます。',
            ),
        )


def _others(found: Hardware) -> Iterator[Judgement]:
    for each in found.strangers:
        yield (
            "ports",
            "warning",
            Text(
                f"UDP port {each.port} is also held by {each.name}, on another address of this machine.",
                f"UDP ポート {each.port} は、この機器の別のアドレスで {each.name} も使っています。",
            ),
            Text(
                "If that is another IKE daemon, stop it: whoever calls its address does not reach edgevpn.",
                "別の IKE デーモンなら止めてください。そのアドレスへの接続は edgevpn に届きません。",
            ),
        )
