from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from edgevpn.config.model import Config
from edgevpn.daemon.login.certificates import Certificates, needs_certificates
from edgevpn.daemon.login.keyring import POOLS, Keyring
from edgevpn.pki.certificate import fingerprint
from edgevpn.pki.errors import PkiError
from edgevpn.pki.keys import KeyKind
from edgevpn.pki.records import Holder
from tests.support.certificates import ca, crl
from tests.support.configs import OFFICE
from tests.support.configs import config as configured
from tests.support.gateways import until
from tests.support.visitors import gateway


@asynccontextmanager
async def tended(folder: Path, config: Config) -> AsyncIterator[tuple[Certificates, list[Keyring]]]:
    keyrings: list[Keyring] = []
    certificates = Certificates(folder, keyrings.append)
    task = asyncio.create_task(certificates.run())
    certificates.apply(config)
    try:
        yield certificates, keyrings
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_made_when_there_is_a_name(tmp_path: Path) -> None:
    async with tended(tmp_path / "pki", gateway()) as (certificates, keyrings):
        await until(lambda: bool(keyrings))
        assert POOLS in keyrings[0].proofs
        assert certificates.office is not None
        assert certificates.office.has_authority


async def test_another_name_another_certificate(tmp_path: Path) -> None:
    """The CA stays, so devices need nothing new."""
    async with tended(tmp_path / "pki", gateway()) as (certificates, keyrings):
        await until(lambda: bool(keyrings))
        certificates.apply(gateway(pki={"public_name": "new.example.org", "key_type": "ecdsa256"}))
        await until(lambda: len(keyrings) == 2)
    before, after = (keyring.proofs[POOLS].signing.credentials[0] for keyring in keyrings)
    assert before.chain != after.chain
    assert before.authority == after.authority


async def test_said_once_when_they_are_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with tended(tmp_path / "pki", gateway()) as (certificates, keyrings):
        await until(lambda: bool(keyrings))
        await certificates.renew()
    assert [record.message for record in caplog.records] == ['certificates_ready ours="gateway ecdsa-p256"']


async def test_nothing_is_made_for_keys_alone(tmp_path: Path) -> None:
    config = configured(office=OFFICE)
    assert not needs_certificates(config)
    async with tended(tmp_path / "pki", config):
        for _ in range(10):
            await asyncio.sleep(0)
    assert not (tmp_path / "pki").exists()


async def test_what_the_ca_has_done_holds_at_once(tmp_path: Path) -> None:
    async with tended(tmp_path / "pki", gateway()) as (certificates, keyrings):
        await until(lambda: bool(keyrings))
        bundle = await certificates.have(lambda office, at: office.enrol_device("laptop", "laptop@example.org", at))
        assert keyrings[-1].holders == {fingerprint(bundle.certificate): "laptop"}
        assert await certificates.ask(lambda office, _: len(office.ledger.of(Holder.DEVICE, "laptop"))) == 1
        with pytest.raises(PkiError):
            await certificates.have(lambda office, at: office.init("again", KeyKind.ECDSA_P256, at))


async def test_files_that_were_replaced_are_read_again(tmp_path: Path) -> None:
    async with tended(tmp_path / "pki", gateway()) as (certificates, keyrings):
        await until(lambda: bool(keyrings))
        office = certificates.office
        certificates.reopen()
        await until(lambda: len(keyrings) == 2)
        assert certificates.office is not office


async def test_a_revocation_list_that_changes(tmp_path: Path) -> None:
    """It is read again by itself, also when it has come to be there at all."""
    file, root = tmp_path / "lab.crl", ca("root")
    config = gateway(pki={"public_name": "vpn.example.org", "key_type": "ecdsa256", "crl_files": [str(file)]})
    file.write_bytes(crl(root))
    async with tended(tmp_path / "pki", config) as (_, keyrings):
        await until(lambda: bool(keyrings))
        file.unlink()
        await until(lambda: len(keyrings) == 2)
        file.write_bytes(crl(root))
        await until(lambda: len(keyrings) == 3)
    lists = [[each.issuer for each in keyring.judges["road/certificate"].trust.crls] for keyring in keyrings]
    assert lists[0] == lists[2] != lists[1]


async def test_faults_are_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that cannot be used, for example; it is tried again later."""
    (tmp_path / "pki").write_text("a file where the folder should be")
    async with tended(tmp_path / "pki", gateway()) as (certificates, keyrings):
        await until(lambda: "certificate_fault" in caplog.text)
        await certificates.renew()
    assert caplog.text.count("certificate_fault") == 1
    assert keyrings == []
