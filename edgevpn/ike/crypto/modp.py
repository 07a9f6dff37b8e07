"""The MODP groups, RFC 7296 appendix B.2 and RFC 3526, and fast powers in them."""

from __future__ import annotations

from warnings import catch_warnings, simplefilter

from cryptography.utils import CryptographyDeprecationWarning

from edgevpn.frozen import dataclass
from edgevpn.ike.iana import Ke

# [2^3966 pi]: all primes but their first and last 64 bits are digits of pi, and one has the digits of all others.
PI = int(
    "C90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5"
    "AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD96"
    "1C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603"
    "9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AAAC42D"
    "AD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D7"
    "1E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200CBBE117577A615D6C"
    "770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D788719A10BDBA5B26"
    "99C327186AF4E23C1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECAA6287C59474E6BC05D"
    "99B2964FA090C3A2233BA186515BE7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B05AA993B4EA988D8FDDC1"
    "86FFB7DC90A6C08F4DF435C934028492",
    16,
)
PI_BITS = 3968
GENERATOR = 2


@dataclass(frozen=True, slots=True)
class ModpGroup:
    """A group whose prime is 2^bits - 2^(bits-64) - 1 + 2^64 * ([2^(bits-130) pi] + offset).

    `exponent_bits` is twice the lower estimate of the group's strength in RFC 3526 §8, in whole machine words, by
    which OpenSSL computes anyway.
    """

    bits: int
    offset: int
    exponent_bits: int

    @property
    def prime(self) -> int:
        digits = PI >> (PI_BITS - (self.bits - 128))
        return (1 << self.bits) - (1 << (self.bits - 64)) - 1 + ((digits + self.offset) << 64)


MODP_GROUPS = {
    Ke.MODP_1024: ModpGroup(1024, 129093, 192),
    Ke.MODP_1536: ModpGroup(1536, 741804, 192),
    Ke.MODP_2048: ModpGroup(2048, 124476, 256),
    Ke.MODP_3072: ModpGroup(3072, 1690314, 320),
    Ke.MODP_4096: ModpGroup(4096, 240904, 320),
}

# cryptography has announced that it will drop this.
try:
    with catch_warnings():
        simplefilter("ignore", CryptographyDeprecationWarning)
        from cryptography.hazmat.primitives.asymmetric.dh import DHParameterNumbers, DHPrivateNumbers, DHPublicNumbers
except ImportError:
    OPENSSL_HAS_MODP = False
else:
    OPENSSL_HAS_MODP = True


def power(base: int, exponent: int, group: ModpGroup) -> int:
    """`base` to the power of `exponent`; by OpenSSL, which keeps its time from depending on the exponent, if it can.

    From OpenSSL 3.4 on it is ten times as fast as Python. Versions before check that the base is in the subgroup that
    the generator makes (ValueError if it is not), a power of its own, and take as long as Python does. They test the
    prime of a group that they do not know by name, as the one of 1024 bits, at every call.
    """
    if not OPENSSL_HAS_MODP or group.bits < 1536:
        return pow(base, exponent, group.prime)
    parameters = DHParameterNumbers(group.prime, GENERATOR)
    # Our public value is asked for, but plays no part: any will do, and so a public value can be computed this way.
    private_key = DHPrivateNumbers(exponent, DHPublicNumbers(GENERATOR, parameters)).private_key()
    return int.from_bytes(private_key.exchange(DHPublicNumbers(base, parameters).public_key()), "big")
