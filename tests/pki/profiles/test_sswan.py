"""The schema is ours, written from what the app's importer reads: frontends/android, VpnProfileImportActivity."""

import base64
import json
from typing import Any

import jsonschema
import pytest
from cryptography import x509

from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.profiles.profile import Artifact, Media
from edgevpn.pki.profiles.sswan import profile_file
from tests.support.profiles import AUTHORITY, NAMES, P12_PASSWORD, PASSWORD, profile, within_eap


def an_object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}
BASE64 = {"type": "string", "pattern": "^[A-Za-z0-9+/]+=*$"}
TEXTS = {"type": "array", "items": TEXT}
UUID = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
TYPES = ["ikev2-eap", "ikev2-cert", "ikev2-cert-eap", "ikev2-eap-tls", "ikev2-byod-eap"]

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **an_object(
        ["uuid", "name", "type", "remote"],
        uuid=UUID,
        name=TEXT,
        type={"enum": TYPES},
        remote=an_object(
            ["addr"],
            addr=TEXT,
            port={"type": "integer", "minimum": 1, "maximum": 65535},
            id=TEXT,
            cert=BASE64,
            certreq=FLAG,
            revocation=an_object([], crl=FLAG, ocsp=FLAG, strict=FLAG),
        ),
        local=an_object([], **{"eap_id": TEXT, "id": TEXT, "p12": BASE64, "rsa-pss": FLAG, "shared_secret": TEXT}),
        **{
            "ike-proposal": TEXT,
            "esp-proposal": TEXT,
            "dns-servers": TEXTS,
            "mtu": {"type": "integer", "minimum": 1280, "maximum": 1500},
            "nat-keepalive": {"type": "integer", "minimum": 10, "maximum": 120},
            "ipv6-transport": FLAG,
            "split-tunneling": an_object(
                [], **{"subnets": TEXTS, "excluded": TEXTS, "block-ipv4": FLAG, "block-ipv6": FLAG}
            ),
            "apps": TEXTS,
            "excluded-apps": TEXTS,
        },
    ),
}


def read(artifact: Artifact) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(artifact.octets)
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert artifact.media is Media.SSWAN
    assert artifact.name.endswith(".sswan")
    return found


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for broken in ({"uuid": "1"}, read(profile_file(profile())) | {"colour": "red"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("login", ["password", "password asked", "certificate"])
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("split", [False, True])
def test_schema_holds(login: str, names: str, split: bool) -> None:
    found = read(profile_file(profile(login, names, split=split)))
    assert NAMES[names][0] in found["name"]
    assert ("subnets" in found["split-tunneling"]) == split
    assert ("block-ipv6" in found["split-tunneling"]) != split


def test_password() -> None:
    found = read(profile_file(profile()))
    assert found["type"] == "ikev2-eap"
    assert found["local"] == {"id": "phone.vpn.example.org", "eap_id": "anna"}
    assert not profile_file(profile()).secret
    given = profile_file(profile(), with_password=True)
    assert read(given)["local"]["shared_secret"] == PASSWORD
    assert given.secret


def test_certificate() -> None:
    artifact = profile_file(profile("certificate"))
    found = read(artifact)
    assert (found["type"], artifact.secret) == ("ikev2-cert", True)
    bundle = bundle_of(read_parts(base64.b64decode(found["local"]["p12"]), P12_PASSWORD))
    assert bundle.certificate.subject.rfc4514_string() == "CN=phone"


def test_no_pre_shared_key() -> None:
    with pytest.raises(PkiError) as refusal:
        profile_file(profile("psk"))
    assert refusal.value.reason is Reason.NOT_ALLOWED


def test_gateway() -> None:
    remote = read(profile_file(profile(), port=4501))["remote"]
    assert (remote["addr"], remote["id"], remote["port"]) == ("vpn.example.org", "vpn.example.org", 4501)
    assert x509.load_der_x509_certificate(base64.b64decode(remote["cert"])) == AUTHORITY.certificate
    assert "cert" not in read(profile_file(profile(public=True)))["remote"]


def test_networks() -> None:
    found = read(profile_file(profile(split=True)))
    assert found["split-tunneling"] == {"subnets": ["192.168.1.0/24", "fd00:1::/64"]}


def test_same_device_again_replaces() -> None:
    assert read(profile_file(profile()))["uuid"] == read(profile_file(profile("certificate")))["uuid"]


def test_eap_tls() -> None:
    found = json.loads(profile_file(within_eap()).octets)
    assert found["type"] == "ikev2-eap-tls"
    assert found["local"].keys() == {"id", "p12"}
