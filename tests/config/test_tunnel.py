from types import SimpleNamespace

import pytest

from edgevpn.config.errors import Refused
from edgevpn.config.proposals import esp_proposal, ike_proposal
from edgevpn.config.tunnel import (
    ESP_PROPOSALS,
    IKE_PROPOSALS,
    INTERFACE_LENGTH,
    OWN_INTERFACE,
    from_crypto,
    own_interface,
    tenth_more,
)


def test_default_proposals_are_strong() -> None:
    assert not any(ike_proposal(each).weaknesses for each in IKE_PROPOSALS)
    assert not any(esp_proposal(each).weaknesses for each in ESP_PROPOSALS)


def test_own_interface_is_a_name_that_may_be_written() -> None:
    for name in ("a", "a-very-long-name-of-a-site"):
        made = own_interface({"name": name})
        assert OWN_INTERFACE.read(made) == made
        assert len(made) <= INTERFACE_LENGTH


@pytest.mark.parametrize("written", ["eth0", "evpn-a-very-long", "evpn/1", "br-evpn"])
def test_other_interfaces_are_left_alone(written: str) -> None:
    with pytest.raises(Refused):
        OWN_INTERFACE.read(written)


def test_defaults_from_other_keys() -> None:
    assert tenth_more("ike_rekey_time")({"ike_rekey_time": 3600}) == 3960
    assert from_crypto("order")({"crypto": SimpleNamespace(order=("aes128",))}) == ("aes128",)
