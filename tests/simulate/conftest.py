from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simulated import make_pki


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RSA keys and certificates, which every client verifies; to be copied, not used."""
    folder = tmp_path_factory.mktemp("made")
    make_pki(folder)
    return folder
