"""edgevpn.kernel.spec."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from edgevpn.kernel.spec import (
    MAX_REPLAY_WINDOW,
    OURS_IF_ID,
    OURS_REQID,
    Direction,
    Encryption,
    Integrity,
    Mark,
    Mode,
    PolicyKey,
    Protocol,
    SaKey,
    Selector,
    Sequence,
    Tags,
    Template,
)
from tests.support.kernel import GCM, HERE, HERE6, IF_ID, KEY, OUT, POLICY, REQID, THERE, policy, sa

FOREIGN_TEMPLATE = Template(HERE, THERE, 1)


def test_unknown_numbers_are_kept() -> None:
    assert [Mode(1), Mode(9), Protocol(50)] == [Mode.TUNNEL, 9, Protocol.ESP]
    assert str(Mode(9).name) == "UNKNOWN_9"
    odd: Any
    for odd in (256, -1, "x"):
        with pytest.raises(ValueError, match="is not a valid Mode"):
            Mode(odd)


REFUSED: dict[str, dict[str, Any]] = {
    "two address families": {"source": HERE6},
    "a reserved SPI": {"spi": 255},
    "an SPI of five octets": {"spi": 1 << 32},
    "replay window": {"replay_window": MAX_REPLAY_WINDOW + 1},
    "negative replay window": {"replay_window": -1},
    "brings its own integrity": {"integrity": Integrity("hmac(sha256)", KEY, 128)},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_sa_contradicts_itself(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"families|SPI|window|integrity"):
        sa(**changes)


def test_selector_of_two_families() -> None:
    with pytest.raises(ValueError, match="two address families"):
        Selector(ip_network("10.0.0.0/8"), ip_network("::/0"))


def test_keys_stay_out_of_sight() -> None:
    spec = sa(cipher=Encryption("cbc(aes)", b"cipher-secret"), integrity=Integrity("hmac(sha1)", b"other-secret", 96))
    assert "secret" not in repr(spec) + str(spec)
    bare = spec.without_keys()
    assert (bare.cipher, bare.integrity) == (Encryption("cbc(aes)", b""), Integrity("hmac(sha1)", b"", 96))


def test_without_keys() -> None:
    assert sa(sequence=Sequence(7)).without_keys() == sa(cipher=type(GCM)(GCM.name, b"", 128))


def test_words() -> None:
    assert str(OUT) == str(OUT.key) == "SA c0ffee01 to 198.51.100.2"
    assert str(POLICY) == str(POLICY.key) == "policy out 10.1.0.0/24 -> 10.2.0.0/16"
    only_udp = Selector(ip_network("::/0"), ip_network("::/0"), 17)
    assert str(policy(selector=only_udp, direction=Direction.FWD)) == "policy fwd ::/0 -> ::/0 protocol 17"


def test_keys_of_the_kernel() -> None:
    mark = Mark(5)
    assert sa(mark=mark).key == SaKey(THERE, OUT.spi, Protocol.ESP, mark)
    assert policy(mark=mark).key == PolicyKey(POLICY.selector, Direction.OUT, IF_ID, mark)


def test_ours() -> None:
    assert sa(reqid=OURS_REQID[-1], if_id=0).ours
    assert sa(reqid=1, if_id=OURS_IF_ID[0]).ours
    assert not sa(reqid=1, if_id=1).ours
    assert not Tags(OURS_REQID.stop, OURS_IF_ID.stop).ours

    assert policy(if_id=IF_ID, templates=()).ours
    assert policy(if_id=0, templates=(FOREIGN_TEMPLATE, Template(HERE, THERE, REQID))).ours
    assert not policy(if_id=1, templates=(FOREIGN_TEMPLATE,)).ours
