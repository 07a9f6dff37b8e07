"""The status as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from edgevpn.api import ChildStatus, SiteStatus, Status
from edgevpn.cli.output import table

TITLES = ("SITE", "STATE", "PEER", "FOR", "CHILD", "HERE", "THERE", "IN", "OUT", "CIPHER")


def status_text(status: Status, now: float) -> str:
    """One row for each CHILD SA; `now` is a Unix time in seconds."""
    head = f"edgevpn {status['version']}, running for {_age(now - status['started'])}"
    if status["kernel"] == "memory":
        head += ", without a kernel: NO TRAFFIC FLOWS"
    if not status["sites"]:
        return f"{head}; no site is configured"
    return f"{head}\n\n{table((row for site in status['sites'] for row in _rows(site, now)), TITLES)}"


def _rows(site: SiteStatus, now: float) -> Iterator[tuple[str, ...]]:
    if not site["ike"]:
        yield site["name"], site["state"], site["remote"]
    for ike in site["ike"]:
        head = (site["name"], site["state"], ike["remote"], _age(now - ike["established"]))
        yield from ((*head, *_child_cells(child)) for child in ike["children"])
        if not ike["children"]:
            yield head


def _child_cells(child: ChildStatus) -> tuple[str, ...]:
    return (
        child["name"],
        "\n".join(child["local_ts"]),
        "\n".join(child["remote_ts"]),
        _octets(child["bytes_in"]),
        _octets(child["bytes_out"]),
        child["suite"],
    )


def _age(seconds: float) -> str:
    """A time in its two largest units: "3d 4h"."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def _octets(count: float) -> str:
    """A size with three digits or so: "1.2 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
