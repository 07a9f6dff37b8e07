"""What `attempts` answers: the book of attempts, in the words of edgevpn/api."""

from __future__ import annotations

from edgevpn.api.records import Attempt as Record
from edgevpn.diagnosis.attempts import Attempt, Attempts
from edgevpn.diagnosis.catalogue import cure, sentence
from edgevpn.diagnosis.entry import shown


def attempt_record(attempt: Attempt, epoch: float) -> Record:
    """One attempt. `epoch`: the Unix time, in seconds, at which the attempt's clock was zero."""
    finding = attempt.finding
    pool, slash, _ = attempt.peer.partition("/")
    return Record(
        at=attempt.at + epoch,
        peer=shown(attempt.identity or pool if slash else attempt.peer),
        remote=attempt.remote,
        identity=shown(attempt.identity),
        client=attempt.client,
        stage=attempt.stage.value,
        cause=finding.code.value if finding else "",
        sentence=sentence(finding) if finding else "",
        cure=cure(finding) if finding else "",
    )


def attempt_records(attempts: Attempts, peer: str, epoch: float) -> list[Record]:
    """The newest first: of everybody, or of a site, a pool, a device's identity or an address."""
    return [
        attempt_record(each, epoch)
        for each in attempts
        if peer in ("", each.peer, each.peer.partition("/")[0], each.identity, each.remote)
    ]
