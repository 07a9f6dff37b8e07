"""strongSwan: charon-systemd, driven through vici in this process (no swanctl to start)."""

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vici

from tests.lab.leaks import secrets_of_peers
from tests.lab.namespace import Sandbox
from tests.lab.network import Node
from tests.lab.peers.connection import Auth, Certificate, Connection, Eap, EapTls, Psk
from tests.lab.peers.peer import IkeSaStatus, Peer, eventually, tree

# Explicit: with all of them, af-alg alone costs ten seconds of an emulated machine.
PLUGINS = (
    "random nonce openssl curve25519 chapoly hmac kdf xcbc cmac gcm sha1 sha2 aes x509 revocation constraints pubkey"
    " pkcs1 pkcs8 pkcs12 pem kernel-netlink socket-default vici updown attr resolve eap-identity eap-md5"
    " eap-mschapv2 eap-tls"
)
COMMAND_LIMIT = 30.0  # seconds

CONF = """\
charon-systemd {{
    load = {plugins}
    install_routes = {install_routes}
    retransmit_timeout = 1.0
    {options}
    plugins {{
        vici {{
            socket = unix://{socket}
        }}
    }}
    filelog {{
        log {{
            path = {log}
            flush_line = yes
            ike_name = yes
            default = {talk}
        }}
    }}
    journal {{
        default = -1
    }}
    syslog {{
        daemon {{
            default = -1
        }}
    }}
}}
"""


class StrongSwan(Peer):
    """One charon.

    `options` are lines for strongswan.conf, `connection_options` and `child_options` for swanctl.conf's sections;
    `release` is whose packages it comes from, as `install` calls them. `talk` is the level of its log: at the fourth it
    holds back nothing, not even keys.
    """

    def __init__(
        self,
        node: Node,
        state: Path,
        log: Path,
        *connections: Connection,
        options: str = "",
        connection_options: Mapping[str, str] | None = None,
        child_options: Mapping[str, str] | None = None,
        release: str = "strongswan",
        talk: int = 1,
    ) -> None:
        super().__init__(node, Sandbox(node, state, tree(release)), state, log)
        self.secrets |= secrets_of_peers(connections)
        self.logs_secrets = talk > 3
        self.connections = connections
        self.connection_options, self.child_options = connection_options or {}, child_options or {}
        self.socket = state / "charon.vici"
        routed = any(connection.if_id for connection in connections)
        text = CONF.format(
            plugins=PLUGINS,
            install_routes="no" if routed else "yes",
            options=options,
            socket=self.socket,
            log=log,
            talk=talk,
        )
        (state / "strongswan.conf").write_text(text)

    @property
    def command(self) -> tuple[str, ...]:
        return ("/usr/sbin/charon-systemd",)

    @property
    def environment(self) -> dict[str, str]:
        return {"STRONGSWAN_CONF": str(self.state / "strongswan.conf")}

    def is_ready(self) -> bool:
        try:
            with self._session() as session:
                self._load(session)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def initiate(self, name: str = "site") -> None:
        milliseconds = int(COMMAND_LIMIT * 1000)
        self._command("initiate", {"ike": name, "child": name, "timeout": milliseconds}, "control-log")

    def begin(self, name: str = "site") -> None:
        self._command("initiate", {"ike": name, "child": name, "timeout": -1})

    def terminate(self, name: str = "site") -> None:
        self._command("terminate", {"ike": name, "timeout": int(COMMAND_LIMIT * 1000)}, "control-log")

    def rekey_child(self, name: str = "site") -> None:
        self._command("rekey", {"child": name})

    def rekey_ike(self, name: str = "site") -> None:
        """Start a rekeying as soon as the IKE SA before is gone: charon would take up that one, and do nothing."""
        eventually(
            lambda: [sa["state"] for known, sa in self.sas() if known == name] == [b"ESTABLISHED"],
            within=10.0,
            what=f"{name} has one IKE SA",
        )
        self._command("rekey", {"ike": name})

    def redirect(self, gateway: str, name: str = "site") -> None:
        """Send who has called by that connection to another gateway (RFC 5685)."""
        self._command("redirect", {"ike": name, "gateway": gateway})

    def status(self) -> tuple[IkeSaStatus, ...]:
        return tuple(
            IkeSaStatus(
                name,
                sa["state"] == b"ESTABLISHED",
                sum(child["state"] == b"INSTALLED" for child in sa["child-sas"].values()),
                sa["initiator-spi"].decode(),
            )
            for name, sa in self.sas()
        )

    def sas(self) -> list[tuple[str, dict[str, Any]]]:
        """The IKE SAs as vici's `list-sas` gives them, by connection name."""
        with self._session() as session:
            return [item for event in session.list_sas() for item in event.items()]

    def name_servers(self) -> list[str]:
        """The name servers that gateways have told."""
        lines = self.place.call(Path("/etc/resolv.conf").read_text).splitlines()
        return [line.split()[1] for line in lines if line.endswith("# by strongSwan")]

    def addresses(self, name: str = "site") -> list[str]:
        """The virtual addresses that it was given."""
        return [address.decode() for known, sa in self.sas() if known == name for address in sa.get("local-vips", ())]

    @contextmanager
    def _session(self) -> Iterator[vici.Session]:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(COMMAND_LIMIT + 5)
            channel.connect(str(self.socket))
            yield vici.Session(channel)

    def _command(self, name: str, arguments: Mapping[str, object], stream: str = "") -> None:
        with self._session() as session:
            try:
                if stream:
                    for _ in session.streamed_request(name, stream, arguments):
                        pass
                else:
                    session.request(name, arguments)
            except vici.exception.CommandException as error:
                raise AssertionError(f"{self}: {name} {dict(arguments)}: {error}\n{self.log()[-2000:]}") from error

    def _load(self, session: vici.Session) -> None:
        for connection in self.connections:
            for auth in (connection.auth, connection.remote_auth):
                _load_secret(session, connection, auth)
            if (ppk := connection.ppk) is not None:
                session.load_shared({"type": "ppk", "data": ppk.secret, "owners": [ppk.name]})
            for number, pool in enumerate(connection.pools):
                session.load_pool({f"{connection.name}-{number}": {"addrs": pool}})
            session.load_conn({connection.name: self._section(connection)})

    def _section(self, connection: Connection) -> dict[str, object]:
        remote_auth = connection.remote_auth or connection.auth
        section: dict[str, object] = {
            "version": 2,
            "local_addrs": [connection.local or "%any"],
            "proposals": connection.ike.split(", "),
            "rekey_time": f"{connection.rekey_ike}s",
            "dpd_delay": f"{connection.dpd_delay}s",
            "mobike": _flag(connection.mobike),
            "encap": _flag(connection.encap),
            "unique": "no",
            "local": _local(connection),
            "remote": _remote(connection, remote_auth),
            "children": {connection.name: self._child(connection)},
        }
        if connection.remote:
            section["remote_addrs"] = [connection.remote]
        if connection.request_addresses:
            section["vips"] = list(connection.request_addresses)
        if (ppk := connection.ppk) is not None:
            section |= {"ppk_id": ppk.name, "ppk_required": _flag(ppk.required)}
        if connection.pools:
            section["pools"] = [f"{connection.name}-{number}" for number in range(len(connection.pools))]
        return {**section, **self.connection_options}

    def _child(self, connection: Connection) -> dict[str, object]:
        return {
            "local_ts": _selectors(connection.local_ts),
            "remote_ts": _selectors(connection.remote_ts),
            "esp_proposals": connection.esp.split(", "),
            "rekey_time": f"{connection.rekey_child}s",
            "if_id_in": str(connection.if_id),
            "if_id_out": str(connection.if_id),
            "dpd_action": "clear",
            **self.child_options,
        }


def _flag(value: bool) -> str:
    return "yes" if value else "no"


def _selectors(prefixes: Sequence[str]) -> list[str]:
    return list(prefixes) or ["dynamic"]


def _local(connection: Connection) -> dict[str, object]:
    match connection.auth:
        case Psk():
            return {"auth": "psk", "id": connection.local_id}
        case Certificate(scheme=scheme) as shown:
            own, *_ = _pem_blocks(shown.certificate)
            identity = {"id": connection.local_id} if connection.local_id else {}
            return {"auth": f"ike:{scheme}" if scheme else "pubkey", "certs": [own], **identity}
        case Eap(user=user, method=method):
            return {"auth": f"eap-{method}", "id": connection.local_id, "eap_id": user}
        case EapTls(proof=proof, user=user):
            own, *_ = _pem_blocks(proof.certificate)
            identity = {"eap_id": user} if user else {}
            return {"auth": "eap-tls", "id": connection.local_id, "certs": [own], **identity}


def _remote(connection: Connection, auth: Auth) -> dict[str, object]:
    match auth:
        case Psk():
            return {"auth": "psk", "id": connection.remote_id}
        case Certificate(authority=authority):
            return {"auth": "pubkey", "id": connection.remote_id, "cacerts": [authority.read_text()]}
        case Eap(alone=True) if connection.auth is auth:
            return {"auth": "eap", "id": connection.remote_id}
        case Eap(authority=authority) if connection.auth is auth:  # we are the client
            return {"auth": "pubkey", "id": connection.remote_id, "cacerts": [authority.read_text()]}
        case Eap(method=method):
            return {"auth": f"eap-{method}", "id": connection.remote_id, "eap_id": "%any"}
        case EapTls(proof=proof, alone=alone):
            known = {"id": connection.remote_id, "cacerts": [proof.authority.read_text()]}
            return {"auth": "eap-tls", "id": connection.remote_id} if alone else {"auth": "pubkey", **known}


def _pem_blocks(file: Path) -> list[str]:
    """The certificates of a file, each by itself."""
    return re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", file.read_text(), re.DOTALL)


def _load_secret(session: vici.Session, connection: Connection, auth: Auth | None) -> None:
    match auth:
        case Psk(secret=secret):
            owners = [connection.local_id, connection.remote_id]
            session.load_shared(
                {"type": "IKE", "data": secret, "owners": [owner for owner in owners if owner != "%any"]}
            )
        case (
            Certificate(certificate=certificate, key=key) | EapTls(proof=Certificate(certificate=certificate, key=key))
        ):
            session.load_key({"type": "any", "data": key.read_text()})
            for above in _pem_blocks(certificate)[1:]:
                session.load_cert({"type": "x509", "flag": "none", "data": above})
            if isinstance(auth, EapTls):  # TLS looks for whom it trusts where every connection does
                session.load_cert({"type": "x509", "flag": "ca", "data": auth.proof.authority.read_text()})
        case Eap(user=user, password=password, authority=authority, alone=alone):
            session.load_shared({"type": "EAP", "data": password, "owners": [user]})
            if alone:  # not that it wanted it, but that it knows what it refuses
                session.load_cert({"type": "x509", "flag": "ca", "data": authority.read_text()})
