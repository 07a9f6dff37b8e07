"""libreswan: pluto, driven by its own `whack` and `addconn`."""

import re
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from tests.lab.leaks import secrets_of_peers
from tests.lab.namespace import Sandbox
from tests.lab.network import Node
from tests.lab.peers.connection import Auth, Certificate, Connection, Psk
from tests.lab.peers.peer import IkeSaStatus, Peer, eventually, tree

LIBEXEC = "/usr/libexec/ipsec"

# Transform names of the connection record -> libreswan's, in the order it wants: cipher-integrity;group.
TRANSFORMS = {
    "aes128gcm16": "aes_gcm128",
    "aes256gcm16": "aes_gcm256",
    "chacha20poly1305": "chacha20_poly1305",
    "aes128": "aes128",
    "aes256": "aes256",
    "sha1": "sha1",
    "sha256": "sha2_256",
    "sha384": "sha2_384",
    "sha512": "sha2_512",
    "prfsha256": "sha2_256",
    "prfsha384": "sha2_384",
    "prfsha512": "sha2_512",
}
GROUPS = {
    "x25519": "dh31",
    "ecp256": "dh19",
    "ecp384": "dh20",
    "ecp521": "dh21",
    "modp2048": "dh14",
    "modp3072": "dh15",
}

SIGNATURES = {
    "": "rsasig",
    "ecdsa": "ecdsa",
    "rsa/pss-sha256": "rsa-sha2",
    "rsa/pss-sha384": "rsa-sha2_384",
    "rsa/pss-sha512": "rsa-sha2_512",
}
CONTAINER_PASSWORD = "lab"

FAKETIME = "/usr/$LIB/faketime/libfaketimeMT.so.1"
"""Of Debian's package faketime; $LIB is the loader's word for the folder of this machine's libraries."""

# What the releases call the same.
VERSION_OF = {"libreswan": {"ikev2": "insist"}, "libreswan-sid": {"keyexchange": "ikev2"}}
REKEY_CHILD = {"libreswan": "--rekey-ipsec", "libreswan-sid": "--rekey-child"}


class Libreswan(Peer):
    """One pluto, with connections that are proved by shared keys or certificates.

    `release` is whose packages it comes from, as `install` calls them; `options` are further keys of each connection.
    `born` is the time, of UTC, that it takes for the time of its start: with a certificate of its own that is not valid
    by its clock it adds no connection.
    """

    def __init__(
        self,
        node: Node,
        state: Path,
        log: Path,
        *connections: Connection,
        release: str = "libreswan",
        options: Mapping[str, str] | None = None,
        born: datetime | None = None,
    ) -> None:
        super().__init__(node, Sandbox(node, state, tree(release)), state, log)
        self.connections, self.release, self.born = connections, release, born
        self.secrets |= secrets_of_peers(connections)
        (state / "nss").mkdir()
        self.config, self.shared, self.control = state / "ipsec.conf", state / "ipsec.secrets", state / "run/pluto.ctl"
        (state / "run").mkdir()
        more = VERSION_OF[release] | dict(options or {})
        self.config.write_text("config setup\n" + "".join(_section(connection, more) for connection in connections))
        self.shared.write_text("".join(_secret(connection) for connection in connections))
        self.shared.chmod(0o600)
        self.place.run("certutil", "-N", "-d", self._nss, "--empty-password")
        for connection in connections:
            if isinstance(connection.auth, Certificate):
                self._import(connection.name, connection.auth)

    @property
    def command(self) -> tuple[str, ...]:
        files = ("--config", str(self.config), "--secretsfile", str(self.shared), "--nssdir", str(self.state / "nss"))
        return (f"{LIBEXEC}/pluto", "--nofork", "--stderrlog", "--rundir", str(self.state / "run"), *files)

    @property
    def environment(self) -> dict[str, str]:
        if self.born is None:
            return {}
        # How long it waits for something is measured by the clock that is left alone.
        start = f"@{self.born:%Y-%m-%d %H:%M:%S}"
        return {"LD_PRELOAD": FAKETIME, "FAKETIME": start, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}

    def start(self) -> "Libreswan":
        for left in (self.state / "run").iterdir():  # by a process that was killed
            left.unlink()
        super().start()
        for connection in self.connections:
            self.place.run(
                f"{LIBEXEC}/addconn", "--config", str(self.config), "--ctlsocket", str(self.control), connection.name
            )
        self._whack("--listen")
        return self

    def is_ready(self) -> bool:
        return self.control.exists() and "whack:" not in self._whack("--briefstatus", check=False)

    def initiate(self, name: str = "site") -> None:
        self.begin(name)
        eventually(lambda: self.is_up(name), within=30.0, what=f"{name} up:\n{self.log()[-2000:]}")

    def begin(self, name: str = "site") -> None:
        self._whack("--name", name, "--initiate", "--asynchronous")

    def terminate(self, name: str = "site") -> None:
        self._whack("--name", name, "--terminate")

    def rekey_child(self, name: str = "site") -> None:
        self._whack("--name", name, REKEY_CHILD[self.release], "--asynchronous")

    def rekey_ike(self, name: str = "site") -> None:
        """Start a rekeying as soon as the IKE SA before is gone: of an old one pluto leaves it undone."""
        eventually(self._has_one_ike_sa, within=10.0, what=f"{name} has one IKE SA")
        self._whack("--name", name, "--rekey-ike", "--asynchronous")

    def status(self) -> tuple[IkeSaStatus, ...]:
        text = self._whack("--briefstatus", check=False) + self._whack("--showstates", check=False)
        return tuple(
            IkeSaStatus(
                connection.name,
                bool(re.search(rf'"{connection.name}".*ESTABLISHED_IKE_SA', text)),
                len(re.findall(rf'"{connection.name}".*ESTABLISHED_CHILD_SA', text)),
            )
            for connection in self.connections
        )

    def _has_one_ike_sa(self) -> bool:
        return self._whack("--showstates", check=False).count("ESTABLISHED_IKE_SA") == 1

    @property
    def _nss(self) -> str:
        return f"sql:{self.state / 'nss'}"

    def _import(self, name: str, proof: Certificate) -> None:
        """Put a key, its certificate and the CAs above into the database."""
        own, *between = x509.load_pem_x509_certificates(proof.certificate.read_bytes())
        root = x509.load_pem_x509_certificate(proof.authority.read_bytes())
        container = self.state / f"{name}.p12"
        container.write_bytes(
            pkcs12.serialize_key_and_certificates(
                name.encode(),
                load_pem_private_key(proof.key.read_bytes(), None),  # type: ignore[arg-type]
                own,
                [
                    pkcs12.PKCS12Certificate(each, f"{name}-{number}".encode())
                    for number, each in enumerate([root, *between])
                ],
                BestAvailableEncryption(CONTAINER_PASSWORD.encode()),
            )
        )
        self.place.run("pk12util", "-i", str(container), "-d", self._nss, "-W", CONTAINER_PASSWORD, "-K", "")
        self.place.run("certutil", "-M", "-d", self._nss, "-n", f"{name}-0", "-t", "CT,,")

    def _whack(self, *arguments: str, check: bool = True) -> str:
        return self.place.run(f"{LIBEXEC}/whack", "--ctlsocket", str(self.control), *arguments, check=check)


def proposal(spelled: str) -> str:
    """`aes128gcm16-prfsha256-x25519` as libreswan says it: `aes_gcm128-sha2_256;dh31`."""
    words = spelled.split("-")
    groups = [GROUPS[word] for word in words if word in GROUPS]
    # A cipher with separate integrity names it alone; the PRF follows from it.
    chosen = [word for word in words if word not in GROUPS]
    if len(chosen) == 3:
        del chosen[2]
    return "-".join(TRANSFORMS[word] for word in chosen) + "".join(f";{group}" for group in groups)


def _section(connection: Connection, more: Mapping[str, str]) -> str:
    settings = {
        **_proof(connection.name, connection.auth),
        "type": "tunnel",
        "left": connection.local or "%defaultroute",
        "leftid": _identity(connection.local_id),
        "leftsubnet": ",".join(connection.local_ts),
        "right": connection.remote or "%any",
        "rightid": _identity(connection.remote_id),
        "rightsubnet": ",".join(connection.remote_ts),
        "ike": proposal(connection.ike),
        "esp": proposal(connection.esp),
        "pfs": "yes" if any(group in connection.esp for group in GROUPS) else "no",
        "ikelifetime": f"{connection.rekey_ike or 28800}s",
        "salifetime": f"{connection.rekey_child or 28800}s",
        "rekeymargin": "2s",
        "mobike": "yes" if connection.mobike else "no",
        "narrowing": "yes",
        "initial-contact": "yes",
        "keyingtries": "1",
        "retransmit-timeout": "10s",
        "encapsulation": "yes" if connection.encap else "auto",
        "auto": "ignore",
    }
    if connection.ppk is not None:
        settings["ppk"] = "insist" if connection.ppk.required else "propose"
    if connection.dpd_delay:
        settings |= {
            "dpddelay": f"{connection.dpd_delay}s",
            "dpdtimeout": f"{connection.dpd_delay * 4}s",
            "dpdaction": "clear",
        }
    settings |= more
    return f"\nconn {connection.name}\n" + "".join(f"    {name}={value}\n" for name, value in settings.items() if value)


def _proof(name: str, auth: Auth) -> dict[str, str]:
    match auth:
        case Psk():
            return {"authby": "secret"}
        case Certificate(scheme=scheme):
            return {
                "authby": SIGNATURES[scheme],
                "leftcert": name,
                "leftsendcert": "always",
                "sendca": "all",
                "leftrsasigkey": "%cert",
                "rightrsasigkey": "%cert",
            }
    raise AssertionError("libreswan has no password logins")


def _secret(connection: Connection) -> str:
    owners = f"{_identity(connection.local_id)} {_identity(connection.remote_id)}"
    psk = f'{owners} : PSK "{connection.auth.secret}"\n' if isinstance(connection.auth, Psk) else ""
    ppk = f'{owners} : PPKS "{connection.ppk.name}" "{connection.ppk.secret}"\n' if connection.ppk else ""
    return psk + ppk


def _identity(spelled: str) -> str:
    """A connection's identity as libreswan says it: `@name`, `@[key ID]`, an address or an e-mail address."""
    if spelled.startswith("keyid:"):
        return f"@[{spelled.removeprefix('keyid:')}]"
    if "@" in spelled:
        return spelled
    try:
        return str(ip_address(spelled))
    except ValueError:
        return f"@{spelled}"
