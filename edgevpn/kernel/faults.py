"""The kernel's errnos in words, with what helps against them."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from edgevpn.frozen import dataclass
from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound, NotPermitted, NotSupported
from edgevpn.kernel.framework import DecodeError
from edgevpn.kernel.netlink import NetlinkError
from edgevpn.kernel.spec import Aead, Encryption, Integrity


@dataclass(frozen=True, slots=True)
class Fault:
    """What an errno means for one operation. Without `detail`, the kernel's own words stand."""

    error: type[KernelError]
    detail: str = ""
    cure: str = ""


Faults: TypeAlias = Mapping[int, Fault]

NO_RIGHTS = Fault(NotPermitted, "the process lacks CAP_NET_ADMIN", "run it as root, or with that capability")

EVERYWHERE: Faults = {
    errno.EPERM: NO_RIGHTS,
    errno.EACCES: NO_RIGHTS,
    errno.EEXIST: Fault(AlreadyExists, "it exists already"),
}

OPEN_XFRM: Faults = {errno.EPROTONOSUPPORT: Fault(NotSupported, "module xfrm_user is missing", "install kmod-ipsec")}

SA_BY_KEY: Faults = {errno.ESRCH: Fault(NotFound, "there is none"), errno.ENOENT: Fault(NotFound, "there is none")}

POLICY: Faults = {
    errno.ENOENT: Fault(NotFound, "there is none"),
    errno.ENODEV: Fault(NotFound, "there is no such interface"),
}

MIGRATE: Faults = {
    **SA_BY_KEY,
    errno.ENOPROTOOPT: Fault(NotSupported, "this kernel was built without XFRM_MIGRATE", "re-create the SAs instead"),
}

UDP_ENCAPSULATION: Faults = {
    errno.ENOPROTOOPT: Fault(NotSupported, "this kernel has no ESP in UDP", "install kmod-ipsec"),
    errno.EPROTONOSUPPORT: Fault(NotSupported, "this kernel has no ESP in UDP for this family", "install kmod-ipsec6"),
}

EARLY: Faults = {
    errno.EPERM: Fault(NotPermitted, "the process lacks CAP_NET_RAW", "give it that capability"),
    errno.EAFNOSUPPORT: Fault(NotSupported, "this kernel, or what confines the process, has no packet sockets"),
}

LINK: Faults = {
    errno.EOPNOTSUPP: Fault(NotSupported, "module xfrm_interface is missing", "install kmod-xfrm-interface"),
    errno.ENODEV: Fault(NotFound, "there is no such interface"),
}

ADDRESS: Faults = {
    errno.ENODEV: Fault(NotFound, "there is no such interface"),
    errno.EADDRNOTAVAIL: Fault(NotFound, "the interface does not have it"),
    errno.EOPNOTSUPP: Fault(NotSupported, "this kernel has no IPv6"),
    errno.EAFNOSUPPORT: Fault(NotSupported, "this kernel has no IPv6"),
}

ROUTE: Faults = {
    errno.ENODEV: Fault(NotFound, "there is no such interface"),
    errno.ESRCH: Fault(NotFound, "there is none"),
    errno.ENETUNREACH: Fault(NotFound, "the gateway cannot be reached"),
    errno.EOPNOTSUPP: Fault(NotSupported, "this kernel has no IPv6"),
    errno.EAFNOSUPPORT: Fault(NotSupported, "this kernel has no IPv6"),
}

RULE: Faults = {
    errno.ENOENT: Fault(NotFound, "there is none"),
    errno.EOPNOTSUPP: Fault(NotSupported, "this kernel was built without IP_MULTIPLE_TABLES"),
    errno.EAFNOSUPPORT: Fault(NotSupported, "this kernel was built without IP_MULTIPLE_TABLES, or has no IPv6"),
}

PROXY: Faults = {
    errno.ENODEV: Fault(NotFound, "there is no such interface"),
    errno.ENOENT: Fault(NotFound, "there is none"),
    errno.EAFNOSUPPORT: Fault(NotSupported, "this kernel has no IPv6"),
}

CONNECTIONS: Faults = {
    number: Fault(NotSupported, "module nf_conntrack_netlink is missing", "install kmod-nf-conntrack-netlink")
    for number in (errno.EPROTONOSUPPORT, errno.EINVAL)
}

CONNECTION: Faults = {errno.ENOENT: Fault(NotFound, "there is none")}

ETHTOOL: Faults = {
    number: Fault(NotSupported, "this kernel was built without ethtool netlink")
    for number in (errno.ENOENT, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP)
}

DEVICE: Faults = {
    errno.ENODEV: Fault(NotFound, "there is no such interface"),
    errno.EOPNOTSUPP: Fault(NotSupported, "this interface tells no features"),
}

SETTING: Faults = {errno.ENOENT: Fault(NotFound, "there is no such interface or setting")}

STATISTICS: Faults = {errno.ENOENT: Fault(NotSupported, "this kernel was built without XFRM_STATISTICS")}

PATH: Faults = {
    number: Fault(NotFound, "nothing leads there")
    for number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ESRCH, errno.EACCES, errno.EINVAL)
}

# What an algorithm's name contains, and OpenWrt's package for it; the first that fits.
MODULES = {
    "gcm": "kmod-crypto-gcm",
    "ccm": "kmod-crypto-ccm",
    "chacha20": "kmod-crypto-chacha20poly1305",
    "ctr": "kmod-crypto-ctr",
    "cbc(des3": "kmod-crypto-des",
    "cbc": "kmod-crypto-cbc",
    "sha256": "kmod-crypto-sha256",
    "sha1": "kmod-crypto-sha1",
    "sha384": "kmod-crypto-sha512",
    "sha512": "kmod-crypto-sha512",
    "xcbc": "kmod-crypto-xcbc",
    "cmac": "kmod-crypto-cmac",
}


def adding_sa(version: int, cipher: Aead | Encryption, integrity: Integrity | None) -> Faults:
    """What can be wrong with a new SA of IP version 4 or 6."""
    names = [cipher.name, *([integrity.name] if integrity else [])]
    packages = dict.fromkeys(package for name in names for part, package in MODULES.items() if part in name)
    algorithm = Fault(
        NotSupported, f"this kernel lacks {' or '.join(names)}", " ".join(("install", *packages)) if packages else ""
    )
    return {
        errno.EPROTONOSUPPORT: Fault(NotSupported, f"module esp{version} is missing", f"install kmod-ipsec{version}"),
        errno.EAFNOSUPPORT: Fault(NotSupported, f"module esp{version} is missing", f"install kmod-ipsec{version}"),
        errno.ENOSYS: algorithm,
        errno.ENOENT: algorithm,
        errno.ESRCH: Fault(NotFound, "there is none"),
        errno.ENODEV: Fault(NotFound, "there is no such interface"),
    }


@contextmanager
def telling(verb: str, what: object, faults: Faults) -> Iterator[None]:
    """Raise what goes wrong in an operation as a KernelError."""
    try:
        yield
    except OSError as error:
        raise kernel_error(f"{verb} {what}", error, faults) from error


@contextmanager
def reading(what: object) -> Iterator[None]:
    """Raise an answer of the kernel that makes no sense as a KernelError."""
    try:
        yield
    except (struct.error, ValueError, DecodeError) as error:
        raise KernelError(f"read {what}", errno.EBADMSG, "the kernel's answer makes no sense") from error


def kernel_error(operation: str, error: OSError, faults: Faults) -> KernelError:
    """The KernelError for an errno; the kernel's own words, where it had some, beat ours."""
    number = error.errno or errno.EIO
    fault = faults.get(number) or EVERYWHERE.get(number) or Fault(KernelError)
    said = error.strerror if isinstance(error, NetlinkError) and error.has_text else ""
    return fault.error(operation, number, ": ".join(filter(None, (fault.detail, said))), fault.cure)
