"""What this machine can do: ciphers with real packets, key exchanges and signatures. It takes some seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edgevpn.daemon.ciphers.speeds import Impossible, Trial, try_in_process
from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.dh import generate, respond
from edgevpn.ike.crypto.mlkem import AVAILABLE
from edgevpn.ike.crypto.signature import KeyKind, PrivateKey, schemes, sign
from edgevpn.ike.iana import HashAlgorithm, Ke
from edgevpn.kernel.trial_results import Result

LONG_ENOUGH = 0.2
"""Seconds of CPU for each."""

ML_KEM = {"mlkem768": Ke.ML_KEM_768, "mlkem1024": Ke.ML_KEM_1024}
KEY_EXCHANGES = {
    "x25519": Ke.CURVE25519,
    "ecp256": Ke.ECP_256,
    "modp2048": Ke.MODP_2048,
    **{name: ke for name, ke in ML_KEM.items() if ke in AVAILABLE},
}
LACKING = tuple(name for name in ML_KEM if name not in KEY_EXCHANGES)
OCTETS = bytes(64)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one CPU does something in a second; `of_what` as proposals and certificates call it."""

    kind: str
    of_what: str
    per_second: float


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was measured; `why_untried` says why there are no ciphers, if there are none.

    `lacks` are key exchanges that the library has not.
    """

    ciphers: tuple[Result, ...]
    why_untried: str
    rates: tuple[Rate, ...]
    lacks: tuple[str, ...] = ()


async def measure(trial: Trial = try_in_process, seconds: float = LONG_ENOUGH) -> Findings:
    """Measure all, one after the other."""
    try:
        ciphers, why = await trial(), ""
    except Impossible as error:
        ciphers, why = (), str(error)
    return Findings(ciphers, why, (*_exchanges(seconds), *_signatures(seconds)), LACKING)


def rate(work: Callable[[], object], seconds: float) -> float:
    """How often it is done in a second of CPU."""
    count, begin = 0, time.thread_time()
    while (took := time.thread_time() - begin) < seconds:
        work()
        count += 1
    return count / took


def _exchanges(seconds: float) -> tuple[Rate, ...]:
    """What the responder of a handshake does; its initiator does much the same."""

    def exchange(ke: Ke) -> Callable[[], object]:
        theirs = generate(ke, os.urandom).public
        return lambda: respond(ke, theirs, os.urandom)

    return tuple(Rate("key exchange", name, rate(exchange(ke), seconds)) for name, ke in KEY_EXCHANGES.items())


def _signatures(seconds: float) -> tuple[Rate, ...]:
    keys: dict[str, tuple[KeyKind, PrivateKey]] = {
        "rsa2048": (KeyKind.RSA, rsa.generate_private_key(65537, 2048)),
        "ecdsa256": (KeyKind.P256, ec.generate_private_key(ec.SECP256R1())),
    }

    def signing(kind: KeyKind, key: PrivateKey) -> Callable[[], object]:
        scheme = schemes(kind, (HashAlgorithm.SHA2_256,), sha1=False)[0]
        return lambda: sign(key, scheme, OCTETS)

    return tuple(Rate("signature", name, rate(signing(*found), seconds)) for name, found in keys.items())
