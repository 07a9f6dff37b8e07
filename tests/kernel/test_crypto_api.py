from __future__ import annotations

from pathlib import Path

from edgevpn.kernel.crypto_api import Driver, driver_of, drivers

GCM = "rfc4106(gcm(aes))"
PROC_CRYPTO = """\
name         : rfc4106(gcm(aes))
driver       : rfc4106(gcm_base(ctr(aes-generic),ghash-generic))
module       : gcm
priority     : 100
refcnt       : 1
selftest     : passed
internal     : no
type         : aead
async        : no

name         : rfc4106(gcm(aes))
driver       : safexcel-gcm-aes
priority     : 300
selftest     : passed
internal     : no
async        : yes

name         : rfc4106(gcm(aes))
driver       : __inside
priority     : 900
selftest     : passed
internal     : yes
async        : no

name         : cbc(aes)
driver       : cbc-aes-ce
priority     : 250
selftest     : unknown
internal     : no
async        : no

"""


def test_the_highest_priority_works(tmp_path: Path) -> None:
    source = tmp_path / "crypto"
    source.write_text(PROC_CRYPTO)
    found = driver_of(GCM, source)
    assert found == Driver(GCM, "safexcel-gcm-aes", 300, is_async=True, tested=True)
    assert found.accelerator
    assert driver_of("cbc(des3_ede)", source) is None
    assert driver_of(GCM, tmp_path / "missing") is None


def test_instructions_of_the_cpu_are_no_accelerator() -> None:
    assert {each.name: each.accelerator for each in drivers(PROC_CRYPTO)} == {
        "rfc4106(gcm_base(ctr(aes-generic),ghash-generic))": False,
        "safexcel-gcm-aes": True,
        "cbc-aes-ce": False,
    }
    assert not next(each for each in drivers(PROC_CRYPTO) if each.algorithm == "cbc(aes)").tested
