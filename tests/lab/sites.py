"""Connections between the nodes of the lab's network."""

from typing import Literal

from tests.lab.network import Network
from tests.lab.peers.connection import Auth, Connection, Psk

Family = Literal[4, 6]

SECRET = Psk("correct horse battery staple")


def site_to_site(network: Network, *, outer: Family = 4, inner: Family = 4, auth: Auth = SECRET) -> Connection:
    """The tunnel between the two LANs, as gateway_a sees it; `.mirrored()` is gateway_b's side."""
    a, b = network["gateway_a"], network["gateway_b"]
    return Connection(
        local=a.wan.v4 if outer == 4 else a.wan.v6,
        remote=b.wan.v4 if outer == 4 else b.wan.v6,
        local_id="a.example",
        remote_id="b.example",
        auth=auth,
        local_ts=(a.lan.net4 if inner == 4 else a.lan.net6,),
        remote_ts=(b.lan.net4 if inner == 4 else b.lan.net6,),
    )
