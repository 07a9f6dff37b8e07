from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from edgevpn.daemon.login.fetching import AGAIN, KEPT, LARGEST, MOST, Fetcher, NotFetched, fetched
from edgevpn.pki.revocation import read_crl
from tests.support.certificates import NOW, ca, crl

ROOT = ca("root")
LIST = crl(ROOT, due=NOW + timedelta(days=9))
URI = "http://pki.example.org/root.crl"


class Place:
    """Where lists are; notes who asks."""

    def __init__(self, octets: bytes | None) -> None:
        self.octets = octets
        self.asked: list[str] = []

    def __call__(self, uri: str) -> bytes:
        self.asked.append(uri)
        if self.octets is None:
            raise NotFetched("nobody is there")
        return self.octets


def test_a_list_is_kept_for_a_while() -> None:
    place = Place(LIST)
    fetcher = Fetcher(place)
    for at in (NOW, NOW + KEPT / 2, NOW + KEPT):
        (found,) = fetcher.crls([URI, URI], at)
        assert found.issuer == read_crl(LIST).issuer
    assert place.asked == [URI, URI]


def test_a_list_that_ends_soon_is_asked_for_again() -> None:
    place = Place(crl(ROOT, due=NOW + timedelta(minutes=20)))
    fetcher = Fetcher(place)
    for minutes in (0, 19, 21):
        assert len(fetcher.crls([URI], NOW + timedelta(minutes=minutes))) == 1
    assert len(place.asked) == 2


def test_an_owner_who_wants_to_know_sooner() -> None:
    """However long the list is good for; and sooner than a place is else left alone, be it there or not."""
    place = Place(LIST)
    fetcher = Fetcher(place)
    fetcher.kept = timedelta(seconds=30)
    for seconds, octets in ((0, LIST), (29, LIST), (30, None), (59, LIST), (60, LIST)):
        place.octets = octets
        assert len(fetcher.crls([URI], NOW + timedelta(seconds=seconds))) == 1
    assert len(place.asked) == 3


@pytest.mark.parametrize("octets", [None, b"no list"])
def test_a_place_without_one_is_left_alone(octets: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
    place = Place(octets)
    fetcher = Fetcher(place)
    for at in (NOW, NOW + AGAIN / 2, NOW + AGAIN):
        assert fetcher.crls([URI], at) == ()
    assert len(place.asked) == 2
    assert "crl_not_fetched" in caplog.text


def test_a_list_counts_on_while_no_other_is_to_be_had() -> None:
    """Whoever keeps us from the server does not make what is revoked good again."""
    place = Place(LIST)
    fetcher = Fetcher(place)
    before = fetcher.crls([URI], NOW)
    place.octets = None
    assert fetcher.crls([URI], NOW + KEPT) == before
    assert fetcher.crls([URI], NOW + KEPT + AGAIN / 2) == before
    assert len(place.asked) == 2


def test_the_owner_wants_to_know() -> None:
    """Then a place is asked though its list is new, and though it had none a moment ago."""
    place = Place(LIST)
    fetcher = Fetcher(place)
    assert not fetcher.has_asked
    for octets in (LIST, None, LIST):
        place.octets = octets
        fetcher.expire()
        fetcher.crls([URI], NOW)
        fetcher.crls([URI], NOW)
    assert len(place.asked) == 3
    assert fetcher.has_asked


def test_few_places_are_remembered() -> None:
    place = Place(LIST)
    fetcher = Fetcher(place)
    for number in range(MOST + 1):
        fetcher.crls([f"{URI}?{number}"], NOW)
    fetcher.crls([f"{URI}?{MOST}"], NOW)
    assert len(place.asked) == MOST + 1
    fetcher.crls([f"{URI}?0"], NOW)
    assert len(place.asked) == MOST + 2


@contextmanager
def served(status: int, octets: bytes, location: str = "") -> Iterator[str]:
    """A web server on loopback with one answer for all."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/root.crl?of=us"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_over_http() -> None:
    with served(200, LIST) as uri:
        assert fetched(uri) == LIST


@pytest.mark.parametrize(
    ("status", "octets", "why"),
    [(404, b"", "answers 404"), (302, b"", "answers 302"), (200, bytes(LARGEST + 1), "longer than")],
)
def test_what_is_no_answer(status: int, octets: bytes, why: str) -> None:
    with served(status, octets, "http://127.0.0.1:1/") as uri, pytest.raises(NotFetched, match=why):
        fetched(uri)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/", "http://[::1/", "http://127.0.0.1:port/", "http://a b/"])
def test_nobody_there(uri: str) -> None:
    with pytest.raises(NotFetched):
        fetched(uri)
