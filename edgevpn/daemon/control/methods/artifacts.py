"""Files that were made for somebody, as the API hands them over: one by itself, or all in a ZIP archive."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import PurePosixPath

from edgevpn.api import records
from edgevpn.pki.profiles.profile import Artifact

ZIP = "application/zip"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The first moment of ZIP: what is inside has no other time."""
PRIVATE = 0o600 << 16


def handed_over(files: Sequence[Artifact]) -> records.Artifact:
    """The files; an archive is named after the first of them, and has each in its folder."""
    if len(files) == 1 and not files[0].folder:
        return _alone(files[0])
    import zipfile  # with every compression that there is, for one archive in a daemon's life

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(str(PurePosixPath(file.folder, file.name)), LONG_AGO)
            entry.external_attr = PRIVATE
            archive.writestr(entry, file.octets, zipfile.ZIP_DEFLATED)
    return octets_artifact(PurePosixPath(files[0].name).with_suffix(".zip").name, ZIP, buffer.getvalue())


def text_artifact(name: str, media_type: str, text: str) -> records.Artifact:
    """A file of text."""
    return records.Artifact(name=name, media_type=media_type, base64=False, content=text)


def octets_artifact(name: str, media_type: str, octets: bytes) -> records.Artifact:
    """A file of octets."""
    content = base64.b64encode(octets).decode()
    return records.Artifact(name=name, media_type=media_type, base64=True, content=content)


def _alone(file: Artifact) -> records.Artifact:
    """Text as it is, where it is text; that it is UTF-8 goes without saying in JSON."""
    media_type = file.media.value.partition(";")[0]
    try:
        return text_artifact(file.name, media_type, file.octets.decode())
    except UnicodeDecodeError:
        return octets_artifact(file.name, media_type, file.octets)
