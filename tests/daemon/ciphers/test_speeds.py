"""edgevpn.daemon.ciphers.speeds: when a trial is made, what is kept of it, and what is said where it cannot be made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from edgevpn.config.model import Config
from edgevpn.daemon.ciphers.speeds import FILE, Impossible, Speeds, cpu, read_known, read_output
from edgevpn.kernel.trial_results import Result, Verdict
from tests.support.configs import config as configured
from tests.support.configs import document, read
from tests.support.gateways import until

GOOD = (Result("aes256gcm16", Verdict.WORKS, "", 5), Result("aes128gcm16", Verdict.WORKS, "", 7))
ONE_BROKEN = (Result("aes256gcm16", Verdict.DROPS, "a packet of 64 octets did not arrive"), GOOD[1])


def crypto(**keys: object) -> Config:
    return read(document(crypto=keys))


class Lab:
    """Makes trials, and counts them."""

    def __init__(self, folder: Path, answer: tuple[Result, ...] | Impossible = GOOD) -> None:
        self.answer = answer
        self.made = self.told = 0
        self.speeds = Speeds(folder, self.trial, self.tell)

    async def trial(self) -> tuple[Result, ...]:
        self.made += 1
        if isinstance(self.answer, Impossible):
            raise self.answer
        return self.answer

    def tell(self) -> None:
        self.told += 1


@asynccontextmanager
async def at_work(lab: Lab, config: Config) -> AsyncIterator[None]:
    lab.speeds.apply(config)
    task = asyncio.create_task(lab.speeds.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_once_for_a_kernel_a_cpu_and_settings(tmp_path: Path) -> None:
    first = Lab(tmp_path)
    async with at_work(first, configured({})):
        assert not first.speeds.ciphers.results
        await until(lambda: first.told == 1)
        assert first.speeds.ciphers.speed("aes128gcm16") == 7

    again = Lab(tmp_path)
    async with at_work(again, configured({})):
        assert again.speeds.ciphers.speed("aes128gcm16") == 7
        again.speeds.apply(crypto(order=["aes128gcm16"]))
        await until(lambda: again.told == 1)
    assert (first.made, again.made) == (1, 1)


async def test_another_kernel_is_tried_anew(tmp_path: Path) -> None:
    first = Lab(tmp_path)
    async with at_work(first, configured({})):
        await until(lambda: first.told == 1)
    kept = json.loads((tmp_path / FILE).read_text())
    (place,) = kept["found"]
    kept["found"] = {place.replace(place.split()[0], "4.19.1"): kept["found"][place]}
    (tmp_path / FILE).write_text(json.dumps(kept))

    other = Lab(tmp_path)
    async with at_work(other, configured({})):
        await until(lambda: other.made == 1)


async def test_a_broken_cipher_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lab = Lab(tmp_path, ONE_BROKEN)
    async with at_work(lab, configured({})):
        await until(lambda: lab.told == 1)
    assert lab.speeds.ciphers.excludes("aes256gcm16")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("cipher_excluded cipher=aes256gcm16")


async def test_where_it_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Said once; the built-in order holds, and nothing is kept."""
    lab = Lab(tmp_path, Impossible("no namespace can be made for it"))
    async with at_work(lab, configured({})):
        await until(lambda: lab.made == 1)
        await until(lambda: bool(caplog.records))
    assert lab.speeds.why_untried == "no namespace can be made for it"
    assert not (tmp_path / FILE).exists()
    assert len(caplog.records) == 1


async def test_switched_off(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with at_work(lab, crypto(self_test=False)):
        await asyncio.sleep(0)
    assert (lab.made, lab.speeds.why_untried) == (0, "crypto.self_test is off")


def test_what_was_kept_and_makes_no_sense() -> None:
    assert read_known({"found": {"here": [{"name": 1}]}}) == {}
    assert read_known({"found": 3}) == {}


def test_what_the_process_said() -> None:
    said = json.dumps([each.to_json() for each in GOOD]).encode()
    assert read_output(0, said, b"") == GOOD
    with pytest.raises(Impossible, match="not permitted"):
        read_output(3, b"", b"warning\n[Errno 1] Operation not permitted\n")
    with pytest.raises(Impossible, match="no sense"):
        read_output(0, b"fine", b"")


def test_the_name_of_a_cpu(tmp_path: Path) -> None:
    source = tmp_path / "cpuinfo"
    source.write_text("processor\t: 0\nmodel name\t: Fast One\n\nprocessor\t: 1\nmodel name\t: Fast One\n")
    assert " Fast One x" in cpu(source)
    assert cpu(tmp_path / "missing")
