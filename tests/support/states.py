"""IKE SAs made by hand, without a handshake; their keys are known to everybody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgevpn.ike.crypto.keymat import ChildKeys, IkeKeys
from edgevpn.ike.crypto.suite import ChildSuite, IkeSuite
from edgevpn.ike.iana import Encr, Integ, Ke, Prf
from edgevpn.ike.peer import Peer
from edgevpn.ike.state import ChildSa, Established, Nat, Secured
from tests.support.handshake import LEFT_PATH, RIGHT_PATH
from tests.support.peers import LAN, LEFT_ID, RIGHT_ID, TO_LEFT, TO_RIGHT

SPI_I, SPI_R = b"initiatr", b"respondr"
IKE_SUITE = IkeSuite(Encr.AES_GCM_16, 256, Integ.NONE, Prf.HMAC_SHA2_256, Ke.CURVE25519)
CBC_SUITE = IkeSuite(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128, Prf.HMAC_SHA2_256, Ke.CURVE25519)
ESP_SUITE = ChildSuite(Encr.AES_GCM_16, 256, Integ.NONE, False)
CHILD_KEYS = ChildKeys(b"i" * 36, b"", b"r" * 36, b"")


def some_keys(suite: IkeSuite) -> IkeKeys:
    """The seven secrets, each of another octet."""
    own, encr, integ = 32, suite.encr_key_length, suite.integ_key_length
    lengths = zip(b"daAeEpP", (own, integ, integ, encr, encr, own, own), strict=True)
    return IkeKeys(*(bytes([octet]) * length for octet, length in lengths))


def secured(initiator: bool = True, suite: IkeSuite = IKE_SUITE, **changes: Any) -> Secured:
    """The same IKE SA as its initiator or its responder knows it."""
    return replace(Secured(SPI_I, SPI_R, initiator, suite, some_keys(suite)), **changes)


def a_child(number: int = 1, **changes: Any) -> ChildSa:
    """A child of left's: it receives on `in_1` and sends on `out1`."""
    spi_in, spi_out = f"in_{number}".encode(), f"out{number}".encode()
    child = ChildSa("lan", spi_in, spi_out, ESP_SUITE, CHILD_KEYS, True, LAN.ts_local, LAN.ts_remote)
    return replace(child, **changes)


def an_sa(*children: ChildSa, peer: Peer = TO_RIGHT, **changes: Any) -> Established:
    """Left's end of an IKE SA that left began, with these children."""
    sa = Established(secured(), peer, RIGHT_ID, LEFT_PATH, Nat(), since=0.0, heard=0.0, children=children)
    return replace(sa, **changes)


def the_other(sa: Established, peer: Peer = TO_LEFT) -> Established:
    """Right's end of the same IKE SA."""
    children = tuple(
        replace(
            child,
            spi_in=child.spi_out,
            spi_out=child.spi_in,
            initiator=not child.initiator,
            ts_local=child.ts_remote,
            ts_remote=child.ts_local,
        )
        for child in sa.children
    )
    mirrored = replace(sa.secured, initiator=not sa.secured.initiator)
    return replace(sa, secured=mirrored, peer=peer, remote_id=LEFT_ID, path=RIGHT_PATH, children=children)
