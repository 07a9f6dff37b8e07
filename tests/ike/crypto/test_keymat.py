"""edgevpn.ike.crypto.keymat.

NIST's samples name octets of key material, not whose they are; so keys are put together again in the order of the
RFC. What nobody has published (AUTH, the hash of NAT detection, AES-CMAC) is computed here from the RFC's formula.
"""

from __future__ import annotations

import hashlib
import hmac
from ipaddress import ip_address

import pytest

from edgevpn.ike.crypto.keymat import (
    ChildKeys,
    IkeKeys,
    derive_child_keys,
    derive_ike_keys,
    derive_rekeyed_ike_keys,
    derive_updated_ike_keys,
    mix_ppk,
    nat_detection_hash,
    prf,
    prf_plus,
    psk_auth,
    signed_octets,
)
from edgevpn.ike.crypto.mac import Mac, aes_cmac, aes_xcbc
from edgevpn.ike.crypto.suite import PRF_KEY_LENGTHS, ChildSuite, IkeSuite
from edgevpn.ike.iana import Encr, Integ, Ke, Prf
from tests.support.vectors import Vector, each_vector, vectors

NONCES = {"ni": bytes(range(32)), "nr": bytes(range(100, 132))}
SPIS = {"spi_i": b"initiatr", "spi_r": b"respondr"}


PRF_256 = Prf.HMAC_SHA2_256


def suite(prf_id: Prf) -> IkeSuite:
    """A suite whose keys together have as many octets as the vectors, or more."""
    return IkeSuite(Encr.AES_CBC, 128, Integ.HMAC_SHA1_96, prf_id, Ke.CURVE25519)


def joined(keys: IkeKeys) -> bytes:
    """{SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr}, RFC 7296 §2.14."""
    return keys.sk_d + keys.sk_ai + keys.sk_ar + keys.sk_ei + keys.sk_er + keys.sk_pi + keys.sk_pr


def joined_child(keys: ChildKeys) -> bytes:
    """Initiator before responder, encryption before integrity; RFC 7296 §2.17."""
    return keys.encr_i + keys.integ_i + keys.encr_r + keys.integ_r


@each_vector("keymat")
def test_prf_and_prf_plus(vector: Vector) -> None:
    prf_id, ni, nr = Prf[vector["prf"]], vector.octets("ni"), vector.octets("nr")
    skeyseed, dkm = vector.octets("skeyseed"), vector.octets("dkm")
    assert prf(prf_id, ni + nr, vector.octets("secret")) == skeyseed
    assert prf_plus(prf_id, skeyseed, ni + nr + vector.octets("spi_i") + vector.octets("spi_r"), len(dkm)) == dkm


@each_vector("keymat")
def test_keys_of_a_new_ike_sa(vector: Vector) -> None:
    keys = derive_ike_keys(
        suite(Prf[vector["prf"]]),
        vector.octets("ni"),
        vector.octets("nr"),
        vector.octets("secret"),
        vector.octets("spi_i"),
        vector.octets("spi_r"),
    )
    common = min(len(joined(keys)), len(vector.octets("dkm")))
    assert common >= 7 * 16
    assert joined(keys)[:common] == vector.octets("dkm")[:common]


@each_vector("keymat", having="secret_new")
def test_keys_of_a_rekeyed_ike_sa(vector: Vector) -> None:
    """SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr); §2.18. From there on NIST goes no further."""
    prf_id, ni, nr = Prf[vector["prf"]], vector.octets("ni"), vector.octets("nr")
    sk_d = vector.octets("dkm")[: PRF_KEY_LENGTHS[prf_id]]
    keys = derive_rekeyed_ike_keys(suite(prf_id), prf_id, sk_d, ni, nr, vector.octets("secret_new"), **SPIS)
    seed = ni + nr + SPIS["spi_i"] + SPIS["spi_r"]
    assert joined(keys) == prf_plus(prf_id, vector.octets("skeyseed_new"), seed, len(joined(keys)))


@each_vector("keymat", having="secret_new")
def test_keys_after_one_more_key_exchange(vector: Vector) -> None:
    """SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr), which is how NIST's vectors rekey; RFC 9370 §2.2.2."""
    prf_id, ni, nr = Prf[vector["prf"]], vector.octets("ni"), vector.octets("nr")
    sk_d = vector.octets("dkm")[: PRF_KEY_LENGTHS[prf_id]]
    keys = derive_updated_ike_keys(suite(prf_id), sk_d, ni, nr, vector.octets("secret_new"), **SPIS)
    assert keys == derive_rekeyed_ike_keys(suite(prf_id), prf_id, sk_d, ni, nr, vector.octets("secret_new"), **SPIS)


def test_secrets_of_later_key_exchanges_come_last() -> None:
    """SKEYSEED = prf(SK_d, SK(0) | Ni | Nr | SK(1) | ...), KEYMAT alike; RFC 9370 §2.2.4."""
    old, first, more = b"old sk_d", b"SK(0)", b"SK(1)SK(2)"
    keys = derive_rekeyed_ike_keys(suite(PRF_256), PRF_256, old, b"ni", b"nr", first, **SPIS, additional=more)
    skeyseed = hmac_sha256(old, b"SK(0)ninrSK(1)SK(2)")
    assert joined(keys) == prf_plus(PRF_256, skeyseed, b"ninr" + SPIS["spi_i"] + SPIS["spi_r"], len(joined(keys)))
    child = ChildSuite(Encr.AES_GCM_16, 128, Integ.NONE, esn=True)
    made = derive_child_keys(child, PRF_256, old, b"ni", b"nr", first, more)
    assert joined_child(made) == prf_plus(PRF_256, old, b"SK(0)ninrSK(1)SK(2)", 40)


def test_a_post_quantum_pre_shared_key_goes_into_three_keys() -> None:
    """SK_d = prf+ (PPK, SK_d'), and so SK_pi and SK_pr; the keys that seal messages stay: RFC 8784 §3."""
    plain = derive_ike_keys(suite(PRF_256), **NONCES, shared_secret=b"g^ir", **SPIS)
    mixed = mix_ppk(suite(PRF_256), plain, b"the PPK")
    assert mixed.sk_d == hmac_sha256(b"the PPK", plain.sk_d + b"\x01")
    assert mixed.sk_pi == hmac_sha256(b"the PPK", plain.sk_pi + b"\x01")
    assert mixed.sk_pr == hmac_sha256(b"the PPK", plain.sk_pr + b"\x01")
    assert (mixed.sk_ai, mixed.sk_ar, mixed.sk_ei, mixed.sk_er) == (plain.sk_ai, plain.sk_ar, plain.sk_ei, plain.sk_er)


@each_vector("keymat", having="child")
def test_keys_of_a_child(vector: Vector) -> None:
    """Without and with perfect forward secrecy; §2.17."""
    prf_id, ni, nr = Prf[vector["prf"]], vector.octets("ni"), vector.octets("nr")
    sk_d = vector.octets("dkm")[: PRF_KEY_LENGTHS[prf_id]]
    child = ChildSuite(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128, esn=False)
    plain = derive_child_keys(child, prf_id, sk_d, ni, nr)
    assert joined_child(plain) == vector.octets("child")[:128]
    pfs = derive_child_keys(child, prf_id, sk_d, ni, nr, vector.octets("secret_new"))
    assert joined_child(pfs) == vector.octets("child_pfs")[:128]
    assert [len(key) for key in (pfs.encr_i, pfs.integ_i, pfs.encr_r, pfs.integ_r)] == [32, 32, 32, 32]


def test_vectors_cover_every_prf_but_one() -> None:
    assert PRF_KEY_LENGTHS.keys() - {Prf[vector["prf"]] for vector in vectors("keymat")} == {Prf.AES128_CMAC}


def test_prf_plus_of_cmac() -> None:
    """T1 = prf(K, S | 0x01), Tn = prf(K, Tn-1 | S | n); §2.13. There is no published vector."""
    first = aes_cmac(b"sixteen octets k", b"seed\x01")
    second = aes_cmac(b"sixteen octets k", first + b"seed\x02")
    assert prf_plus(Prf.AES128_CMAC, b"sixteen octets k", b"seed", 24) == first + second[:8]


@pytest.mark.parametrize(("prf_id", "mac"), [(Prf.AES128_XCBC, aes_xcbc), (Prf.AES128_CMAC, aes_cmac)])
def test_a_prf_of_fixed_key_size_takes_half_its_key_from_each_nonce(prf_id: Prf, mac: Mac) -> None:
    """§2.14: the first 64 bits of Ni and of Nr make the key of SKEYSEED; prf+ takes all of them."""
    keys = derive_ike_keys(suite(prf_id), **NONCES, shared_secret=b"g^ir", **SPIS)
    skeyseed = mac(NONCES["ni"][:8] + NONCES["nr"][:8], b"g^ir")
    assert keys.sk_d == mac(skeyseed, NONCES["ni"] + NONCES["nr"] + SPIS["spi_i"] + SPIS["spi_r"] + b"\x01")


def test_prf_plus_ends_with_its_counter() -> None:
    """The counter is one octet, so that 255 blocks are all there are."""
    assert len(prf_plus(Prf.HMAC_SHA1, b"key", b"seed", 254 * 20)) == 254 * 20
    with pytest.raises(ValueError, match="does not reach 5101"):
        prf_plus(Prf.HMAC_SHA1, b"key", b"seed", 255 * 20 + 1)


def test_prf_plus_of_nothing() -> None:
    assert prf_plus(Prf.HMAC_SHA1, b"key", b"seed", 0) == b""


def test_a_key_ends_in_its_salt() -> None:
    """An AEAD has no integrity key, and its key is longer by the salt; RFC 5282 §6, RFC 7634 §3."""
    aead = IkeSuite(Encr.CHACHA20_POLY1305, 0, Integ.NONE, Prf.HMAC_SHA2_256, Ke.CURVE25519)
    keys = derive_ike_keys(aead, **NONCES, shared_secret=b"g^ir", **SPIS)
    lengths = [len(key) for key in (keys.sk_ai, keys.sk_ar, keys.sk_ei, keys.sk_er, keys.sk_pi, keys.sk_pr)]
    assert lengths == [0, 0, 36, 36, 32, 32]


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def test_auth_by_shared_key() -> None:
    """AUTH = prf(prf(Shared Secret, "Key Pad for IKEv2"), RealMessage1 | NonceRData | prf(SK_pi, RestOfIDPayload))."""
    octets = b"message 1" + b"nonce of r" + hmac_sha256(b"sk_pi", b"\x02\0\0\0vpn.example")
    assert signed_octets(b"message 1", b"nonce of r", Prf.HMAC_SHA2_256, b"sk_pi", b"\x02\0\0\0vpn.example") == octets
    intermediate = signed_octets(b"1", b"n", Prf.HMAC_SHA2_256, b"sk_pi", b"id", b"IntAuth")
    assert intermediate == b"1n" + hmac_sha256(b"sk_pi", b"id") + b"IntAuth"
    pad = bytes.fromhex("4b65792050616420666f7220494b457632")  # the 17 ASCII characters, no NUL
    assert psk_auth(Prf.HMAC_SHA2_256, b"secret", octets) == hmac_sha256(hmac_sha256(b"secret", pad), octets)


def test_nat_detection_hash() -> None:
    """SHA-1 of SPIs, address and port, in this order and in network byte order; §2.23."""
    four = bytes.fromhex("696e697469617472 0000000000000000 c0000201 01f4")
    assert nat_detection_hash(b"initiatr", bytes(8), ip_address("192.0.2.1"), 500) == hashlib.sha1(four).digest()  # noqa: S324
    six = bytes.fromhex("696e697469617472 726573706f6e6472 20010db8000000000000000000000001 1194")
    assert nat_detection_hash(b"initiatr", b"respondr", ip_address("2001:db8::1"), 4500) == (
        hashlib.sha1(six).digest()  # noqa: S324
    )


def test_keys_stay_out_of_logs() -> None:
    keys = derive_ike_keys(suite(Prf.HMAC_SHA1), **NONCES, shared_secret=b"g^ir", **SPIS)
    assert repr(keys) == "IkeKeys()"
    child = derive_child_keys(
        ChildSuite(Encr.AES_GCM_16, 128, Integ.NONE, esn=True), Prf.HMAC_SHA1, keys.sk_d, **NONCES
    )
    assert repr(child) == "ChildKeys()"
