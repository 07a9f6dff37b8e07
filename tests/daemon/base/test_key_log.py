"""edgevpn.daemon.base.key_log. That Wireshark takes what it writes is shown in tests/lab/test_decoders.py."""

from __future__ import annotations

from pathlib import Path
from stat import S_IMODE

import pytest

from edgevpn.daemon.base.key_log import KeyLog, esp_lines, ike_line
from edgevpn.ike.contract import KeysDerived
from edgevpn.ike.crypto.keymat import ChildKeys, IkeKeys
from edgevpn.ike.crypto.suite import ChildSuite, IkeSuite
from edgevpn.ike.iana import Encr, Integ, Ke, Prf
from edgevpn.ike.state import ChildSa, Secured
from tests.support.peers import selectors

IKE_KEYS = IkeKeys(b"\xdd", b"\xa1", b"\xa2", b"\xe1", b"\xe2", b"\xb1", b"\xb2")
CHILD_KEYS = ChildKeys(b"\xe1", b"\xa1", b"\xe2", b"\xa2")

IKE_LINES = {
    (Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128): (
        '696e697469617472,726573706f6e6472,e1,e2,"AES-CBC-256 [RFC3602]",a1,a2,"HMAC_SHA2_256_128 [RFC4868]"\n'
    ),
    (Encr.AES_CTR, 128, Integ.HMAC_SHA1_96): (
        '696e697469617472,726573706f6e6472,e1,e2,"AES-CTR-128 [RFC5930]",a1,a2,"HMAC_SHA1_96 [RFC2404]"\n'
    ),
    (Encr.AES_CBC, 192, Integ.AES_XCBC_96): (
        '696e697469617472,726573706f6e6472,e1,e2,"AES-CBC-192 [RFC3602]",,,'
        '"ANY 96-bits of Authentication [No Checking]"\n'
    ),
    (Encr.CHACHA20_POLY1305, 0, Integ.NONE): (
        '# 696e697469617472,726573706f6e6472,e1,e2,"CHACHA20_POLY1305",a1,a2,"NONE [RFC4306]"\n'
    ),
}


def secured(encr: Encr = Encr.AES_CBC, bits: int = 256, integ: Integ = Integ.HMAC_SHA2_256_128) -> Secured:
    suite = IkeSuite(encr, bits, integ, Prf.HMAC_SHA2_256, Ke.CURVE25519)
    return Secured(b"initiatr", b"respondr", True, suite, IKE_KEYS)


def child(suite: ChildSuite, initiator: bool = True, keys: ChildKeys = CHILD_KEYS) -> ChildSa:
    lan = selectors("10.1.0.0/24")
    return ChildSa("lan", b"in-1", b"out1", suite, keys, initiator, lan, lan)


@pytest.mark.parametrize(("algorithms", "line"), IKE_LINES.items(), ids=lambda it: str(it)[:40])
def test_ike_line(algorithms: tuple[Encr, int, Integ], line: str) -> None:
    """SPIs, SK_ei, SK_er, cipher, SK_ai, SK_ar, integrity; a comment where Wireshark would refuse it."""
    assert ike_line(secured(*algorithms)) == line


def test_ike_line_of_an_aead() -> None:
    aead = IkeKeys(b"\xdd", b"", b"", b"\xe1", b"\xe2", b"\xb1", b"\xb2")
    suite = IkeSuite(Encr.AES_GCM_16, 128, Integ.NONE, Prf.HMAC_SHA2_256, Ke.CURVE25519)
    assert ike_line(Secured(b"initiatr", b"respondr", False, suite, aead)) == (
        '696e697469617472,726573706f6e6472,e1,e2,"AES-GCM-128 with 16 octet ICV [RFC5282]",,,"NONE [RFC4306]"\n'
    )


def test_esp_lines_of_the_initiator() -> None:
    """What we send has the initiator's keys and the SPI that the peer chose."""
    suite = ChildSuite(Encr.AES_CBC, 128, Integ.HMAC_SHA2_512_256, esn=False)
    assert esp_lines(child(suite)) == (
        '"IPv4","*","*","0x6f757431","AES-CBC [RFC3602]","0xe1","HMAC-SHA-512-256 [RFC4868]","0xa1"\n',
        '"IPv6","*","*","0x6f757431","AES-CBC [RFC3602]","0xe1","HMAC-SHA-512-256 [RFC4868]","0xa1"\n',
        '"IPv4","*","*","0x696e2d31","AES-CBC [RFC3602]","0xe2","HMAC-SHA-512-256 [RFC4868]","0xa2"\n',
        '"IPv6","*","*","0x696e2d31","AES-CBC [RFC3602]","0xe2","HMAC-SHA-512-256 [RFC4868]","0xa2"\n',
    )


def test_esp_lines_of_the_responder() -> None:
    """The other way round, with sequence numbers of 64 bits."""
    suite = ChildSuite(Encr.AES_GCM_16, 256, Integ.NONE, esn=True)
    lines = esp_lines(child(suite, initiator=False, keys=ChildKeys(b"\xe1", b"", b"\xe2", b"")))
    assert lines[::2] == (
        '"IPv4","*","*","0x6f757431","AES-GCM with 16 octet ICV [RFC4106]","0xe2","NULL","","64-bit","0"\n',
        '"IPv4","*","*","0x696e2d31","AES-GCM with 16 octet ICV [RFC4106]","0xe1","NULL","","64-bit","0"\n',
    )


def test_esp_without_a_check() -> None:
    suite = ChildSuite(Encr.AES_CTR, 128, Integ.AES_CMAC_96, esn=False)
    assert esp_lines(child(suite))[0] == (
        '"IPv4","*","*","0x6f757431","AES-CTR [RFC3686]","0xe1","ANY 96 bit authentication [no checking]",""\n'
    )


def test_esp_that_wireshark_cannot_decrypt() -> None:
    suite = ChildSuite(Encr.AES_CCM_16, 128, Integ.NONE, esn=False)
    assert all(line.startswith('# "IPv') and '"AES_CCM_16"' in line for line in esp_lines(child(suite)))


def test_tables_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Before the first key is in them, and whatever was there before."""
    folder = tmp_path / "wireshark" / "edgevpn"
    KeyLog(folder)
    assert modes(folder) == {".": 0o700, "ikev2_decryption_table": 0o600, "esp_sa": 0o600}
    (folder / "esp_sa").chmod(0o644)
    KeyLog(folder)
    assert modes(folder)["esp_sa"] == 0o600


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


def test_keys_are_added(tmp_path: Path) -> None:
    """After those of earlier runs: captures outlive the daemon."""
    suite = ChildSuite(Encr.AES_CBC, 128, Integ.HMAC_SHA2_256_128, esn=False)
    KeyLog(tmp_path).note(KeysDerived(secured()))
    log = KeyLog(tmp_path)
    log.note(KeysDerived(secured(Encr.AES_CTR, 128)))
    log.note(KeysDerived(secured(), child(suite)))
    both = ike_line(secured()) + ike_line(secured(Encr.AES_CTR, 128))
    assert (tmp_path / "ikev2_decryption_table").read_text() == both
    assert (tmp_path / "esp_sa").read_text() == "".join(esp_lines(child(suite)))


def test_nobody_else_says_where_keys_go(tmp_path: Path) -> None:
    (tmp_path / "esp_sa").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        KeyLog(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        KeyLog(tmp_path / "file")


def test_a_disk_that_is_full_ends_the_export_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Said once."""
    exported = KeyLog(tmp_path / "keys")
    table = tmp_path / "keys" / "ikev2_decryption_table"
    table.unlink()
    table.mkdir()
    exported.note(KeysDerived(secured()))
    exported.note(KeysDerived(secured()))
    table.rmdir()
    exported.note(KeysDerived(secured()))
    assert caplog.text.count("keys_not_exported") == 1
    assert not table.exists()
