from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.api import SiteStatus
from edgevpn.daemon.dataplane.tunnels import Traffic
from edgevpn.daemon.figures.status import Seen, selector_text, site_status
from edgevpn.ike.iana import Encr, Integ
from edgevpn.ike.peer import Ppk
from edgevpn.ike.state import Established, Nat, Phase
from edgevpn.ike.wire.selector import ANY_PORTS, TrafficSelector
from tests.support.configs import office
from tests.support.pair import Pair
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.shapes import misfits


@pytest.fixture
def sa() -> Established:
    pair = Pair((TO_RIGHT,), (TO_LEFT,))
    pair.left.initiate("right")
    pair.run(1)
    return pair.left.sa


def test_site_that_is_up(sa: Established) -> None:
    """Children that are on their way out are not shown."""
    leaving = replace(sa.children[0], spi_in=b"gone", phase=Phase.LINGERING)
    sa = replace(sa, nat=Nat(local=True, remote=True), children=(*sa.children, leaving))
    status = site_status(office(), [sa], Seen(), lambda _: Traffic(7, 8, undeciphered=9), 1_700_000_000.0)

    assert misfits(status, SiteStatus) == []
    assert (status["state"], status["remote"]) == ("up", "office.example.org")
    (ike,) = status["ike"]
    assert (ike["remote"], ike["nat"], ike["suite"]) == ("198.51.100.1:500", "both", "aes256gcm16-prfsha256-x25519")
    assert ike["established"] == pytest.approx(1_700_000_000.0, abs=1)
    (child,) = ike["children"]
    assert (child["local_ts"], child["remote_ts"]) == (["10.1.0.0/24"], ["10.2.0.0/24"])
    assert (child["bytes_in"], child["bytes_out"], child["undeciphered"]) == (7, 8, 9)


def test_site_with_a_post_quantum_key(sa: Established) -> None:
    mixed = replace(sa, secured=sa.secured.mixed(Ppk(b"winter", b"a key")))
    status = site_status(office(), [mixed, sa], Seen(), lambda _: Traffic(), 0.0)
    assert [ike["ppk"] for ike in status["ike"]] == ["winter", ""]


def test_site_with_weak_algorithms(sa: Established) -> None:
    """Those of a child as well as its own, and nothing of one that is strong."""
    old = replace(sa.children[0].suite, encr=Encr.AES_CBC, integ=Integ.HMAC_SHA1_96)
    weak = replace(sa, children=(replace(sa.children[0], suite=old),))
    told = [site_status(office(), [each], Seen(), lambda _: Traffic(), 0)["ike"][0]["weak"] for each in (sa, weak)]
    assert [[point.partition(":")[0] for point in each] for each in told] == [[], ["sha1"]]


def test_site_that_is_not(sa: Established) -> None:
    site, bare = office(remote="any", remote_id="any", start="wait"), replace(sa, children=())
    down = site_status(site, [], Seen(why="no answer"), lambda _: Traffic(), 0)
    assert (down["state"], down["why"]) == ("down", "no answer")
    assert site_status(site, [bare], Seen(trying=True), lambda _: Traffic(), 0)["state"] == "connecting"
    assert site_status(site, [bare], Seen(), lambda _: Traffic(), 0)["remote"] == "any"


@pytest.mark.parametrize(("local", "remote", "word"), [(0, 0, "none"), (1, 0, "local"), (0, 1, "remote")])
def test_nat(sa: Established, local: int, remote: int, word: str) -> None:
    behind = replace(sa, nat=Nat(bool(local), bool(remote)))
    assert site_status(office(), [behind], Seen(), lambda _: Traffic(), 0)["ike"][0]["nat"] == word


NET = TrafficSelector.from_network(ip_network("10.1.0.0/24"))
TEXTS = {
    "10.1.0.0/24": NET,
    "0.0.0.0/0": TrafficSelector.from_network(ip_network("0.0.0.0/0")),
    "fd01::/64": TrafficSelector.from_network(ip_network("fd01::/64")),
    "10.1.0.5-10.1.0.9": replace(NET, start_address=ip_address("10.1.0.5"), end_address=ip_address("10.1.0.9")),
    "10.1.0.0/24 protocol 6 port 80": replace(NET, protocol=6, start_port=80, end_port=80),
    "10.1.0.0/24 protocol 17 ports 1-9": replace(NET, protocol=17, start_port=1, end_port=9),
}


@pytest.mark.parametrize(("text", "selector"), TEXTS.items(), ids=TEXTS)
def test_selector(text: str, selector: TrafficSelector) -> None:
    assert selector.ports == ANY_PORTS or selector.protocol
    assert selector_text(selector) == text
