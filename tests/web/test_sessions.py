from __future__ import annotations

import pytest

from edgevpn.web.sessions import MOST_SESSIONS, TOKEN_SIZE, NoSession, Sessions, same
from tests.support.panel import entropy

IDLE, LIFE = 1200.0, 43200.0


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(entropy(), IDLE, LIFE)


def test_a_token_finds_its_session(sessions: Sessions) -> None:
    token, session = sessions.begin("192.168.1.2", 0.0)
    assert sessions.find(token, 1.0) == session
    assert session.csrf != token
    for other in ("", token[:-1], token + "A", session.csrf):
        with pytest.raises(NoSession):
            sessions.find(other, 1.0)


def test_tokens_have_256_bits_and_are_not_kept(sessions: Sessions) -> None:
    token, session = sessions.begin("192.168.1.2", 0.0)
    assert TOKEN_SIZE * 8 == 256
    assert len(token) == 43
    assert token not in repr(session)
    assert token.encode() not in session.digest


def test_idle_time(sessions: Sessions) -> None:
    token, session = sessions.begin("192.168.1.2", 0.0)
    sessions.touch(session, IDLE - 1)
    assert sessions.lives(sessions.find(token, IDLE + 1), IDLE + 1)
    with pytest.raises(NoSession):
        sessions.find(token, 2 * IDLE)


def test_whole_time_ends_even_what_is_used(sessions: Sessions) -> None:
    token, session = sessions.begin("192.168.1.2", 0.0)
    now = 0.0
    while now < LIFE - 1:
        now = min(now + IDLE / 2, LIFE - 1)
        sessions.touch(sessions.find(token, now), now)
    with pytest.raises(NoSession):
        sessions.find(token, LIFE)
    assert not sessions.lives(session, LIFE)


def test_logout_and_a_new_password(sessions: Sessions) -> None:
    first, session = sessions.begin("192.168.1.2", 0.0)
    second, _ = sessions.begin("192.168.1.3", 0.0)
    sessions.end(session)
    with pytest.raises(NoSession):
        sessions.find(first, 1.0)
    sessions.find(second, 1.0)
    sessions.end_all()
    with pytest.raises(NoSession):
        sessions.find(second, 1.0)


def test_an_ended_session_is_not_woken(sessions: Sessions) -> None:
    token, session = sessions.begin("192.168.1.2", 0.0)
    sessions.end(session)
    sessions.touch(session, 1.0)
    with pytest.raises(NoSession):
        sessions.find(token, 1.0)


def test_the_oldest_goes_when_there_are_too_many(sessions: Sessions) -> None:
    tokens = [sessions.begin("192.168.1.2", float(number))[0] for number in range(MOST_SESSIONS + 1)]
    with pytest.raises(NoSession):
        sessions.find(tokens[0], 50.0)
    assert all(sessions.find(token, 50.0) for token in tokens[1:])


def test_same() -> None:
    assert same("token", "token")
    assert not same("", "token")
    assert not same("tokén", "token")
