"""QR codes of links, by segno: an encoder is no place for hand-made code, and this one is pure Python.

Only links are put into codes: a profile with its certificates is far beyond the 2953 octets of the largest.
"""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import segno

from edgevpn.pki.errors import Reason, WishRefused
from edgevpn.pki.profiles.profile import Artifact, Media

LONGEST = 300
QUIET = 4
"""Modules of margin (ISO/IEC 18004 §6.3.8)."""


def svg(link: str) -> Artifact:
    """A picture, black on white whatever surrounds it. As secret as the link."""
    out = io.BytesIO()
    _code(link).save(out, kind="svg", xmldecl=False, border=QUIET, scale=4, dark="#000", light="#fff")
    return Artifact("link.svg", Media.SVG, out.getvalue(), secret=True)


def terminal(link: str) -> str:
    """The same for a terminal, two modules a character."""
    out = io.StringIO()
    _code(link).terminal(out=out, border=QUIET, compact=True)
    return out.getvalue()


def _code(link: str) -> segno.QRCode:
    parts = urlsplit(link)
    if parts.scheme not in {"http", "https"} or not parts.netloc or not link.isascii() or not link.isprintable():
        raise WishRefused(Reason.NOT_ALLOWED, "the link", detail="allowed: http or https, in ASCII")
    if len(link) > LONGEST:
        raise WishRefused(Reason.NOT_ALLOWED, "the link", detail=f"allowed: up to {LONGEST} characters")
    return segno.make_qr(link, error="m")
