"""edgevpn.kernel.trial: ciphers of this kernel, tried for real where it has any; broken ones are in tests/lab."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from edgevpn.kernel.spec import Aead, Integrity
from edgevpn.kernel.trial import candidates, spis
from edgevpn.kernel.trial_results import Result, Verdict

NAMES = ["aes256gcm16", "chacha20poly1305", "aes128gcm16", "aes256-sha256"]


def test_four_ciphers_with_keys_of_their_own() -> None:
    one, other = candidates(), candidates()
    assert [each.name for each in one] == NAMES
    assert len({each.cipher.key for each in (*one, *other)}) == 2 * len(NAMES)
    assert [(type(each.cipher) is Aead, each.integrity is None) for each in one[:3]] == [(True, True)] * 3
    assert isinstance(one[3].integrity, Integrity)
    assert len(set(spis().values())) == len(NAMES)


@pytest.mark.netns
@pytest.mark.lab
def test_this_kernel() -> None:
    """All four carry packets, each measured, within two or three seconds even where the CPU is an emulated one."""
    done = subprocess.run([sys.executable, "-m", "edgevpn.kernel.trial"], capture_output=True, timeout=30, check=True)
    found = [Result.from_json(each) for each in json.loads(done.stdout)]
    assert [(each.name, each.verdict, each.detail) for each in found] == [(name, Verdict.WORKS, "") for name in NAMES]
    assert all(each.bits_per_second > 8 * 1000 * each.packets_per_second > 0 for each in found)
    assert all(each.driver for each in found)
