"""Who ciphers, how fast and for which SAs, as one table for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgevpn.api.records import CardFound, CipherFound, OffloadReport, SaFound
from edgevpn.cli.output import table

TITLES = ("DEVICE", "FEATURE", "ALGORITHM", "DRIVER", "MODE", "SELF-TEST", "MBIT/S", "PACKETS/S", "SAS")
NONE = "-"


def offload_text(report: OffloadReport) -> str:
    """A row for each cipher of the CPU or an engine, and for each network card; below, what is not as it could be."""
    sas = report["sas"]
    own = [sa for sa in sas if not card_of(sa)]
    tried = {each["algorithm"] for each in report["ciphers"]}
    rows = [_cipher_row(each, own) for each in report["ciphers"]]
    rows += [_untried_row(name, own) for name in dict.fromkeys(sa["algorithm"] for sa in own) if name not in tried]
    rows += [_card_row(each, sas) for each in report["cards"]]
    parts = [table(rows, TITLES)] if rows else []
    return "\n\n".join([*parts, "\n".join(_remarks(report))]).rstrip("\n")


def card_of(sa: SaFound) -> str:
    """The network card that works for an SA; "" if none does."""
    return sa["carrier"].partition("(")[2].rstrip(")")


def _cipher_row(cipher: CipherFound, sas: Iterable[SaFound]) -> tuple[str, ...]:
    works = cipher["verdict"] == "works"
    return (
        "engine" if cipher["accelerator"] else "cpu",
        NONE,
        cipher["algorithm"],
        cipher["driver"] or NONE,
        ("async" if cipher["is_async"] else "sync") if cipher["driver"] else NONE,
        cipher["verdict"],
        f"{cipher['bits_per_second'] / 1e6:.0f}" if works else NONE,
        str(cipher["packets_per_second"]) if works else NONE,
        _named(sa for sa in sas if sa["algorithm"] == cipher["algorithm"]),
    )


def _untried_row(name: str, sas: Iterable[SaFound]) -> tuple[str, ...]:
    used = [sa for sa in sas if sa["algorithm"] == name]
    return ("cpu", NONE, name, NONE, NONE, "untried", NONE, NONE, _named(used))


def _card_row(card: CardFound, sas: Iterable[SaFound]) -> tuple[str, ...]:
    feature = "none" if card["feature"] == "none" else f"esp-hw-offload {card['feature']}"
    return (card["device"], feature, *[NONE] * 6, _named(sa for sa in sas if card_of(sa) == card["device"]))


def _named(sas: Iterable[SaFound]) -> str:
    """A line for each child, with both its directions where both are here."""
    ways: dict[str, list[str]] = {}
    for sa in sas:
        ways.setdefault(f"{sa['owner']}/{sa['child']}", []).append(sa["direction"])
    return "\n".join(f"{name} {' '.join(found)}" for name, found in ways.items()) or NONE


def _remarks(report: OffloadReport) -> Iterator[str]:
    if report["untried"]:
        yield f"The ciphers were not tried: {report['untried']}."
    for cipher in report["ciphers"]:
        if cipher["detail"]:
            yield f"{cipher['algorithm']}: {cipher['detail']}"
    for card in report["cards"]:
        if card["why"]:
            yield f"{card['device']}: {card['why']}"
    reasons: dict[str, list[SaFound]] = {}
    for sa in report["sas"]:
        if sa["why"]:
            reasons.setdefault(sa["why"], []).append(sa)
    for why, sas in reasons.items():
        yield f"{_named(sas).replace(chr(10), ', ')}: no network card, as {why}"
