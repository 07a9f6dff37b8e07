from __future__ import annotations

import pytest

from edgevpn.ike.crypto.md4 import md4

# RFC 1320, appendix A.5.
SUITE = {
    "": "31d6cfe0d16ae931b73c59d7e0c089c0",
    "a": "bde52cb31de33e46245e05fbdbd6fb24",
    "abc": "a448017aaf21d8525fc10ae87aa6729d",
    "message digest": "d9130a8164549fe818874806e1c7014b",
    "abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": "043f8582f241db351ce627e153e7f0e4",
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890": (
        "e33b4ddc9c38f2199c3e7b164fcc0536"
    ),
}


@pytest.mark.parametrize(("text", "digest"), SUITE.items(), ids=lambda value: value[:12] or "empty")
def test_rfc_1320(text: str, digest: str) -> None:
    assert md4(text.encode()).hex() == digest


def test_lengths_around_a_block() -> None:
    """Where the length fits behind the data, and where it takes a block more: all digests differ, none is refused."""
    assert len({md4(bytes(size)) for size in range(130)}) == 130
