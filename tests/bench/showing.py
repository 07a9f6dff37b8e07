"""What was measured, for people: a table for the terminal, one for the README, and a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tabulate import tabulate

from tests.bench.rows import KINDS, Row

BEGIN, END = "<!-- make bench writes this -->", "<!-- until here -->"
HEAD = ("", "median", "quartiles apart", "goal", "reached")

WORDS = {
    "psk": "pre-shared key, Curve25519",
    "psk_modp2048": "pre-shared key, MODP-2048",
    "ecdsa": "ECDSA P-256 certificates, Curve25519",
    "rsa2048": "RSA-2048 certificates, Curve25519",
}
FIGURES = {
    "rss_idle_mb": "memory of the daemon at rest",
    "rss_per_sa_kb_1k": "memory of an IKE SA with a child, of 1,000",
    "rss_per_sa_kb_10k": "memory of an IKE SA with a child, of 10,000",
    "rss_per_sa_kb_charon": "the same of strongSwan's charon",
    "start_to_listen_s": "from start until callers are let in",
    "datagram_junk_cpu_us": "CPU for a datagram of junk",
    "datagram_init_junk_cpu_us": "CPU for junk behind the header of an IKE_SA_INIT",
    "status_ms_1k": "telling the status of 1,000 sessions",
}


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
    cells = [cell for name, words in WORDS.items() for cell in _handshake(known, name, words)]
    cells += [_cells(known[name], words) for name, words in FIGURES.items() if name in known]
    return "\n".join([*lines, str(tabulate(cells, HEAD, tablefmt="github", disable_numparse=True)), ""])


def update(file: Path, text: str) -> None:
    """Put a text between the two marks of a file."""
    before, _, rest = file.read_text().partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, f"{file} has no place for it"
    file.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def picture(rows: Iterable[Row], file: Path) -> None:
    """CPU for each kind of handshake: ours, charon's, and what its cryptography takes alone."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    known = {row.name: row for row in rows}
    made = Figure(figsize=(8, 3.6), layout="constrained")
    axes = made.subplots()
    series = {"edgevpn": "cpu_ms", "strongSwan": "charon_cpu_ms", "the cryptography alone": "crypto_cpu_ms"}
    names = [kind.name for kind in KINDS]
    for place, (label, kind) in enumerate(series.items()):
        found = [(number, row) for number, name in enumerate(names) if (row := known.get(f"handshake_{name}_{kind}"))]
        if found:
            bars = axes.barh(
                [number + (place - 1) * 0.27 for number, _ in found],
                [row.value for _, row in found],
                0.25,
                xerr=[row.spread / 2 for _, row in found],
                label=label,
            )
            axes.bar_label(bars, fmt="%.2f", padding=4)
    axes.set_yticks(range(len(names)), [WORDS[name].replace(", ", "\n") for name in names])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("ms of CPU for a responder's part of a handshake, child included")
    axes.legend()
    with mpl.rc_context({"svg.hashsalt": "edgevpn"}):
        made.savefig(file, metadata={"Date": None})


def _handshake(known: dict[str, Row], name: str, words: str) -> list[tuple[str, ...]]:
    """A kind of handshake: what it costs, and how often charon's or the bare cryptography would go into that."""
    cells = [_cells(known[f"handshake_{name}_cpu_ms"], f"CPU of a handshake: {words}")]
    if (beside := known.get(f"handshake_{name}_cpu_vs_charon")) is not None:
        cells.append(
            _cells(beside, f"... beside {beside.anchor}, {known[f'handshake_{name}_charon_cpu_ms'].value:.2f} ms")
        )
    bare = known[f"handshake_{name}_crypto_cpu_ms"].value
    cells.append(_cells(known[f"handshake_{name}_cpu_vs_crypto"], f"... beside its cryptography alone, {bare:.2f} ms"))
    return cells


def _cells(row: Row, words: str) -> tuple[str, ...]:
    """A line of the table: whether a goal is reached is said, whichever it is."""
    reached = "" if row.goal is None else "yes" if row.value <= row.goal else "no"
    goal = "" if row.goal is None else f"{row.goal:g} {row.unit}"
    spread = f"{row.spread:.2g}" if row.runs > 1 else ""
    return words, f"{row.value:.3g} {row.unit}", spread, goal, reached
