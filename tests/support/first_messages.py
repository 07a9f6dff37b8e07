"""What asks for an IKE SA, and what only looks like it: headers, and so much of the first payload as matters."""

from __future__ import annotations

SPI_I, NOBODY, SOMEBODY = b"initiatr", bytes(8), b"respondr"


def message(spi_r: bytes, payload: int, exchange: int, *, flags: int = 0x08, notify: int = 0) -> bytes:
    """A header and its first payload, as far as they matter."""
    header = SPI_I + spi_r + bytes([payload, 0x20, exchange, flags]) + bytes(8)
    return header + b"\x21\x00\x00\x10\x00\x00" + notify.to_bytes(2) + bytes(8)


FIRST = message(NOBODY, 33, 34)
WITH_COOKIE = message(NOBODY, 41, 34, notify=16390)
FIRSTS = {
    "SA first": FIRST,
    "a notification first that is no cookie": message(NOBODY, 41, 34, notify=16388),
    "a cookie": WITH_COOKIE,
}
OTHERS = {
    "our SPI": message(SOMEBODY, 46, 35),
    "an SPI whose first half is zero": message(bytes(7) + b"\1", 33, 34),
    "another exchange": message(NOBODY, 46, 37),
    "who answers our own first message": message(SOMEBODY, 33, 34, flags=0x20),
    "who turns it back": message(NOBODY, 41, 34, flags=0x20, notify=17),
}
