from __future__ import annotations

from edgevpn.daemon.base.news import Changed, News


def test_many_changes_are_one_piece_of_news() -> None:
    news, calls = News(), []
    news.ready = lambda: calls.append(1)
    news.site("office")
    news.device("phone")
    news.site("branch")
    news.site("office")
    assert calls == [1]
    assert news.take() == Changed(("office", "branch"), ("phone",))
    assert news.take() == Changed()
    news.device("phone")
    assert calls == [1, 1]
