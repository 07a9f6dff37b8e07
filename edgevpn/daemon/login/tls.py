"""The server's part of TLS in EAP-TLS: OpenSSL over memory, one handshake for each IKE SA; RFC 5216, RFC 9190.

OpenSSL makes the messages, sees that the peer has the key of the certificate that it shows, and derives the MSK.
Whether that certificate is good it does not judge: the keyring does, before the peer sees the end of the handshake.

The library, pyOpenSSL, is loaded for the first who logs in so, and need not be there where nobody does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from edgevpn.daemon.login.keyring import POOLS, Keyring
from edgevpn.ike.errors import Cause
from edgevpn.ike.peer import Credential

if TYPE_CHECKING:
    from OpenSSL import SSL

# From the RFCs.
MSK_SIZE, KEY_MATERIAL_SIZE = 64, 128
LABEL_1_2 = b"client EAP encryption"  # RFC 5216 §2.3
LABEL_1_3, EAP_TLS = b"EXPORTER_EAP_TLS_Key_Material", b"\x0d"  # RFC 9190 §2.3
COMMITMENT = b"\x00"  # RFC 9190 §2.1.1: nothing but this follows the handshake

# Our own choices.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES256+SHA384:ECDHE+AES128+SHA256:!aNULL:!PSK"
"""For TLS 1.2; what Windows, Apple and Android have is among them."""
MOST = 64
"""Handshakes under way. Each takes some 50 kB; of those that come to nothing nobody tells."""
LONGEST = 65536
"""Octets that are read at once."""


class TlsFailed(Exception):  # noqa: N818 - a verdict
    """The handshake has come to nothing: for the owner, why."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


@cache
def is_there() -> bool:
    """Whether the library is installed."""
    return find_spec("OpenSSL") is not None


class Handshakes:
    """Those under way, by our SPI; none where the library is not there."""

    def __init__(self, is_there: Callable[[], bool] = is_there) -> None:
        self._is_there = is_there
        self._under_way: OrderedDict[bytes, Handshake] = OrderedDict()
        self._keyring: Keyring | None = None
        self._context: SSL.Context | None = None

    def of(self, spi: bytes, keyring: Keyring) -> Handshake:
        """The handshake of this IKE SA, which begins if it has none; the oldest gives way. Raises TlsFailed."""
        known = self._under_way.get(spi)
        if known is not None:
            return known
        if not self._is_there():
            raise TlsFailed(Cause.NO_COMMON_METHOD)
        if self._context is None or keyring is not self._keyring:
            self._keyring, self._context = keyring, context_of(keyring)
        made = self._under_way[spi] = Handshake(self._context)
        if len(self._under_way) > MOST:
            self._under_way.popitem(last=False)
        return made

    def forget(self, spi: bytes) -> None:
        """It has come to its end."""
        self._under_way.pop(spi, None)

    def __len__(self) -> int:
        return len(self._under_way)


class Handshake:
    """One of them. Takes a router's CPU some while: for a thread."""

    def __init__(self, context: SSL.Context) -> None:
        from OpenSSL import SSL

        self._ssl = SSL
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()

    def take(self, octets: bytes) -> bool:
        """Take a message of the peer's; whether that was the last. Raises TlsFailed."""
        ssl = self._ssl
        self._connection.bio_write(octets)
        try:
            self._connection.do_handshake()
        except ssl.WantReadError:
            return False
        except ssl.Error as error:
            raise TlsFailed(_cause(error)) from error
        return True

    def said(self) -> bytes:
        """What is to be sent."""
        try:
            return self._connection.bio_read(LONGEST)
        except self._ssl.WantReadError:
            return b""

    def concluded(self) -> bytes:
        """The last that is to be sent, once the peer may come in."""
        if self._is_1_3:
            self._connection.send(COMMITMENT)
        return self.said()

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """What the peer has shown, in DER, its own first."""
        own = self._connection.get_peer_certificate()
        more = self._connection.get_peer_cert_chain() or []
        shown = [_der(each) for each in (own, *more) if each is not None]
        return tuple(dict.fromkeys(shown))

    @property
    def msk(self) -> bytes:
        """The key that both sides now have."""
        label, context = (LABEL_1_3, EAP_TLS) if self._is_1_3 else (LABEL_1_2, None)
        return self._connection.export_keying_material(label, KEY_MATERIAL_SIZE, context)[:MSK_SIZE]

    @property
    def _is_1_3(self) -> bool:
        return self._connection.get_protocol_version_name() == "TLSv1.3"


def context_of(keyring: Keyring) -> SSL.Context:
    """What all handshakes of the gateway have in common: its certificates, and which versions it speaks.

    Raises TlsFailed where it has no certificate, or none that goes with TLS.
    """
    from OpenSSL import SSL

    proof = keyring.proofs.get(POOLS)
    if proof is None:
        raise TlsFailed(Cause.CANNOT_SIGN)
    try:
        return _context(proof.signing.credentials, keyring)
    except SSL.Error as error:
        raise TlsFailed(Cause.CANNOT_SIGN) from error


def shaped(thing: Any) -> Any:
    """A key or certificate as the library takes it: by itself from version 24.3 on, in a shape of its own before."""
    from OpenSSL import crypto, version

    if tuple(map(int, version.__version__.split(".")[:2])) >= (24, 3):
        return thing
    if hasattr(thing, "public_bytes"):
        return crypto.X509.from_cryptography(thing)
    return crypto.PKey.from_cryptography_key(thing)


def _context(credentials: tuple[Credential, ...], keyring: Keyring) -> SSL.Context:
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _leave_to_us)
    for credential in credentials:
        own, *above = map(load_der_x509_certificate, credential.chain)
        context.use_certificate(shaped(own))
        context.use_privatekey(shaped(keyring.keys[credential.name]))
        if credential is credentials[0]:
            for each in above:
                context.add_extra_chain_cert(shaped(each))
    context.set_cipher_list(CIPHERS)  # last: 25.1 takes the context for used after it
    return context


def _leave_to_us(*_: object) -> bool:
    return True


def _der(certificate: Any) -> bytes:
    octets: bytes = certificate.to_cryptography().public_bytes(Encoding.DER)
    return octets


def _cause(error: SSL.Error) -> Cause:
    """Why OpenSSL has given up; it says so in nothing but words."""
    words = " ".join(str(part[-1]) for part in (error.args[0] if error.args else ()))
    if "did not return a certificate" in words:
        return Cause.NO_CERTIFICATE
    if "alert" in words and ("certificate" in words or "unknown ca" in words):
        return Cause.LEFT_UNCONVINCED  # by ours
    if any(each in words for each in ("no shared cipher", "unsupported protocol", "no suitable", "no protocols")):
        return Cause.NO_COMMON_METHOD
    return Cause.EAP_ABANDONED
