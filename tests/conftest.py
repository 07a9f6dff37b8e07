"""What belongs to which run: lab tests run inside a guest only, and are not passed over in silence elsewhere."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

LAB = Path(__file__).parent / "lab"
IN_GUEST = "EDGEVPN_LAB_GUEST" in os.environ
# How long an example takes says nothing on a machine that has other things to do.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if "CI" not in os.environ:  # there hypothesis takes its own profile, which is patient and tries the same each time
    settings.load_profile("patient")

LEFT_OUT = pytest.StashKey[int]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if LAB in item.path.parents:
            item.add_marker("lab")
    if IN_GUEST:
        return
    lab = [item for item in items if item.get_closest_marker("lab")]
    config.stash[LEFT_OUT] = len(lab)
    config.hook.pytest_deselected(items=lab)
    items[:] = [item for item in items if item not in lab]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{count} lab tests need a kernel with ESP: make lab")
