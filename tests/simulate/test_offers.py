"""edgevpn.simulate.offers: the lists say what their sources do."""

from __future__ import annotations

import pytest

from edgevpn.ike.iana import Encr, Integ, Ke, Prf, ProtocolId, TransformType
from edgevpn.ike.negotiate import methods, proposals
from edgevpn.ike.wire.buffer import Reader
from edgevpn.ike.wire.payloads import SecurityAssociation
from edgevpn.simulate import offers
from edgevpn.simulate.offers import Setup

SETUPS = {name: each for name, each in vars(offers).items() if isinstance(each, Setup)}


def ids(setup: Setup, transform_type: TransformType) -> set[int]:
    return {each.transform_id for o in setup.ike for each in o.transforms if each.transform_type == transform_type}


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_can_be_sent(setup: Setup) -> None:
    """What is written is read back as the same; each list names its source, and says no to ESN."""
    for protocol, spi, given in ((ProtocolId.IKE, b"", setup.ike), (ProtocolId.ESP, b"spi1", setup.esp)):
        payload = SecurityAssociation(proposals(given, protocol, spi))
        assert SecurityAssociation.decode(Reader(payload.encode())) == payload
    assert setup.source.endswith(".")
    assert all(offer.transforms[-1] == offers.NO_ESN[0] for offer in setup.esp)


def test_untouched_windows_knows_one_group() -> None:
    assert methods(offers.WINDOWS_BY_HAND.ike) == (Ke.MODP_1024,)
    assert {Encr.TRIPLE_DES, Encr.AES_CBC, Encr.AES_GCM_16} == ids(offers.WINDOWS_BY_HAND, TransformType.ENCR)
    assert all(len({t.transform_type for t in o.transforms}) == len(o.transforms) for o in offers.WINDOWS_BY_HAND.ike)


def test_android() -> None:
    """MODP-4096 is the guess, there are no NIST curves, and children have no key exchange."""
    for setup in (offers.ANDROID_11, offers.ANDROID_12):
        assert methods(setup.ike)[0] is Ke.MODP_4096
        assert not {Ke.ECP_256, Ke.ECP_384, Ke.ECP_521} & set(methods(setup.ike))
        assert methods(setup.esp) == ()
        assert Integ.AES_XCBC_96 in ids(setup, TransformType.INTEG)
    assert ids(offers.ANDROID_11, TransformType.PRF) == {Prf.AES128_XCBC, Prf.HMAC_SHA1}
    assert Encr.CHACHA20_POLY1305 not in ids(offers.ANDROID_11, TransformType.ENCR)


def test_what_we_set_up_is_one_proposal() -> None:
    for setup in (offers.WINDOWS_SCRIPTED, offers.APPLE_PROFILE):
        assert (len(setup.ike), len(setup.esp)) == (1, 1)
        assert methods(setup.ike) == methods(setup.esp) == (Ke.ECP_256,)
