from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgevpn.kernel.namespaces import enter_new_network

HERE = Path("/proc/thread-self/ns/net")


@pytest.mark.netns
def test_only_the_calling_thread_goes() -> None:
    before, inside = HERE.readlink(), []

    def go() -> None:
        enter_new_network()
        inside.append(HERE.readlink())

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()

    assert inside != [before]
    assert HERE.readlink() == before
