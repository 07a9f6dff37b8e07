"""Whether callers reach us: ports, the firewall, the way to the internet, public names.

What cannot be known from here, such as whether a router before this one forwards ports, is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from edgevpn.config.values import Address
from edgevpn.daemon.health.facts import Check, Facts, Lookup
from edgevpn.diagnosis.entry import Text
from edgevpn.kernel.barriers import FORWARD, Barrier

CARRIER_NAT = ip_network("100.64.0.0/10")
"""RFC 6598 §7."""
MOST_NAMED = 3
"""Rules that one message names."""


def ports(facts: Facts) -> Iterator[Check]:
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


def firewall(facts: Facts) -> Iterator[Check]:
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
            Text("`edgevpn repair` puts them right.", "`edgevpn repair` で直ります。"),
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
    if barrier.hook == FORWARD:
        return Check(
            "firewall",
            "bad",
            Text(
                f"The firewall forwards nothing that comes out of tunnels, {packets}: {barrier}.",
                f"ファイアウォールがトンネルから出た通信({packets})の転送を遮断しています: テーブル {where} の"
                f"チェーン {barrier.chain}",
            ),
            Text(
                f"Let packets from and to interfaces evpn* pass there, too; {barrier.table} is not ours to change.",
                "そこでも evpn* のインターフェースとの転送を許可してください。"
                f"{barrier.table} は edgevpn からは変更しません。",
            ),
        )
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


def outside(facts: Facts) -> Iterator[Check]:
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


def names(facts: Facts) -> Iterator[Check]:
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


def _listed(addresses: tuple[Address, ...]) -> str:
    return ", ".join(map(str, addresses))
