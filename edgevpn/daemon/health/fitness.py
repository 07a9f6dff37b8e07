"""Whether this machine and what we have on it are fit: the kernel, the clock, certificates, space, the tunnels."""

from __future__ import annotations

from collections.abc import Iterator

from edgevpn.daemon.health.facts import NOTHING, Check, Ends, Facts, Level, Silent, Suspect
from edgevpn.diagnosis.entry import Text
from edgevpn.pki.clock import RELEASED

LEAST_SPACE = 1 << 20
"""Octets of free space below which keeping state may fail."""
SOON, VERY_SOON = 21, 7
"""Days that a certificate is still good for; ours are renewed earlier than that."""
MOST_NAMED = 3
"""Things that are missing which one message names."""


def kernel(facts: Facts) -> Iterator[Check]:
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


def holdings(facts: Facts) -> Iterator[Check]:
    """What somebody takes away from us in the kernel is put back by itself; so what is still missing resists."""
    if facts.lost:
        named, more = "; ".join(facts.lost[:MOST_NAMED]), len(facts.lost) - MOST_NAMED
        yield Check(
            "kernel",
            "bad",
            Text(
                f"The kernel no longer holds what we have put there; what would bring it back: {named}"
                + (f" and {more} more." if more > 0 else "."),
                f"カーネルに設定した内容の一部が失われています。元に戻す操作: {named}"
                + (f"、ほか {more} 件" if more > 0 else ""),
            ),
            Text(
                "`edgevpn repair` puts it back; if it is gone again soon, another program takes it away.",
                "`edgevpn repair` で元に戻ります。またすぐ失われるなら、別のプログラムが削除しています。",
            ),
        )


def clock(facts: Facts) -> Iterator[Check]:
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


def certificates(facts: Facts) -> Iterator[Check]:
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


def space(facts: Facts) -> Iterator[Check]:
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


def tunnels(facts: Facts) -> Iterator[Check]:
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


def forwarding(facts: Facts) -> Iterator[Check]:
    for version in facts.unforwarded if facts.carries_traffic else ():
        variable = "net.ipv4.ip_forward" if version == 4 else "net.ipv6.conf.all.forwarding"
        yield Check(
            "forwarding",
            "bad",
            Text(
                f"This machine does not forward IPv{version}: what comes out of tunnels gets no further.",
                f"この機器は IPv{version} を転送しません。トンネルから出た通信はここで止まります。",
            ),
            Text(
                f"sysctl -w {variable}=1; in /etc/sysctl.d it lasts.",
                f"sysctl -w {variable}=1 を実行してください。/etc/sysctl.d に書くと再起動後も有効です。",
            ),
        )


def _one_way(tunnel: Silent) -> Check:
    name, sent, received = tunnel.name, tunnel.sent, tunnel.received
    if sent:
        said = Text(
            f"{name}: {sent} octets went into the tunnel and none came out of it.",
            f"{name}: トンネルへ {sent} バイト送りましたが、何も返ってきません。",
        )
    else:
        said = Text(
            f"{name}: {received} octets came through the tunnel and none went back.",
            f"{name}: トンネルから {received} バイト届きましたが、何も返していません。",
        )
    return Check("traffic", "warning", said, _way_out(tunnel))


def _way_out(tunnel: Silent) -> Text:
    match tunnel.suspect:
        case Suspect.DAMAGED:
            return Text(
                "Packets come that this kernel cannot decrypt: a cipher's driver spoils them, there or here."
                " Try another in esp_proposals, and see `edgevpn offload`.",
                "このカーネルで復号できないパケットが届いています。どちらかの暗号ドライバーが壊しています。"
                "esp_proposals で別の方式を試し、`edgevpn offload` も確認してください。",
            )
        case Suspect.BARE_ESP:
            return Text(
                f"Nothing comes though IKE does. If something on the way lets no ESP through, {tunnel.setting} = true"
                " puts it into UDP; else the peer's firewall drops what it should send, or has no route back.",
                "IKE は届くのに通信が届きません。経路のどこかが ESP を通さないなら、"
                f"{tunnel.setting} = true で UDP に包めます。そうでなければ、相手側のファイアウォールか"
                "戻りの経路を確認してください。",
            )
        case Suspect.PEER:
            return Text(
                "The peer's firewall drops them, or it has no route back.",
                "相手側のファイアウォールか戻りの経路を確認してください。",
            )
        case Suspect.FORWARDING:
            return Text(
                "This machine does not forward: see there.",
                "この機器が転送していません。その項目を確認してください。",
            )
        case Suspect.FIREWALL:
            return Text(
                "A firewall of this machine forwards nothing from there: see there.",
                "この機器のファイアウォールが転送を遮断しています。その項目を確認してください。",
            )
        case Suspect.LAN:
            return Text(
                "See whether the LAN's hosts have this router as their gateway and a firewall of their own lets them"
                " answer, and whether firewall.forward has what is meant.",
                "LAN の機器のゲートウェイがこのルーターか、機器自身のファイアウォールが応答を許すか、"
                "firewall.forward の設定が意図どおりかを確認してください。",
            )
