"""OpenIKED, driven by ikectl."""

import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tests.lab import xfrm
from tests.lab.leaks import secrets_of_peers
from tests.lab.namespace import Sandbox
from tests.lab.network import Node
from tests.lab.peers.connection import Auth, Certificate, Connection, Psk
from tests.lab.peers.peer import IkeSaStatus, Peer, eventually, tree

CIPHERS = {
    "aes128gcm16": "aes-128-gcm",
    "aes256gcm16": "aes-256-gcm",
    "chacha20poly1305": "chacha20-poly1305",
    "aes128": "aes-128",
    "aes256": "aes-256",
}
HASHES = {"sha1": "hmac-sha1", "sha256": "hmac-sha2-256", "sha384": "hmac-sha2-384", "sha512": "hmac-sha2-512"}
GROUPS = {"x25519": "curve25519", "ecp256": "ecp256", "ecp384": "ecp384", "ecp521": "ecp521", "modp2048": "modp2048"}


class OpenIked(Peer):
    """One iked, with one connection that is proved by a shared key or by certificates.

    On Linux, version 7.2 has neither AEAD nor SHA-256 for ESP, and leaves them out of its proposals without a word.
    `release` is whose package it comes from, as `install` calls them.
    """

    logs_secrets = True  # with -v its whole configuration

    def __init__(self, node: Node, state: Path, log: Path, connection: Connection, release: str = "openiked") -> None:
        super().__init__(node, Sandbox(node, state, tree(release)), state, log)
        self.secrets |= secrets_of_peers([connection])
        self.connection = connection
        self.config, self.socket = state / "iked.conf", state / "iked.sock"
        self.config.write_text(f"set passive\n{_policy(connection)}")
        self.config.chmod(0o600)
        self.place.call(_finish_installation, connection.auth)

    @property
    def command(self) -> tuple[str, ...]:
        return ("/usr/sbin/iked", "-d", "-vv", "-f", str(self.config), "-s", str(self.socket))

    def is_ready(self) -> bool:
        return "config_getmode: " in self.log()  # the last word of its parent process to its IKE process

    def initiate(self, name: str = "site") -> None:
        self.begin(name)
        eventually(lambda: self.is_up(name), within=60.0, what=f"{name} up:\n{self.log()[-2000:]}")

    def begin(self, name: str = "site") -> None:
        del name
        self._ikectl("active")

    def terminate(self, name: str = "site") -> None:
        del name  # iked knows SAs by number; the lab has one
        self._ikectl("passive")
        self._ikectl("reset", "sa")

    def rekey_child(self, name: str = "site") -> None:
        raise AssertionError(f"iked rekeys {name} on its own clock only: set rekey_child")

    def rekey_ike(self, name: str = "site") -> None:
        raise AssertionError(f"iked rekeys {name} on its own clock only: set rekey_ike")

    def status(self) -> tuple[IkeSaStatus, ...]:
        """From the log, as `ikectl show sa` prints nothing here, and from the kernel: a pair of SAs is a CHILD SA."""
        last = dict(re.findall(r"^spi=(\w+): (established|sa_free)\b", self.log(), re.MULTILINE))
        up = "established" in last.values()
        children = len(xfrm.states(self.node)) // 2
        return (IkeSaStatus(self.connection.name, up, children),)

    def _ikectl(self, *arguments: str) -> str:
        return self.place.run("/usr/sbin/ikectl", "-s", str(self.socket), *arguments)


def _finish_installation(auth: Auth) -> None:
    """What the package's own script would have made: the account with its empty home, a key of this machine.

    With certificates, that key is the one that the connection is proved by.
    """
    with Path("/etc/passwd").open("a") as passwd:
        passwd.write("_iked:x:64999:65534::/run/iked:/usr/sbin/nologin\n")
    Path("/run/iked").mkdir(mode=0o755)
    for folder in ("private", "pubkeys/fqdn", "ca", "certs"):
        Path("/etc/iked", folder).mkdir(parents=True, exist_ok=True)
    _write_key(_key(auth))
    if isinstance(auth, Certificate):
        own, *between = x509.load_pem_x509_certificates(auth.certificate.read_bytes())
        root = x509.load_pem_x509_certificate(auth.authority.read_bytes())
        Path("/etc/iked/certs/local.crt").write_bytes(own.public_bytes(Encoding.PEM))
        for number, each in enumerate([root, *between]):
            Path(f"/etc/iked/ca/{number}.crt").write_bytes(each.public_bytes(Encoding.PEM))


def _key(auth: Auth) -> PrivateKeyTypes:
    return load_pem_private_key(auth.key.read_bytes(), None) if isinstance(auth, Certificate) else _any_key()


def _any_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _write_key(key: PrivateKeyTypes) -> None:
    private, public = Path("/etc/iked/private/local.key"), Path("/etc/iked/local.pub")
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _transforms(kind: str, spelled: str) -> str:
    words = spelled.split("-")
    parts = [f"enc {CIPHERS[word]}" for word in words if word in CIPHERS]
    parts += [f"prf {HASHES[word.removeprefix('prf')]}" for word in words if word.startswith("prf")]
    parts += [f"auth {HASHES[word]}" for word in words if word in HASHES]
    parts += [f"group {GROUPS[word]}" for word in words if word in GROUPS]
    return f"{kind} {' '.join(parts)}"


def _policy(connection: Connection) -> str:
    unusable = {"sha256", "aes128gcm16", "aes256gcm16", "chacha20poly1305"} & set(connection.esp.split("-"))
    assert not unusable, f"iked 7.2 has no {unusable} for ESP"
    pairs = [f"from {ours} to {theirs}" for ours in connection.local_ts for theirs in connection.remote_ts]
    lines = [
        f'ikev2 "{connection.name}" active tunnel esp',
        " ".join(pairs),
        f"local {connection.local} peer {connection.remote or 'any'}",
        _transforms("ikesa", connection.ike),
        _transforms("childsa", connection.esp),
        f"srcid {connection.local_id} dstid {connection.remote_id}",
    ]
    if connection.rekey_ike:
        lines.append(f"ikelifetime {connection.rekey_ike}")
    lines += [f"lifetime {connection.rekey_child or 10800}", _proof(connection.auth)]
    return " \\\n    ".join(lines) + "\n"


def _proof(auth: Auth) -> str:
    match auth:
        case Psk(secret=secret):
            return f'psk "{secret}"'
        case Certificate(scheme=scheme):
            return scheme or "rfc7427"
    raise AssertionError("this lab has no password logins at iked")
