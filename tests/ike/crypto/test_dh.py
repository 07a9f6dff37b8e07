"""edgevpn.ike.crypto.dh, with the vectors of RFC 5903, 7748 and 8031, and of Project Wycheproof for what is refused."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from edgevpn.ike.crypto.dh import BIAS_OCTETS, ECP_GROUPS, ModpKeyPair, generate, respond
from edgevpn.ike.crypto.mlkem import AVAILABLE
from edgevpn.ike.crypto.modp import GENERATOR, MODP_GROUPS
from edgevpn.ike.crypto.suite import PUBLIC_LENGTHS
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import Ke
from tests.support.vectors import Vector, each_vector, vectors

METHODS = pytest.mark.parametrize("ke", PUBLIC_LENGTHS, ids=[ke.name for ke in PUBLIC_LENGTHS])
MODP = pytest.mark.parametrize("ke", MODP_GROUPS, ids=[ke.name for ke in MODP_GROUPS])


def entropy_for(ke: Ke, private: bytes) -> Callable[[int], bytes]:
    """The octets that make `generate` choose this private key."""

    def entropy(size: int) -> bytes:
        if ke not in ECP_GROUPS:
            assert size == len(private)
            return private
        assert size == len(private) + BIAS_OCTETS  # reduced to 1 ... order - 1
        return (int.from_bytes(private, "big") - 1).to_bytes(size, "big")

    return entropy


@each_vector("ke")
def test_published_exchange(vector: Vector) -> None:
    ke = Ke[vector["ke"]]
    i = generate(ke, entropy_for(ke, vector.octets("private_i")))
    r = generate(ke, entropy_for(ke, vector.octets("private_r")))
    assert (i.public, r.public) == (vector.octets("public_i"), vector.octets("public_r"))
    assert i.shared_secret(r.public) == vector.octets("shared")
    assert r.shared_secret(i.public) == vector.octets("shared")


@MODP
def test_modp_exchange(ke: Ke) -> None:
    """Nobody has published an exchange in these groups; powers of Python's own are compared with."""
    group, octets = MODP_GROUPS[ke], Random(ke).randbytes
    i, r = generate(ke, octets), generate(ke, octets)
    assert isinstance(i, ModpKeyPair)
    assert isinstance(r, ModpKeyPair)
    assert {each.exponent.bit_length() for each in (i, r)} == {group.exponent_bits}
    assert int.from_bytes(i.public, "big") == pow(GENERATOR, i.exponent, group.prime)
    shared = pow(GENERATOR, i.exponent * r.exponent, group.prime).to_bytes(group.bits // 8, "big")
    assert i.shared_secret(r.public) == r.shared_secret(i.public) == shared


@MODP
def test_modp_secret_has_the_length_of_the_prime(ke: Ke) -> None:
    """A small shared secret is filled up with leading zeros; RFC 7296 §2.14."""
    group = MODP_GROUPS[ke]
    pair = ModpKeyPair.generate(group, lambda size: b"\xff" * size)
    root = pow(pair.exponent, -1, (group.prime - 1) // 2)
    public = pow(GENERATOR, root, group.prime).to_bytes(group.bits // 8, "big")
    assert pair.shared_secret(public) == GENERATOR.to_bytes(group.bits // 8, "big")


def test_every_method_has_been_tried() -> None:
    tried = {Ke[vector["ke"]] for vector in vectors("ke")} | MODP_GROUPS.keys()
    assert tried == PUBLIC_LENGTHS.keys()


@METHODS
def test_lengths(ke: Ke) -> None:
    pair = generate(ke, Random(1).randbytes)
    assert len(pair.public) == PUBLIC_LENGTHS[ke]
    for wrong in (b"", pair.public[:-1], pair.public + b"\0"):
        with pytest.raises(InvalidSyntax, match=f"public value of {len(wrong)} octets instead of {len(pair.public)}"):
            pair.shared_secret(wrong)


@each_vector("ke_refused")
def test_refused_public_value(vector: Vector) -> None:
    """RFC 6989 §2.3: no point of the curve. RFC 7748 §6: a point whose small order makes the secret known."""
    pair = generate(Ke[vector["ke"]], Random(1).randbytes)
    with pytest.raises(InvalidSyntax, match=r"no point of the curve|all-zero"):
        pair.shared_secret(vector.octets("public"))


@pytest.mark.parametrize("ke", ECP_GROUPS, ids=[ke.name for ke in ECP_GROUPS])
def test_coordinates_are_below_the_prime(ke: Ke) -> None:
    """RFC 6989 §2.3."""
    pair = generate(ke, Random(1).randbytes)
    with pytest.raises(InvalidSyntax, match="no point of the curve"):
        pair.shared_secret(b"\xff" * PUBLIC_LENGTHS[ke])


@MODP
def test_modp_public_value_is_in_range(ke: Ke) -> None:
    """RFC 6989 §2.1: 1 < r < p - 1."""
    group, pair = MODP_GROUPS[ke], generate(ke, Random(1).randbytes)
    for value in (0, 1, group.prime - 1, group.prime, group.prime + 1, (1 << group.bits) - 1):
        with pytest.raises(InvalidSyntax, match="out of range"):
            pair.shared_secret(value.to_bytes(group.bits // 8, "big"))


@MODP
def test_modp_public_value_outside_the_subgroup(ke: Ke) -> None:
    """p - 2 is no power of 2. OpenSSL before 3.4 will not compute with it; RFC 6989 §2.1 leaves that open."""
    group, pair = MODP_GROUPS[ke], generate(ke, Random(1).randbytes)
    assert isinstance(pair, ModpKeyPair)
    value = group.prime - 2
    try:
        secret = pair.shared_secret(value.to_bytes(group.bits // 8, "big"))
    except InvalidSyntax as refused:
        assert str(refused) == "public value is no power of the generator"  # noqa: PT017 - it depends on the library
    else:
        assert int.from_bytes(secret, "big") == pow(value, pair.exponent, group.prime)


@METHODS
def test_key_pair_follows_from_its_entropy(ke: Ke) -> None:
    assert generate(ke, Random(1).randbytes).public == generate(ke, Random(1).randbytes).public
    assert generate(ke, Random(1).randbytes).public != generate(ke, Random(2).randbytes).public


@pytest.mark.parametrize("ke", [Ke.NONE, Ke.MODP_768, Ke.MODP_2048_256, Ke.ECP_192, Ke.ML_KEM_512, Ke(4711)])
def test_unsupported_method(ke: Ke) -> None:
    with pytest.raises(ValueError, match=f"{ke.name} is not supported"):
        generate(ke, Random(1).randbytes)


@pytest.mark.parametrize("ke", [*PUBLIC_LENGTHS, *sorted(AVAILABLE)], ids=lambda ke: ke.name)
def test_respond(ke: Ke) -> None:
    """Both sides have the same secret, whether the responder has a key pair or not."""
    key_pair = generate(ke, Random(1).randbytes)
    answer = respond(ke, key_pair.public, Random(2).randbytes)
    assert key_pair.shared_secret(answer.public) == answer.shared_secret
    assert "secret" not in repr(answer)
    with pytest.raises(InvalidSyntax, match="octets"):
        respond(ke, key_pair.public[1:], Random(2).randbytes)


@METHODS
def test_private_key_stays_out_of_logs(ke: Ke) -> None:
    pair = generate(ke, Random(1).randbytes)
    assert "private" not in repr(pair)
    assert "exponent=" not in repr(pair)
    assert "exchange" not in repr(pair)
