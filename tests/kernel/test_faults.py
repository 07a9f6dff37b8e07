"""edgevpn.kernel.faults."""

from __future__ import annotations

import errno
import struct

import pytest

from edgevpn.kernel import faults
from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound, NotPermitted, NotSupported
from edgevpn.kernel.faults import Faults, adding_sa, kernel_error, reading, telling
from edgevpn.kernel.framework import DecodeError
from edgevpn.kernel.netlink import NetlinkError
from edgevpn.kernel.spec import Aead, Encryption, Integrity

CBC, SHA2 = Encryption("cbc(aes)", bytes(16)), Integrity("hmac(sha256)", bytes(32), 128)

WORDS = {
    "everywhere": (
        errno.EPERM,
        {},
        NotPermitted,
        "cannot do it: the process lacks CAP_NET_ADMIN (EPERM); run it as root, or with that capability",
    ),
    "exists": (errno.EEXIST, {}, AlreadyExists, "cannot do it: it exists already (EEXIST)"),
    "unforeseen": (errno.ENOMEM, {}, KernelError, "cannot do it: Cannot allocate memory (ENOMEM)"),
    "no XFRM": (
        errno.EPROTONOSUPPORT,
        faults.OPEN_XFRM,
        NotSupported,
        "cannot do it: module xfrm_user is missing (EPROTONOSUPPORT); install kmod-ipsec",
    ),
    "no MIGRATE": (
        errno.ENOPROTOOPT,
        faults.MIGRATE,
        NotSupported,
        "cannot do it: this kernel was built without XFRM_MIGRATE (ENOPROTOOPT); re-create the SAs instead",
    ),
    "no way": (errno.ENETUNREACH, faults.PATH, NotFound, "cannot do it: nothing leads there (ENETUNREACH)"),
    "the operation's own words first": (
        errno.EACCES,
        faults.PATH,
        NotFound,
        "cannot do it: nothing leads there (EACCES)",
    ),
}


@pytest.mark.parametrize(("number", "causes", "kind", "text"), WORDS.values(), ids=WORDS)
def test_words(number: int, causes: Faults, kind: type[KernelError], text: str) -> None:
    error = kernel_error("do it", NetlinkError(number), causes)
    assert (type(error), error.code, str(error)) == (kind, number, text)


def test_the_kernels_own_words() -> None:
    error = kernel_error("do it", NetlinkError(errno.EINVAL, "Invalid mark"), {})
    assert str(error) == "cannot do it: Invalid mark (EINVAL)"
    error = kernel_error("do it", NetlinkError(errno.ENODEV, "no dev 7"), faults.LINK)
    assert str(error) == "cannot do it: there is no such interface: no dev 7 (ENODEV)"


def test_an_error_without_number() -> None:
    assert kernel_error("do it", OSError("odd"), {}).code == errno.EIO


SA_WORDS = {
    "an AEAD": (Aead("rfc4106(gcm(aes))", b"", 128), None, "rfc4106(gcm(aes))", "install kmod-crypto-gcm"),
    "ChaCha20": (
        Aead("rfc7539esp(chacha20,poly1305)", b"", 128),
        None,
        "rfc7539esp(chacha20,poly1305)",
        "install kmod-crypto-chacha20poly1305",
    ),
    "a pair": (CBC, SHA2, "cbc(aes) or hmac(sha256)", "install kmod-crypto-cbc kmod-crypto-sha256"),
    "the long hashes share a package": (
        CBC,
        Integrity("hmac(sha384)", b"", 192),
        "cbc(aes) or hmac(sha384)",
        "install kmod-crypto-cbc kmod-crypto-sha512",
    ),
    "unheard of": (Encryption("rot13", b""), None, "rot13", ""),
}


@pytest.mark.parametrize(("cipher", "integrity", "lacks", "cure"), SA_WORDS.values(), ids=SA_WORDS)
def test_missing_algorithm(cipher: Aead | Encryption, integrity: Integrity | None, lacks: str, cure: str) -> None:
    error = kernel_error("add it", NetlinkError(errno.ENOSYS), adding_sa(4, cipher, integrity))
    assert (type(error), error.detail, error.cure) == (NotSupported, f"this kernel lacks {lacks}", cure)


def test_missing_esp() -> None:
    error = kernel_error("add it", NetlinkError(errno.EPROTONOSUPPORT), adding_sa(6, CBC, SHA2))
    assert (error.detail, error.cure) == ("module esp6 is missing", "install kmod-ipsec6")


def test_telling() -> None:
    with (
        pytest.raises(NotFound, match="cannot read SA 1: there is none") as caught,
        telling("read", "SA 1", faults.SA_BY_KEY),
    ):
        raise NetlinkError(errno.ESRCH)
    assert isinstance(caught.value.__cause__, NetlinkError)
    with pytest.raises(ValueError, match="not the kernel's"), telling("read", "SA 1", faults.SA_BY_KEY):
        raise ValueError("not the kernel's")


@pytest.mark.parametrize("error", [struct.error("short"), ValueError("family 0"), DecodeError("odd")])
def test_reading(error: Exception) -> None:
    with (
        pytest.raises(KernelError, match="cannot read SA 1: the kernel's answer makes no sense") as caught,
        reading("SA 1"),
    ):
        raise error
    assert caught.value.code == errno.EBADMSG
    with reading("SA 1"):
        pass
