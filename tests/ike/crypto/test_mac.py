"""edgevpn.ike.crypto.mac, with the vectors of RFC 2202, 3566, 4434, 4494, 4615 and 4868."""

from __future__ import annotations

import pytest

from edgevpn.ike.crypto.mac import INTEGRITY_MACS, PRFS, aes_xcbc
from edgevpn.ike.crypto.suite import INTEGRITIES, PRF_KEY_LENGTHS
from edgevpn.ike.iana import Integ, Prf
from tests.support.vectors import Vector, each_vector, vectors


@each_vector("prf")
def test_prf(vector: Vector) -> None:
    mac = PRFS[Prf[vector["prf"]]]
    assert mac(vector.octets("key"), vector.octets("data")) == vector.octets("output")


@each_vector("integ")
def test_integrity(vector: Vector) -> None:
    """The ICV is the first octets of the MAC."""
    integ = Integ[vector["integ"]]
    mac = INTEGRITY_MACS[integ](vector.octets("key"), vector.octets("data"))
    assert mac[: INTEGRITIES[integ].icv_length] == vector.octets("icv")


def test_integrity_of_a_thousand_zeros() -> None:
    """RFC 3566 §4.6, case 7."""
    assert aes_xcbc(bytes(range(16)), bytes(1000))[:12].hex() == "f0dafee895db30253761103b"


def test_every_algorithm_has_a_vector() -> None:
    assert {Prf[vector["prf"]] for vector in vectors("prf")} == PRFS.keys()
    assert {Integ[vector["integ"]] for vector in vectors("integ")} == INTEGRITY_MACS.keys()


@pytest.mark.parametrize("prf", PRFS)
def test_output_is_as_long_as_the_preferred_key(prf: Prf) -> None:
    """RFC 7296 §2.14 takes SK_d, SK_pi and SK_pr as long as the key of the prf that is used with them."""
    assert len(PRFS[prf](b"key", b"data")) == PRF_KEY_LENGTHS[prf]


def test_tables_know_the_same_algorithms() -> None:
    assert PRFS.keys() == PRF_KEY_LENGTHS.keys()
    assert INTEGRITY_MACS.keys() == INTEGRITIES.keys() - {Integ.NONE}
