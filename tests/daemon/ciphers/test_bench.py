"""edgevpn.daemon.ciphers.bench: all is measured, with a trial that a test makes."""

from __future__ import annotations

from edgevpn.daemon.ciphers.bench import KEY_EXCHANGES, ML_KEM, measure, rate
from edgevpn.daemon.ciphers.speeds import Impossible
from edgevpn.kernel.trial_results import Result, Verdict

WORKS = Result("aes256gcm16", Verdict.WORKS, "", 1_000_000, 100, "gcm-aes")


async def works() -> tuple[Result, ...]:
    return (WORKS,)


async def impossible() -> tuple[Result, ...]:
    raise Impossible("no namespace")


async def test_all_is_measured() -> None:
    found = await measure(works, seconds=0.001)
    assert (found.ciphers, found.why_untried) == ((WORKS,), "")
    assert {each.of_what for each in found.rates} == {*KEY_EXCHANGES, "rsa2048", "ecdsa256"}
    assert all(each.per_second > 0 for each in found.rates)
    assert {*ML_KEM} == {*found.lacks} | ({*ML_KEM} & {*KEY_EXCHANGES})


async def test_without_a_trial() -> None:
    found = await measure(impossible, seconds=0.001)
    assert (found.ciphers, found.why_untried) == ((), "no namespace")
    assert found.rates


def test_rate() -> None:
    done: list[None] = []
    assert rate(lambda: done.append(None), 0.001) > 1000
    assert done
