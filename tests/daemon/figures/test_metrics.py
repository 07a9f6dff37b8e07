"""The text is read by Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from edgevpn.daemon.dataplane.tunnels import Traffic
from edgevpn.daemon.figures import metrics
from edgevpn.daemon.figures.meter import Meter, Owner
from edgevpn.daemon.figures.metrics import Family, Kind, Sample, exposition
from edgevpn.daemon.figures.tally import Tally
from edgevpn.ike.contract import Limit, Settings
from edgevpn.ike.errors import Cause
from tests.support.stand_in import POOL
from tests.support.states import a_child
from tests.support.statuses import BRANCH, OFFICE

Read = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(families: Iterable[Family]) -> Read:
    """All samples by name and labels; a help and a type have come before each."""
    found: Read = {}
    for family in text_string_to_metric_families(exposition(families)):
        assert family.documentation
        assert family.type != "unknown"
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def moved() -> Meter:
    meter = Meter()
    meter.begin(a_child(1), Owner(site="office", child="lan"))
    meter.begin(a_child(2), Owner(pool="home", device="phone"))
    meter.look(lambda child: Traffic(3, 5))
    return meter


def test_process() -> None:
    samples = read(metrics.of_process("0.1.0", 1_700_000_000.5, 2))
    assert samples["edgevpn_build_info", (("version", "0.1.0"),)] == 1
    assert samples["edgevpn_faults_total", ()] == 2
    assert samples["process_start_time_seconds", ()] == 1_700_000_000.5
    assert samples["process_cpu_seconds_total", ()] > 0
    assert samples["process_resident_memory_bytes", ()] > 1_000_000


def test_sites() -> None:
    samples = read(metrics.of_sites([OFFICE, BRANCH], moved()))
    assert samples["edgevpn_site_up", (("site", "office"),)] == 1
    assert samples["edgevpn_site_up", (("site", "branch"),)] == 0
    labels = (("child", "lan"), ("site", "office"))
    assert samples["edgevpn_site_received_bytes_total", labels] == 3
    assert samples["edgevpn_site_sent_bytes_total", labels] == 5


def test_pools() -> None:
    samples = read(metrics.of_pools([POOL], {"home": 1}, moved()))  # type: ignore[list-item]
    assert samples["edgevpn_pool_sessions", (("pool", "home"),)] == 1
    assert samples["edgevpn_pool_addresses", (("family", "ipv4"), ("pool", "home"))] == 253
    assert samples["edgevpn_pool_addresses_used", (("family", "ipv4"), ("pool", "home"))] == 1
    assert samples["edgevpn_pool_sent_bytes_total", (("pool", "home"),)] == 5


def test_protocol() -> None:
    """A cause that was not met yet is there too, or its first time would go unnoticed."""
    tally = Tally(lambda: 0.0)
    tally.handshakes.add(0.2)
    tally.ended[Cause.WRONG_PASSWORD] += 3
    tally.shed[Limit.HALF_OPEN] += 2
    samples = read(metrics.of_protocol(tally, 4, 1))
    assert samples["edgevpn_ike_sas", (("state", "established"),)] == 4
    assert samples["edgevpn_ike_handshake_seconds_bucket", (("le", "0.1"),)] == 0
    assert samples["edgevpn_ike_handshake_seconds_bucket", (("le", "0.25"),)] == 1
    assert samples["edgevpn_ike_handshake_seconds_bucket", (("le", "+Inf"),)] == 1
    assert samples["edgevpn_ike_handshake_seconds_sum", ()] == 0.2
    assert samples["edgevpn_ike_handshake_seconds_count", ()] == 1
    assert samples["edgevpn_ike_shed_total", (("limit", "half-open"),)] == 2
    assert samples["edgevpn_ike_shed_total", (("limit", "first-messages"),)] == 0
    causes = {
        dict(labels)["cause"]: value for (name, labels), value in samples.items() if name == "edgevpn_ike_ended_total"
    }
    assert causes == {cause.value: 3.0 if cause is Cause.WRONG_PASSWORD else 0.0 for cause in Cause}


def test_limits() -> None:
    """All that can be shed has its limit told, by the same word."""
    samples = read(metrics.of_limits(64 << 20, Settings(half_open_limit=299), 32))
    assert samples["edgevpn_memory_size_bytes", ()] == 64 << 20
    assert samples["edgevpn_limit", (("limit", "half-open"),)] == 299
    assert samples["edgevpn_limit", (("limit", "control-clients"),)] == 32
    told = {dict(labels).get("limit") for _, labels in samples}
    assert {limit.value for limit in Limit} <= told
    assert read(metrics.of_transport(3))["edgevpn_ike_repeated_total", ()] == 3
    assert read(metrics.of_control(7))["edgevpn_control_refused_total", ()] == 7


def test_devices_that_were_refused() -> None:
    found = read(metrics.of_devices({"unknown": 0, "too-many-tries": 3}))
    assert found["edgevpn_device_refused_total", (("why", "unknown"),)] == 0
    assert found["edgevpn_device_refused_total", (("why", "too-many-tries"),)] == 3


def test_kernel_and_certificates() -> None:
    assert read(metrics.of_kernel({"XfrmInNoStates": 7})) == {
        ("edgevpn_xfrm_dropped_packets_total", (("reason", "XfrmInNoStates"),)): 7
    }
    ca = {"what": "CA", "subject": "CN=x", "fingerprint": "", "ends": 2_000_000_000.0, "days_left": 9}
    assert read(metrics.of_certificates([ca])) == {  # type: ignore[list-item]
        ("edgevpn_certificate_expiry_time_seconds", (("certificate", "CA"),)): 2_000_000_000
    }


def test_names_of_the_owner_stay_in_their_label() -> None:
    odd = 'a"b\\c\nd'
    family = Family("x", Kind.GAUGE, "Odd.", (Sample(1, (("name", odd),)),))
    assert read([family]) == {("x", (("name", odd),)): 1}
