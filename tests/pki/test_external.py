from datetime import datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from edgevpn.pki.authority import ServerNames
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.external import External, read_server
from edgevpn.pki.keys import PrivateKey, pkcs8
from tests.support.certificates import DAY, NOW, YEAR, Made, ca, certificate, ed, p256, rsa_key

HOME = ServerNames(("vpn.example.org",))
ROOT = ca("public root")
PUBLIC = ca("public CA", ROOT)
TLS = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def made(
    *,
    key: PrivateKey | None = None,
    issuer: Made = PUBLIC,
    host: str = "vpn.example.org",
    eku: list[x509.ObjectIdentifier] = TLS,
    ends: datetime = NOW + YEAR,
) -> Made:
    """What a public CA makes."""
    extensions = [(x509.SubjectAlternativeName([x509.DNSName(host)]), False), (x509.ExtendedKeyUsage(eku), False)]
    return certificate(x509.Name([]), issuer, extensions, key=key or rsa_key(2048), ends=ends)


def read(server: Made, *above: Made, names: ServerNames = HOME) -> External:
    fullchain = b"".join(pem_of(each.certificate) for each in (server, *above))
    return read_server(fullchain, pkcs8(server.key), names, NOW)


def test_as_acme_clients_write_it() -> None:
    server = made()
    found = read(server, PUBLIC)
    assert found.bundle.sent == (server.der, PUBLIC.der)
    assert found.concerns == ()


def test_one_file() -> None:
    server = made()
    both = pkcs8(server.key) + pem_of(server.certificate) + pem_of(PUBLIC.certificate)
    assert read_server(both, both, HOME, NOW).concerns == ()


@pytest.mark.parametrize(
    ("server", "above", "field", "text"),
    [
        (made(), [], "chain", "the CA's own certificate is missing"),
        (made(), [ROOT, PUBLIC], "chain", "not in order"),
        (made(key=p256()), [PUBLIC], "key", "Android"),
        (made(key=ec.generate_private_key(ec.SECP521R1())), [PUBLIC], "key", "Windows"),
        (made(key=ed()), [PUBLIC], "key", "Windows"),
        (made(eku=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), [PUBLIC], "extendedKeyUsage", "serverAuth"),
        (made(ends=NOW + 9 * DAY), [PUBLIC], "validity.notAfter", "ends on 2027-03-10"),
    ],
)
def test_concerns(server: Made, above: list[Made], field: str, text: str) -> None:
    [concern] = read(server, *above).concerns
    assert concern.field == field
    assert text in concern.text


def test_chain_out_of_order_is_sent_in_order() -> None:
    server = made()
    assert read(server, ROOT, PUBLIC).bundle.sent == (server.der, PUBLIC.der)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (made(host="other.example.org"), Reason.WRONG_NAME),
        (made(host="*.example.org"), Reason.WRONG_NAME),
        (made(ends=NOW - DAY), Reason.EXPIRED),
        (made(eku=[ExtendedKeyUsageOID.CODE_SIGNING]), Reason.WRONG_EKU),
    ],
)
def test_of_no_use(server: Made, reason: Reason) -> None:
    with pytest.raises(PkiError) as refusal:
        read(server, PUBLIC)
    assert refusal.value.reason is reason


def test_addresses() -> None:
    """The address has to be there as one; written as a name it is only what Windows would like."""
    address = ServerNames((), (ip_address("192.0.2.1"),))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.1"))])
    server = certificate("gw", PUBLIC, [(alternative, False), (x509.ExtendedKeyUsage(TLS), False)], key=rsa_key(2048))
    assert read(server, PUBLIC, names=address).concerns == ()
    with pytest.raises(PkiError):
        read(made(host="192.0.2.1"), PUBLIC, names=address)


def test_while_it_is_being_written() -> None:
    """The new certificate is there and the new key is not: a reason that says to look again."""
    server = made()
    with pytest.raises(PkiError) as refusal:
        read_server(pem_of(server.certificate) + pem_of(PUBLIC.certificate), pkcs8(p256()), HOME, NOW)
    assert refusal.value.reason is Reason.MISMATCH
    with pytest.raises(PkiError) as refusal:
        read_server(pem_of(server.certificate)[:300], pkcs8(server.key), HOME, NOW)
    assert refusal.value.reason is Reason.UNREADABLE
