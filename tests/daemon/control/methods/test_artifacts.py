from __future__ import annotations

import base64
import io
import stat
import zipfile

from edgevpn.api import records
from edgevpn.daemon.control.methods.artifacts import handed_over
from edgevpn.pki.profiles.profile import Artifact, Media
from tests.support.shapes import misfits

CONF = Artifact("home-phone.conf", Media.TEXT, "# 電話\n".encode(), secret=True)
KEY = Artifact("home-phone.p12", Media.PKCS12, b"\xff\x00")


def test_a_text_is_handed_over_as_text() -> None:
    made = handed_over((CONF,))
    assert misfits(made, records.Artifact) == []
    assert made == {"name": "home-phone.conf", "media_type": "text/plain", "base64": False, "content": "# 電話\n"}


def test_octets_are_handed_over_in_base64() -> None:
    made = handed_over((KEY,))
    assert misfits(made, records.Artifact) == []
    assert (made["media_type"], made["base64"], made["content"]) == ("application/x-pkcs12", True, "/wA=")


def test_several_are_handed_over_together() -> None:
    """Named after the first, the same every time, and for their owner's eyes alone once unpacked."""
    made = handed_over((CONF, KEY))
    assert misfits(made, records.Artifact) == []
    assert (made["name"], made["media_type"]) == ("home-phone.zip", "application/zip")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(made["content"]))) as archive:
        assert {entry.filename: archive.read(entry) for entry in archive.infolist()} == {
            "home-phone.conf": CONF.octets,
            "home-phone.p12": KEY.octets,
        }
        assert {stat.S_IMODE(entry.external_attr >> 16) for entry in archive.infolist()} == {0o600}
    assert handed_over((CONF, KEY)) == made
