"""edgevpn.ike.crypto.mlkem, with known answers; where the library has no ML-KEM, that nothing is offered."""

from __future__ import annotations

from random import Random

import pytest

from edgevpn.ike.crypto.mlkem import AVAILABLE, MlKemKeyPair, encapsulate
from edgevpn.ike.crypto.suite import is_supported
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import Ke, TransformType
from tests.support.vectors import Vector, each_vector

with_ml_kem = pytest.mark.skipif(not AVAILABLE, reason="this library has no ML-KEM")
METHODS = pytest.mark.parametrize("ke", sorted(AVAILABLE), ids=lambda ke: ke.name)

# Octets of an encapsulation key and of a ciphertext, FIPS 203 §8.
SIZES = {Ke.ML_KEM_768: (1184, 1088), Ke.ML_KEM_1024: (1568, 1568)}


@with_ml_kem
@each_vector("mlkem")
def test_known_answer(vector: Vector) -> None:
    pair = MlKemKeyPair.generate(Ke[vector["ke"]], lambda size: vector.octets("seed")[:size])
    assert pair.public == vector.octets("public")
    assert pair.shared_secret(vector.octets("ciphertext")) == vector.octets("shared")


@with_ml_kem
@each_vector("mlkem")
def test_no_ciphertext_of_ours_leads_to_a_secret_that_nobody_knows(vector: Vector) -> None:
    """FIPS 203 §6.3: nothing tells the sender that it was none."""
    pair = MlKemKeyPair.generate(Ke[vector["ke"]], lambda size: vector.octets("seed")[:size])
    assert pair.shared_secret(vector.octets("no_ciphertext")) == vector.octets("rejection")


@METHODS
def test_exchange(ke: Ke) -> None:
    pair = MlKemKeyPair.generate(ke, Random(1).randbytes)
    ciphertext, secret = encapsulate(ke, pair.public)
    assert (len(pair.public), len(ciphertext)) == SIZES[ke]
    assert pair.shared_secret(ciphertext) == secret
    assert encapsulate(ke, pair.public) != (ciphertext, secret)


@METHODS
def test_what_is_no_key_or_ciphertext(ke: Ke) -> None:
    """Wrong lengths, and coefficients that are not reduced (FIPS 203 §7.2)."""
    pair = MlKemKeyPair.generate(ke, Random(1).randbytes)
    for public in (b"", pair.public[1:], pair.public + b"\0", b"\xff" * len(pair.public)):
        with pytest.raises(InvalidSyntax, match=f"{len(public)} octets that are no encapsulation key of {ke.name}"):
            encapsulate(ke, public)
    for ciphertext in (b"", bytes(SIZES[ke][1] + 1)):
        with pytest.raises(InvalidSyntax, match=f"ciphertext of {len(ciphertext)} octets"):
            pair.shared_secret(ciphertext)


@METHODS
def test_secrets_are_not_shown(ke: Ke) -> None:
    assert "decapsulate" not in repr(MlKemKeyPair.generate(ke, Random(1).randbytes))


def test_what_is_offered() -> None:
    """ML-KEM-512 never: no version of the library has it."""
    assert AVAILABLE in (frozenset(), frozenset(SIZES))
    offered = {ke for ke in Ke if ke.name.startswith("ML_KEM") and is_supported(TransformType.ADDKE1, ke)}
    assert offered == AVAILABLE
