"""Distinguished Names of certificates: how they are compared (RFC 5280 §7.1) and shown (RFC 4514)."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from edgevpn.dn import CanonicalName, folded, written
from edgevpn.pki.errors import shown


def canonical(name: x509.Name) -> CanonicalName:
    """A name so that two names that mean the same are equal, whatever their string types, case and spaces."""
    return tuple(
        frozenset((attribute.oid.dotted_string, folded(_text(attribute.value))) for attribute in rdn)
        for rdn in name.rdns
    )


def text_of(name: x509.Name) -> str:
    """A name for people, as one printable line: "C=CH, O=Example, CN=gw"."""
    return shown(", ".join("+".join(map(_written, rdn)) for rdn in name.rdns)) or "(no subject)"


def common_name(name: x509.Name) -> str:
    """The last common name, printable, or ""."""
    values = [attribute.value for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return shown(values[-1]) if values else ""


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _written(attribute: x509.NameAttribute[str | bytes]) -> str:
    value = attribute.value if isinstance(attribute.value, str) else f"#{attribute.value.hex()}"
    return written(attribute.oid.dotted_string, value)
