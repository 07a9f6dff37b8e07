"""ESP, sealed and opened in this process: RFC 4303, with ciphers as RFC 3602, 3686, 4106, 4309 and 7634 have them.

What an SA sends is bound to a sequence number that never comes twice. With extended ones (ESN) the upper half is not
sent and protected all the same: an AEAD has it inside the SPI and number that it authenticates, an HMAC at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from hmac import compare_digest
from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.cipher import AEADS, MODES, Aead
from edgevpn.ike.crypto.mac import INTEGRITY_MACS, Mac
from edgevpn.ike.crypto.suite import CIPHERS, INTEGRITIES, ChildSuite
from edgevpn.simulate.replay import HALF, ReplayWindow

HEAD = Struct(">4sI")
ALIGNMENT = 4
IV64 = 8


class EspError(Exception):
    """A packet that its SA does not let pass; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What was sealed: a packet, and as next header of which protocol (4: IPv4, 41: IPv6, 59: nothing)."""

    next_header: int
    packet: bytes


@dataclass(frozen=True, slots=True)
class AeadSeal:
    """A key of an AEAD, RFC 4106 and RFC 7634. `high`: the upper half of an extended number, else empty."""

    aead: Aead = field(repr=False)
    salt: bytes = field(repr=False)
    iv_length: int
    icv_length: int
    block_length: int = 1

    def seal(self, head: bytes, high: bytes, iv: bytes, plaintext: bytes) -> bytes:
        """IV, ciphertext and ICV."""
        return iv + self.aead.encrypt(self.salt + iv, plaintext, head[:4] + high + head[4:])

    def open(self, head: bytes, high: bytes, body: bytes) -> bytes:
        """The plaintext; EspError if the ICV is wrong."""
        iv, sealed = body[: self.iv_length], body[self.iv_length :]
        try:
            return self.aead.decrypt(self.salt + iv, sealed, head[:4] + high + head[4:])
        except InvalidTag as error:
            raise EspError("wrong ICV") from error


@dataclass(frozen=True, slots=True)
class MacSeal:
    """A key of AES in CBC or counter mode, and one of an integrity algorithm over all that is sent."""

    mode: Callable[[bytes, bytes], CBC | CTR]
    mac: Mac
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    integrity_key: bytes = field(repr=False)
    iv_length: int
    icv_length: int
    block_length: int

    def seal(self, head: bytes, high: bytes, iv: bytes, plaintext: bytes) -> bytes:
        """IV, ciphertext and ICV."""
        encryptor = self._cipher(iv).encryptor()
        body = iv + encryptor.update(plaintext) + encryptor.finalize()
        return body + self._icv(head + body + high)

    def open(self, head: bytes, high: bytes, body: bytes) -> bytes:
        """The plaintext; EspError if the ICV is wrong, or no whole blocks are there."""
        body, icv = body[: -self.icv_length], body[-self.icv_length :]
        if not compare_digest(icv, self._icv(head + body + high)):
            raise EspError("wrong ICV")
        iv, ciphertext = body[: self.iv_length], body[self.iv_length :]
        if len(ciphertext) % self.block_length:
            raise EspError(f"ciphertext of {len(ciphertext)} octets")
        decryptor = self._cipher(iv).decryptor()
        return decryptor.update(ciphertext) + decryptor.finalize()

    def _cipher(self, iv: bytes) -> Cipher[CBC | CTR]:
        return Cipher(AES(self.key), self.mode(self.salt, iv))

    def _icv(self, octets: bytes) -> bytes:
        return self.mac(self.integrity_key, octets)[: self.icv_length]


Seal = AeadSeal | MacSeal


def seal_of(suite: ChildSuite, encryption_key: bytes, integrity_key: bytes) -> Seal:
    """One direction of a CHILD SA; its encryption key ends in the salt, if the cipher has one."""
    cipher = CIPHERS[suite.encr]
    salt_at = len(encryption_key) - cipher.salt_length
    key, salt = encryption_key[:salt_at], encryption_key[salt_at:]
    if suite.encr in AEADS:
        return AeadSeal(AEADS[suite.encr](key), salt, cipher.iv_length, cipher.icv_length)
    icv_length = INTEGRITIES[suite.integ].icv_length
    mode, mac = MODES[suite.encr], INTEGRITY_MACS[suite.integ]
    return MacSeal(mode, mac, key, salt, integrity_key, cipher.iv_length, icv_length, cipher.block_length)


class Outbound:
    """An SA that we send on. `last`: the number of its last packet; `entropy` makes IVs that nobody may foresee."""

    def __init__(self, spi: bytes, seal: Seal, esn: bool, entropy: Callable[[int], bytes], last: int = 0) -> None:
        self._spi = spi
        self._seal = seal
        self._esn = esn
        self._entropy = entropy
        self._last = last

    def seal(self, inside: Inside) -> bytes:
        """The next packet of the SA, RFC 4303 §3.3; EspError when its numbers are used up."""
        number = self._last + 1
        if number >= (HALF * HALF if self._esn else HALF):
            raise EspError("the sequence numbers of the SA are used up")
        self._last = number
        counter = number.to_bytes(IV64)
        iv = counter if self._seal.iv_length == IV64 else self._entropy(self._seal.iv_length)
        head = HEAD.pack(self._spi, number % HALF)
        high = counter[:4] if self._esn else b""
        return head + self._seal.seal(head, high, iv, _padded(inside, self._seal.block_length))


class Inbound:
    """An SA that we receive on."""

    def __init__(self, seal: Seal, esn: bool) -> None:
        self._seal = seal
        self._esn = esn
        self._window = ReplayWindow(esn)

    def open(self, octets: bytes) -> Inside:
        """What a packet of the SA holds, RFC 4303 §3.4; EspError if it is not fresh, not whole, or not the peer's."""
        if len(octets) < HEAD.size + self._seal.iv_length + self._seal.icv_length + ALIGNMENT:
            raise EspError(f"too short: {len(octets)} octets")
        head, body = octets[: HEAD.size], octets[HEAD.size :]
        _, low = HEAD.unpack(head)
        number = self._window.whole(low)
        if not self._window.is_fresh(number):
            raise EspError("its sequence number has come before, or is too old")
        high = (number // HALF).to_bytes(4) if self._esn else b""
        plaintext = self._seal.open(head, high, body)
        self._window.accept(number)
        return _unpadded(plaintext)


def _padded(inside: Inside, block_length: int) -> bytes:
    """With padding, its length and the next header at the end of a block, RFC 4303 §2.4."""
    padding = -(len(inside.packet) + 2) % max(ALIGNMENT, block_length)
    return inside.packet + bytes(range(1, padding + 1)) + bytes([padding, inside.next_header])


def _unpadded(plaintext: bytes) -> Inside:
    padding, next_header = plaintext[-2:]
    if padding > len(plaintext) - 2:
        raise EspError(f"padding of {padding} octets in {len(plaintext)}")
    return Inside(next_header, plaintext[: len(plaintext) - 2 - padding])
