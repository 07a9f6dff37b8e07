"""Keyed hashes, as PRF (RFC 7296 §2.13) and, cut to their first octets, as integrity algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

from edgevpn.ike.iana import Integ, Prf

Mac = Callable[[bytes, bytes], bytes]

BLOCK = 16


def hmac_sha1(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-1, RFC 2104."""
    return _hmac(key, data, SHA1())  # noqa: S303 - HMAC is not broken with its hash


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256, RFC 4868."""
    return _hmac(key, data, SHA256())


def hmac_sha384(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-384, RFC 4868."""
    return _hmac(key, data, SHA384())


def hmac_sha512(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-512, RFC 4868."""
    return _hmac(key, data, SHA512())


def aes_xcbc(key: bytes, data: bytes) -> bytes:
    """AES-XCBC-PRF-128 with a key of any length, RFC 4434 §2; with one of 16 octets AES-XCBC-MAC, RFC 3566 §4."""
    if len(key) > BLOCK:
        key = aes_xcbc(bytes(BLOCK), key)
    derive = Cipher(AES(key.ljust(BLOCK, b"\0")), ECB()).encryptor()  # noqa: S305 - three blocks, as the RFC says
    k1, k2, k3 = (derive.update(bytes([number]) * BLOCK) for number in (1, 2, 3))
    start_of_last = max(0, len(data) - 1) // BLOCK * BLOCK
    last = data[start_of_last:]
    padded, whitener = (last, k2) if len(last) == BLOCK else ((last + b"\x80").ljust(BLOCK, b"\0"), k3)
    chain = Cipher(AES(k1), CBC(bytes(BLOCK))).encryptor()
    return chain.update(data[:start_of_last] + _xor(padded, whitener))[-BLOCK:]


def aes_cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC-PRF-128 with a key of any length, RFC 4615 §3; with one of 16 octets AES-CMAC, RFC 4493."""
    if len(key) != BLOCK:
        key = aes_cmac(bytes(BLOCK), key)
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


PRFS: Mapping[Prf, Mac] = {
    Prf.HMAC_SHA1: hmac_sha1,
    Prf.AES128_XCBC: aes_xcbc,
    Prf.HMAC_SHA2_256: hmac_sha256,
    Prf.HMAC_SHA2_384: hmac_sha384,
    Prf.HMAC_SHA2_512: hmac_sha512,
    Prf.AES128_CMAC: aes_cmac,
}

INTEGRITY_MACS: Mapping[Integ, Mac] = {
    Integ.HMAC_SHA1_96: hmac_sha1,
    Integ.AES_XCBC_96: aes_xcbc,
    Integ.AES_CMAC_96: aes_cmac,
    Integ.HMAC_SHA2_256_128: hmac_sha256,
    Integ.HMAC_SHA2_384_192: hmac_sha384,
    Integ.HMAC_SHA2_512_256: hmac_sha512,
}


def _hmac(key: bytes, data: bytes, algorithm: HashAlgorithm) -> bytes:
    """Python's own is four times as slow where it has no OpenSSL, as in the daemon."""
    mac = HMAC(key, algorithm)
    mac.update(data)
    return mac.finalize()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
