from cryptography import x509
from cryptography.x509.oid import NameOID

from edgevpn.dn import split
from edgevpn.pki.names import canonical, common_name, text_of
from tests.support.certificates import name


def test_case_and_spaces_do_not_count() -> None:
    """RFC 5280 §7.1."""
    assert canonical(name("  Branch   Office ")) == canonical(name("branch office"))
    assert canonical(name("branch office")) != canonical(name("branchoffice"))


def test_order_counts_between_rdns_and_not_within_one() -> None:
    c, cn = x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"), x509.NameAttribute(NameOID.COMMON_NAME, "gw")
    assert canonical(x509.Name([c, cn])) != canonical(x509.Name([cn, c]))
    one_rdn = [x509.RelativeDistinguishedName([c, cn]), x509.RelativeDistinguishedName([cn, c])]
    assert canonical(x509.Name(one_rdn[:1])) == canonical(x509.Name(one_rdn[1:]))


def test_text_is_read_back() -> None:
    company = (NameOID.ORGANIZATION_NAME, "Muster, Söhne + Co")
    attributes = [(NameOID.COUNTRY_NAME, "CH"), company, (NameOID.COMMON_NAME, "gw")]
    whole = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    assert text_of(whole) == r"C=CH, O=Muster\, Söhne \+ Co, CN=gw"
    assert list(split(text_of(whole))) == [(oid.dotted_string, value) for oid, value in attributes]


def test_common_name() -> None:
    assert common_name(name("gw\n")) == "gw\\n"
    assert common_name(x509.Name([])) == ""
    assert text_of(x509.Name([])) == "(no subject)"
