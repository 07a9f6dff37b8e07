"""What the kernel's crypto API has for an algorithm: /proc/crypto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edgevpn.frozen import dataclass

PROC_CRYPTO = Path("/proc/crypto")
END = "\n\n"  # of a block

# What drivers of accelerators are called: engines beside the CPU, none of which is one of its instructions.
ACCELERATORS = (
    "safexcel-",
    "eip93",
    "mv-",
    "caam",
    "-caam",
    "talitos",
    "ixp4xx",
    "sl3516",
    "sun8i-",
    "omap-",
    "ccp",
    "qat",
    "crypto4xx",
    "rk-",
    "mtk-",
    "artpec",
    "hisi_sec",
    "cpt",
    "chcr",
)


@dataclass(frozen=True, slots=True)
class Driver:
    """An implementation. `tested` by the kernel's own vectors; the highest `priority` is the one in use."""

    algorithm: str
    name: str
    priority: int
    is_async: bool
    tested: bool

    @property
    def accelerator(self) -> bool:
        """Whether an engine beside the CPU does the work."""
        return is_accelerator(self.name)


def is_accelerator(driver: str) -> bool:
    """Whether a driver of this name is an engine beside the CPU."""
    return any(part in driver for part in ACCELERATORS)


def driver_of(algorithm: str, source: Path = PROC_CRYPTO) -> Driver | None:
    """The driver in use for an algorithm; None where there is none yet, or this kernel does not say."""
    with suppress(OSError):
        blocks = (block for block in source.read_text().split(END) if algorithm in block)  # few of many: each SA asks
        found = [driver for driver in drivers(END.join(blocks)) if driver.algorithm == algorithm]
        return max(found, key=lambda driver: driver.priority, default=None)
    return None


def drivers(text: str) -> Iterator[Driver]:
    """All that may be used, in the kernel's order: blocks of "key : value", with an empty line after each."""
    for block in text.split(END):
        pairs = (line.partition(":")[::2] for line in block.splitlines())
        values = {key.strip(): value.strip() for key, value in pairs}
        if "driver" in values and values.get("internal") != "yes":
            yield Driver(
                values.get("name", ""),
                values["driver"],
                int(values.get("priority", 0)),
                values.get("async") == "yes",
                values.get("selftest") == "passed",
            )
