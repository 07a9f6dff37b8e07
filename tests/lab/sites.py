"""Connections between the nodes of the lab's network."""

from dataclasses import replace
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


def site_to_home(network: Network) -> Connection:
    """The tunnel between gateway_a's LAN and the phone's network behind the home router."""
    a, home, phone = network["gateway_a"], network["home"], network["phone"]
    return Connection(
        name="home",
        local=a.wan.v4,
        remote=home.wan.v4,
        local_id="a.example",
        remote_id="home.example",
        auth=Psk("another one for home"),
        local_ts=(a.lan.net4,),
        remote_ts=(phone.wan.net4,),
    )


def behind_nat(network: Network, connection: Connection, *hidden: str) -> tuple[Connection, Connection]:
    """Both sides' view of gateway_a's connection where `Nat` hides these gateways; see there for the addresses."""
    a, b = network["gateway_a"].wan, network["gateway_b"].wan
    seen_by_a = a.far4 if "gateway_b" in hidden else b.v4
    seen_by_b = b.far4 if "gateway_a" in hidden else a.v4
    return replace(connection, remote=seen_by_a), connection.mirrored(local=b.v4, remote=seen_by_b)
