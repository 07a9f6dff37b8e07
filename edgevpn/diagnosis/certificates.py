"""Certificates and signatures that are not accepted."""

from __future__ import annotations

from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Entry, Severity, Side, Text

ENTRIES = (
    Entry(
        Code.CERT_MISSING,
        Side.THEIRS,
        Severity.ERROR,
        Text("{setting}: {identity} shows no certificate.", "{setting}: {identity} が証明書を提示しません。"),
        Text(
            "Install the certificate on the peer, and have it send it always (strongSwan: send_cert = always).",
            "相手に証明書を入れ、常に送るよう設定してください(strongSwan なら send_cert = always)。",
        ),
        "RFC 7296 §3.6",
    ),
    Entry(
        Code.CERT_TOO_MANY,
        Side.THEIRS,
        Severity.ERROR,
        Text("{setting}: {identity} shows too many certificates.", "{setting}: {identity} の証明書が多すぎます。"),
        Text("Have it send its own and those between alone.", "自身と中間 CA の証明書だけを送らせてください。"),
        Text("our own bound", "独自の上限"),
    ),
    Entry(
        Code.CERT_EXPIRED,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the certificate of {identity} has expired ({detail}).",
            "{setting}: {identity} の証明書は期限切れです({detail})。",
        ),
        Text(
            "Issue it anew; if it has not expired, set our clock.",
            "再発行してください。期限内なら時計を合わせてください。",
        ),
        "RFC 5280 §4.1.2.5",
    ),
    Entry(
        Code.CERT_NOT_YET_VALID,
        Side.OURS,
        Severity.ERROR,
        Text(
            "{setting}: the certificate of {identity} is not valid yet ({detail}): one of the two clocks is wrong.",
            "{setting}: {identity} の証明書はまだ有効期間前です({detail})。時計がずれています。",
        ),
        Text(
            "Set this router's clock (NTP); if it is right, that of whoever issued the certificate.",
            "このルーターの時計(NTP)を合わせてください。正しければ発行側の時計を直してください。",
        ),
        Text(
            "RFC 5280 §4.1.2.5; routers without a battery start in the past",
            "RFC 5280 §4.1.2.5; 電池のないルーターは過去の時刻で起動する",
        ),
    ),
    Entry(
        Code.CERT_UNKNOWN_ISSUER,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the certificate of {identity} was signed by no CA that is trusted here ({detail}).",
            "{setting}: {identity} の証明書は、信頼していない CA の署名です({detail})。",
        ),
        Text(
            "Add the peer's CA to {setting}, or give the peer a certificate of ours.",
            "相手の CA を {setting} に加えるか、こちらで証明書を発行してください。",
        ),
        "RFC 5280 §6.1",
    ),
    Entry(
        Code.CERT_REVOKED,
        Side.OURS,
        Severity.ERROR,
        Text(
            "{setting}: the certificate of {identity} has been revoked.",
            "{setting}: {identity} の証明書は失効しています。",
        ),
        Text("Export a new profile for the device.", "端末の新しいプロファイルを作ってください。"),
        "RFC 5280 §5",
    ),
    Entry(
        Code.CERT_REVOCATION_UNKNOWN,
        Side.OURS,
        Severity.ERROR,
        Text(
            "{setting}: whether the certificate of {identity} has been revoked cannot be told ({detail}).",
            "{setting}: {identity} の証明書が失効していないか確認できません({detail})。",
        ),
        Text("Provide a current CRL of that CA.", "その CA の最新の CRL を用意してください。"),
        "RFC 5280 §6.3",
    ),
    Entry(
        Code.CERT_WRONG_NAME,
        Side.BOTH,
        Severity.ERROR,
        Text(
            "{setting}: the peer says to be {identity}, but its certificate does not bear that name ({detail}).",
            "{setting}: 相手は {identity} と名乗りますが、証明書にその名前がありません({detail})。",
        ),
        Text(
            "Give the peer an ID that stands in its certificate's subjectAltName, or issue it anew with that name.",
            "証明書の subjectAltName にある ID を使うか、その名前で再発行してください。",
        ),
        "RFC 4945 §3.1; RFC 7296 §2.15",
    ),
    Entry(
        Code.CERT_WRONG_PURPOSE,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the certificate of {identity} was made for another purpose ({detail}).",
            "{setting}: {identity} の証明書は用途が違います({detail})。",
        ),
        Text(
            "Issue it for this: serverAuth for a gateway, clientAuth for a device, and digitalSignature.",
            "ゲートウェイは serverAuth、端末は clientAuth、いずれも digitalSignature で発行してください。",
        ),
        Text(
            "RFC 4945 §5.1.3; Windows and Apple demand serverAuth",
            "RFC 4945 §5.1.3; Windows と Apple は serverAuth を求める",
        ),
    ),
    Entry(
        Code.CERT_WEAK,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the certificate of {identity} has a weak key or signature ({detail}).",
            "{setting}: {identity} の証明書の鍵または署名が弱すぎます({detail})。",
        ),
        Text("Issue it anew: RSA 2048 or P-256, SHA-256.", "RSA 2048 または P-256、SHA-256 で再発行してください。"),
        "RFC 8247 §3",
    ),
    Entry(
        Code.CERT_NOT_UNDERSTOOD,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: a certificate of {identity} asks for something that is not understood here ({detail}).",
            "{setting}: {identity} の証明書に、ここで処理できない必須の拡張があります({detail})。",
        ),
        Text(
            "Issue it anew without that extension, or with one that is not critical.",
            "その拡張を付けないか、critical でない拡張として再発行してください。",
        ),
        "RFC 5280 §4.2",
    ),
    Entry(
        Code.CERT_BAD_PATH,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the way from the certificate of {identity} to its CA is not sound ({detail}).",
            "{setting}: {identity} の証明書から CA までの経路が正しくありません({detail})。",
        ),
        Text(
            "Have the peer send the right certificates of the CAs between, or issue its certificate anew.",
            "正しい中間 CA 証明書を送らせるか、再発行してください。",
        ),
        "RFC 5280 §6.1",
    ),
    Entry(
        Code.CERT_REFUSED,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the certificate of {identity} is not accepted ({detail}).",
            "{setting}: {identity} の証明書は受け入れられません({detail})。",
        ),
        Text("Issue it anew.", "再発行してください。"),
        "RFC 5280",
    ),
    Entry(
        Code.SIGNATURE_UNKNOWN,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: {identity} signs in a way that is not known or not allowed here ({detail}).",
            "{setting}: {identity} の署名方式は未対応か許可されていません({detail})。",
        ),
        Text(
            "Have it sign with RSA or ECDSA and SHA-256 (RFC 7427).",
            "RSA または ECDSA と SHA-256 で署名させてください(RFC 7427)。",
        ),
        "RFC 7427 §3",
    ),
    Entry(
        Code.SIGNATURE_WRONG,
        Side.THEIRS,
        Severity.ERROR,
        Text(
            "{setting}: the signature of {identity} does not belong to its certificate.",
            "{setting}: {identity} の署名が証明書と一致しません。",
        ),
        Text("Give the peer the private key of that certificate.", "その証明書の秘密鍵を相手に設定してください。"),
        "RFC 7296 §2.15",
    ),
)
