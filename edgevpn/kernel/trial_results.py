"""What a trial of the kernel's ciphers found, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any, Self

from edgevpn.frozen import dataclass


class Verdict(Enum):
    """What became of the packets that were sent through a cipher."""

    WORKS = "works"
    MISSING = "missing"  # the kernel lacks it
    DROPS = "drops"
    CORRUPTS = "corrupts"


@dataclass(frozen=True, slots=True)
class Result:
    """One cipher, by the keywords of proposals. Speeds are 0 unless it works; `detail` is "" then.

    `driver` is what the crypto API uses for it, "" if it does not say; `is_async`: the answer comes by an interrupt.
    """

    name: str
    verdict: Verdict
    detail: str = ""
    bits_per_second: int = 0
    packets_per_second: int = 0
    driver: str = ""
    is_async: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "verdict": self.verdict.value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Raises ValueError or TypeError for anything that `to_json` does not write."""
        made = cls(**{**values, "verdict": Verdict(values.get("verdict"))})
        for name, kind in FIELDS.items():
            if type(getattr(made, name)) is not kind:
                raise TypeError(f"{name} is no {kind.__name__}")
        return made


FIELDS = {
    "name": str,
    "detail": str,
    "bits_per_second": int,
    "packets_per_second": int,
    "driver": str,
    "is_async": bool,
}
