import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.pki.dn import LONGEST, canonical_of_der, name_of_text, rdns_of_der, text_of_der
from edgevpn.pki.names import canonical, text_of

OIDS = [
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.LOCALITY_NAME,
    x509.ObjectIdentifier("2.999.16384.1"),
]
attributes = st.builds(x509.NameAttribute, st.sampled_from(OIDS), st.text("aä家 ,+\\", min_size=1, max_size=40))
rdns = st.lists(attributes, min_size=1, max_size=2, unique_by=str).map(x509.RelativeDistinguishedName)
names = st.lists(rdns, max_size=5).map(x509.Name)

OCTETS = bytes.fromhex("30 1d 310b 3009 0603 550406 1302 4348 310e 300c 0603 550403 0c05") + "büro".encode()

REFUSED = {
    "empty": "",
    "no SEQUENCE": "3100",
    "two names": "3000 3000",
    "no SET": "3002 3000",
    "no attribute": "3004 3102 3100",
    "no value": "3009 3107 3005 0603 550403",
    "three parts": "3010 310e 300c 0603 550403 0c0161 0c0162",
    "no OID": "300b 3109 3007 0c01 61 0c02 6162",
    "OID that does not end": "300c 310a 3008 0603 5504 83 0c01 61",
    "empty OID": "3009 3107 3005 0600 0c01 61",
    "INTEGER as a value": "300c 310a 3008 0603 550403 0201 61",
    "no UTF-8": "300c 310a 3008 0603 550403 0c01 ff",
    "cut off": "300c 310a 3008 0603 550403 0c02 61",
    "indefinite length": "3080 0000",
    "length of three octets": "3083 000000",
    "no length": "30",
}


def test_octets() -> None:
    assert rdns_of_der(OCTETS) == ((("2.5.4.6", "CH"),), (("2.5.4.3", "büro"),))
    assert text_of_der(OCTETS) == "C=CH, CN=büro"


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_refused(octets: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is one is the contract
        rdns_of_der(bytes.fromhex(octets))


def test_too_long() -> None:
    with pytest.raises(ValueError, match="octets"):
        rdns_of_der(bytes(LONGEST + 1))


@given(names)
def test_reads_what_cryptography_writes(name: x509.Name) -> None:
    assert canonical_of_der(name.public_bytes()) == canonical(name)


@given(names, st.data())
def test_damaged(name: x509.Name, data: st.DataObject) -> None:
    """Damage is refused as ValueError, or reads as another name."""
    octets = bytearray(name.public_bytes())
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        text = text_of_der(bytes(octets))
    except ValueError:
        return
    assert text.isprintable()


def test_from_text() -> None:
    name = name_of_text("C=CH, O=Example, CN=gw")
    assert canonical_of_der(name.public_bytes()) == canonical(name)
    assert text_of(name) == text_of_der(name.public_bytes()) == "C=CH, O=Example, CN=gw"
