from __future__ import annotations

import base64
import io
import json
import plistlib
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from edgevpn.api import ErrorCode, RpcError
from edgevpn.api.methods import METHODS
from edgevpn.daemon.control.methods.exports import CARD, P12, TARGETS
from edgevpn.pki.authority import ServerNames
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.keys import KeyKind, pkcs8
from tests.support.services import HOME, PASSWORD, PSK, Served, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as made:
        await made.certified()
        yield made


def vpn(artifact: Any) -> Any:
    """The VPN payload of an Apple profile."""
    payloads = plistlib.loads(artifact["content"].encode())["PayloadContent"]
    return next(each["IKEv2"] for each in payloads if each["PayloadType"] == "com.apple.vpn.managed")


def test_every_form_of_the_contract() -> None:
    assert {*TARGETS, CARD, P12} == set(METHODS["device.export"].params["form"].__args__)


async def test_with_the_password_that_was_just_made(served: Served) -> None:
    made = vpn(await served.ask("device.export", name="phone", form="mobileconfig", secret=PASSWORD))
    assert (made["AuthName"], made["AuthPassword"], made["RemoteAddress"]) == ("phone", PASSWORD, "localhost")
    assert "AuthPassword" not in vpn(await served.ask("device.export", name="phone", form="mobileconfig"))
    with pytest.raises(RpcError, match="this is not the password of phone") as refusal:
        await served.ask("device.export", name="phone", form="mobileconfig", secret="another password")
    assert refusal.value.code == ErrorCode.FAILED


async def test_with_the_key_that_is_known(served: Served) -> None:
    made = vpn(await served.ask("device.export", name="tablet", form="mobileconfig"))
    assert (made["AuthenticationMethod"], made["SharedSecret"]) == ("SharedSecret", PSK)


async def test_on_demand(served: Served) -> None:
    ask = served.ask
    always = vpn(await ask("device.export", name="phone", form="mobileconfig", on_demand="always", networks=["Home"]))
    assert always["OnDemandEnabled"] == 1
    named = await ask("device.export", name="phone", form="mobileconfig", on_demand="domains", domains=["lan.example"])
    assert "lan.example" in named["content"]
    with pytest.raises(RpcError, match="the domain that switches it on is missing; name one at least"):
        await ask("device.export", name="phone", form="mobileconfig", on_demand="domains")


FORMS = sorted({*TARGETS, CARD, P12})
WITHOUT = {("p12", "phone"), ("p12", "tablet"), ("powershell", "tablet"), ("sswan", "tablet")}
"""What cannot be had: a certificate's file without one; Windows and the strongSwan app have no pre-shared keys."""


@pytest.mark.parametrize("name", ["phone", "tablet", "laptop"])
@pytest.mark.parametrize("form", FORMS)
async def test_every_form_of_every_login(served: Served, form: str, name: str) -> None:
    secret = {"phone": PASSWORD, "tablet": "", "laptop": "opens-the-file"}[name]
    if (form, name) in WITHOUT:
        with pytest.raises(RpcError) as refusal:
            await served.ask("device.export", name=name, form=form, secret=secret)
        assert refusal.value.code == ErrorCode.FAILED
        return
    artifact = await served.ask("device.export", name=name, form=form, secret=secret)
    assert artifact["content"]
    assert "/" not in artifact["name"]


@pytest.mark.parametrize("form", ["powershell", "sswan", CARD, P12])
async def test_who_has_to_type_a_password_is_told_one(served: Served, form: str) -> None:
    with pytest.raises(RpcError, match="comes in a file that opens by a password"):
        await served.ask("device.export", name="laptop", form=form)


async def test_several_files_come_together(served: Served) -> None:
    artifact = await served.ask("device.export", name="phone", form="swanctl", secret=PASSWORD)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(artifact["content"]))) as archive:
        conf, ca = (PurePosixPath(each.filename) for each in archive.infolist())
        modes = {each.external_attr >> 16 for each in archive.infolist()}
    assert (str(conf.parent), conf.suffix) == ("conf.d", ".conf")
    assert (str(ca.parent), ca.suffix) == ("x509ca", ".pem")
    assert modes == {0o600}


async def test_one_file_for_a_folder_comes_in_an_archive_too(served: Served) -> None:
    """What is said of the archive holds for every device."""
    artifact = await served.ask("device.export", name="tablet", form="swanctl")
    assert artifact["name"].endswith(".zip")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(artifact["content"]))) as archive:
        [name] = archive.namelist()
    assert name.startswith("conf.d/")


CARDS = {
    "android": "IPSec identifier",
    "ios": "User Authentication",
    "macos": "Display name",
    "windows": "In PowerShell",
    "linux": "Device identity",
    "other": "Device identity",
}


@pytest.mark.parametrize("platform", CARDS)
async def test_each_platform_has_a_card_of_its_own(served: Served, platform: str) -> None:
    """On the screen and in the file: what is in no other's form."""
    await served.ask("device.set", name="phone", settings={"platform": platform})
    labels = {field["label"] for field in await served.ask("device.card", name="phone")}
    assert {each for each in CARDS.values() if each in labels} == {CARDS[platform]}
    artifact = await served.ask("device.export", name="phone", form="card")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(artifact["content"]))) as archive:
        page, *_ = (archive.read(name).decode() for name in archive.namelist() if name.endswith(".html"))
    assert all(label in page for label in labels)


async def test_a_card(served: Served) -> None:
    """In the order of the phone's form; of a certificate it makes none."""
    await served.ask("device.set", name="phone", settings={"platform": "android"})
    fields = await served.ask("device.card", name="phone", secret=PASSWORD)
    assert [field["label"] for field in fields][:4] == ["Name", "Type", "Server address", "IPSec identifier"]
    assert fields[-1] == {"label": "Password", "value": PASSWORD}
    assert {"label": "Pre-shared key", "value": PSK} in await served.ask("device.card", name="tablet")
    await served.ask("device.card", name="laptop")
    assert (await served.ask("device.show", name="laptop"))["certificates"] == []


async def test_a_certificate_from_elsewhere(served: Served, tmp_path: Path) -> None:
    """Devices trust its root if that is in the file, and have it already if it is not."""
    office = served.gateway.certificates.office
    assert office is not None
    office.keep_server(ServerNames(("localhost", "vpn.example.org")), KeyKind.RSA_2048, datetime.now(UTC), force=True)
    bundle = office.server(KeyKind.RSA_2048)
    assert bundle is not None
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    key.write_bytes(pkcs8(bundle.key))
    key.chmod(0o600)
    elsewhere = {"pki.certificate": str(chain), "pki.certificate_key": str(key)}

    chain.write_bytes(b"".join(map(pem_of, (bundle.certificate, *bundle.chain))))
    await served.ask("config.set", values=elsewhere)
    with_root = json.loads((await served.ask("device.export", name="phone", form="sswan"))["content"])
    assert "cert" in with_root["remote"]
    chain.write_bytes(pem_of(bundle.certificate))
    without = json.loads((await served.ask("device.export", name="phone", form="sswan"))["content"])
    assert "cert" not in without["remote"]
    with pytest.raises(RpcError, match="whoever made it has to renew it"):
        await served.ask("pki.renew")
    assert (await served.ask("pki.show"))[-1]["what"] == str(chain)


async def test_without_a_name_nobody_can_be_told_where_to_go(tmp_path: Path) -> None:
    text = HOME.replace('public_name = ["localhost", "vpn.example.org"]\n', "")
    async with serving(tmp_path, text) as served:
        with pytest.raises(RpcError, match=r"set pki\.public_name first"):
            await served.ask("device.export", name="phone", form="sswan")
