"""Whether everything is as it must be: one check after the other, each with its cure. Facts come in, judgements go out.

What cannot be known from here, such as whether a router before this one forwards ports, is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from typing import Literal

from edgevpn.api.records import Health
from edgevpn.config.values import Address
from edgevpn.daemon.hardware import Hardware, judgements
from edgevpn.diagnosis.entry import Language, Text
from edgevpn.kernel.barriers import Barrier
from edgevpn.kernel.contract import Features
from edgevpn.pki.clock import RELEASED

LEAST_SPACE = 1 << 20
"""Octets of free space below which keeping state may fail."""
SOON, VERY_SOON = 21, 7
"""Days that a certificate is still good for; ours are renewed earlier than that."""
CARRIER_NAT = ip_network("100.64.0.0/10")
"""RFC 6598 §7."""
MOST_NAMED = 3
"""Rules that one message names."""

NOTHING = Text("", "")

Level = Literal["good", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Ends:
    """A certificate and when it ends."""

    what: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Lookup:
    """A public name and where it leads; nowhere if it could not be looked up."""

    name: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Silent:
    """A tunnel through which packets go one way alone: how many octets came, how many went."""

    name: str
    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class Firewall:
    """What our own rules lack, who else shuts us out, and why that could not be read, if it could not."""

    lacks: tuple[str, ...] = ()
    barriers: tuple[Barrier, ...] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. `outside`: our addresses by which packets to the internet leave. `space` in octets."""

    now: datetime
    features: Features
    carries_traffic: bool
    served: tuple[Address, ...]
    outside: tuple[Address, ...]
    lookups: tuple[Lookup, ...]
    certificates: tuple[Ends, ...]
    faults: tuple[str, ...]
    space: int
    silent: tuple[Silent, ...]
    down: tuple[str, ...]
    firewall: Firewall
    hardware: Hardware = field(default_factory=Hardware)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, in every language. The cure is NOTHING where nothing is wrong."""

    id: str
    level: Level
    message: Text
    cure: Text = NOTHING


def judged(facts: Facts, language: Language = Language.ENGLISH) -> list[Health]:
    """Every check, in this language."""
    return [
        Health(id=each.id, level=each.level, message=each.message[language], cure=each.cure[language])
        for look in LOOKS
        for each in look(facts)
    ]


def _kernel(facts: Facts) -> Iterator[Check]:
    if not facts.carries_traffic:
        yield Check(
            "kernel",
            "bad",
            Text(
                "IKE is spoken without a kernel: no traffic flows.",
                "カーネルなしで IKE だけを処理しています。通信は流れません。",
            ),
            Text("Start it without --kernel memory.", "--kernel memory を付けずに起動してください。"),
        )
        return
    versions = {address.version for address in facts.served}
    lacking = [
        module
        for module, is_there in (
            ("esp4", facts.features.esp4 or 4 not in versions),
            ("esp6", facts.features.esp6 or 6 not in versions),
            ("xfrm_interface", facts.features.xfrm_interface),
        )
        if not is_there
    ]
    if lacking:
        names = ", ".join(lacking)
        packages = "kmod-ipsec4, kmod-ipsec6, kmod-xfrm-interface"
        yield Check(
            "kernel",
            "bad",
            Text(f"The kernel lacks {names}.", f"カーネルに {names} がありません。"),
            Text(
                f"Load these modules (OpenWrt: install {packages}).",
                f"これらのモジュールを読み込んでください(OpenWrt では {packages} を導入)。",
            ),
        )
    else:
        yield Check(
            "kernel",
            "good",
            Text(
                "The kernel has ESP and XFRM interfaces.",
                "カーネルは ESP と XFRM インターフェースに対応しています。",
            ),
        )


def _ports(facts: Facts) -> Iterator[Check]:
    if facts.served:
        where = _listed(facts.served)
        yield Check(
            "ports",
            "good",
            Text(f"UDP ports are open on {where}.", f"{where} で UDP ポートを開いています。"),
        )
    else:
        yield Check(
            "ports",
            "bad",
            Text("No address is served.", "待ち受けているアドレスがありません。"),
            Text(
                "Name an address of this machine in gateway.listen.",
                "gateway.listen にこの機器のアドレスを指定してください。",
            ),
        )


def _firewall(facts: Facts) -> Iterator[Check]:
    """In nftables every chain has to let a packet in, so that no rule of ours can make up for somebody else's."""
    found = facts.firewall
    if found.unread:
        unread = Text(
            f"The firewall could not be read: {found.unread}.",
            f"ファイアウォールの状態を読み取れません: {found.unread}",
        )
        yield Check("firewall", "warning", unread)
        return
    yield from map(_barred, found.barriers)
    if found.lacks:
        lacks = "; ".join(found.lacks[:MOST_NAMED])
        yield Check(
            "firewall",
            "bad",
            Text(
                f"Our firewall's rules are not as they shall be: {lacks}.",
                f"edgevpn のファイアウォール規則が正しくありません: {lacks}",
            ),
            Text("`edgevpn reload` puts them right.", "`edgevpn reload` で直ります。"),
        )
    if not found.barriers and not found.lacks:
        yield Check(
            "firewall",
            "good",
            Text(
                "The firewall lets IKE and ESP in, as far as its rules tell.",
                "規則を見る限り、ファイアウォールは IKE と ESP を通します。",
            ),
        )


def _barred(barrier: Barrier) -> Check:
    packets, where = ", ".join(barrier.packets), f"{barrier.family} {barrier.table}"
    return Check(
        "firewall",
        "bad",
        Text(
            f"The firewall keeps {packets} out: {barrier}.",
            f"ファイアウォールが {packets} を遮断しています: テーブル {where} のチェーン {barrier.chain}",
        ),
        Text(
            f"Let UDP 500, UDP 4500 and ESP in there, too; {barrier.table} is not ours to change.",
            f"そこでも UDP 500、UDP 4500、ESP を許可してください。{barrier.table} は edgevpn からは変更しません。",
        ),
    )


def _outside(facts: Facts) -> Iterator[Check]:
    """Stock clients know only ports 500 and 4500, so a NAT before us must forward just those."""
    if not facts.outside:
        yield Check(
            "wan",
            "warning",
            Text("There is no way to the internet.", "インターネットへの経路がありません。"),
            Text(
                "See whether the WAN is up and has a default route.",
                "WAN が接続されていて、デフォルトルートがあるか確認してください。",
            ),
        )
        return
    public = [each for each in facts.outside if each.is_global]
    shared = [each for each in facts.outside if each.version == 4 and each in CARRIER_NAT]
    if public:
        ours = _listed(tuple(public))
        yield Check(
            "wan",
            "good",
            Text(f"The address outside is public: {ours}.", f"外側のアドレスはグローバルです: {ours}"),
        )
    elif shared:
        yield Check(
            "wan",
            "bad",
            Text(
                f"The provider shares its address among customers (carrier NAT): ours is {shared[0]}.",
                f"プロバイダーがアドレスを複数の契約者で共有しています(CGNAT)。こちらは {shared[0]} です。",
            ),
            Text(
                "Ask the provider for a public IPv4 address, use IPv6, or have a site of ours call out to a peer"
                " that can be reached.",
                "プロバイダーにグローバル IPv4 アドレスを申し込むか、IPv6 を使うか、"
                "外から届く相手へこちらから接続する拠点を設定してください。",
            ),
        )
    else:
        ours = _listed(facts.outside)
        yield Check(
            "wan",
            "warning",
            Text(
                f"The address outside is private: {ours}. Another router is before this one.",
                f"外側のアドレスはプライベートです: {ours}。手前に別のルーターがあります。",
            ),
            Text(
                "Forward UDP 500 and 4500 there to this router (double NAT), or bridge it.",
                "そのルーターで UDP 500 と 4500 をこのルーターへ転送するか(二重 NAT)、ブリッジモードにしてください。",
            ),
        )


def _names(facts: Facts) -> Iterator[Check]:
    yield from (_name(lookup, facts) for lookup in facts.lookups)


def _name(lookup: Lookup, facts: Facts) -> Check:
    name, there, ours = lookup.name, _listed(lookup.addresses), _listed(facts.outside)
    if not lookup.addresses:
        return Check(
            "name",
            "bad",
            Text(f"{name} cannot be looked up.", f"{name} の名前解決ができません。"),
            Text(
                "Correct pki.public_name, or the entry at the DNS provider.",
                "公開名(pki.public_name)か、DNS 事業者での登録を修正してください。",
            ),
        )
    if set(lookup.addresses) & {*facts.outside, *facts.served}:
        return Check(
            "name",
            "good",
            Text(f"{name} leads to this router.", f"{name} はこのルーターを指しています。"),
        )
    if any(each.is_global for each in facts.outside):
        return Check(
            "name",
            "bad",
            Text(
                f"{name} leads to {there}, our address is {ours}.",
                f"{name} は {there} を指していますが、こちらのアドレスは {ours} です。",
            ),
            Text(
                "Bring the entry at the DNS provider up to date (dynamic DNS).",
                "DNS 事業者での登録を更新してください(ダイナミック DNS)。",
            ),
        )
    return Check(
        "name",
        "warning",
        Text(
            f"{name} leads to {there}; whether that is the router before us cannot be told from here.",
            f"{name} は {there} を指しています。これが手前のルーターかどうかは、ここからは分かりません。",
        ),
        Text(
            "Compare it with the address that the router before us has outside.",
            "手前のルーターの外側のアドレスと比べてください。",
        ),
    )


def _clock(facts: Facts) -> Iterator[Check]:
    if facts.now < RELEASED:
        yield Check(
            "clock",
            "bad",
            Text(
                f"The clock says {facts.now:%Y-%m-%d}, which is before this release was made.",
                f"時計が {facts.now:%Y-%m-%d} を指しています。この版の公開日より前です。",
            ),
            Text(
                "Set the clock (NTP); until then certificates cannot be judged by their dates.",
                "時計を合わせてください(NTP)。それまで証明書の期限を判断できません。",
            ),
        )
    else:
        yield Check(
            "clock",
            "good",
            Text(
                f"The clock says {facts.now:%Y-%m-%d %H:%M} UTC.",
                f"時計は UTC で {facts.now:%Y-%m-%d %H:%M} です。",
            ),
        )


def _certificates(facts: Facts) -> Iterator[Check]:
    for fault in facts.faults:
        yield Check(
            "certificates",
            "bad",
            Text(fault, f"証明書に問題があります: {fault}"),
            Text(
                "Correct [pki] or the file that it names.",
                "[pki] の設定か、そこで指定したファイルを修正してください。",
            ),
        )
    for each in facts.certificates:
        yield _certificate(each, (each.at - facts.now).days)


def _certificate(certificate: Ends, days: int) -> Check:
    what = certificate.what
    level: Level = "good" if days >= SOON else "warning" if days >= VERY_SOON else "bad"
    renew = Text(
        "Renew it: edgevpn does so by itself for its own; bring another of any other.",
        "更新してください。edgevpn が作った証明書は自動で更新されます。他の証明書は新しいものに替えてください。",
    )
    if days < 0:
        left = Text(f"{what} has expired.", f"証明書 {what} は期限切れです。")
    else:
        left = Text(f"{what} is good for {days} more days.", f"証明書 {what} の残り期間は {days} 日です。")
    return Check("certificates", level, left, NOTHING if level == "good" else renew)


def _space(facts: Facts) -> Iterator[Check]:
    if facts.space < LEAST_SPACE:
        left = facts.space // 1024
        yield Check(
            "space",
            "bad",
            Text(
                f"{left} KiB are free where state is kept: leases and usage may be lost.",
                f"保存領域の空きは {left} KiB です。割り当てや使用量の記録が失われるおそれがあります。",
            ),
            Text("Remove what is not needed from the flash.", "フラッシュから不要なものを削除してください。"),
        )
    else:
        left = facts.space // (1 << 20)
        yield Check(
            "space",
            "good",
            Text(f"{left} MiB are free where state is kept.", f"保存領域の空きは {left} MiB です。"),
        )


def _tunnels(facts: Facts) -> Iterator[Check]:
    for name in facts.down:
        yield Check(
            "tunnel",
            "warning",
            Text(f"Site {name} is down.", f"拠点 {name} が切断されています。"),
            Text(
                f"`edgevpn diagnose {name}` says why it did not come up.",
                f"理由は「最近の問題」か `edgevpn diagnose {name}` で確認できます。",
            ),
        )
    yield from map(_one_way, facts.silent)


def _one_way(tunnel: Silent) -> Check:
    name, sent, received = tunnel.name, tunnel.sent, tunnel.received
    if sent:
        return Check(
            "traffic",
            "warning",
            Text(
                f"{name}: {sent} octets went into the tunnel and none came out of it.",
                f"{name}: トンネルへ {sent} バイト送りましたが、何も返ってきません。",
            ),
            Text(
                "The peer's firewall drops them, or has no route back; else a cipher's driver loses packets there or"
                " here: try another in esp_proposals.",
                "相手側のファイアウォールか戻りの経路を確認してください。それでも直らなければ、どちらかの暗号ドライバーが"
                "パケットを失っています。esp_proposals で別の方式を試してください。",
            ),
        )
    return Check(
        "traffic",
        "warning",
        Text(
            f"{name}: {received} octets came through the tunnel and none went back.",
            f"{name}: トンネルから {received} バイト届きましたが、何も返していません。",
        ),
        Text(
            "Let our firewall forward from and to the tunnel's interface, and see whether the LAN's hosts have"
            " this router as their gateway.",
            "このルーターのファイアウォールでトンネルとの転送を許可し、LAN の機器のゲートウェイが"
            "このルーターか確認してください。",
        ),
    )


def _hardware(facts: Facts) -> Iterator[Check]:
    if facts.carries_traffic:
        yield from (Check(*each) for each in judgements(facts.hardware))


LOOKS = (_kernel, _hardware, _ports, _firewall, _outside, _names, _clock, _certificates, _space, _tunnels)
"""In the order in which an owner would go through them."""


def _listed(addresses: tuple[Address, ...]) -> str:
    return ", ".join(map(str, addresses))
