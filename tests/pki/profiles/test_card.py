from html.parser import HTMLParser

import pytest
from cryptography import x509

from edgevpn.pki.bundle import bundle_of, read_parts
from edgevpn.pki.profiles.by_hand import other
from edgevpn.pki.profiles.card import files, html, text
from edgevpn.pki.profiles.export import CARDS, Target
from edgevpn.pki.profiles.profile import Media
from tests.support.profiles import AUTHORITY, NAMES, P12_PASSWORD, PASSWORD, PSK, profile


def test_files() -> None:
    given = profile("certificate")
    made = {artifact.name: artifact for artifact in files(given, other(given))}
    assert list(made) == ["home-phone.html", "home-phone.txt", "home-phone.cer", "home-phone.p12"]
    assert x509.load_der_x509_certificate(made["home-phone.cer"].octets) == AUTHORITY.certificate
    pkcs12 = made["home-phone.p12"]
    assert pkcs12.secret
    assert b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03" in pkcs12.octets, "PBE with SHA-1 and 3DES"
    assert bundle_of(read_parts(pkcs12.octets, P12_PASSWORD)).certificate.subject.rfc4514_string() == "CN=phone"


def test_secrets_are_marked() -> None:
    for login, secret in (("password", PASSWORD), ("psk", PSK)):
        made = other(profile(login))
        assert [line.value for line in made.lines if line.secret] == [secret]
        assert all(
            artifact.secret for artifact in files(profile(login), made) if artifact.media is not Media.CERTIFICATE
        )
        assert secret not in repr(made)
    assert not any(line.secret for line in other(profile("password asked")).lines)


class Page(HTMLParser):
    """What a browser would show, and what it would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("login", ["password", "password asked", "certificate"])
@pytest.mark.parametrize("target", CARDS)
def test_page_shows_what_the_text_says_and_runs_nothing(target: Target, login: str, names: str) -> None:
    made = CARDS[target](profile(login, names))
    page = Page()
    page.feed(html(made))
    assert page.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "ol",
        "li",
        "table",
        "tr",
        "th",
        "td",
        "code",
    }
    assert not page.attributes & {"src", "href", "onload", "onclick"}
    plain = text(made)
    for line in made.lines:
        assert line.value in page.shown
        assert line.value in plain
    assert made.title in page.shown
