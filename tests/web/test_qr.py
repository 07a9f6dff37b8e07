from __future__ import annotations

import zxingcpp

from edgevpn.web.qr import rows

LINK = "https://192.168.1.1:8443/d/AAAAAAAAAAAAAAAAAAAAAA/phone.mobileconfig"
QUIET, SCALE = 4, 4


def test_a_reader_reads_it() -> None:
    """Drawn as the browser draws it, with the quiet zone around."""
    code = rows(LINK)
    size = len(code) + 2 * QUIET
    blank = "0" * size
    framed = [blank] * QUIET + [f"{'0' * QUIET}{row}{'0' * QUIET}" for row in code] + [blank] * QUIET
    lines = (b"".join((b"\0" if module == "1" else b"\xff") * SCALE for module in row) for row in framed)
    picture = memoryview(b"".join(line * SCALE for line in lines)).cast("B", (size * SCALE, size * SCALE))
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [LINK]
