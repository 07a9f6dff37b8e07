"""The benchmarks work; their figures are for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import main

WANTED = {
    "handshake_psk_cpu_vs_crypto",
    "handshake_psk_modp2048_cpu_vs_crypto",
    "handshake_ecdsa_cpu_vs_crypto",
    "handshake_rsa2048_cpu_vs_crypto",
    "rss_idle_mb",
    "start_to_listen_s",
}


def test_smoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--smoke", "--output", str(tmp_path / "build" / "bench.json")])
    result = json.loads((tmp_path / "build" / "bench.json").read_text())
    rows = {row["name"]: row for row in result["rows"]}
    assert rows.keys() >= WANTED
    assert all(row["value"] > 0 and row["runs"] > 0 for row in rows.values())
    assert "compared with" in capsys.readouterr().out
