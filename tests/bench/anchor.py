"""What we are compared with: strongSwan's charon as responder, and its load tester as the caller of it and of us.

Both responders have a namespace to themselves, with a caller beside them on its loopback interface, and no ESP below:
ours keeps its kernel in memory, charon has the load tester's, which agrees to everything. All of charon but that plugin
is Debian's package, the plugin is as Debian has its source. Charon is set up as it is fastest: no log, a large
table of IKE SAs, no cookies, many calls at once. We get as many at once as we take from one address without a cookie.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgevpn.ike.contract import Settings
from edgevpn.ike.iana import Ke
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.keys import pkcs8
from tests.bench.callers import Login
from tests.bench.served import LAPTOP, POOL, SERVER, Papers, Served, cpu, served
from tests.lab.network import Node
from tests.lab.peers.connection import Auth, Certificate, Connection, Psk
from tests.lab.peers.peer import tree
from tests.lab.peers.strongswan import StrongSwan
from tests.support.memory import resident
from tests.support.visitors import PSK

PLUGIN = tree("strongswan") / "usr/lib/ipsec/plugins/libstrongswan-load-tester.so"
LOOPBACK, NOWHERE = "127.0.0.1", "203.0.113.1"
KE = {Ke.CURVE25519: "x25519", Ke.MODP_2048: "modp2048"}
PATIENCE = 60.0
"""Seconds for some calls at once; a call that is lost is repeated after four."""
SHARED = {"preshared_key": f'"{PSK}"'}
AT_ONCE, AT_ONCE_TO_US = 32, Settings().half_open_per_address - 1

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


def missing() -> str:
    """What there has to be for the comparison and is not; "" where nothing is missing."""
    if os.geteuid():
        return "it needs root, for namespaces"
    if not PLUGIN.exists():
        return "the load tester is not built: run tests/lab/install anchor"
    return ""


class Charon(StrongSwan):
    """A charon with the load tester in it; `settings` are the plugin's, `ports` charon's own lines about them."""

    def __init__(
        self, node: Node, state: Path, connection: Connection, settings: dict[str, str], ports: str = ""
    ) -> None:
        super().__init__(node, state, state / "log", connection)
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

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        assert self.process is not None
        return cpu(self.process)

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
class Pair:
    """The two responders, and a caller for each."""

    ours: Served
    theirs: Charon
    to_us: Caller
    to_them: Caller

    def round(self, times: int) -> tuple[float, float]:
        """Seconds of CPU for one of so many handshakes: ours, then charon's."""
        before = self.ours.cpu()
        self.to_us.call(times, AT_ONCE_TO_US)
        ours, before = (self.ours.cpu() - before) / times, self.theirs.cpu()
        self.to_them.call(times, AT_ONCE)
        return ours, (self.theirs.cpu() - before) / times


@contextmanager
def pair(folder: Path, login: Login, ke: Ke, key_type: str, tablets: int) -> Iterator[Pair]:
    """Both responders, which so many tablets may call, or the laptop as often as it likes."""
    ike = f"aes128gcm16-prfsha256-{KE[ke]}"
    places = [folder / name for name in ("edgevpn", "charon", "to-us", "to-them")]
    for place in places:
        place.mkdir()
    with ExitStack() as stack:
        here, there = (stack.enter_context(closing(Node(name))) for name in ("edgevpn", "charon"))
        ours, papers = stack.enter_context(served(places[0], key_type, tablets, here))
        gateway = _gateway(folder, login, papers, ike)
        caller = gateway.mirrored(auth=_proof(folder, "laptop", login, papers.laptop), pools=())
        theirs = Charon(there, places[1], gateway, {"responder": NOWHERE, **SHARED})  # else its own would fit, too
        to_us, to_them = Caller(here, places[2], caller, ike), Caller(there, places[3], caller, ike)
        for daemon in (theirs, to_us, to_them):
            stack.callback(daemon.close)
            daemon.start()
        yield Pair(ours, theirs, to_us, to_them)


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
