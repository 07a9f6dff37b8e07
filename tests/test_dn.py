import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from edgevpn import dn
from edgevpn.dn import LONGEST, SHORT, Attribute, canonical_of_der, der_of, rdns_of_der, split, text_of_der
from edgevpn.pki.names import canonical, text_of

OIDS = [
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.LOCALITY_NAME,
    x509.ObjectIdentifier("2.999.16384.1"),
]
values = st.text("aä家 ,+\\", min_size=1, max_size=64 // len("家".encode()))  # RFC 5280 appendix A.1: ub-common-name
attributes = st.builds(x509.NameAttribute, st.sampled_from(OIDS), values)
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
    assert isinstance(text, str)


TEXT = "C=CH, O=Example AG, OU=büro, DC=example, E=carol@example.org, CN=gw"


def test_from_text() -> None:
    name = x509.Name.from_rfc4514_string(",".join(reversed(TEXT.split(", "))), {"E": NameOID.EMAIL_ADDRESS})
    octets = der_of(split(TEXT))
    assert canonical_of_der(octets) == canonical(name)
    assert text_of(name) == text_of_der(octets) == TEXT


@given(st.lists(st.tuples(st.sampled_from([oid.dotted_string for oid in OIDS]), values), max_size=5))
def test_what_is_written_is_read(attributes: list[Attribute]) -> None:
    assert rdns_of_der(der_of(attributes)) == tuple((attribute,) for attribute in attributes)


def test_string_types_of_their_own() -> None:
    """RFC 5280 appendix A.1: countries and serial numbers, domains and addresses of mail have them."""
    attributes = [("2.5.4.6", "ch"), ("2.5.4.5", "ch"), (SHORT["DC"], "ch"), (SHORT["E"], "ch")]
    assert rdns_of_der(der_of(attributes)) == tuple((attribute,) for attribute in attributes)


@pytest.mark.parametrize("attribute", [("2.5.4.6", "CHE"), ("2.5.4.6", "C"), ("2.5.4.6", "äö"), ("2.5.4.5", "ä")])
def test_not_to_be_written(attribute: tuple[str, str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is one is the contract
        der_of([attribute])


def test_text_is_read_back() -> None:
    attributes = [("2.5.4.6", "CH"), ("2.5.4.10", "Muster, Söhne + Co"), ("2.5.4.3", "a\\b=c")]
    assert list(split(dn.text_of(attributes))) == attributes


def test_slashes_part_too() -> None:
    assert list(split("/C=CH/CN=a, b")) == [("2.5.4.6", "CH"), ("2.5.4.3", "a, b")]


@pytest.mark.parametrize(
    "text", ["", "gw", "CN=", "NOPE=gw", "CN=gw,", "=gw", "2.5=gw", "0.40.1=gw", "2.5.٤.3=gw", "2.5.4.3.=gw"]
)
def test_split_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="is not like"):
        list(split(text))
