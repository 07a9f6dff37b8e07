from __future__ import annotations

import pytest

from edgevpn.api import ErrorCode, RpcError
from edgevpn.daemon.control.methods.names import at_most, known, unused, within
from edgevpn.daemon.keeping.configuration import LONGEST_WAIT
from tests.support.configs import office

SITES = (office(),)


def test_the_one_of_a_name() -> None:
    assert known("site", "office", SITES) is SITES[0]
    with pytest.raises(RpcError) as refusal:
        known("site", "x" * 99, SITES)
    assert refusal.value.code == ErrorCode.NOT_FOUND
    assert refusal.value.message == f"there is no site '{'x' * 40}'; configured: office"
    with pytest.raises(RpcError, match="configured: none"):
        known("site", "office", ())


def test_a_name_that_is_taken() -> None:
    unused("site", "shop", ["office"])
    with pytest.raises(RpcError, match="there is a site 'office' already") as refusal:
        unused("site", "office", ["office"])
    assert refusal.value.code == ErrorCode.FAILED


def test_numbers() -> None:
    assert (within(0), within(LONGEST_WAIT), at_most("limit", 3, 3)) == (0, LONGEST_WAIT, 3)
    for number, most in ((-1, 3), (4, 3)):
        with pytest.raises(RpcError, match="limit: allowed: 0 to 3") as refusal:
            at_most("limit", number, most)
        assert refusal.value.code == ErrorCode.INVALID_PARAMS
    for seconds in (-1, LONGEST_WAIT + 1):
        with pytest.raises(RpcError, match="confirm: allowed: 0 to 3600 seconds"):
            within(seconds)
