"""edgevpn.daemon.figures.offload_report: with a kernel in memory whose card `uplink` can cipher."""

from __future__ import annotations

import errno

from edgevpn.daemon.ciphers.choice import UNTRIED, Ciphers
from edgevpn.daemon.dataplane.offload import By, Carrier
from edgevpn.daemon.dataplane.tunnels import Traffic
from edgevpn.daemon.figures.offload_report import Owned, offload_report
from edgevpn.kernel.errors import NotSupported
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.trial_results import Result, Verdict
from tests.daemon.dataplane.test_tunnels import child

RESULT = Result("aes128gcm16", Verdict.WORKS, "", 5_000_000, 400, "safexcel-gcm-aes", is_async=True)
CARRIERS = Carrier(By.CPU, "", "in: not this way"), Carrier(By.CRYPTO, "uplink")


def test_everything() -> None:
    report = offload_report(
        MemoryKernel(offloading=frozenset({"uplink"})),
        Ciphers({RESULT.name: RESULT}),
        "",
        {"lo"},
        [Owned("office", child(1))],
        lambda _: Traffic(carriers=CARRIERS),
    )
    (cipher,) = report["ciphers"]
    assert (cipher["algorithm"], cipher["verdict"], cipher["accelerator"]) == ("aes128gcm16", "works", True)
    assert [(each["device"], each["feature"], each["checksum"]) for each in report["cards"]] == [
        ("lo", "none", False),
        ("uplink", "on", True),
    ]
    assert [(each["owner"], each["direction"], each["carrier"], each["why"]) for each in report["sas"]] == [
        ("office", "in", "cpu", "in: not this way"),
        ("office", "out", "crypto(uplink)", ""),
    ]
    assert {each["algorithm"] for each in report["sas"]} == {"aes128gcm16"}
    assert [each["spi"] for each in report["sas"]] == [b"in-1".hex(), b"out1".hex()]


def test_a_card_that_tells_nothing() -> None:
    kernel = MemoryKernel()
    kernel.fail_next("device_features", NotSupported("read", errno.EOPNOTSUPP, "this interface tells no features"))
    report = offload_report(kernel, UNTRIED, "crypto.self_test is off", {"uplink"}, [], lambda _: Traffic())
    assert report["untried"] == "crypto.self_test is off"
    assert [(each["feature"], each["why"]) for each in report["cards"]] == [
        ("none", "this interface tells no features")
    ]
