from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509

from edgevpn.api import ErrorCode, RpcError
from edgevpn.pki.authority import create_authority
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.keys import pkcs8
from tests.support.certificates import NOW, p256
from tests.support.services import HOME, Served, serving

NAMELESS = HOME.replace('public_name = ["localhost", "vpn.example.org"]\n', "")


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as made:
        await made.certified()
        yield made


async def test_show(served: Served) -> None:
    shown = await served.ask("pki.show")
    assert [each["what"] for each in shown] == ["CA", "server-ecdsa.pem"]
    assert shown[0]["subject"] == "CN=edgevpn CA of localhost"
    assert shown[1]["days_left"] == 397 - 1


async def test_renew(served: Served) -> None:
    """The gateway's certificates are others, the CA is the same, and peers are shown the new one."""
    before = await served.ask("pki.show")
    after = await served.ask("pki.renew")
    assert before[0] == after[0]
    assert before[1]["fingerprint"] != after[1]["fingerprint"]


async def test_the_ca_for_whoever_has_to_trust_it(served: Served) -> None:
    pem = await served.ask("pki.ca")
    der = await served.ask("pki.ca", form="der")
    certificate = x509.load_pem_x509_certificate(pem["content"].encode())
    assert certificate == x509.load_der_x509_certificate(base64.b64decode(der["content"]))
    assert (pem["name"], der["name"]) == ("edgevpn-ca.pem", "edgevpn-ca.cer")


async def test_a_ca_before_there_is_a_name(tmp_path: Path) -> None:
    async with serving(tmp_path, NAMELESS) as served:
        assert await served.ask("pki.show") == []
        with pytest.raises(RpcError, match=r"set pki\.public_name first"):
            await served.ask("pki.renew")
        with pytest.raises(RpcError, match="the CA is missing"):
            await served.ask("pki.ca")
        (ca,) = await served.ask("pki.init", name="Our CA")
        assert ca["subject"] == "CN=Our CA"
        with pytest.raises(RpcError, match="a CA is there already") as refusal:
            await served.ask("pki.init")
        assert refusal.value.code == ErrorCode.FAILED


async def test_a_ca_that_is_brought(served: Served) -> None:
    """The gateway's certificates are of it from then on."""
    theirs = create_authority("Their CA", p256(), NOW)
    pem = (pkcs8(theirs.key) + pem_of(theirs.certificate)).decode()
    shown = await served.ask("pki.import", content=pem)
    assert shown[0]["subject"] == "CN=Their CA"
    assert served.gateway.certificates.office is not None
    assert served.gateway.certificates.office.authority.certificate == theirs.certificate
    for content in ("*", base64.b64encode(b"no key").decode(), pem_of(theirs.certificate).decode()):
        with pytest.raises(RpcError) as refusal:
            await served.ask("pki.import", content=content)
        assert refusal.value.code in (ErrorCode.FAILED, ErrorCode.INVALID_PARAMS)
    assert (await served.ask("pki.show"))[0] == shown[0]
