"""edgevpn.kernel.sysctl; of the real variables, see test_contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevpn.kernel.errors import KernelError, NotFound
from edgevpn.kernel.sysctl import Setting, change_settings, read_setting, write_setting

RP_FILTER, FORWARDING, PROXY_NDP = (
    Setting(4, "lan", "rp_filter"),
    Setting(4, "lan", "forwarding"),
    Setting(6, "lan", "proxy_ndp"),
)
MISSING = Setting(4, "gone", "rp_filter")


@pytest.fixture
def sysctl(tmp_path: Path) -> Path:
    """The variables of one interface, all 0."""
    for setting in (RP_FILTER, FORWARDING, PROXY_NDP):
        setting.below(tmp_path).parent.mkdir(parents=True, exist_ok=True)
        setting.below(tmp_path).write_text("0\n")
    return tmp_path


def test_names() -> None:
    assert str(PROXY_NDP) == "net.ipv6.conf.lan.proxy_ndp"
    assert PROXY_NDP.below(Path("/proc/sys/net")) == Path("/proc/sys/net/ipv6/conf/lan/proxy_ndp")
    assert str(Setting(4, "br.7", "rp_filter")) == "net.ipv4.conf.br.7.rp_filter"


@pytest.mark.parametrize(
    ("interface", "name"),
    [
        ("", "rp_filter"),
        (".", "rp_filter"),
        ("..", "rp_filter"),
        ("a/b", "rp_filter"),
        ("lan", ""),
        ("lan", "../x"),
        ("lan", "a.b"),
    ],
)
def test_no_setting(interface: str, name: str) -> None:
    with pytest.raises(ValueError, match="has no setting"):
        Setting(4, interface, name)


def test_change_and_restore(sysctl: Path) -> None:
    write_setting(PROXY_NDP, 1, sysctl)
    before = change_settings({RP_FILTER: 2, PROXY_NDP: 1}, sysctl)
    assert before == {RP_FILTER: 0}
    assert read_setting(RP_FILTER, sysctl) == 2
    assert change_settings(before, sysctl) == {RP_FILTER: 2}
    assert read_setting(RP_FILTER, sysctl) == 0


def test_all_or_none(sysctl: Path) -> None:
    with pytest.raises(NotFound, match=r"cannot read net\.ipv4\.conf\.gone\.rp_filter: there is no such interface"):
        change_settings({RP_FILTER: 2, FORWARDING: 1, MISSING: 1}, sysctl)
    assert (read_setting(RP_FILTER, sysctl), read_setting(FORWARDING, sysctl)) == (0, 0)


def test_not_a_number(sysctl: Path) -> None:
    RP_FILTER.below(sysctl).write_text("many\n")
    with pytest.raises(KernelError, match="makes no sense"):
        read_setting(RP_FILTER, sysctl)


def test_cannot_be_written(sysctl: Path) -> None:
    FORWARDING.below(sysctl).unlink()
    FORWARDING.below(sysctl).mkdir()
    with pytest.raises(KernelError, match=r"cannot set net\.ipv4\.conf\.lan\.forwarding: Is a directory"):
        write_setting(FORWARDING, 1, sysctl)
