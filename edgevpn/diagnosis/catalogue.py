"""Every cause with its words, in one place."""

from __future__ import annotations

from collections.abc import Mapping

from edgevpn.diagnosis import agreeing, certificates, proving, reaching
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Entry, Finding, Language

CATALOGUE: Mapping[Code, Entry] = {
    entry.code: entry
    for entries in (agreeing.ENTRIES, proving.ENTRIES, certificates.ENTRIES, reaching.ENTRIES)
    for entry in entries
}


def sentence(finding: Finding, language: Language = Language.ENGLISH) -> str:
    """What happened. What a finding does not bring is left blank."""
    return _filled(CATALOGUE[finding.code].sentence[language], finding)


def cure(finding: Finding, language: Language = Language.ENGLISH) -> str:
    """What helps."""
    return _filled(CATALOGUE[finding.code].cure[language], finding)


def _filled(text: str, finding: Finding) -> str:
    entry = CATALOGUE[finding.code]
    return text.format_map({field.value: finding.get(field) for field in entry.wants})
