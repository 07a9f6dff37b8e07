"""Session keys in the format of Wireshark's tables, for whoever must see into IKE and ESP while debugging.

They go into a folder that Wireshark takes as a configuration profile: below its profiles folder, or named by
`WIRESHARK_CONFIG_DIR`. A table with an algorithm that Wireshark cannot decrypt would be refused as a whole, so such
keys are written as comments.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from edgevpn.daemon.base.logs import note
from edgevpn.ike.contract import KeysDerived
from edgevpn.ike.iana import Encr, Integ
from edgevpn.ike.state import ChildSa, Secured

IKE_TABLE = "ikev2_decryption_table"
ESP_TABLE = "esp_sa"

# Wireshark's names; "{}" is the key length in bits.
IKE_ENCR: Mapping[Encr, str] = {
    Encr.AES_CBC: "AES-CBC-{} [RFC3602]",
    Encr.AES_CTR: "AES-CTR-{} [RFC5930]",
    Encr.AES_CCM_8: "AES-CCM-{} with 8 octet ICV [RFC5282]",
    Encr.AES_CCM_12: "AES-CCM-{} with 12 octet ICV [RFC5282]",
    Encr.AES_CCM_16: "AES-CCM-{} with 16 octet ICV [RFC5282]",
    Encr.AES_GCM_8: "AES-GCM-{} with 8 octet ICV [RFC5282]",
    Encr.AES_GCM_12: "AES-GCM-{} with 12 octet ICV [RFC5282]",
    Encr.AES_GCM_16: "AES-GCM-{} with 16 octet ICV [RFC5282]",
}
IKE_INTEG: Mapping[Integ, str] = {
    Integ.NONE: "NONE [RFC4306]",
    Integ.HMAC_SHA1_96: "HMAC_SHA1_96 [RFC2404]",
    Integ.HMAC_SHA2_256_128: "HMAC_SHA2_256_128 [RFC4868]",
    Integ.HMAC_SHA2_384_192: "HMAC_SHA2_384_192 [RFC4868]",
    Integ.HMAC_SHA2_512_256: "HMAC_SHA2_512_256 [RFC4868]",
}
ESP_ENCR: Mapping[Encr, str] = {
    Encr.AES_CBC: "AES-CBC [RFC3602]",
    Encr.AES_CTR: "AES-CTR [RFC3686]",
    Encr.AES_GCM_8: "AES-GCM with 8 octet ICV [RFC4106]",
    Encr.AES_GCM_12: "AES-GCM with 12 octet ICV [RFC4106]",
    Encr.AES_GCM_16: "AES-GCM with 16 octet ICV [RFC4106]",
    Encr.CHACHA20_POLY1305: "ChaCha20 with Poly1305 [RFC7634]",  # from Wireshark 4.2 on
}
ESP_INTEG: Mapping[Integ, str] = {
    Integ.NONE: "NULL",
    Integ.HMAC_SHA1_96: "HMAC-SHA-1-96 [RFC2404]",
    Integ.HMAC_SHA2_256_128: "HMAC-SHA-256-128 [RFC4868]",
    Integ.HMAC_SHA2_384_192: "HMAC-SHA-384-192 [RFC4868]",
    Integ.HMAC_SHA2_512_256: "HMAC-SHA-512-256 [RFC4868]",
}

# For integrity algorithms that Wireshark has not: it decrypts without checking.
IKE_ANY = "ANY 96-bits of Authentication [No Checking]"
ESP_ANY = "ANY 96 bit authentication [no checking]"

# Addresses are not named, as they may change while an SA lives; its SPI tells it well enough.
FAMILIES = ("IPv4", "IPv6")
ANYWHERE = '"*","*"'

log = logging.getLogger("edgevpn.keys")


def ike_line(secured: Secured) -> str:
    """The keys of an IKE SA as a line of `ikev2_decryption_table`."""
    suite, keys = secured.suite, secured.keys
    integ = IKE_INTEG.get(suite.integ, IKE_ANY)
    checked = suite.integ in IKE_INTEG
    fields = (
        secured.spi_i.hex(),
        secured.spi_r.hex(),
        keys.sk_ei.hex(),
        keys.sk_er.hex(),
        _quoted(IKE_ENCR.get(suite.encr, suite.encr.name).format(suite.key_length)),
        keys.sk_ai.hex() if checked else "",
        keys.sk_ar.hex() if checked else "",
        _quoted(integ),
    )
    return _line(fields, known=suite.encr in IKE_ENCR)


def esp_lines(child: ChildSa) -> tuple[str, ...]:
    """The keys of a CHILD SA as lines of `esp_sa`: each direction, under either version of IP."""
    directions = ((child.spi_out, *child.keys_out), (child.spi_in, *child.keys_in))
    return tuple(_esp_line(child, family, *keys) for keys in directions for family in FAMILIES)


def _esp_line(child: ChildSa, family: str, spi: bytes, encr_key: bytes, integ_key: bytes) -> str:
    suite = child.suite
    checked = suite.integ in ESP_INTEG and integ_key
    fields = (
        _quoted(family),
        ANYWHERE,
        _quoted(f"0x{spi.hex()}"),
        _quoted(ESP_ENCR.get(suite.encr, suite.encr.name)),
        _quoted(f"0x{encr_key.hex()}"),
        _quoted(ESP_INTEG.get(suite.integ, ESP_ANY)),
        _quoted(f"0x{integ_key.hex()}" if checked else ""),
        *((_quoted("64-bit"), _quoted("0")) if suite.esn else ()),  # Wireshark before 4.2 leaves these out, and says so
    )
    return _line(fields, known=suite.encr in ESP_ENCR)


def _quoted(text: str) -> str:
    return f'"{text}"'


def _line(fields: tuple[str, ...], known: bool) -> str:
    return f"{'' if known else '# '}{','.join(fields)}\n"


class KeyLog:
    """Adds to the tables in a folder, which is made, as they are, for the owner's eyes only."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError if the folder cannot be made or written to."""
        self._folder = folder
        self._is_working = True
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for table in (IKE_TABLE, ESP_TABLE):
            self._append(table, "")

    def note(self, effect: KeysDerived) -> None:
        """Write down the keys that were derived. Where that fails, this was the last time; the tunnels go on."""
        if not self._is_working:
            return
        try:
            if effect.child is None:
                self._append(IKE_TABLE, ike_line(effect.secured))
            else:
                self._append(ESP_TABLE, "".join(esp_lines(effect.child)))
        except OSError as error:
            self._is_working = False
            note(log, logging.ERROR, "keys_not_exported", to=self._folder, why=error.strerror or error)

    def _append(self, table: str, lines: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._folder / table, flags, 0o600)
        with open(descriptor, "a") as file:
            os.fchmod(descriptor, 0o600)
            file.write(lines)
