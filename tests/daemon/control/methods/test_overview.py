from __future__ import annotations

import logging
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edgevpn import __version__
from edgevpn.api import ErrorCode, RpcError
from edgevpn.daemon.base.logs import note
from edgevpn.kernel.errors import KernelError, NotSupported
from tests.support.configs import config as configured
from tests.support.gateways import running
from tests.support.services import HOME, OFFICE, PSK, serving

MIRROR = {
    "remote": "any",
    "local_id": "office.example.org",
    "remote_id": "home.example.org",
    "psk": PSK,
    "local_networks": "10.2.0.0/24",
    "remote_networks": "10.1.0.0/24",
}
CALLED = HOME.replace('"any"', '"127.0.0.2"')


async def test_status(tmp_path: Path) -> None:
    """Of everything, with one question to the kernel."""
    async with (
        serving(tmp_path, CALLED) as served,
        running(configured({"listen": "127.0.0.2"}, home=MIRROR), served.ports),
    ):
        await served.ask("site.up", name="office")
        served.kernel.fail_next("get_sa", KernelError("read SA", 1, "nobody is to ask for one alone"))
        status = await served.ask("status")
        assert (status["version"], status["kernel"]) == (__version__, "memory")
        assert [(site["name"], site["state"]) for site in status["sites"]] == [("office", "up")]
        assert [device["name"] for device in status["devices"]] == ["phone", "tablet", "laptop"]


async def test_health(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        checks = {check["id"]: check for check in await served.ask("health")}
        assert (checks["kernel"]["level"], checks["clock"]["level"]) == ("bad", "good")


async def test_offload(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, CALLED) as served,
        running(configured({"listen": "127.0.0.2"}, home=MIRROR), served.ports),
    ):
        await served.ask("site.up", name="office")
        report = await served.ask("offload")
        assert [(each["owner"], each["child"], each["direction"]) for each in report["sas"]] == [
            ("office", "office", "in"),
            ("office", "office", "out"),
        ]
        assert {each["carrier"] for each in report["sas"]} == {"cpu"}
        assert report["untried"]
        assert report["ciphers"] == []


async def test_attempts(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, CALLED) as served,
        running(configured({"listen": "127.0.0.2"}, home=MIRROR | {"psk": PSK + "!"}), served.ports),
    ):
        with pytest.raises(RpcError):
            await served.ask("site.up", name="office")
        (attempt,) = await served.ask("attempts", peer="office")
        assert attempt["sentence"]
        (japanese,) = await served.ask("attempts", language="ja")
        assert japanese["sentence"] != attempt["sentence"]
        assert await served.ask("attempts", peer="nobody") == []


async def test_log(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for number in range(3):
            note(logging.getLogger("edgevpn.test"), logging.ERROR, "turn", number=number)
        lines = await served.ask("log.recent", limit=2)
        assert [line["text"] for line in lines] == ["turn number=1", "turn number=2"]
        assert len(await served.ask("log.recent")) >= 3
        with pytest.raises(RpcError, match="limit: allowed: 0 to 1000") as refusal:
            await served.ask("log.recent", limit=-1)
        assert refusal.value.code == ErrorCode.INVALID_PARAMS


async def test_metrics(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, CALLED) as served,
        running(configured({"listen": "127.0.0.2"}, home=MIRROR), served.ports),
    ):
        await served.certified()
        await served.ask("site.up", name="office")
        inbound = next(each for each in served.kernel.list_sas() if str(each.spec.destination) == "127.0.0.1")
        served.kernel.set_sa(inbound.spec.key, octets=700)
        samples = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(await served.ask("metrics"))
            for sample in family.samples
        }
        assert samples["edgevpn_site_up", "office"] == 1
        assert samples["edgevpn_site_received_bytes_total", "office", "office"] == 700
        assert samples["edgevpn_ike_sas", "established"] == 1
        assert samples["edgevpn_ike_handshake_seconds_count",] == 1
        assert samples["edgevpn_pool_addresses", "ipv4", "road"] == 253
        assert samples["edgevpn_certificate_expiry_time_seconds", "CA"] > 1_800_000_000


async def test_metrics_of_what_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    async with serving(tmp_path, OFFICE) as served:
        served.kernel.fail_next("statistics", NotSupported("read statistics", 2, "no"))
        text = await served.ask("metrics")
        assert "edgevpn_site_up" in text
        assert "xfrm" not in text
        assert "certificate_expiry" not in text
