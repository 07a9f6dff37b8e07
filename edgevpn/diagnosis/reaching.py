"""Whether the two sides hear each other, and what ends a connection that was up."""

from __future__ import annotations

from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Entry, Severity, Side, Text

ENTRIES = (
    Entry(
        Code.NAME_NOT_FOUND,
        Side.OURS,
        Severity.ERROR,
        Text(
            "{setting}: the name {remote} cannot be looked up, so nobody is called.",
            "{setting}: {remote} の名前解決ができないため、接続を始められません。",
        ),
        Text(
            "Correct {setting}, or see whether this router's DNS answers and the peer's dynamic DNS is up to date.",
            "{setting} を直すか、このルーターの DNS と相手のダイナミック DNS を確認してください。",
        ),
        Text("a name is looked up anew at each try", "名前は試行のたびに解決し直す"),
    ),
    Entry(
        Code.NO_WAY,
        Side.PATH,
        Severity.ERROR,
        Text(
            "{setting}: no route leads to {remote}, so nobody is called.",
            "{setting}: {remote} への経路がないため、接続を始められません。",
        ),
        Text(
            "See whether the WAN is up and has a default route, for IPv4 and IPv6; it is tried again by itself.",
            "WAN が接続され、IPv4/IPv6 のデフォルトルートがあるか確認してください。自動で再試行します。",
        ),
        Text("our routing table", "こちらの経路表"),
    ),
    Entry(
        Code.NOT_SERVED,
        Side.OURS,
        Severity.ERROR,
        Text(
            "{setting}: packets to {remote} leave from {ours}, which is not served, so nobody is called.",
            "{setting}: {remote} へのパケットの送信元 {ours} が含まれていないため、接続を始められません。",
        ),
        Text(
            "Add {ours} to {setting}, or name in {detail} an address that it has.",
            "{setting} に {ours} を加えるか、{setting} にあるアドレスを {detail} に指定してください。",
        ),
        Text("our configuration and routing table", "設定とルーティングテーブル"),
    ),
    Entry(
        Code.NOT_SENT,
        Side.OURS,
        Severity.ERROR,
        Text(
            "{setting}: packets to {remote} do not leave this machine: {detail}.",
            "{setting}: {remote} へのパケットをこの機器から送信できません: {detail}。",
        ),
        Text(
            "See whether a firewall here drops what goes out to UDP 500 and 4500, and whether the WAN is up.",
            "この機器で UDP 500/4500 の送信が拒否されていないか、WAN が接続されているか確認してください。",
        ),
        Text("the kernel's answer", "カーネルの応答"),
    ),
    Entry(
        Code.NO_ANSWER,
        Side.PATH,
        Severity.ERROR,
        Text(
            "{setting}: nobody answers on UDP port 500 of {remote}.",
            "{setting}: {remote} の UDP 500 番から応答がありません。",
        ),
        Text(
            "See whether the address is right, the peer runs, and a firewall lets UDP 500 and 4500 pass.",
            "アドレス、相手の稼働、UDP 500/4500 の許可を確認してください。",
        ),
        "RFC 7296 §2.4",
    ),
    Entry(
        Code.NO_ANSWER_TO_AUTH,
        Side.PATH,
        Severity.ERROR,
        Text(
            "{setting}: the peer {remote} answers IKE_SA_INIT, and then not any more: UDP port 4500 or large packets do"
            " not pass.",
            "{setting}: {remote} は最初だけ応答します。UDP 4500 番か大きなパケットが途中で止まっています。",
        ),
        Text(
            "Open and forward UDP 4500 to the peer, and leave fragmentation on.",
            "相手への UDP 4500 を開放・転送し、fragmentation を有効にしてください。",
        ),
        "RFC 7296 §2.23; RFC 7383",
    ),
    Entry(
        Code.NOTHING_ON_4500,
        Side.PATH,
        Severity.ERROR,
        Text(
            "UDP port 4500: {remote} reaches us on port 500 and never on 4500.",
            "UDP 4500 番: {remote} は 500 番には届きますが、4500 番には届きません。",
        ),
        Text(
            "Forward UDP 4500 beside 500 on the router before this one, and let it in here.",
            "上流ルーターで UDP 4500 も転送し、この機器でも許可してください。",
        ),
        Text(
            "RFC 7296 §2.23: behind a NAT both sides go over to port 4500",
            "RFC 7296 §2.23: NAT があると両側とも 4500 番に移る",
        ),
    ),
    Entry(
        Code.NOTHING_FOLLOWED,
        Side.THEIRS,
        Severity.WARNING,
        Text(
            "{remote} asked for a connection and did not go on after our first answer.",
            "{remote} は最初の応答の後、続けてきませんでした。",
        ),
        Text(
            "If that was a device of yours: does our answer reach it, and does it want our algorithms?",
            "自分の端末なら、応答が届いているか、アルゴリズムが合うか確認してください。",
        ),
        Text("RFC 7296 §1.2; also what scanners do", "RFC 7296 §1.2; スキャナーも同じことをする"),
    ),
    Entry(
        Code.FRAGMENTS_MISSING,
        Side.PATH,
        Severity.ERROR,
        Text(
            "Fragments of IKE_AUTH from {remote} are missing ({detail}): something on the path drops packets.",
            "{remote} からの IKE_AUTH の断片が足りません({detail})。経路上でパケットが失われています。",
        ),
        Text(
            "Lower the peer's fragment size (strongSwan: fragment_size = 1200) or the MTU of its connection.",
            "相手の断片サイズ(strongSwan なら fragment_size = 1200)か MTU を下げてください。",
        ),
        "RFC 7383 §2.5.1",
    ),
    Entry(
        Code.TOO_LATE,
        Side.BOTH,
        Severity.WARNING,
        Text("{setting}: {remote} did not go on in time.", "{setting}: {remote} が時間内に続けませんでした。"),
        Text("Connect again.", "もう一度接続してください。"),
        Text("our own limit for half-open IKE SAs", "確立途中の IKE SA に対する独自の上限"),
    ),
    Entry(
        Code.PEER_DEAD,
        Side.PATH,
        Severity.WARNING,
        Text(
            "{setting}: {peer} no longer answers; it, or the way to it, has gone.",
            "{setting}: {peer} が応答しなくなりました。相手か経路が落ちています。",
        ),
        Text(
            "Nothing, if the device sleeps or lost its network; a site is called again by itself.",
            "端末のスリープや圏外なら対処は不要です。サイトは自動で再接続します。",
        ),
        Text("RFC 7296 §2.4: liveness", "RFC 7296 §2.4: 生存確認"),
    ),
    Entry(
        Code.DELETED_BY_PEER,
        Side.THEIRS,
        Severity.INFO,
        Text("{peer} has closed the connection.", "{peer} が接続を閉じました。"),
        Text("Nothing, if somebody switched it off there.", "相手が切断したのなら対処は不要です。"),
        "RFC 7296 §1.4.1",
    ),
    Entry(
        Code.BEGUN_ANEW,
        Side.THEIRS,
        Severity.INFO,
        Text("{peer} began anew, as after a restart.", "{peer} が(再起動などの後)最初から接続し直しました。"),
        Text("Nothing.", "対処は不要です。"),
        "RFC 7296 §2.4: INITIAL_CONTACT",
    ),
    Entry(
        Code.REPLACED,
        Side.BOTH,
        Severity.INFO,
        Text(
            "{setting}: {identity} has come in once more, from {remote}, and its connection from elsewhere was closed.",
            "{setting}: {identity} が {remote} から再び接続したため、別の場所からの接続を閉じました。",
        ),
        Text(
            'Nothing, if that is the same device; give each of two a name of its own, or set {setting} to "keep".',
            '同じ端末なら対処は不要です。2 台なら別々の ID にするか、{setting} を "keep" にしてください。',
        ),
        Text("RFC 7296 §2.4; our configuration", "RFC 7296 §2.4; こちらの設定"),
    ),
    Entry(
        Code.EXPIRED,
        Side.BOTH,
        Severity.WARNING,
        Text(
            "{setting}: the connection of {peer} ended because its keys were not renewed in time.",
            "{setting}: {peer} の鍵が期限までに更新されず、接続が終わりました。",
        ),
        Text("Make the peer's rekeying shorter than {setting}.", "相手の鍵更新間隔を {setting} より短くしてください。"),
        "RFC 7296 §2.8",
    ),
    Entry(
        Code.IDLE,
        Side.OURS,
        Severity.INFO,
        Text("Nothing came through the tunnel of {peer} for long.", "{peer} のトンネルは長い間使われませんでした。"),
        Text("Nothing.", "対処は不要です。"),
        Text("our configuration", "こちらの設定"),
    ),
    Entry(
        Code.NOT_AUTHENTICATED_ANEW,
        Side.THEIRS,
        Severity.WARNING,
        Text("{peer} did not show again who it is in time.", "{peer} が時間内に再認証しませんでした。"),
        Text("Have the peer reauthenticate, or connect again.", "相手に再認証させるか、接続し直してください。"),
        "RFC 4478",
    ),
    Entry(
        Code.ADDRESS_CHANGED,
        Side.PATH,
        Severity.INFO,
        Text(
            "{peer} goes on from another address, {remote}.", "{peer} は別のアドレス {remote} から通信を続けています。"
        ),
        Text("Nothing.", "対処は不要です。"),
        "RFC 4555; RFC 7296 §2.23",
    ),
)
