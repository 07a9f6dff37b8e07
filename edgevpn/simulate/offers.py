"""What clients offer, transform by transform in their order, each list with where it is known from.

A list is data and nothing more: what in it is weak or unknown to us stands there because a client sends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from edgevpn.frozen import dataclass
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, TransformType
from edgevpn.ike.peer import Offer
from edgevpn.ike.wire.proposal import Transform


@dataclass(frozen=True, slots=True)
class Setup:
    """The offers for IKE, and those for traffic as they are when a child is rekeyed. `source`: who has seen them."""

    ike: tuple[Offer, ...]
    esp: tuple[Offer, ...]
    source: str


def _aes(encr: Encr, *bits: int) -> tuple[Transform, ...]:
    return tuple(Transform(TransformType.ENCR, encr, each) for each in bits)


def _integ(*ids: Integ) -> tuple[Transform, ...]:
    return tuple(Transform(TransformType.INTEG, each) for each in ids)


def _prf(*ids: Prf) -> tuple[Transform, ...]:
    return tuple(Transform(TransformType.PRF, each) for each in ids)


def _ke(*ids: Ke) -> tuple[Transform, ...]:
    return tuple(Transform(TransformType.KE, each) for each in ids)


def _offer(*groups: Iterable[Transform]) -> Offer:
    return Offer(tuple(transform for group in groups for transform in group))


NO_ESN = (Transform(TransformType.ESN, Esn.NO_ESN),)

TRIPLE_DES = (Transform(TransformType.ENCR, Encr.TRIPLE_DES),)
DES = (Transform(TransformType.ENCR, Encr.DES),)
NULL = (Transform(TransformType.ENCR, Encr.NULL),)
CHACHA20 = (Transform(TransformType.ENCR, Encr.CHACHA20_POLY1305),)
AES_256, AES_192, AES_128 = (_aes(Encr.AES_CBC, bits) for bits in (256, 192, 128))
GCM_256, GCM_128 = (_aes(Encr.AES_GCM_16, bits) for bits in (256, 128))

SHA1, SHA256, SHA384 = (
    (_integ(integ), _prf(prf))
    for integ, prf in (
        (Integ.HMAC_SHA1_96, Prf.HMAC_SHA1),
        (Integ.HMAC_SHA2_256_128, Prf.HMAC_SHA2_256),
        (Integ.HMAC_SHA2_384_192, Prf.HMAC_SHA2_384),
    )
)
"""A hash as integrity algorithm, and as PRF."""

# --- Windows -------------------------------------------------------------------------------------------------------

WINDOWS_BY_HAND = Setup(
    ike=(
        *(
            _offer(encr, *each, _ke(Ke.MODP_1024))
            for each, encr in product((SHA1, SHA256, SHA384), (TRIPLE_DES, AES_128, AES_192, AES_256))
        ),
        *(
            _offer(encr, prf, _ke(Ke.MODP_1024))
            for (_, prf), encr in product((SHA1, SHA256, SHA384), (GCM_128, GCM_256))
        ),
    ),
    esp=tuple(_offer(encr, SHA1[0], NO_ESN) for encr in (AES_256, AES_128, TRIPLE_DES, DES, NULL)),
    source="Measured on Windows 11 by strongSwan's interoperability page (2026-05): 3DES, AES-CBC and, from 11 on, "
    "AES-GCM, each with SHA-1, SHA-256 and SHA-384, and with MODP-1024 alone; one proposal for each combination.",
)
WINDOWS_SCRIPTED = Setup(
    ike=(_offer(GCM_256, SHA256[1], _ke(Ke.ECP_256)),),
    esp=(_offer(GCM_256, _ke(Ke.ECP_256), NO_ESN),),
    source="Set-VpnConnectionIPsecConfiguration as our script calls it: GCMAES256, SHA256, ECP256 and PfsGroup ECP256; "
    "it offers what it was told and nothing else.",
)

# --- Apple ---------------------------------------------------------------------------------------------------------

IOS_BY_HAND = Setup(
    ike=(
        *(_offer(AES_256, *SHA256, _ke(ke)) for ke in (Ke.MODP_2048, Ke.ECP_256, Ke.MODP_1536)),
        _offer(AES_128, *SHA1, _ke(Ke.MODP_1024)),
        _offer(TRIPLE_DES, *SHA1, _ke(Ke.MODP_1024)),
    ),
    esp=(
        _offer(AES_256, SHA256[0], _ke(Ke.MODP_2048), NO_ESN),
        _offer(AES_256, SHA256[0], NO_ESN),
        _offer(AES_128, SHA1[0], NO_ESN),
        _offer(TRIPLE_DES, SHA1[0], NO_ESN),
    ),
    source="Measured on iOS 16.5 by strongSwan's interoperability page: strong proposals first, weak ones after them; "
    "a child is rekeyed with two offers, one with a key exchange and one without.",
)
MACOS_BY_HAND = Setup(
    ike=(_offer(AES_256, *SHA256, _ke(Ke.MODP_2048)),),
    esp=(_offer(AES_256, SHA256[0], NO_ESN),),
    source="Measured on macOS 13.4 by strongSwan's interoperability page: one proposal, and no PFS unless a profile "
    "asks for it.",
)
APPLE_PROFILE = Setup(
    ike=(_offer(GCM_256, SHA256[1], _ke(Ke.ECP_256)),),
    esp=(_offer(GCM_256, _ke(Ke.ECP_256), NO_ESN),),
    source="Apple's profile schema: with IKESecurityAssociationParameters exactly one proposal is sent; these are the "
    "values of our profiles, with EnablePFS.",
)

# --- Android -------------------------------------------------------------------------------------------------------

SHA2_INTEG = _integ(Integ.HMAC_SHA2_512_256, Integ.HMAC_SHA2_384_192, Integ.HMAC_SHA2_256_128)
GCM_OF_ALL_SIZES = tuple(
    transform for encr in (Encr.AES_GCM_16, Encr.AES_GCM_12, Encr.AES_GCM_8) for transform in _aes(encr, 256, 192, 128)
)
ANDROID_11_REST = (
    _prf(Prf.AES128_XCBC, Prf.HMAC_SHA1),
    _ke(Ke.MODP_4096, Ke.MODP_3072, Ke.MODP_2048),
)
ANDROID_12_REST = (
    _prf(
        Prf.HMAC_SHA2_512,
        Prf.HMAC_SHA2_384,
        Prf.HMAC_SHA2_256,
        Prf.AES128_XCBC,
        Prf.AES128_CMAC,
        Prf.HMAC_SHA1,
    ),
    _ke(Ke.MODP_4096, Ke.CURVE25519, Ke.MODP_3072, Ke.MODP_2048),
)

ANDROID_11 = Setup(
    ike=(
        _offer(_aes(Encr.AES_CBC, 256, 192, 128), SHA2_INTEG, _integ(Integ.AES_XCBC_96), *ANDROID_11_REST),
        _offer(GCM_OF_ALL_SIZES, *ANDROID_11_REST),
    ),
    esp=(
        _offer(_aes(Encr.AES_CBC, 256, 192, 128), SHA2_INTEG, NO_ESN),
        _offer(GCM_OF_ALL_SIZES, NO_ESN),
    ),
    source="AOSP's source of Android 11: two proposals, MODP-4096 first, as PRF only AES-XCBC and HMAC-SHA-1; no key "
    "exchange for children.",
)
ANDROID_12 = Setup(
    ike=(
        _offer(
            _aes(Encr.AES_CTR, 256, 192, 128),
            _aes(Encr.AES_CBC, 256, 192, 128),
            SHA2_INTEG,
            _integ(Integ.AES_XCBC_96, Integ.AES_CMAC_96),
            *ANDROID_12_REST,
        ),
        _offer(CHACHA20, GCM_OF_ALL_SIZES, *ANDROID_12_REST),
    ),
    esp=(
        _offer(
            _aes(Encr.AES_CTR, 256, 192, 128),
            _aes(Encr.AES_CBC, 256, 192, 128),
            SHA2_INTEG,
            _integ(Integ.AES_XCBC_96, Integ.AES_CMAC_96),
            NO_ESN,
        ),
        _offer(CHACHA20, GCM_OF_ALL_SIZES, NO_ESN),
    ),
    source="AOSP's source from Android 12 on: counter mode and CBC in one proposal, AEAD in the other; MODP-4096 "
    "first, then X25519; no NIST curves; no key exchange for children.",
)
