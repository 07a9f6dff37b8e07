"""What both sides must agree on: algorithms, packets, addresses, what is mixed into keys."""

from __future__ import annotations

from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Entry, Severity, Side, Text

ENTRIES = (
    Entry(
        Code.MODP_1024_ONLY,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the device offers only the key exchange modp1024, as Windows does when nobody has set it up;"
            " that is too weak and refused.",
            "{setting}: この端末は鍵交換 modp1024 しか提示していません(設定前の Windows)。弱いため拒否しました。",
        ),
        Text(
            "Run the script that `edgevpn device export` makes for Windows on that device, and connect again.",
            "その端末で `edgevpn device export` が作る Windows 用スクリプトを実行し、接続し直してください。",
        ),
        Text(
            "Windows 10 and 11 offer MODP-1024 alone until Set-VpnConnectionIPsecConfiguration is run (RFC 8247 §2.4)",
            "Windows 10/11 は Set-VpnConnectionIPsecConfiguration の実行前は MODP-1024 だけ (RFC 8247 §2.4)",
        ),
    ),
    Entry(
        Code.NO_COMMON_IKE_PROPOSAL,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: no {differs} is common to both sides. The peer offers {theirs}; accepted is {ours}.",
            "{setting}: {differs} に共通のものがありません。相手の提示: {theirs}。こちらの許可: {ours}。",
        ),
        Text(
            "Write one of the peer's proposals into {setting}, or one of ours into the peer's configuration.",
            "相手の提案のひとつを {setting} に書くか、こちらの提案を相手側に設定してください。",
        ),
        "RFC 7296 §2.7",
    ),
    Entry(
        Code.IKE_PROPOSAL_REFUSED,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer accepts none of our proposals ({detail}), or knows no connection from our address.",
            "{setting}: 相手はこちらの提案をどれも受け入れないか、こちらのアドレスからの接続を知りません({detail})。",
        ),
        Text(
            "Compare {setting} with the peer's IKE (phase 1) proposals, and see whether it expects our address.",
            "{setting} を相手の IKE(フェーズ 1)提案と比べ、相手がこちらのアドレスを許しているか確かめてください。",
        ),
        Text(
            "RFC 7296 §2.21.1: NO_PROPOSAL_CHOSEN says nothing of what would be accepted",
            "RFC 7296 §2.21.1: NO_PROPOSAL_CHOSEN は何なら受け入れるかを伝えない",
        ),
    ),
    Entry(
        Code.OTHER_KE,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer wants the key exchange {theirs}, which is not among ours ({ours}).",
            "{setting}: 相手は鍵交換 {theirs} を求めていますが、こちらには {ours} しかありません。",
        ),
        Text("Add {theirs} to {setting}.", "{setting} に {theirs} を加えてください。"),
        Text("RFC 7296 §1.2: INVALID_KE_PAYLOAD names the method", "RFC 7296 §1.2: INVALID_KE_PAYLOAD が方式を示す"),
    ),
    Entry(
        Code.NO_COMMON_ESP_PROPOSAL,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: for traffic no {differs} is common to both. The peer offers {theirs}; accepted is {ours}.",
            "{setting}: 通信用の {differs} に共通のものがありません。相手の提示: {theirs}。こちらの許可: {ours}。",
        ),
        Text(
            "Write one of the peer's ESP proposals into {setting}, or one of ours into the peer's configuration.",
            "相手の ESP 提案のひとつを {setting} に書くか、こちらの提案を相手側に設定してください。",
        ),
        "RFC 7296 §2.7",
    ),
    Entry(
        Code.PFS_DIFFERS,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the two sides differ in the key exchange of new keys (PFS). The peer offers {theirs};"
            " accepted is {ours}.",
            "{setting}: 鍵更新時の鍵交換(PFS)が両側で異なります。相手の提示: {theirs}。こちらの許可: {ours}。",
        ),
        Text(
            "Make {setting} and the peer name the same key exchange, or none on both sides.",
            "{setting} と相手側の鍵交換を同じにするか、両側とも無しにしてください。",
        ),
        Text(
            "RFC 7296 §1.3.1; Windows has no PFS unless PfsGroup is set",
            "RFC 7296 §1.3.1; Windows は PfsGroup を設定しない限り PFS を使わない",
        ),
    ),
    Entry(
        Code.ESP_PROPOSAL_REFUSED,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer accepts none of our proposals for traffic (ESP); who we are was accepted.",
            "{setting}: 認証は通りましたが、相手は通信用(ESP)の提案をどれも受け入れません。",
        ),
        Text(
            "Compare {setting} with the peer's ESP (phase 2) proposals, the key exchange (PFS) included.",
            "{setting} を相手の ESP(フェーズ 2)提案と、PFS も含めて比べてください。",
        ),
        Text("RFC 7296 §1.2: the IKE SA stands without its child", "RFC 7296 §1.2: IKE SA は CHILD SA なしで残る"),
    ),
    Entry(
        Code.NO_COMMON_SELECTORS,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer asks for {theirs}, but configured is {ours}.",
            "{setting}: 相手は {theirs} を求めていますが、設定は {ours} です。",
        ),
        Text(
            "What is {setting} here must be the same networks, from the other end, in the peer's configuration.",
            "{setting} と、相手側で反対の端として書かれたネットワークを同じにしてください。",
        ),
        "RFC 7296 §2.9",
    ),
    Entry(
        Code.SELECTORS_REFUSED,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting} or local_networks: the peer knows no tunnel between these networks (TS_UNACCEPTABLE).",
            "{setting} または local_networks: 相手はこのネットワーク間のトンネルを知りません。",
        ),
        Text(
            "Compare local_networks and remote_networks with the peer's, which has them the other way round.",
            "local_networks と remote_networks を、相手側の(逆向きの)設定と比べてください。",
        ),
        "RFC 7296 §2.9",
    ),
    Entry(
        Code.CHILD_REFUSED,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the peer refuses this tunnel and answers {detail}.",
            "{setting}: 相手はこのトンネルを拒否し、{detail} と答えました。",
        ),
        Text("The peer's log says why.", "理由は相手側のログにあります。"),
        "RFC 7296 §3.10.1",
    ),
    Entry(
        Code.NOT_CHILDLESS,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: it demands an IKE SA without a tunnel first, which the peer does not know.",
            "{setting}: トンネル無しの IKE SA を要求していますが、相手は対応していません。",
        ),
        Text('Set {setting} to "allow".', '{setting} を "allow" にしてください。'),
        "RFC 6023",
    ),
    Entry(
        Code.NO_ADDRESS_LEFT,
        Side.OURS,
        Severity.ERROR,
        Text("{setting}: no address is left for {identity}.", "{setting}: {identity} に渡せるアドレスがありません。"),
        Text("Make {setting} larger, or remove devices.", "{setting} を広げるか、端末を減らしてください。"),
        "RFC 7296 §3.15.4: INTERNAL_ADDRESS_FAILURE",
    ),
    Entry(
        Code.ADDRESS_NOT_ASKED,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the device {identity} asks for no address inside the tunnel, so it can have no traffic.",
            "{setting}: 端末 {identity} はトンネル内アドレスを要求しないため、通信できません。",
        ),
        Text(
            "Have it ask for one: a virtual IP (strongSwan: vips = 0.0.0.0).",
            "仮想 IP を要求させてください(strongSwan なら vips = 0.0.0.0)。",
        ),
        "RFC 7296 §3.15.4: FAILED_CP_REQUIRED",
    ),
    Entry(
        Code.ADDRESS_NOT_GIVEN,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: we ask the peer for an address and it gives none.",
            "{setting}: 相手にアドレスを要求しましたが、もらえませんでした。",
        ),
        Text(
            "Give the peer a pool of addresses, or take virtual_ips out of the configuration.",
            "相手にアドレスプールを設定するか、こちらの virtual_ips を削除してください。",
        ),
        "RFC 7296 §3.15.4",
    ),
    Entry(
        Code.KERNEL_REFUSED,
        Side.OURS,
        Severity.ERROR,
        Text(
            "{setting}: both sides agreed, but this machine's kernel does not take the tunnel: {detail}.",
            "{setting}: 合意はできましたが、この機器のカーネルがトンネルを受け付けません: {detail}。",
        ),
        Text(
            "Install the kernel module of that cipher, or choose another in esp_proposals.",
            "その暗号のカーネルモジュールを入れるか、esp_proposals で別の暗号を選んでください。",
        ),
        Text(
            "XFRM_MSG_NEWSA fails where the kernel lacks an algorithm",
            "カーネルにアルゴリズムがないと XFRM_MSG_NEWSA は失敗する",
        ),
    ),
    Entry(
        Code.MALFORMED,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "The peer at {remote} sent what cannot be read: {detail}.",
            "{remote} から読めない要求が来ました: {detail}。",
        ),
        Text("Update the peer's software.", "相手側のソフトウェアを更新してください。"),
        "RFC 7296 §2.21: INVALID_SYNTAX",
    ),
    Entry(
        Code.PPK_UNKNOWN,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer names a post-quantum pre-shared key (PPK) that we do not have for it, and does not do"
            " without ({detail}).",
            "{setting}: 相手が示した耐量子事前共有鍵(PPK)はこちらになく、PPK なしでは接続できません({detail})。",
        ),
        Text(
            "Give the key the same name at both ends ({setting}), or write it down here.",
            "両側で鍵の名前({setting})を同じにするか、こちらに鍵を登録してください。",
        ),
        "RFC 8784 §3: PPK_IDENTITY",
    ),
    Entry(
        Code.PPK_MISSING,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: a post-quantum pre-shared key (PPK) has to be used, and the peer uses none ({detail}).",
            "{setting}: 耐量子事前共有鍵(PPK)が必須ですが、相手は使っていません({detail})。",
        ),
        Text(
            "Write the key down at the peer, under the same name; until then, {setting} = false does without it.",
            "相手側にも同じ名前で鍵を登録してください。それまでは {setting} = false で PPK なしに接続できます。",
        ),
        Text("RFC 8784 §3, table 1", "RFC 8784 §3 表 1"),
    ),
    Entry(
        Code.WRONG_PPK,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: {identity} has another post-quantum pre-shared key (PPK) than we have for it, or another"
            " pre-shared key.",
            "{setting}: {identity} の耐量子事前共有鍵(PPK)または事前共有鍵が、こちらのものと一致しません。",
        ),
        Text(
            "Write the same key on both sides; look for blanks at its ends and for letters that look alike.",
            "両側に同じ鍵を書いてください。前後の空白や似た文字にも注意してください。",
        ),
        Text("RFC 8784 §3: AUTH with SK_pi and SK_pr", "RFC 8784 §3: SK_pi と SK_pr による AUTH"),
    ),
    Entry(
        Code.OLD_VERSION,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "IKE version: {remote} speaks IKEv1, as L2TP and old tunnels do; here only IKEv2 is spoken.",
            "IKE バージョン: {remote} は IKEv1(L2TP や古いトンネル)です。こちらは IKEv2 のみ対応です。",
        ),
        Text(
            "Choose IKEv2 on the device (not L2TP), or set the peer to IKEv2 (strongSwan: version = 2).",
            "端末で(L2TP ではなく)IKEv2 を選ぶか、相手を IKEv2 にしてください(strongSwan なら version = 2)。",
        ),
        Text(
            "RFC 9395: IKEv1 is deprecated; strangers on the Internet look for it, too",
            "RFC 9395: IKEv1 は廃止された; インターネット上の第三者も探している",
        ),
    ),
)
