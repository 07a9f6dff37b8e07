"""Whether everything is as it must be: one check after the other, each with its cure."""

from __future__ import annotations

from collections.abc import Iterator

from edgevpn.api.records import Health
from edgevpn.daemon.health import fitness, reachable
from edgevpn.daemon.health.facts import Check, Facts
from edgevpn.daemon.health.hardware import judgements
from edgevpn.diagnosis.entry import Language


def judged(facts: Facts, language: Language = Language.ENGLISH) -> list[Health]:
    """Every check, in this language."""
    return [
        Health(id=each.id, level=each.level, message=each.message[language], cure=each.cure[language])
        for look in LOOKS
        for each in look(facts)
    ]


def _hardware(facts: Facts) -> Iterator[Check]:
    if facts.carries_traffic:
        yield from (Check(*each) for each in judgements(facts.hardware))


LOOKS = (
    fitness.kernel,
    fitness.holdings,
    _hardware,
    reachable.ports,
    reachable.firewall,
    reachable.outside,
    reachable.names,
    fitness.clock,
    fitness.certificates,
    fitness.space,
    fitness.forwarding,
    fitness.tunnels,
)
"""In the order in which an owner would go through them."""
