"""What the other end is told is read as the other end would read it."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgevpn.api import RpcError
from edgevpn.config.reader import parse
from edgevpn.pki.bundle import bundle_of, read_parts
from tests.support.services import HOME, OFFICE, PSK, serving

FORMS = ("edgevpn", "strongswan", "routeros", "card")


async def test_another_edgevpn_takes_it(tmp_path: Path) -> None:
    """Each end has the other's networks and identity, and both have the key."""
    async with serving(tmp_path) as served:
        made = await served.ask("site.snippet", name="office", form="edgevpn")
    (site,) = parse(made["content"], "there.toml", {}).sites
    assert (str(site.local_id), str(site.remote_id)) == ("office.example.org", "home.example.org")
    assert [str(each) for each in site.remote] == ["localhost"]
    assert site.psk.octets == PSK.encode()
    assert [str(each) for each in site.children[0].local_networks] == ["10.2.0.0/24"]


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_has_the_key(tmp_path: Path, form: str) -> None:
    async with serving(tmp_path) as served:
        made = await served.ask("site.snippet", name="office", form=form)
    assert PSK in made["content"]


async def test_a_key_that_is_no_text(tmp_path: Path) -> None:
    async with serving(tmp_path, OFFICE.replace(PSK, "0s" + base64.b64encode(bytes(range(32))).decode())) as served:
        made = await served.ask("site.snippet", name="office", form="edgevpn")
    assert f'psk = "0x{bytes(range(32)).hex()}"' in made["content"]


def unzipped(made: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(made["content"]))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


BY_CERTIFICATE = HOME.replace(f'psk = "{PSK}"\nlocal_networks', 'auth = "certificate"\nlocal_networks')


async def test_with_a_certificate_of_ours(tmp_path: Path) -> None:
    async with serving(tmp_path, BY_CERTIFICATE) as served:
        await served.certified()
        files = unzipped(await served.ask("site.snippet", name="office", form="strongswan"))
    names = {name.rpartition("-")[2]: name for name in files}
    bundle = bundle_of(*(read_parts(files[names[each]]) for each in ("cert.pem", "key.pem")))
    assert "office.example.org" in str(bundle.certificate.extensions)


async def test_what_opens_by_a_password_comes_with_it(tmp_path: Path) -> None:
    async with serving(tmp_path, BY_CERTIFICATE) as served:
        await served.certified()
        files = unzipped(await served.ask("site.snippet", name="office", form="routeros"))
    p12 = next(octets for name, octets in files.items() if name.endswith(".p12"))
    assert bundle_of(read_parts(p12, files["password.txt"].decode().strip()))


async def test_what_cannot_be_told(tmp_path: Path) -> None:
    nameless = OFFICE.replace('local_id = "home.example.org"\n', "")
    anybody = nameless.replace('"office.example.org"', '"any"')
    several = OFFICE.replace('"office.example.org"', '"*.example.org"')
    which = "edgevpn site set office remote_id="
    for text, why in ((nameless, "edgevpn site set office local_id="), (anybody, which), (several, which)):
        async with serving(tmp_path, text) as served:
            with pytest.raises(RpcError, match=why):
                await served.ask("site.snippet", name="office", form="card")


async def test_our_address_is_our_name_where_there_is_none(tmp_path: Path) -> None:
    called = OFFICE.replace('local_id = "home.example.org"\n', "").replace('"any"', '"127.0.0.9"')
    async with serving(tmp_path, called) as served:
        made = await served.ask("site.snippet", name="office", form="card")
    assert "Peer identity:  127.0.0.1" in made["content"]
