"""What we are compared with: strongSwan's charon as responder, and its load tester as the caller of it and of us.

Each responder has a namespace to itself, with a caller beside them on its loopback interface, and no ESP below:
ours keeps its kernel in memory, charon has the load tester's, which agrees to everything. All of charon but that plugin
is Debian's package, the plugin is as Debian has its source: once of the Debian that runs here, once of sid, on sid's
libraries. Charon is set up as it is fastest: no log, a large table of IKE SAs, no cookies, many calls at once. We get
as many at once as we take from one address without a cookie. All are called by the load tester of the Debian here.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgevpn.daemon.base.options import Ports
from edgevpn.ike.contract import Settings
from edgevpn.ike.iana import Ke
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.keys import pkcs8
from tests.bench.callers import Device, Login, operations
from tests.bench.served import LAPTOP, POOL, SERVER, Papers, Served, served
from tests.lab.network import Node
from tests.lab.peers.connection import Auth, Certificate, Connection, Psk
from tests.lab.peers.peer import tree
from tests.lab.peers.strongswan import StrongSwan
from tests.support.memory import resident
from tests.support.visitors import PSK

MAKES = {"charon": "strongswan", "charon_sid": "strongswan-sid"}
"""As they are called in the names of figures, and the trees that they are from. The first is needed to call all."""
PLUGIN = "usr/lib/ipsec/plugins/libstrongswan-load-tester.so"
LOOPBACK, NOWHERE = "127.0.0.1", "203.0.113.1"
KE = {Ke.CURVE25519: "x25519", Ke.MODP_2048: "modp2048"}
PATIENCE = 60.0
"""Seconds for some calls at once; a call that is lost is repeated after four."""
SHARED = {"preshared_key": f'"{PSK}"'}
AT_ONCE, AT_ONCE_TO_US = 32, Settings().half_open_per_address - 1

C = TypeVar("C", bound="Charon")

SETTINGS = """\
charon-systemd {{
    load = load-tester random nonce openssl hmac kdf gcm sha1 sha2 aes x509 pubkey pkcs1 pkcs8 pem kernel-netlink \
        socket-default vici
    ikesa_table_size = 4096
    ikesa_table_segments = 16
    dos_protection = no
    {ports}
    plugins {{
        load-tester {{
            enable = yes
            fake_kernel = yes
            {settings}
        }}
    }}
    filelog {{
        log {{
            default = -1
        }}
    }}
}}
"""


def lacking() -> dict[str, str]:
    """Why we cannot be compared with them, by name; empty where nothing is in the way."""
    if os.geteuid():
        return dict.fromkeys(MAKES, "it needs root, for namespaces")
    why = "its load tester is not built: run tests/lab/install anchor"
    return {name: why for name, release in MAKES.items() if not (tree(release) / PLUGIN).exists()}


class Charon(StrongSwan):
    """A charon with the load tester in it; `settings` are the plugin's, `ports` charon's own lines about them."""

    def __init__(
        self,
        node: Node,
        state: Path,
        connection: Connection,
        settings: dict[str, str],
        ports: str = "",
        release: str = MAKES["charon"],
    ) -> None:
        super().__init__(node, state, state / "log", connection, release=release)
        lines = "\n            ".join(f"{key} = {value}" for key, value in settings.items())
        with (state / "strongswan.conf").open("a") as file:
            file.write(SETTINGS.format(settings=lines, ports=ports))

    def close(self) -> None:
        """Kill it: on its way out it would take leave of every peer, one by one."""
        self.kill()

    @property
    def version(self) -> str:
        """Of which make it is: "strongSwan 5.9.8"."""
        with self._session() as session:
            told = session.version()
        return f"strongSwan {told['version'].decode()}"

    def resident(self) -> float:
        """What it has in memory, in MiB."""
        assert self.process is not None
        return resident(self.process.pid)


class Caller(Charon):
    """A charon that calls the responder of its namespace, from another port than 500."""

    def __init__(self, node: Node, state: Path, connection: Connection, ike: str) -> None:
        self._control = state / "load-tester"
        psk = isinstance(connection.auth, Psk)
        settings = {
            "socket": f"unix://{self._control}",
            "initiator": LOOPBACK,
            "responder": LOOPBACK,
            "initiator_id": "tablet%d" if psk else LAPTOP,
            "responder_id": SERVER,
            "initiator_auth": "psk" if psk else "pubkey",
            "responder_auth": "psk" if psk else "pubkey",
            **SHARED,
            "issuer_key": "/none",  # else it would invent certificates for all names that it meets
            "issuer_cert": "/none",
            "request_virtual_ip": "yes",
            "proposal": ike,
            "esp": connection.esp,
        }
        super().__init__(
            node,
            state,
            connection,
            settings,
            "port = 0\n    port_nat_t = 0\n    install_virtual_ip = no\n    reuse_ikesa = no",
        )

    def call(self, times: int, at_once: int) -> None:
        """So many complete handshakes, some of them at once. Raises RuntimeError if one fails."""
        for begun in range(0, times, at_once):
            count = min(at_once, times - begun)
            told = self._tell(f"{count} 0\n")
            if told.count(b"+") != count:
                raise RuntimeError(f"of {count} calls some failed: {told.decode()!r}")

    def _tell(self, order: str) -> bytes:
        """What the plugin writes about its calls: a plus for each IKE SA that is up, a minus for each that failed."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(PATIENCE)
            control.connect(str(self._control))
            control.sendall(order.encode())
            return b"".join(iter(lambda: control.recv(4096), b""))


@dataclass(frozen=True, slots=True)
class Responder:
    """One of those that are compared, in its namespace; `name` is part of the names of figures."""

    name: str
    version: str
    node: Node
    ports: Ports
    daemon: Served | Charon
    caller: Caller
    at_once: int

    def handshakes(self, times: int) -> float:
        """Seconds of CPU for one of so many handshakes."""
        before = self.daemon.cpu()
        self.caller.call(times, self.at_once)
        return (self.daemon.cpu() - before) / times

    def latency(self, times: int) -> float:
        """Seconds until a handshake is done, for the one who calls; the mean of so many, one after the other."""
        begun = time.perf_counter()
        self.caller.call(times, 1)
        return (time.perf_counter() - begun) / times

    def operations(self, device: Device, times: int) -> dict[str, float]:
        """Seconds of CPU for each of the operations."""
        return self.node.call(operations, device, times, self.daemon.cpu)


@dataclass(frozen=True, slots=True)
class Match:
    """Ours, and those that it is compared with."""

    ours: Responder
    theirs: tuple[Responder, ...]
    papers: Papers

    @property
    def all(self) -> tuple[Responder, ...]:
        """Ours first."""
        return self.ours, *self.theirs


@contextmanager
def match(folder: Path, login: Login, ke: Ke, key_type: str, tablets: int) -> Iterator[Match]:
    """All responders, which so many tablets may call, or the laptop as often as it likes."""
    ike = f"aes128gcm16-prfsha256-{KE[ke]}"
    with ExitStack() as stack:
        node = stack.enter_context(closing(Node("edgevpn")))
        served_in, to_us = _places(folder, "edgevpn")
        daemon, papers = stack.enter_context(served(served_in, key_type, tablets, node))
        gateway = _gateway(folder, login, papers, ike)
        caller = gateway.mirrored(auth=_proof(folder, "laptop", login, papers.laptop), pools=())

        def started(charon: C) -> C:
            stack.callback(charon.close)
            return charon.start()

        def rival(name: str) -> Responder:
            there = stack.enter_context(closing(Node(name)))
            state, to_them = _places(folder, name)
            settings = {"responder": NOWHERE, **SHARED}  # else its own connection would fit, too
            charon = started(Charon(there, state, gateway, settings, release=MAKES[name]))
            calling = started(Caller(there, to_them, caller, ike))
            return Responder(name, charon.version, there, Ports(), charon, calling, AT_ONCE)

        calls_us = started(Caller(node, to_us, caller, ike))
        ours = Responder("edgevpn", "edgevpn", node, daemon.ports, daemon, calls_us, AT_ONCE_TO_US)
        yield Match(ours, tuple(rival(name) for name in MAKES if name not in lacking()), papers)


def _places(folder: Path, name: str) -> tuple[Path, Path]:
    """Folders for a responder and for who calls it."""
    places = folder / name, folder / f"to-{name}"
    for place in places:
        place.mkdir()
    return places


def _gateway(folder: Path, login: Login, papers: Papers, ike: str) -> Connection:
    """Charon's side, which gives addresses as ours does."""
    (folder / "ca.pem").write_bytes(papers.ca)
    return Connection(
        local="",
        local_id=SERVER,
        remote_id="%any" if login is Login.PSK else LAPTOP,
        auth=_proof(folder, "server", login, papers.server),
        ike=ike,
        esp="aes128gcm16",
        pools=(str(POOL["v4"]), "fd64::/112"),
        mobike=False,
    )


def _proof(folder: Path, name: str, login: Login, bundle: Bundle) -> Auth:
    if login is Login.PSK:
        return Psk(PSK)
    certificate, key = (folder / f"{name}.{kind}" for kind in ("crt", "key"))
    certificate.write_bytes(pem_of(bundle.certificate))
    key.write_bytes(pkcs8(bundle.key))
    return Certificate(certificate, key, folder / "ca.pem")
