"""Time-based one-time passwords, RFC 6238: six digits, half a minute each, SHA-1 as every authenticator has it."""

from __future__ import annotations

import hmac
import struct
from base64 import b32decode, b32encode
from urllib.parse import quote, urlencode

STEP = 30
DIGITS = 6
SECRET_SIZE = 20
DRIFT = 1
"""Steps that a clock may be wrong, either way; RFC 6238 §5.2."""
NEVER = -1


class WrongCode(Exception):  # noqa: N818 - named for what it is
    """It is not the code of now, or has been used before."""


def new_secret(octets: bytes) -> str:
    """A key as authenticators take it: Base32."""
    return b32encode(octets).decode().rstrip("=")


def link(secret: str, title: str) -> str:
    """What an authenticator reads from a QR code."""
    return f"otpauth://totp/{quote(f'edgevpn:{title}')}?{urlencode({'secret': secret, 'issuer': 'edgevpn'})}"


def code(secret: str, step: int) -> str:
    """The code of one step, RFC 4226 §5.3."""
    key = b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 0x0F)
    return str((number & 0x7FFFFFFF) % 10**DIGITS).zfill(DIGITS)


def check(given: str, secret: str, now: float, used: int) -> int:
    """The step that a code is of; no step up to `used` counts any more, RFC 6238 §5.2. Raises WrongCode."""
    current = int(now) // STEP
    steps = [step for step in range(current - DRIFT, current + DRIFT + 1) if step >= 0]
    fitting = [step for step in steps if hmac.compare_digest(code(secret, step).encode(), given.encode())]
    fresh = [step for step in fitting if step > used]
    if not fresh:
        raise WrongCode
    return fresh[0]
