import pytest

from edgevpn.config.identity import identity
from edgevpn.config.model import (
    INTERFACE_LENGTH,
    Action,
    Child,
    Childless,
    Gateway,
    LogLevel,
    PskKeys,
    Site,
    Start,
    Unique,
)
from edgevpn.config.setting import Setting, settings_of
from tests.support.configs import OFFICE, config, office

SETTINGS = {
    f"{record.__name__}.{key}": each
    for record in (Gateway, Site, PskKeys, Child)
    for key, each in settings_of(record).items()
}


@pytest.mark.parametrize("each", SETTINGS.values(), ids=SETTINGS)
def test_every_key_is_documented(each: Setting) -> None:
    assert each.doc.endswith(".")
    assert each.doc[0].isupper()
    assert each.kind.allowed
    assert bool(each.default_text) == (each.default is not None)


def test_no_key_means_two_things() -> None:
    """Keys of a child and of its pre-shared key stand in the site's table."""
    keys = [key for record in (Site, PskKeys, Child) for key in settings_of(record)]
    assert len(set(keys)) == len(keys)
    assert "child" not in keys


def test_gateway_as_it_comes() -> None:
    gateway = config(office=OFFICE).gateway
    assert gateway == Gateway()
    assert [str(address) for address in gateway.listen] == ["0.0.0.0", "::"]  # noqa: S104 - nothing is bound
    assert (gateway.log_level, gateway.nat_keepalive) == (LogLevel.INFO, 20)


def test_site_as_it_comes() -> None:
    """Strong algorithms, tunnels that come back by themselves, PFS where the peer has it."""
    site = office()
    (child,) = site.children
    assert (site.remote_id, site.interface) == (identity("office.example.org"), "evpn-office")
    assert (site.ike_rekey_time, site.ike_life_time, site.dpd_delay) == (14400, 15840, 30)
    assert (site.mobike, site.fragmentation, site.encap) == (True, True, False)
    assert (site.childless, site.unique) == (Childless.ALLOW, Unique.KEEP)
    assert (child.name, child.start) == ("office", Start.LOAD)
    assert (child.dpd_action, child.close_action) == (Action.RESTART, Action.RESTART)
    assert (child.esp_rekey_time, child.esp_life_time, child.esp_rekey_bytes, child.esp_life_bytes) == (
        3600,
        3960,
        0,
        0,
    )
    assert child.esp_rekey_packets < child.esp_life_packets < 2**32
    assert not any(proposal.weaknesses for proposal in (*site.ike_proposals, *child.esp_proposals))
    assert all("none" in proposal.ke for proposal in child.esp_proposals)


@pytest.mark.parametrize(
    ("start", "action"), [("load", Action.RESTART), ("traffic", Action.TRAP), ("wait", Action.CLEAR)]
)
def test_a_lost_tunnel_comes_back_as_it_came(start: str, action: Action) -> None:
    (child,) = office(start=start).children
    assert (child.dpd_action, child.close_action) == (action, action)


def test_a_peer_from_anywhere_is_waited_for() -> None:
    site = office(remote="any", remote_id="any")
    assert (site.remote, site.remote_id, site.children[0].start) == ((), None, Start.WAIT)


def test_peer_without_an_id_is_known_by_its_address() -> None:
    assert office(remote=["192.0.2.1", "gw.example.org"]).remote_id == identity("192.0.2.1")
    assert office(remote=["gw.example.org.", "192.0.2.1"]).remote_id == identity("gw.example.org")


def test_interface_names_fit_the_kernel() -> None:
    (site,) = config(**{"a-very-long-name-of-a-site": OFFICE}).sites
    assert site.interface == "evpn-a-very-lon"
    assert len(site.interface) == INTERFACE_LENGTH
