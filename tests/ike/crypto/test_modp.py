"""edgevpn.ike.crypto.modp, against the primes as the RFCs print them and against powers by the other engine."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from random import Random
from types import ModuleType

import pytest

from edgevpn.ike.crypto.modp import GENERATOR, MODP_GROUPS, ModpGroup, power
from edgevpn.ike.crypto.suite import PUBLIC_LENGTHS
from edgevpn.ike.iana import Ke
from tests.support.vectors import Vector, each_vector, vectors

DIFFIE_HELLMAN = "cryptography.hazmat.primitives.asymmetric.dh"

GROUPS = pytest.mark.parametrize("group", MODP_GROUPS.values(), ids=[ke.name for ke in MODP_GROUPS])


@each_vector("modp")
def test_prime(vector: Vector) -> None:
    group = MODP_GROUPS[Ke[vector["ke"]]]
    assert group.prime.to_bytes(group.bits // 8, "big") == vector.octets("prime")


def test_every_group_has_its_prime() -> None:
    assert {Ke[vector["ke"]] for vector in vectors("modp")} == MODP_GROUPS.keys()


@pytest.mark.parametrize("ke", MODP_GROUPS)
def test_sizes(ke: Ke) -> None:
    """A public value is as long as the prime; an exponent has twice the strength of the group, RFC 3526 §8."""
    group, strength = MODP_GROUPS[ke], {1024: 80, 1536: 90, 2048: 110, 3072: 130, 4096: 150}
    assert group.bits == 8 * PUBLIC_LENGTHS[ke]
    assert group.exponent_bits >= 2 * strength[group.bits]


@GROUPS
def test_generator_makes_the_large_subgroup(group: ModpGroup) -> None:
    """2 has the prime order (p - 1) / 2, so that a public value tells nothing about the exponent's lowest bit."""
    assert pow(GENERATOR, (group.prime - 1) // 2, group.prime) == 1


@pytest.fixture(scope="module")
def without_diffie_hellman() -> ModuleType:
    """The module where cryptography has dropped Diffie-Hellman, as it has announced."""
    spec = find_spec("edgevpn.ike.crypto.modp")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, DIFFIE_HELLMAN, None)
        spec.loader.exec_module(module)
    return module


def test_python_computes_where_openssl_cannot(without_diffie_hellman: ModuleType) -> None:
    assert not without_diffie_hellman.OPENSSL_HAS_MODP


@GROUPS
def test_both_engines_agree(without_diffie_hellman: ModuleType, group: ModpGroup) -> None:
    """g^ir is the same, whoever computes it: OpenSSL or Python."""
    chance = Random(group.bits)
    i, r = (chance.getrandbits(group.exponent_bits) | 1 << group.exponent_bits - 1 for _ in "ir")
    public_r = pow(GENERATOR, r, group.prime)
    shared = pow(GENERATOR, i * r, group.prime)
    assert power(public_r, i, group) == shared
    assert without_diffie_hellman.power(public_r, i, group) == shared
