"""QR codes as rows of 0 and 1, for the browser to draw."""

from __future__ import annotations


def rows(text: str) -> list[str]:
    """The modules of a code, without the quiet zone around it."""
    import segno  # loaded when the first code is asked for: most of the time nobody does

    return ["".join(map(str, row)) for row in segno.make_qr(text, error="m").matrix]
