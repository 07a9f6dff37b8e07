"""Who somebody is, and how that is shown."""

from __future__ import annotations

from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Entry, Severity, Side, Text

ENTRIES = (
    Entry(
        Code.ADDRESS_UNKNOWN,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "site.*.remote: no site is expected at {remote}, and there is no pool for devices.",
            "site.*.remote: {remote} からの接続は設定されておらず、端末用のプールもありません。",
        ),
        Text(
            "Add that address to the site's remote, or set remote to the peer's name or to \"any\".",
            'サイトの remote にそのアドレスを加えるか、相手の名前または "any" にしてください。',
        ),
        Text("RFC 4301 §4.4.3: the peer authorization database", "RFC 4301 §4.4.3: ピア認可データベース (PAD)"),
    ),
    Entry(
        Code.IDENTITY_UNKNOWN,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer says to be {identity}; expected is {expected}.",
            "{setting}: 相手は {identity} と名乗っています。設定は {expected} です。",
        ),
        Text(
            "Set {setting} to what the peer says, or the peer's own ID to what is expected.",
            "{setting} を相手の名乗りに合わせるか、相手の ID を変えてください。",
        ),
        Text(
            "RFC 7296 §2.15; the peer learns only AUTHENTICATION_FAILED",
            "RFC 7296 §2.15; 相手に伝わるのは AUTHENTICATION_FAILED だけ",
        ),
    ),
    Entry(
        Code.OTHER_IDENTITY,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: who answered says to be {identity}; expected is {expected}.",
            "{setting}: 応答した相手は {identity} と名乗っています。設定は {expected} です。",
        ),
        Text(
            "Set {setting} to what the peer says, or the peer's own ID to what is expected.",
            "{setting} を相手の名乗りに合わせるか、相手の ID を変えてください。",
        ),
        "RFC 7296 §2.15: IDr",
    ),
    Entry(
        Code.NOT_OUR_NAME,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer asks for a gateway called {identity}; this one is called {expected}.",
            "{setting}: 相手は {identity} という名前を求めていますが、こちらの名前は {expected} です。",
        ),
        Text(
            "Type one of our names into the peer (remote ID, server name), or change {setting}.",
            "相手側の接続先 ID(サーバー名)をこちらの名前にするか、{setting} を変えてください。",
        ),
        Text(
            "RFC 7296 §2.15: IDr; iPhones and Macs send the remote ID and want it back unchanged",
            "RFC 7296 §2.15: IDr; iPhone と Mac はリモート ID を送り、同じものが返ることを求める",
        ),
    ),
    Entry(
        Code.METHOD_NOT_ALLOWED,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer proves itself by {theirs}; expected is another way.",
            "{setting}: 相手の認証方法は {theirs} ですが、別の方法が設定されています。",
        ),
        Text(
            "Choose the same way of authentication in {setting} and at the peer.",
            "{setting} と相手側で同じ認証方法を選んでください。",
        ),
        "RFC 7296 §3.8",
    ),
    Entry(
        Code.KEY_UNKNOWN,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: no device with a pre-shared key is called {identity}.",
            "{setting}: 事前共有鍵を持つ端末に {identity} という ID はありません。",
        ),
        Text(
            "Type the ID of the device on it (local identifier), or add the device.",
            "端末側のローカル ID を正しく入力するか、端末を追加してください。",
        ),
        Text(
            "RFC 7296 §2.15; the peer learns only AUTHENTICATION_FAILED",
            "RFC 7296 §2.15; 相手に伝わるのは AUTHENTICATION_FAILED だけ",
        ),
    ),
    Entry(
        Code.WRONG_KEY,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: {identity} is known, but its pre-shared key is another one than ours.",
            "{setting}: {identity} は登録済みですが、事前共有鍵が一致しません。",
        ),
        Text(
            "Write the same key on both sides; look for blanks at its ends and for letters that look alike.",
            "両側に同じ鍵を書いてください。前後の空白や似た文字にも注意してください。",
        ),
        Text("RFC 7296 §2.15: AUTH by a shared key", "RFC 7296 §2.15: 共有鍵による AUTH"),
    ),
    Entry(
        Code.USER_UNKNOWN,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: no device that logs in by password is called {identity}.",
            "{setting}: {identity} というパスワード利用者はいません。",
        ),
        Text(
            "Correct the user name on the device, or add it with `edgevpn device add`.",
            "端末のユーザー名を直すか、`edgevpn device add` で追加してください。",
        ),
        Text(
            "RFC 2759 §6; the peer cannot tell this from a wrong password",
            "RFC 2759 §6; 相手にはパスワードの間違いと区別できない",
        ),
    ),
    Entry(
        Code.WRONG_PASSWORD,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: {identity} is known, but the password is wrong.",
            "{setting}: {identity} のパスワードが違います。",
        ),
        Text(
            "Type the password again, or make a new one with `edgevpn device set {device} --new-secret`.",
            "パスワードを入力し直すか、`edgevpn device set {device} --new-secret` で作り直してください。",
        ),
        Text("RFC 2759 §6: error 691", "RFC 2759 §6: エラー 691"),
    ),
    Entry(
        Code.OTHER_USER,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the device gives the name {identity} and logs in under another.",
            "{setting}: 端末が {identity} と名乗り、別の名前でログインしようとしました。",
        ),
        Text("Use one user name everywhere on the device.", "端末のユーザー名を 1 つに統一してください。"),
        Text(
            "RFC 2759 §4: the name in the response is part of what is proven",
            "RFC 2759 §4: 応答の中の名前も証明に含まれる",
        ),
    ),
    Entry(
        Code.NO_COMMON_EAP,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the device logs in by no method of EAP that its pool has: EAP-MSCHAPv2 or EAP-TLS.",
            "{setting}: 端末の EAP 方式は、プールにある方式(EAP-MSCHAPv2 または EAP-TLS)と一致しません。",
        ),
        Text(
            'Choose user name and password (EAP-MSCHAPv2) on the device; for certificates add "eap-tls" to {setting}.',
            '端末でユーザー名とパスワード(EAP-MSCHAPv2)を選ぶか、証明書なら {setting} に "eap-tls" を加えてください。',
        ),
        "RFC 3748 §5.3.1: Nak",
    ),
    Entry(
        Code.EAP_ABANDONED,
        Side.THEIRS,
        Severity.WARNING,
        Text(
            "{setting}: the device {identity} broke off while logging in.",
            "{setting}: 端末 {identity} がログインを中断しました。",
        ),
        Text(
            "Connect again; perhaps somebody waited too long before typing the password.",
            "もう一度接続してください。パスワード入力に時間がかかりすぎた可能性があります。",
        ),
        "RFC 7296 §2.16",
    ),
    Entry(
        Code.SERVER_NOT_PROVEN,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the gateway that answered does not show that it is the right one.",
            "{setting}: 応答したゲートウェイが本物であることを示しませんでした。",
        ),
        Text(
            "Have the gateway show a certificate; if it should, somebody may stand between.",
            "ゲートウェイに証明書を提示させてください。設定済みなら第三者の介在を疑ってください。",
        ),
        Text(
            "RFC 7296 §2.16: EAP methods that authenticate one side alone",
            "RFC 7296 §2.16: 片側だけを認証する EAP 方式",
        ),
    ),
    Entry(
        Code.SECOND_REFUSED,
        Side.OURS,
        Severity.WARNING,
        Text(
            "{setting}: {identity} is connected already, and a second connection is refused.",
            "{setting}: {identity} は接続済みで、2 つ目の接続は拒否されます。",
        ),
        Text('Set {setting} to "replace" or "keep".', '{setting} を "replace" か "keep" にしてください。'),
        "RFC 7296 §2.4",
    ),
    Entry(
        Code.TOO_MANY_SAS,
        Side.THEIRS,
        Severity.WARNING,
        Text(
            "{setting}: {identity} has as many tunnels as one peer may have.",
            "{setting}: {identity} のトンネル数が、相手ひとつあたりの上限に達しています。",
        ),
        Text(
            'Give each device a login of its own, or set {setting} to "replace".',
            '端末ごとに別のログインを用意するか、{setting} を "replace" にしてください。',
        ),
        Text("our own limit: memory is for all", "メモリーを分け合うための独自の上限"),
    ),
    Entry(
        Code.DEVICE_DISABLED,
        Side.OURS,
        Severity.ERROR,
        Text("{setting}: the device is disabled.", "{setting}: この端末は無効になっています。"),
        Text("Let it in again with `edgevpn device enable`.", "`edgevpn device enable` で有効にしてください。"),
        Text("our configuration", "こちらの設定"),
    ),
    Entry(
        Code.DEVICE_EXPIRED,
        Side.OURS,
        Severity.ERROR,
        Text("{setting}: the time of the device is over.", "{setting}: この端末の有効期限が切れています。"),
        Text("Set {setting} to a later date.", "{setting} をもっと後の日付にしてください。"),
        Text("our configuration", "こちらの設定"),
    ),
    Entry(
        Code.TOO_MANY_TRIES,
        Side.THEIRS,
        Severity.WARNING,
        Text(
            "{setting}: there were too many tries to log in as this device.",
            "{setting}: この端末としてのログイン試行が多すぎます。",
        ),
        Text(
            "Wait a minute; then have it log in with the right password or key.",
            "1 分待ってから、正しいパスワードか鍵でログインしてください。",
        ),
        Text("our own limit against guessing", "推測を防ぐための独自の上限"),
    ),
    Entry(
        Code.LEFT_UNCONVINCED,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the peer left after it had seen our proof: it does not trust our CA, or expects another name"
            " or purpose in our certificate, or another key.",
            "{setting}: 相手はこちらの証明を見て切断しました。CA を信頼していないか、名前や用途、鍵が違います。",
        ),
        Text(
            "Install our CA on the device (Windows: in the computer's store), and type the server as one of the public"
            " names.",
            "端末にこちらの CA を入れ(Windows はコンピューターのストア)、サーバー名を公開名のひとつにしてください。",
        ),
        Text(
            "Windows error 13801; iPhones and Android leave without a word",
            "Windows ではエラー 13801; iPhone と Android は何も言わずに切断する",
        ),
    ),
    Entry(
        Code.REFUSED_BY_PEER,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}, local_id or remote_id: the peer does not accept who we are, or is not called as we call it"
            " ({detail}).",
            "{setting}、local_id または remote_id: 相手がこちらを認めないか、名前が違います({detail})。",
        ),
        Text(
            "Compare the three with what the peer has for us; its log says which of them it is.",
            "三つを相手側の設定と比べてください。どれかは相手のログで分かります。",
        ),
        Text(
            "RFC 7296 §2.21.2: AUTHENTICATION_FAILED says nothing more",
            "RFC 7296 §2.21.2: AUTHENTICATION_FAILED はそれ以上を伝えない",
        ),
    ),
    Entry(
        Code.CANNOT_SIGN,
        Side.OURS,
        Severity.ERROR,
        Text(
            "{setting}: no key of ours makes a signature that the peer can verify.",
            "{setting}: 相手が検証できる署名を作れる鍵がこちらにありません。",
        ),
        Text(
            "Give the gateway an RSA certificate beside the other (pki.key_type).",
            "ゲートウェイに RSA 証明書も用意してください(pki.key_type)。",
        ),
        Text(
            "Android and iPhones without a profile verify RSA alone",
            "Android と、プロファイルのない iPhone は RSA だけを検証できる",
        ),
    ),
)
