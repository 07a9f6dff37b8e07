from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.daemon.keeping.backup import MAGIC, Backup, BackupError, Cost, _key, seal, unseal
from edgevpn.daemon.keeping.holdings import CONFIG, SECRETS

PASSWORD = "a long password"
CHEAP = Cost(2)
"""What is tested is not how dear it is."""
HELD = Backup({CONFIG: b"# ours\n", SECRETS: b"\x00\xff" * 9, "pki/ca.pem": b"a key"}, 1_700_000_000.0, "0.1.0")


def entropy(count: int) -> bytes:
    return bytes(range(count))


def sealed(content: Any, cost: Cost = CHEAP, raw: bytes | None = None, **header: Any) -> bytes:
    """A file that says what it likes, under the password."""
    said = {
        "kdf": "scrypt",
        "ln": cost.log2_n,
        "r": cost.r,
        "p": cost.p,
        "salt": base64.b64encode(entropy(16)).decode(),
        "cipher": "aes256gcm",
        "nonce": base64.b64encode(entropy(12)).decode(),
        **header,
    }
    head = MAGIC + json.dumps(said).encode() + b"\n"
    packed = zlib.compress(json.dumps(content).encode()) if raw is None else raw
    return head + AESGCM(_key(PASSWORD, entropy(16), cost)).encrypt(entropy(12), packed, head)


def test_what_is_sealed_is_unsealed() -> None:
    octets = seal(HELD, PASSWORD, entropy, CHEAP)
    assert unseal(octets, PASSWORD) == HELD
    assert b"key" not in octets


def test_the_usual_cost() -> None:
    assert unseal(seal(HELD, PASSWORD, entropy), PASSWORD) == HELD


@pytest.mark.parametrize("password", ["", "another password", PASSWORD + " "])
def test_another_password(password: str) -> None:
    with pytest.raises(BackupError, match="the password does not open this backup"):
        unseal(seal(HELD, PASSWORD, entropy, CHEAP), password)


def test_a_short_password() -> None:
    with pytest.raises(BackupError, match="allowed: 10 characters or more"):
        seal(HELD, "short", entropy)


@given(st.data())
def test_damage_is_found(data: st.DataObject) -> None:
    """Whatever octet of the file is changed, or lost."""
    octets = bytearray(seal(HELD, PASSWORD, entropy, CHEAP))
    place = data.draw(st.integers(0, len(octets) - 1))
    if data.draw(st.booleans()):
        octets[place] ^= data.draw(st.integers(1, 255))
    else:
        del octets[place]
    with pytest.raises(BackupError):
        unseal(bytes(octets), PASSWORD)


@given(st.binary(max_size=200))
def test_what_is_no_backup(octets: bytes) -> None:
    for file in (octets, MAGIC + octets, MAGIC + b"{}\n" + octets):
        with pytest.raises(BackupError):
            unseal(file, PASSWORD)


GOOD: dict[str, Any] = {"version": 1, "made": 1, "release": "0.1.0", "files": {CONFIG: ""}}
CONTENTS: dict[str, tuple[Any, str]] = {
    "newer": (GOOD | {"version": 2}, "of a newer release"),
    "no object": ([], "makes no sense"),
    "no files": ({"version": 1}, "makes no sense"),
    "a file that is no text": (GOOD | {"files": {CONFIG: 1}}, "is no file of a gateway"),
    "a file that is not Base64": (GOOD | {"files": {CONFIG: "é"}}, "edgevpn.toml in this backup is damaged"),
    "a way out": (GOOD | {"files": {"../../etc/passwd": ""}}, "holds '../../etc/passwd'"),
    "an absolute way": (GOOD | {"files": {"/etc/passwd": ""}}, "holds '/etc/passwd'"),
}


@pytest.mark.parametrize(("content", "why"), CONTENTS.values(), ids=CONTENTS)
def test_contents_that_are_refused(content: Any, why: str) -> None:
    with pytest.raises(BackupError, match=why):
        unseal(sealed(content), PASSWORD)


HEADERS: dict[str, dict[str, Any]] = {
    "unbearable": {"ln": 40},
    "large": {"ln": 20, "r": 32},
    "nothing": {"ln": 0},
    "another kind": {"kdf": "md5"},
    "another cipher": {"cipher": "rot13"},
    "a short salt": {"salt": "AAAA"},
    "no salt": {"salt": "*"},
    "a long one": {"more": "x" * 2000},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_headers_that_are_refused(header: dict[str, Any]) -> None:
    """Before anything is worked out: a file may ask for all the memory that there is."""
    with pytest.raises(BackupError, match="the header of this backup makes no sense"):
        unseal(sealed(GOOD, **header), PASSWORD)


def test_what_unpacks_to_too_much() -> None:
    packed = zlib.compress(bytes(17 << 20), 9)
    with pytest.raises(BackupError, match="too large"):
        unseal(sealed(None, raw=packed), PASSWORD)


def test_what_does_not_unpack() -> None:
    with pytest.raises(BackupError, match="makes no sense"):
        unseal(sealed(None, raw=b"no zlib"), PASSWORD)
