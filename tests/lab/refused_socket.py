"""Start a program that gets no netlink sockets of one kind, as in a kernel without the module for them:

    python -m tests.lab.refused_socket 6 COMMAND...

refuses NETLINK_XFRM. A seccomp filter does it; seccomp(2) has the names.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

SYS_SOCKET = {"x86_64": 41, "aarch64": 198}
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x0005_0000, 0x7FFF_0000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, DOMAIN, PROTOCOL = 0, 16, 32  # offsets in struct seccomp_data; of arguments the low half


def refusal(protocol: int) -> bytes:
    """The filter: socket(AF_NETLINK, *, protocol) fails with EPROTONOSUPPORT; an array of struct sock_filter."""
    conditions = ((NUMBER, SYS_SOCKET[platform.machine()]), (DOMAIN, socket.AF_NETLINK), (PROTOCOL, protocol))
    program = []
    for left, (offset, value) in zip((5, 3, 1), conditions, strict=True):  # instructions to skip where it differs
        program += [(LOAD, 0, 0, offset), (JUMP_IF_EQUAL, 0, left, value)]
    program += [(RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EPROTONOSUPPORT), (RETURN, 0, 0, SECCOMP_RET_ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(octets := refusal(int(sys.argv[1])), len(octets))
    header = struct.pack("@HP", len(octets) // 8, ctypes.addressof(instructions))  # struct sock_fprog
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
