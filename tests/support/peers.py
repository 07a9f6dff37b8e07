"""Peers for tests of the core: two sites that know each other."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from edgevpn.ike.iana import Encr, Esn, IdType, Integ, Ke, Prf, TransformType
from edgevpn.ike.peer import ChildPolicy, Offer, Peer, Psk
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Transform
from edgevpn.ike.wire.selector import TrafficSelector

GCM = Transform(TransformType.ENCR, Encr.AES_GCM_16, 256)
CBC = Transform(TransformType.ENCR, Encr.AES_CBC, 256)
SHA256 = Transform(TransformType.INTEG, Integ.HMAC_SHA2_256_128)
PRF_SHA256 = Transform(TransformType.PRF, Prf.HMAC_SHA2_256)
X25519 = Transform(TransformType.KE, Ke.CURVE25519)
ECP256 = Transform(TransformType.KE, Ke.ECP_256)
NO_KE = Transform(TransformType.KE, Ke.NONE)
ADDKE1_ECP256 = Transform(TransformType.ADDKE1, Ke.ECP_256)
ADDKE1_ECP384 = Transform(TransformType.ADDKE1, Ke.ECP_384)
ADDKE1_NONE = Transform(TransformType.ADDKE1, Ke.NONE)
ADDKE2_X448 = Transform(TransformType.ADDKE2, Ke.CURVE448)
NO_ESN = Transform(TransformType.ESN, Esn.NO_ESN)

IKE_OFFER = Offer((GCM, PRF_SHA256, X25519, ECP256))
ESP_OFFER = Offer((GCM, X25519, NO_KE, NO_ESN))

LEFT_ID, RIGHT_ID = Identification(IdType.FQDN, b"left.example"), Identification(IdType.FQDN, b"right.example")


def selectors(*networks: str) -> tuple[TrafficSelector, ...]:
    """One selector for each network."""
    return tuple(TrafficSelector.from_network(ip_network(network)) for network in networks)


LAN = ChildPolicy("lan", selectors("10.1.0.0/24"), selectors("10.2.0.0/24"), (ESP_OFFER,))

KEY = Psk(b"a key that both have")
# Without what is beside the point of most tests.
TO_RIGHT = Peer("right", LEFT_ID, RIGHT_ID, KEY, KEY, (IKE_OFFER,), (LAN,), fragmentation=False, redirects=False)


def mirrored(peer: Peer, name: str = "left") -> Peer:
    """What the other side must have so that both fit."""
    assert peer.remote_id is not None
    children = tuple(replace(c, ts_local=c.ts_remote, ts_remote=c.ts_local) for c in peer.children)
    return replace(peer, name=name, local_id=peer.wanted, remote_id=peer.local_id, children=children)


TO_LEFT = mirrored(TO_RIGHT)
