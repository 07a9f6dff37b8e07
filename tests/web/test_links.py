from __future__ import annotations

import pytest

from edgevpn.web.links import GRACE, LIFE, MOST_LINKS, TOKEN_SIZE, Links, NoLink
from tests.support.panel import entropy


@pytest.fixture
def links() -> Links:
    return Links(entropy())


def test_128_bits_that_are_not_kept(links: Links) -> None:
    token = links.make("phone", "profile", 0.0)
    assert TOKEN_SIZE * 8 == 128
    assert len(token) == 22
    assert token not in repr(vars(links))


def test_one_fetch_and_one_more_within_the_grace(links: Links) -> None:
    token = links.make("phone", "profile", 0.0)
    link, first = links.fetch(token, 100.0)
    assert (link.device, link.artifact, first) == ("phone", "profile", True)
    link, first = links.fetch(token, 100.0 + GRACE - 1)
    assert (link.artifact, first) == ("profile", False)
    with pytest.raises(NoLink):
        links.fetch(token, 100.0 + GRACE - 1)


def test_no_second_fetch_after_the_grace(links: Links) -> None:
    token = links.make("phone", "profile", 0.0)
    links.fetch(token, 100.0)
    with pytest.raises(NoLink):
        links.fetch(token, 100.0 + GRACE)


def test_a_quarter_of_an_hour(links: Links) -> None:
    token = links.make("phone", "profile", 0.0)
    other = links.make("phone", "profile", 0.0)
    links.fetch(token, LIFE - 1)
    with pytest.raises(NoLink):
        links.fetch(other, LIFE)
    with pytest.raises(NoLink):
        links.fetch(token, LIFE)


def test_what_is_no_link(links: Links) -> None:
    token = links.make("phone", "profile", 0.0)
    for guess in ("", token[:-1], token.lower(), "A" * 22):
        with pytest.raises(NoLink):
            links.fetch(guess, 0.0)


def test_a_device_that_is_gone_has_no_links(links: Links) -> None:
    phone, tablet = links.make("phone", "profile", 0.0), links.make("tablet", "profile", 0.0)
    links.drop("phone")
    with pytest.raises(NoLink):
        links.fetch(phone, 0.0)
    links.fetch(tablet, 0.0)


def test_the_oldest_goes_when_there_are_too_many(links: Links) -> None:
    tokens = [links.make("phone", number, 0.0) for number in range(MOST_LINKS + 1)]
    with pytest.raises(NoLink):
        links.fetch(tokens[0], 0.0)
    assert [links.fetch(token, 0.0)[0].artifact for token in tokens[1:]] == list(range(1, MOST_LINKS + 1))


def test_links_of_the_past_make_room(links: Links) -> None:
    for number in range(MOST_LINKS):
        links.make("phone", number, 0.0)
    token = links.make("tablet", "profile", LIFE)
    assert links.fetch(token, LIFE)[0].device == "tablet"
