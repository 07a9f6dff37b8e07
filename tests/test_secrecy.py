import subprocess
import sys

PROGRAM = """
import ctypes, resource
from edgevpn.secrecy import keep_memory_private
libc, PR_GET_DUMPABLE = ctypes.CDLL(None), 3
before = libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
keep_memory_private()
print(before, libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""
WITHOUT_CTYPES = """
import resource, sys
from edgevpn.secrecy import keep_memory_private
sys.modules["ctypes"] = None
keep_memory_private()
print(*resource.getrlimit(resource.RLIMIT_CORE))
"""


def said_by(program: str) -> str:
    """It holds until the end of a process, so a process of its own it is."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603 - our own program


def test_neither_a_file_nor_another_process_gets_the_memory() -> None:
    assert said_by(PROGRAM).split() == ["1", "0", "0", "0"]


def test_without_ctypes_there_is_at_least_no_file() -> None:
    assert said_by(WITHOUT_CTYPES).split() == ["0", "0"]
