"""The .ipk and the index, field by field."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edgevpn import __version__
from openwrt.builder.ipk import Ipk, index
from openwrt.builder.usign import NoSigningKey, SigningKey
from tests.openwrt.conftest import EPOCH
from tests.openwrt.router import members

# Packages of the feeds of 23.05, 24.10 and 25.12 alike. python3-aiohttp, -multidict and -yarl are not: 25.12 has none.
IN_EVERY_FEED = {
    *(f"python3-{name}" for name in ("light", "asyncio", "codecs", "ctypes", "logging", "lzma", "openssl")),
    *(f"python3-{name}" for name in ("multiprocessing", "urllib", "uuid", "xml", "cryptography")),
    *("kmod-ipsec", "kmod-ipsec4", "kmod-ipsec6", "kmod-xfrm-interface", "kmod-crypto-gcm", "kmod-crypto-sha256"),
    *("kmod-nf-conntrack-netlink", "kmod-veth"),
    *("kmod-crypto-sha512", "kmod-crypto-chacha20poly1305", "luci-base", "rpcd-mod-ucode"),
}
# This one came with 24.10.
SINCE_24_10 = {"ucode-mod-socket"}


def fields(control: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in control.splitlines())


def control_of(package: Ipk) -> dict[str, tuple[bytes, int]]:
    return members(members(package.content)["control.tar.gz"][0])


@pytest.mark.parametrize("name", ["edgevpn", "edgevpn-web", "luci-app-edgevpn"])
def test_shell(ipks: dict[str, Ipk], name: str) -> None:
    """A gzip'ed GNU tar, not an ar; three members in this order; root by number, one time, names in order."""
    content = ipks[name].content
    assert content[:2] == b"\x1f\x8b"
    assert content[4:8] == bytes(4), "gzip has no time"
    with tarfile.open(fileobj=io.BytesIO(content)) as shell:
        assert shell.getnames() == ["./debian-binary", "./data.tar.gz", "./control.tar.gz"]
        data = shell.extractfile("./data.tar.gz")
        assert data is not None
        with tarfile.open(fileobj=data) as files:
            found = files.getmembers()
    assert members(content)["debian-binary"][0] == b"2.0\n"
    assert {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in found} == {
        (0, 0, "", "", EPOCH)
    }
    assert [member.name for member in found] == sorted(member.name for member in found)
    assert {member.type for member in found} <= {tarfile.DIRTYPE, tarfile.REGTYPE}


def test_control(ipks: dict[str, Ipk]) -> None:
    found = control_of(ipks["edgevpn"])
    text = found["control"][0].decode()
    control = fields(text)

    assert ipks["edgevpn"].name == f"edgevpn_{__version__}-r1_all.ipk"
    assert control["Package"] == control["SourceName"] == "edgevpn"
    assert re.fullmatch(r"\d+\.\d+\.\d+-r\d+", control["Version"]), "as apk takes it too"
    assert control["Architecture"] == "all"
    assert control["License"] == "Apache-2.0"
    assert control["Section"] == "net"
    assert control["Require-User"] == "edgevpn=4500:edgevpn=4500"
    assert control["SourceDateEpoch"] == str(EPOCH)
    data = gzip.decompress(members(ipks["edgevpn"].content)["data.tar.gz"][0])
    assert control["Installed-Size"] == str(len(data))
    assert text.splitlines()[-1].startswith("Description: ")


def test_dependencies_are_in_every_feed(ipks: dict[str, Ipk]) -> None:
    """kmods from the release's own feed, cryptography from there too; of aiohttp nothing."""
    needs = {name: set(fields(package.control)["Depends"].split(", ")) for name, package in ipks.items()}

    assert needs["edgevpn"] <= IN_EVERY_FEED
    assert {name for name in needs["edgevpn"] if name.startswith("kmod-")} == {
        name for name in IN_EVERY_FEED if name.startswith("kmod-")
    }
    assert needs["edgevpn-web"] <= {*IN_EVERY_FEED, "edgevpn"}
    assert needs["luci-app-edgevpn"] <= {*IN_EVERY_FEED, *SINCE_24_10, "edgevpn"}


def test_scripts(ipks: dict[str, Ipk]) -> None:
    """The common part is the router's: it makes users, runs uci-defaults, enables and starts; then comes our own."""
    for name, package in ipks.items():
        found = control_of(package)
        own = {"edgevpn": {"prerm-pkg", "conffiles"}, "edgevpn-web": {"postinst-pkg", "prerm-pkg"}}
        assert found.keys() == {"control", "postinst", "prerm"} | own.get(name, {"postinst-pkg"})
        assert b'. "${IPKG_INSTROOT}/lib/functions.sh"\ndefault_postinst "$0" "$@"\n' in found["postinst"][0]
        assert b'. "${IPKG_INSTROOT}/lib/functions.sh"\ndefault_prerm "$0" "$@"\n' in found["prerm"][0]
        for script, (content, mode) in found.items():
            is_script = script not in ("control", "conffiles")
            assert mode == (0o755 if is_script else 0o644)
            assert content.startswith(b"#!/bin/sh\n") == is_script


def test_conffiles(ipks: dict[str, Ipk]) -> None:
    assert control_of(ipks["edgevpn"])["conffiles"][0] == b"/etc/config/edgevpn\n/etc/edgevpn/edgevpn.toml\n"


def test_index(ipks: dict[str, Ipk]) -> None:
    """Each stanza is the control file, with name, size and digest before the description; they end in empty lines."""
    stanzas = index(ipks.values()).split("\n\n")

    assert stanzas.pop() == ""
    assert len(stanzas) == len(ipks)
    for stanza in stanzas:
        found = fields(stanza)
        package = ipks[found["Package"]]
        assert list(found)[-4:] == ["Filename", "Size", "SHA256sum", "Description"]
        assert found["Filename"] == package.name
        assert found["Size"] == str(len(package.content))
        assert found["SHA256sum"] == hashlib.sha256(package.content).hexdigest()
        own = [line for line in stanza.splitlines() if not line.startswith(("Filename:", "Size:", "SHA256sum:"))]
        assert "".join(f"{line}\n" for line in own) == package.control


# Made by usign itself: a key with -G, and the signature of "Package: edgevpn" and a line end with -S.
USIGN_KEY = """untrusted comment: for tests
RWRCSwAAAAAZ7F/WoLKyzhgZG3KGgaTfUrkkzsj3APCUkDePBNJRatBOVWyI7NBHhZ6/8mTVMvwoes0Xm1eFg22doMdwAwFp\
+finB6j2DjOAHn7VSNQUXGFfQl/N+Ak62N1y3VGmxPc=
"""
USIGN_PUBLIC = "RWSUkDePBNJRavn4pweo9g4zgB5+1UjUFFxhX0JfzfgJOtjdct1RpsT3"
USIGN_SIGNATURE = """untrusted comment: signed by key 9490378f04d2516a
RWSUkDePBNJRagb5bMS24LfJY23PkSEeDWPmc45WcRSF991EO+jmSX5a8+MAUxUjYigMy9XXD2RW4B7c1rhEYiqK9otev93W7As=
"""


def test_signs_as_usign_does(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(USIGN_KEY)

    key = SigningKey.read(path)

    assert key.signature_text(b"Package: edgevpn\n") == USIGN_SIGNATURE
    assert key.public_text().splitlines()[1] == USIGN_PUBLIC
    assert key.name == "9490378f04d2516a"


def test_signature(tmp_path: Path) -> None:
    key = SigningKey.generate()
    path = tmp_path / "key"
    path.write_text(key.secret_text())

    comment, line = SigningKey.read(path).signature_text(b"Package: edgevpn\n").splitlines()

    signature = b64decode(line)
    public = b64decode(key.public_text().splitlines()[1])
    assert comment == f"untrusted comment: signed by key {key.name}"
    assert signature[:10] == public[:10] == b"Ed" + key.fingerprint
    Ed25519PublicKey.from_public_bytes(public[10:]).verify(signature[10:], b"Package: edgevpn\n")
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public[10:]).verify(signature[10:], b"Package: edgevpm\n")


@pytest.mark.parametrize("text", ["", "untrusted comment: x\nRWRB\n"], ids=["empty", "short"])
def test_no_signing_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(NoSigningKey, match="no secret key of usign"):
        SigningKey.read(path)


def test_secret_of_the_key_is_not_shown() -> None:
    key = SigningKey(b"12345678", b"0" * 32)
    assert "0000" not in repr(key)
