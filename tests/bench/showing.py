"""What was measured, for people: a table for the terminal, one for the README, and a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tabulate import tabulate

from tests.bench.row import Row
from tests.bench.rows import KINDS

BEGIN, END = "<!-- make bench writes this -->", "<!-- until here -->"
HEAD = ("", "median", "quartiles apart", "goal", "reached")

WORDS = {
    "psk": "pre-shared key, Curve25519",
    "psk_modp2048": "pre-shared key, MODP-2048",
    "ecdsa": "ECDSA P-256 certificates, Curve25519",
    "rsa2048": "RSA-2048 certificates, Curve25519",
}
COMPARED = {(f"handshake_{kind}", "cpu"): f"CPU of a handshake: {words}" for kind, words in WORDS.items()} | {
    ("handshake", "latency"): "what a caller waits for a handshake, the first kind",
    ("rekey_child", "cpu"): "CPU of new keys for a child",
    ("rekey_ike", "cpu"): "CPU of new keys for the IKE SA",
    ("dpd", "cpu"): "CPU of a round of dead peer detection",
    ("repeat", "cpu"): "CPU of a request that comes again",
}
FIGURES = {
    "handshake_cpu_10k_vs_10": "CPU of a handshake and its end, of 10,000 sessions beside 10",
    "rekey_child_cpu_10k_vs_10": "... of new keys for a child",
    "rekey_ike_cpu_10k_vs_10": "... of new keys for the IKE SA",
    "dpd_cpu_10k_vs_10": "... of a round of dead peer detection",
    "repeat_cpu_10k_vs_10": "... of a request that comes again",
    "rss_idle_mb": "memory of the daemon at rest",
    "rss_per_sa_kb_1k": "memory of an IKE SA with a child, of 1,000",
    "rss_per_sa_kb_10k": "memory of an IKE SA with a child, of 10,000",
    "rss_per_sa_kb_charon": "the same of {anchor}",
    "rss_per_sa_kb_charon_sid": "the same of {anchor}",
    "start_to_listen_s": "from start until callers are let in",
    "start_to_listen_first_s": "... for the first time",
    "datagram_junk_cpu_us": "CPU for a datagram of junk",
    "datagram_init_junk_cpu_us": "CPU for junk behind the header of an IKE_SA_INIT",
    "parser_messages_per_s": "messages that one CPU decodes",
    "parser_mb_per_s": "... what they hold",
    "parser_cpu_vs_hmac": "... CPU for it beside {anchor}",
    "status_ms_1k": "telling the status of 1,000 sessions",
}
ALONE = {"crypto": "its cryptography alone"}


def table(rows: Iterable[Row]) -> str:
    """All rows, for the terminal."""
    cells = [
        (row.name, f"{row.value:.3g}", row.unit, f"{row.spread:.2g}", row.goal and f"<= {row.goal:g}", row.anchor)
        for row in rows
    ]
    return str(tabulate(cells, ("figure", "median", "", "quartiles", "goal", "compared with")))


def markdown(rows: Iterable[Row], machine: str, date: str) -> str:
    """What a reader of the README wants to know."""
    known = {row.name: row for row in rows}
    lines = [f"`make bench`, {date}, {machine}:", ""]
    cells = [cell for (name, measure), words in COMPARED.items() for cell in _compared(known, name, measure, words)]
    cells += [
        _cells(row, words.format(anchor=row.anchor)) for name, words in FIGURES.items() if (row := known.get(name))
    ]
    return "\n".join([*lines, str(tabulate(cells, HEAD, tablefmt="github", disable_numparse=True)), ""])


def update(file: Path, text: str) -> None:
    """Put a text between the two marks of a file."""
    before, _, rest = file.read_text().partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, f"{file} has no place for it"
    file.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def picture(rows: Iterable[Row], file: Path) -> None:
    """CPU for each kind of handshake: ours, each charon's, and what its cryptography takes alone."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    known = {row.name: row for row in rows}
    made = Figure(figsize=(8, 4.2), layout="constrained")
    axes = made.subplots()
    series = {
        "cpu_ms": "edgevpn",
        "charon_cpu_ms": "",
        "charon_sid_cpu_ms": "",
        "crypto_cpu_ms": "the cryptography alone",
    }
    names = [kind.name for kind in KINDS]
    for place, (kind, label) in enumerate(series.items()):
        found = [(number, row) for number, name in enumerate(names) if (row := known.get(f"handshake_{name}_{kind}"))]
        if found:
            bars = axes.barh(
                [number + (place - 1.5) * 0.21 for number, _ in found],
                [row.value for _, row in found],
                0.19,
                xerr=[row.spread / 2 for _, row in found],
                label=label or found[0][1].anchor,
            )
            axes.bar_label(bars, fmt="%.2f", padding=4)
    axes.set_yticks(range(len(names)), [WORDS[name].replace(", ", "\n") for name in names])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("ms of CPU for a responder's part of a handshake, child included")
    axes.legend()
    with mpl.rc_context({"svg.hashsalt": "edgevpn"}):
        made.savefig(file, metadata={"Date": None})


def _compared(known: dict[str, Row], name: str, measure: str, words: str) -> Iterator[tuple[str, ...]]:
    """What something takes, and how often what others take for it would go into that."""
    if (ours := known.get(f"{name}_{measure}_ms")) is None:
        return
    yield _cells(ours, words)
    beside = f"{name}_{measure}_vs_"
    for row in [row for row in known.values() if row.name.startswith(beside)]:
        other = row.name.removeprefix(beside)
        theirs = known[f"{name}_{other}_{measure}_ms"].value
        took = f"{theirs:.2f}" if theirs >= 0.1 else f"{theirs:.2g}"
        yield _cells(row, f"... beside {ALONE.get(other, row.anchor)}, {took} ms")


def _cells(row: Row, words: str) -> tuple[str, ...]:
    """A line of the table: whether a goal is reached is said, whichever it is."""
    reached = "" if row.goal is None else "yes" if row.value <= row.goal else "no"
    goal = "" if row.goal is None else f"{row.goal:g} {row.unit}"
    spread = _number(row.spread, 2) if row.runs > 1 else ""
    return words, f"{_number(row.value, 3)} {row.unit}", spread, goal, reached


def _number(value: float, digits: int) -> str:
    """So many digits, and more of them before the point where there are."""
    return f"{value:,.0f}" if value >= 10**digits else f"{value:.{digits}g}"
