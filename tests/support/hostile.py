"""Strangers whose names and vendor IDs would command a terminal, forge a line of a log, or mark up a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgevpn.ike.iana import IdType
from edgevpn.ike.peer import Manners
from edgevpn.ike.wire.payloads import Identification
from tests.support.peers import TO_RIGHT
from tests.support.provocations import ALICE, BY_PASSWORD, KNOWING, OTHER_CIPHER, PHONE, STAFF, Watched

TEXTS = {
    "a terminal's escape": "\x1b[2J\x1b]0;owned\x07",
    "a forged line": 'x\r\nERROR owned=1 why="',
    "markup": '"><script>owned()</script><img src=x onerror=owned()>',
    "right to left": "\u202egpj.exe\u2066",
    "a NUL": "a\x00b",
    "endless": "A" * 1500,
}


def _named(text: str) -> Watched:
    return Watched(replace(TO_RIGHT, local_id=Identification(IdType.KEY_ID, text.encode()))).call(10)


def _calling_us(text: str) -> Watched:
    return Watched(replace(TO_RIGHT, remote_id=Identification(IdType.KEY_ID, text.encode()))).call(10)


def _logging_in(text: str) -> Watched:
    user = replace(ALICE, user=text)
    return Watched(replace(BY_PASSWORD, local_auth=user), STAFF, (PHONE, KNOWING)).call()


def _made_by(text: str) -> Watched:
    return Watched(replace(OTHER_CIPHER, manners=Manners(vendors=(text.encode(),)))).call(10)


PLACES: Mapping[str, Callable[[str], Watched]] = {
    "its identity": _named,
    "what it calls us": _calling_us,
    "its name in EAP": _logging_in,
    "its vendor ID": _made_by,
}

CALLS = [(f"{place}: {kind}", call, text) for place, call in PLACES.items() for kind, text in TEXTS.items()]
IDS = [name for name, *_ in CALLS]
PLAYED = [(call, text) for _, call, text in CALLS]
"""Each place with each text, for a test to go through."""
