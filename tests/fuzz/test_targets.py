"""The fuzzer's harnesses work: what is right goes in, and the same with some octets changed. For more: make fuzz."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import HARNESSES

TRIES = 150


@pytest.mark.parametrize("name", HARNESSES)
def test_harness(name: str) -> None:
    target, seeds = HARNESSES[name]()
    chance = random.Random(name)
    for seed in seeds:
        target(seed)
    for _ in range(TRIES):
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 8)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        target(bytes(octets[: chance.randrange(1, len(octets) + 1)]) if chance.random() < 0.3 else bytes(octets))
