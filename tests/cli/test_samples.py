"""edgevpn.cli.samples: what our own exposition says, read as a client of Prometheus reads it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from edgevpn.cli.samples import samples
from edgevpn.daemon.figures.metrics import Family, Kind, Sample, exposition

TEXT = """\
# HELP edgevpn_sites Sites.
# TYPE edgevpn_sites gauge
edgevpn_sites 2
edgevpn_site_up{site="office"} 1
edgevpn_shed_total{limit="a b",remote="\\"x\\\\y\\n"} 1.5e3
"""


def test_samples() -> None:
    assert list(samples(TEXT)) == [
        {"name": "edgevpn_sites", "labels": {}, "value": 2.0},
        {"name": "edgevpn_site_up", "labels": {"site": "office"}, "value": 1.0},
        {"name": "edgevpn_shed_total", "labels": {"limit": "a b", "remote": '"x\\y\n'}, "value": 1500.0},
    ]


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))))
def test_labels_are_read_as_others_read_them(label: str) -> None:
    text = exposition([Family("edgevpn_sites", Kind.GAUGE, "Sites.", (Sample(2, (("name", label),)),))])
    (family,) = text_string_to_metric_families(text)
    theirs = [{"name": each.name, "labels": each.labels, "value": each.value} for each in family.samples]
    assert list(samples(text)) == theirs
