"""Certificates: our CA and what the gateway itself shows, made, renewed, brought from elsewhere, handed out."""

from __future__ import annotations

import base64
import binascii
import socket
from collections.abc import Mapping
from datetime import datetime

from edgevpn.api import ErrorCode, RpcError
from edgevpn.api.records import Artifact, CertificateStatus
from edgevpn.config.model import Config
from edgevpn.daemon.control.methods.artifacts import octets_artifact, text_artifact
from edgevpn.daemon.control.methods.table import Served
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.keeping.configuration import Configuration, NotNow
from edgevpn.daemon.login.keyring import BESIDE, KEY_KINDS, server_names
from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.certificate import der_of, fingerprint, not_after, pem_of, subject_of
from edgevpn.pki.external import read_server
from edgevpn.pki.office import Office, Standing
from edgevpn.pki.records import Issued
from edgevpn.pki.renewal import days_left

LONGEST_NAME = 64
"""Characters of a common name (RFC 5280 appendix A.1)."""


class CertificateMethods:
    """All about our own certificates."""

    def __init__(self, gateway: Gateway, configuration: Configuration) -> None:
        self._gateway = gateway
        self._configuration = configuration

    @property
    def methods(self) -> Mapping[str, Served]:
        """By their names in the API."""
        return {
            "pki.show": self.show,
            "pki.init": self.init,
            "pki.renew": self.renew,
            "pki.import": self.bring,
            "pki.ca": self.authority,
        }

    async def show(self) -> list[CertificateStatus]:
        config = self._configuration.running
        return await self._gateway.certificates.ask(lambda office, at: standing(office, config, at))

    async def init(self, name: str = "") -> list[CertificateStatus]:
        config = self._configuration.running
        called = name or f"edgevpn CA of {_first_name(config)}"[:LONGEST_NAME]
        kind = KEY_KINDS[config.pki.key_type]
        await self._gateway.certificates.have(lambda office, at: office.init(called, kind, at))
        return await self.show()

    async def renew(self) -> list[CertificateStatus]:
        pki = self._configuration.running.pki
        names = server_names(pki)
        if names is None:
            raise NotNow("set pki.public_name first: the name or address that devices dial")
        if pki.certificate is not None:
            raise NotNow(f"the certificate is {pki.certificate}: whoever made it has to renew it")
        kinds = dict.fromkeys((KEY_KINDS[pki.key_type], BESIDE))

        def renewed(office: Office, at: datetime) -> None:
            for kind in kinds:
                office.keep_server(names, kind, at, force=True)

        await self._gateway.certificates.have(renewed)
        return await self.show()

    async def bring(self, content: str, password: str = "") -> list[CertificateStatus]:
        """Another CA in the place of ours: PEM, or the Base64 of anything else that holds a key and its certificate."""
        octets = _octets(content)

        def brought(office: Office, at: datetime) -> None:
            office.import_authority(bundle_of(read_parts(octets, password)), at)

        await self._gateway.certificates.have(brought)
        return await self.show()

    async def authority(self, form: str = "pem") -> Artifact:
        root = await self._gateway.certificates.ask(lambda office, _: office.authority.root)
        if form == "der":
            return octets_artifact("edgevpn-ca.cer", "application/x-x509-ca-cert", der_of(root))
        return text_artifact("edgevpn-ca.pem", "application/x-pem-file", pem_of(root).decode())


def standing(office: Office, config: Config, at: datetime) -> list[CertificateStatus]:
    """Our CA, and what the gateway shows. Raises PkiError and OSError."""
    found = [_standing_status(each) for each in office.standing(at)]
    pki, names = config.pki, server_names(config.pki)
    if names is not None and pki.certificate is not None and pki.certificate_key is not None:
        certificate = read_server(
            pki.certificate.read_bytes(), pki.certificate_key.read_bytes(), names, at
        ).bundle.certificate
        found.append(
            CertificateStatus(
                what=str(pki.certificate),
                subject=subject_of(certificate),
                fingerprint=fingerprint(certificate),
                ends=not_after(certificate).timestamp(),
                days_left=days_left(certificate, at),
            )
        )
    return found


def issued_status(issued: Issued, at: datetime) -> CertificateStatus:
    """A certificate that we have given away."""
    return CertificateStatus(
        what=issued.holder.value,
        subject=issued.identity,
        fingerprint=issued.fingerprint,
        ends=issued.ends.timestamp(),
        days_left=(issued.ends - at).days,
    )


def _standing_status(each: Standing) -> CertificateStatus:
    return CertificateStatus(
        what=each.what,
        subject=each.subject,
        fingerprint=each.fingerprint,
        ends=each.ends.timestamp(),
        days_left=each.days_left,
    )


def _first_name(config: Config) -> str:
    return str(config.pki.public_name[0]) if config.pki.public_name else socket.gethostname()


def _octets(content: str) -> bytes:
    """Raises RpcError."""
    if "-----BEGIN " in content:
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise RpcError(ErrorCode.INVALID_PARAMS, "pki.import: content: allowed: PEM, or Base64 of a file") from None
