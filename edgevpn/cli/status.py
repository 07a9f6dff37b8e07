"""The status as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from edgevpn.api import ChildStatus, SiteStatus, Status
from edgevpn.api.records import DeviceStatus
from edgevpn.cli.output import painted, table

TITLES = ("SITE", "STATE", "PEER", "FOR", "CHILD", "HERE", "THERE", "IN", "OUT", "CIPHER", "BY")
SESSIONS = ("DEVICE", "FROM", "FOR", "ADDRESSES", "IN", "OUT", "CIPHER")


def status_text(status: Status, now: float) -> str:
    """One row for each CHILD SA; `now` is a Unix time in seconds."""
    head = f"edgevpn {status['version']}, running for {age(now - status['started'])}"
    if status["kernel"] == "memory":
        head += ", without a kernel: NO TRAFFIC FLOWS"
    if not status["sites"]:
        head += "; no site is configured"
    parts = [head]
    if status["sites"]:
        parts.append(table((row for site in status["sites"] for row in _rows(site, now)), TITLES))
        if hindered := [f"{site['name']}: {site['why']}" for site in status["sites"] if _is_hindered(site)]:
            parts.append("\n".join(hindered))
    if inside := [row for device in status["devices"] for row in _sessions(device, now)]:
        parts.append(table(inside, SESSIONS))
    return "\n\n".join(parts)


def moment(at: float) -> str:
    """A Unix time as people read it, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


def _sessions(device: DeviceStatus, now: float) -> Iterator[tuple[str, ...]]:
    """A row for each session of a device."""
    for each in device["sessions"]:
        yield (
            device["name"],
            each["remote"],
            age(now - each["since"]),
            "\n".join(each["addresses"]),
            octets(each["bytes_in"]),
            octets(each["bytes_out"]),
            _cipher(each["suite"], each["weak"]),
        )


def _is_hindered(site: SiteStatus) -> bool:
    return bool(site["why"]) and site["state"] != "up"


def _cipher(suite: str, weak: Sequence[str]) -> str:
    """The suite, and below it what is weak."""
    names = ", ".join(each.partition(":")[0] for each in weak)
    return f"{suite}\nWEAK: {names}" if names else suite


def _rows(site: SiteStatus, now: float) -> Iterator[tuple[str, ...]]:
    if not site["ike"]:
        yield site["name"], painted(site["state"]), site["remote"]
    for ike in site["ike"]:
        head = (site["name"], painted(site["state"]), ike["remote"], age(now - ike["established"]))
        yield from ((*head, *_child_cells(child, ike["weak"])) for child in ike["children"])
        if not ike["children"]:
            yield head


def _child_cells(child: ChildStatus, weak: Sequence[str]) -> tuple[str, ...]:
    return (
        child["name"],
        "\n".join(child["local_ts"]),
        "\n".join(child["remote_ts"]),
        octets(child["bytes_in"]),
        octets(child["bytes_out"]),
        _cipher(child["suite"], weak),
        carriers(child["carrier_in"], child["carrier_out"]),
    )


def carriers(inward: str, outward: str) -> str:
    """Who ciphers what comes in and what goes out."""
    return inward if inward == outward else f"in {inward}, out {outward}"


def age(seconds: float) -> str:
    """A time in its two largest units: "3d 4h"."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def octets(count: float) -> str:
    """A size with three digits or so: "1.2 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
