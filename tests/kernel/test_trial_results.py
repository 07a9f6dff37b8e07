from __future__ import annotations

import json
from typing import Any

import pytest

from edgevpn.kernel.trial_results import Result, Verdict

FOUND = Result("aes128gcm16", Verdict.WORKS, "", 156_000_000, 13_900, "rfc4106-gcm-aesni", True)

REFUSED: dict[str, dict[str, Any]] = {
    "verdict": {"verdict": "splendid"},
    "no verdict": {"verdict": None},
    "speed": {"bits_per_second": "fast"},
    "yes or no": {"is_async": 1},
    "more than there is": {"colour": "red"},
}


def test_written_and_read() -> None:
    assert Result.from_json(json.loads(json.dumps(FOUND.to_json()))) == FOUND


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
def test_what_nobody_wrote(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Result.from_json({**FOUND.to_json(), **wrong})
