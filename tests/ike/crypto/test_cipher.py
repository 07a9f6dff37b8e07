"""edgevpn.ike.crypto.cipher, with the vectors of NIST, RFC 3602, 3686 and 7634."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import fields

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.crypto.cipher import AeadCipher, EncryptThenMac, SkCipher, sk_cipher
from edgevpn.ike.crypto.suite import CIPHERS, INTEGRITIES, IkeSuite
from edgevpn.ike.errors import Discard
from edgevpn.ike.iana import Encr, ExchangeType, Flag, Integ, Ke, NotifyType, PayloadType, Prf
from edgevpn.ike.wire.message import Header
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.protected import open_message, seal_message
from tests.support.strategies import damaged
from tests.support.vectors import Vector, each_vector, vectors

# Every cipher with every key length; those without integrity of their own with each integrity algorithm once.
INTEGS = [integ for integ in INTEGRITIES if integ is not Integ.NONE]
SUITES = {
    f"{encr.name} {bits} {integ.name}": IkeSuite(encr, bits, integ, Prf.HMAC_SHA2_256, Ke.CURVE25519)
    for encr, cipher in CIPHERS.items()
    for bits in cipher.key_sizes
    for integ in ([Integ.NONE] if cipher.is_aead else INTEGS)
}
EVERY_SUITE = pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)

CBC_SUITE = IkeSuite(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128, Prf.HMAC_SHA2_256, Ke.CURVE25519)
CTR_SUITE = IkeSuite(Encr.AES_CTR, 128, Integ.HMAC_SHA1_96, Prf.HMAC_SHA2_256, Ke.CURVE25519)
GCM_SUITE = IkeSuite(Encr.AES_GCM_16, 256, Integ.NONE, Prf.HMAC_SHA2_256, Ke.CURVE25519)


def made(suite: IkeSuite) -> SkCipher:
    """A cipher whose keys count up from zero, and from 100."""
    return sk_cipher(suite, bytes(range(suite.encr_key_length)), bytes(range(100, 100 + suite.integ_key_length)))


def aead(suite: IkeSuite) -> AeadCipher:
    cipher = made(suite)
    assert isinstance(cipher, AeadCipher)
    return cipher


def then_mac(suite: IkeSuite) -> EncryptThenMac:
    cipher = made(suite)
    assert isinstance(cipher, EncryptThenMac)
    return cipher


def iv_of(cipher: SkCipher) -> bytes:
    return bytes(range(200, 200 + cipher.iv_length))


# --- published ------------------------------------------------------------------------------------------------------


@each_vector("aead")
def test_aead(vector: Vector) -> None:
    """What seals beneath the framing of IKE: nonce, associated data, plaintext -> ciphertext and ICV."""
    encr, key = Encr[vector["encr"]], vector.octets("key")
    bits = len(key) * 8 if 0 not in CIPHERS[encr].key_sizes else 0
    suite = IkeSuite(encr, bits, Integ.NONE, Prf.HMAC_SHA2_256, Ke.CURVE25519)
    sealer = aead(suite).make_aead(key)
    nonce, associated = vector.octets("nonce"), vector.octets("associated")
    assert sealer.encrypt(nonce, vector.octets("plaintext"), associated) == vector.octets("sealed")
    assert sealer.decrypt(nonce, vector.octets("sealed"), associated) == vector.octets("plaintext")


@each_vector("aes")
def test_ciphertext(vector: Vector) -> None:
    """In CBC and in counter mode the padding, which comes after the plaintext, changes nothing before it."""
    encr, key = Encr[vector["encr"]], vector.octets("key")
    salt = vector.octets("salt") if "salt" in vector else b""
    suite = IkeSuite(encr, len(key) * 8, Integ.HMAC_SHA1_96, Prf.HMAC_SHA2_256, Ke.CURVE25519)
    sealed = sk_cipher(suite, key + salt, bytes(20)).seal(b"", vector.octets("plaintext"), vector.octets("iv"))
    assert sealed.startswith(vector.octets("iv") + vector.octets("ciphertext"))


def test_every_cipher_has_a_vector() -> None:
    published = [*vectors("aead"), *vectors("aes")]
    tried = {(Encr[vector["encr"]], len(vector.octets("key"))) for vector in published}
    assert tried == {(encr, size) for encr, cipher in CIPHERS.items() for size in cipher.key_sizes.values()}


RFC_7634_MESSAGE = """
    c0 c1 c2 c3 c4 c5 c6 c7 d0 d1 d2 d3 d4 d5 d6 d7
    2e 20 25 00 00 00 00 09 00 00 00 45 29 00 00 29
    10 11 12 13 14 15 16 17 61 03 94 70 1f 8d 01 7f
    7c 12 92 48 89 6b 71 bf e2 52 36 ef d7 cd c6 70
    66 90 63 15 b2
"""


def test_whole_message() -> None:
    """RFC 7634 appendix B: an INFORMATIONAL request, header to ICV."""
    suite = IkeSuite(Encr.CHACHA20_POLY1305, 0, Integ.NONE, Prf.HMAC_SHA2_256, Ke.CURVE25519)
    cipher = sk_cipher(suite, bytes(range(0x80, 0xA4)), b"")
    window_of_ten = Notify(NotifyType.SET_WINDOW_SIZE, bytes.fromhex("0000000a"))
    header = Header(bytes(range(0xC0, 0xC8)), bytes(range(0xD0, 0xD8)), ExchangeType.INFORMATIONAL, Flag(0), 9)

    datagram = seal_message(header, (window_of_ten,), cipher, bytes(range(0x10, 0x18)))

    assert datagram == bytes.fromhex(RFC_7634_MESSAGE)
    plaintext = bytes.fromhex("00 00 00 0c 00 00 40 01 00 00 00 0a")
    assert open_message(datagram, Header.decode(datagram), cipher) == (PayloadType.NOTIFY, plaintext)


# --- the framing of RFC 7296 §3.14, recomputed ------------------------------------------------------------------------


def test_cbc_framing() -> None:
    """IV, AES-CBC of plaintext, zeros and their number, then HMAC over all that and what is before it."""
    key, integrity_key, iv = bytes(range(32)), bytes(range(100, 132)), bytes(range(200, 216))
    padded = b"seventeen octets!" + bytes(14) + b"\x0e"
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    sealed = iv + encryptor.update(padded) + encryptor.finalize()
    icv = hmac.new(integrity_key, b"header" + sealed, hashlib.sha256).digest()[:16]
    assert made(CBC_SUITE).seal(b"header", b"seventeen octets!", iv) == sealed + icv


def test_ctr_framing() -> None:
    """RFC 5930: no padding, and the counter block is nonce, IV and a counter that begins at one."""
    key, nonce = bytes(range(16)), bytes(range(16, 20))
    integrity_key, iv = bytes(range(100, 120)), bytes(range(200, 208))
    encryptor = Cipher(AES(key), CTR(nonce + iv + bytes.fromhex("00000001"))).encryptor()
    sealed = iv + encryptor.update(b"plain\0") + encryptor.finalize()
    icv = hmac.new(integrity_key, b"header" + sealed, hashlib.sha1).digest()[:12]
    assert made(CTR_SUITE).seal(b"header", b"plain", iv) == sealed + icv


def test_aead_framing() -> None:
    """RFC 5282 §4: the nonce is salt and IV, and the padding is none but its length."""
    cipher = aead(GCM_SUITE)
    assert (cipher.key, cipher.salt) == (bytes(range(32)), bytes(range(32, 36)))
    sealed = cipher.make_aead(cipher.key).encrypt(cipher.salt + bytes(8), b"plain\0", b"header")
    assert cipher.seal(b"header", b"plain", bytes(8)) == bytes(8) + sealed


# --- every suite ----------------------------------------------------------------------------------------------------


@EVERY_SUITE
def test_read_back(suite: IkeSuite) -> None:
    """On both sides of a block's border, where the padding jumps."""
    cipher = made(suite)
    for length in (0, 1, 14, 15, 16, 17, 31, 1000):
        plaintext = b"p" * length
        sealed = cipher.seal(b"associated", plaintext, iv_of(cipher))
        assert len(sealed) == cipher.sealed_length(length)
        assert sealed.startswith(iv_of(cipher))
        assert cipher.open(b"associated", sealed) == plaintext


@EVERY_SUITE
def test_any_bit_may_be_wrong(suite: IkeSuite) -> None:
    """In IV, ciphertext, ICV or what is before them."""
    cipher = made(suite)
    sealed = cipher.seal(b"associated", b"plain", iv_of(cipher))
    for position in range(len(sealed)):
        wrong = bytearray(sealed)
        wrong[position] ^= 1 << position % 8
        with pytest.raises(Discard, match="wrong ICV"):
            cipher.open(b"associated", bytes(wrong))
    with pytest.raises(Discard, match="wrong ICV"):
        cipher.open(b"associatee", sealed)


@EVERY_SUITE
def test_any_length_may_be_wrong(suite: IkeSuite) -> None:
    cipher = made(suite)
    sealed = cipher.seal(b"associated", b"plain", iv_of(cipher))
    for length in range(len(sealed)):
        with pytest.raises(Discard):
            cipher.open(b"associated", sealed[:length])
    with pytest.raises(Discard):
        cipher.open(b"associated", sealed + b"\0")


@EVERY_SUITE
def test_other_keys_open_nothing(suite: IkeSuite) -> None:
    cipher = made(suite)
    other = sk_cipher(suite, bytes(suite.encr_key_length), bytes(suite.integ_key_length))
    with pytest.raises(Discard, match="wrong ICV"):
        other.open(b"associated", cipher.seal(b"associated", b"plain", iv_of(cipher)))


@EVERY_SUITE
def test_iv_may_be_foreseen_only_where_it_is_a_counter(suite: IkeSuite) -> None:
    """NIST SP 800-38A appendix C: CBC wants IVs that nobody can predict."""
    assert made(suite).counter_iv == (suite.encr is not Encr.AES_CBC)


@EVERY_SUITE
def test_keys_stay_out_of_logs(suite: IkeSuite) -> None:
    shown = {field.name for field in fields(made(suite)) if field.repr}
    assert not shown & {"key", "salt", "integrity_key"}


@EVERY_SUITE
def test_keys_of_another_length(suite: IkeSuite) -> None:
    encr, integ = bytes(suite.encr_key_length), bytes(suite.integ_key_length)
    for wrong in ((encr[1:], integ), (encr, integ + b"\0")):
        with pytest.raises(ValueError, match="keys of"):
            sk_cipher(suite, *wrong)


def test_keys_of_an_aead_stay_out_of_logs() -> None:
    """The AEAD for short ICVs holds its key itself."""
    gcm_8 = aead(IkeSuite(Encr.AES_GCM_8, 128, Integ.NONE, Prf.HMAC_SHA2_256, Ke.CURVE25519))
    assert "key" not in repr(gcm_8.make_aead(gcm_8.key))


@given(st.data())
@pytest.mark.parametrize("suite", [CBC_SUITE, CTR_SUITE, GCM_SUITE], ids=lambda suite: suite.encr.name)
def test_damage(suite: IkeSuite, data: st.DataObject) -> None:
    """Discard, and no other error, for anything but what was sealed."""
    cipher = made(suite)
    sealed = cipher.seal(b"associated", b"plaintext of some length", iv_of(cipher))
    body = data.draw(damaged(sealed).filter(lambda body: body != sealed))
    with pytest.raises(Discard):
        cipher.open(b"associated", body)


# --- padding of a peer that knows the keys ---------------------------------------------------------------------------

PADDING = {
    "none": ("706c61696e 00", b"plain"),
    "of any content": ("706c61696e aabbcc 03", b"plain"),
    "nothing else": ("aabbcc 03", b""),
    "one more than there is": ("aabbcc 04", None),
    "far more than there is": ("706c61696e ff", None),
}
EACH_PADDING = pytest.mark.parametrize(("padded", "plaintext"), PADDING.values(), ids=PADDING)


@EACH_PADDING
def test_padding_under_an_aead(padded: str, plaintext: bytes | None) -> None:
    cipher, iv = aead(GCM_SUITE), bytes(8)
    body = iv + cipher.make_aead(cipher.key).encrypt(cipher.salt + iv, bytes.fromhex(padded), b"")
    check_padding(cipher, body, plaintext)


@EACH_PADDING
def test_padding_under_a_mac(padded: str, plaintext: bytes | None) -> None:
    cipher, iv = then_mac(CTR_SUITE), bytes(8)
    encryptor = Cipher(AES(cipher.key), CTR(cipher.salt + iv + bytes.fromhex("00000001"))).encryptor()
    check_padding(cipher, with_icv(cipher, iv + encryptor.update(bytes.fromhex(padded))), plaintext)


def check_padding(cipher: SkCipher, body: bytes, plaintext: bytes | None) -> None:
    """The padding may hold anything, but not be longer than what it stands in."""
    if plaintext is not None:
        assert cipher.open(b"", body) == plaintext
        return
    with pytest.raises(Discard, match="padding of"):
        cipher.open(b"", body)


def with_icv(cipher: EncryptThenMac, sealed: bytes) -> bytes:
    return sealed + cipher.mac(cipher.integrity_key, sealed)[: cipher.icv_length]


@pytest.mark.parametrize("length", [0, 1, 15, 17])
def test_ciphertext_of_no_whole_block(length: int) -> None:
    """The ICV is right, so it was meant: it is refused before it reaches the cipher."""
    cipher = then_mac(CBC_SUITE)
    with pytest.raises(Discard, match=f"ciphertext of {length} octets"):
        cipher.open(b"", with_icv(cipher, bytes(16 + length)))


def test_less_than_an_iv() -> None:
    cipher = then_mac(CBC_SUITE)
    with pytest.raises(Discard, match="ciphertext of 0 octets"):
        cipher.open(b"", with_icv(cipher, bytes(7)))
