"""What `attempts` answers: the book of attempts, in the words of edgevpn/api."""

from __future__ import annotations

from edgevpn.api.records import Attempt as Record
from edgevpn.daemon.attempts.asked import told
from edgevpn.diagnosis.attempts import Attempt, Attempts
from edgevpn.diagnosis.catalogue import CATALOGUE, cure, sentence
from edgevpn.diagnosis.entry import Language, shown


def attempt_record(attempt: Attempt, epoch: float, language: Language = Language.ENGLISH) -> Record:
    """One attempt. `epoch`: the Unix time, in seconds, at which the attempt's clock was zero.

    It is rounded, so that an attempt has the same time whenever it is told.
    """
    finding = attempt.finding
    pool, slash, _ = attempt.peer.partition("/")
    return Record(
        at=attempt.at + round(epoch, 1),
        peer=shown(attempt.device or attempt.identity or pool if slash else attempt.device or attempt.peer),
        remote=attempt.remote,
        identity=shown(attempt.identity),
        client=attempt.client,
        stage=attempt.stage.value,
        cause=finding.code.value if finding else "",
        sentence=sentence(finding, language) if finding else "",
        cure=cure(finding, language) if finding else "",
        side=CATALOGUE[finding.code].side.value if finding else "",
        fact=CATALOGUE[finding.code].fact_in(language) if finding else "",
        tries=attempt.tries,
        called=attempt.called,
        asked=told(attempt.asked),
    )


def attempt_records(attempts: Attempts, peer: str, epoch: float, language: Language = Language.ENGLISH) -> list[Record]:
    """The newest first: of everybody, or of a site, a device, a pool, an identity or an address."""
    return [attempt_record(each, epoch, language) for each in (attempts.of(peer) if peer else attempts)]
