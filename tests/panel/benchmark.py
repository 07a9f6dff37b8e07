"""How heavy the web process is, and how soon a page is there:  python -m tests.panel.benchmark

Numbers of this machine, to be compared with each other; nothing here fails.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import requests
from playwright.sync_api import sync_playwright

from tests.panel.conftest import CHROMIUM, FLAGS
from tests.panel.looking import person
from tests.panel.places import Staged, staged
from tests.support.memory import resident
from tests.support.panel import PASSWORD
from tests.support.stand_in import device, session

STREAMS = 50
ROUNDS = 10


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder)) as stage:
        print(f"memory at start        {resident(stage.pid):6.1f} MB")
        client = logged_in(stage, Path(folder))
        print(f"memory after a login   {resident(stage.pid):6.1f} MB")
        requests_per_second(client, stage)
        streams(client, stage)
        pages(stage)
        print(f"memory at the end      {resident(stage.pid):6.1f} MB")


def logged_in(stage: Staged, folder: Path) -> requests.Session:
    """A client that is no browser; the panel's certificate is laid into the folder."""
    client = requests.Session()
    client.trust_env, client.verify = False, str(folder / "panel.pem")
    Path(client.verify).write_text(stage.daemon.web["certificate"])
    client.post(f"{stage.base}/api/v1/login", json={"password": PASSWORD}).raise_for_status()
    return client


def requests_per_second(client: requests.Session, stage: Staged) -> None:
    before = time.perf_counter()
    for _ in range(200):
        client.get(f"{stage.base}/api/v1/status").raise_for_status()
    print(f"status                 {200 / (time.perf_counter() - before):6.0f} requests/s, one after the other")


def streams(client: requests.Session, stage: Staged) -> None:
    """Fifty browsers look on; then something happens."""
    with ThreadPoolExecutor(STREAMS) as pool:
        opened = [client.get(f"{stage.base}/api/v1/events", stream=True) for _ in range(STREAMS)]
        lines = [each.iter_lines(chunk_size=1) for each in opened]
        waiting = [pool.submit(until, each, b"event: device") for each in lines]
        before = time.perf_counter()
        stage.say("device", device("phone", sessions=[session()]))
        took = [each.result() - before for each in waiting]
        print(f"memory with {STREAMS} streams {resident(stage.pid):6.1f} MB")
        print(f"an event is with all   {max(took) * 1000:6.0f} ms")
        for each in opened:
            each.close()


def until(lines: Iterator[bytes], wanted: bytes) -> float:
    for line in lines:
        if line == wanted:
            return time.perf_counter()
    raise AssertionError("the stream has ended")


def pages(stage: Staged) -> None:
    """From nothing to the login, and from the login to the overview, each with a browser that knows nothing.

    Beside that a picture, so as to see what the browser and the machine take by themselves.
    """
    least, first, second = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for _ in range(ROUNDS):
            with person(browser, stage.base) as who:
                least.append(took(partial(who.page.goto, f"{stage.base}/icon.svg")))
            with person(browser, stage.base) as who:
                first.append(took(who.go))
                second.append(took(who.log_in_here))
        browser.close()
    print(f"a picture, cold        {statistics.median(least) * 1000:6.0f} ms")
    print(f"first page, cold       {statistics.median(first) * 1000:6.0f} ms")
    print(f"login to overview      {statistics.median(second) * 1000:6.0f} ms")


def took(what: Callable[[], object]) -> float:
    before = time.perf_counter()
    what()
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
