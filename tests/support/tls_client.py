"""A TLS client as an EAP-TLS peer has it: OpenSSL over memory, with nothing of ours but the RFCs."""

from __future__ import annotations

from OpenSSL import SSL

from edgevpn.daemon.login.tls import shaped
from edgevpn.pki.bundle import Bundle

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


class Client:
    """The other end, with nothing of ours but the RFCs. `trusting` None is one that believes everybody."""

    def __init__(self, version: str, bundle: Bundle | None, trusting: bytes | None = None) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(VERSIONS[version])
        context.set_max_proto_version(VERSIONS[version])
        if bundle is not None:
            context.use_certificate(shaped(bundle.certificate))
            context.use_privatekey(shaped(bundle.key))
            for each in bundle.chain:
                context.add_extra_chain_cert(shaped(each))
        context.set_verify(SSL.VERIFY_PEER, lambda *_: trusting is None)
        self.connection = SSL.Connection(context, None)
        self.connection.set_connect_state()
        self.is_1_3 = version == "1.3"

    def turn(self, octets: bytes) -> bytes:
        """Take what the server says, and go on."""
        if octets:
            self.connection.bio_write(octets)
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error:
            pass  # what is said of it is an alert
        return said_by(self.connection)

    @property
    def msk(self) -> bytes:
        if self.is_1_3:
            material = self.connection.export_keying_material(b"EXPORTER_EAP_TLS_Key_Material", 128, b"\x0d")
        else:
            material = self.connection.export_keying_material(b"client EAP encryption", 128, None)
        return material[:64]


def said_by(connection: SSL.Connection) -> bytes:
    try:
        return connection.bio_read(65536)
    except SSL.WantReadError:
        return b""
