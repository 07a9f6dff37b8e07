from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevpn.config.changes import Documents, add_device, remove_device, set_device, set_key, unset_key
from edgevpn.config.diff import Fate
from edgevpn.config.errors import ConfigError, Refused
from edgevpn.config.model import Config
from edgevpn.config.reader import load
from edgevpn.config.store import KEPT, Change, Store

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CONFIG = """\
# ours
[pki]
public_name = "vpn.example.org"

[pool.home]   # all of us
v4 = "10.9.0.0/24"

[device.anna]   # hers
login = "psk"
"""
SECRETS = '[device.anna]\npsk = "a long and random text"\n'


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return stored(tmp_path, CONFIG, SECRETS)


def stored(folder: Path, config: str, secrets: str = "") -> Store:
    """A store of these texts."""
    path = folder / "edgevpn.toml"
    for file, text in ((path, config), (path.with_name("secrets.toml"), secrets)):
        file.write_text(text)
        file.chmod(0o600)
    return Store(path, {})


def log_level(value: object) -> Change:
    return lambda documents: set_key(documents, ("gateway", "log_level"), value)


def raw(change: Any) -> Change:
    """A change of the text that nothing has checked."""
    return lambda documents: replace(documents, config=change(documents.config))


def test_a_change_is_written_and_told(store: Store) -> None:
    saved = store.change(log_level("debug"), NOW)
    assert store.path.read_text() == CONFIG + '\n[gateway]\nlog_level = "debug"\n'
    assert saved.config == load(store.path, {})
    assert saved.problems == ()
    assert saved.difference is not None
    assert [str(change) for change in saved.difference.changes] == ["gateway: changed"]


def test_a_device_with_its_secret(store: Store) -> None:
    saved = store.change(lambda old: add_device(old, "ben", {}, {"nt_hash": "00" * 16}, NOW), NOW)
    assert saved.difference is not None
    assert saved.difference.named("device", Fate.ADDED) == ("ben",)
    assert [device.name for device in load(store.path, {}).devices] == ["anna", "ben"]
    assert tomli.loads(store.read().secrets)["device"]["ben"] == {"nt_hash": "00" * 16}


def test_a_bad_change_writes_nothing(store: Store) -> None:
    with pytest.raises(ConfigError) as error:
        store.change(lambda old: set_key(old, ("device", "anna", "v4"), "10.8.0.7"), NOW)
    assert str(error.value) == (
        f'{store.path}:8: device.anna.v4 = "10.8.0.7": is not in pool home; allowed: 10.9.0.0/24'
    )
    with pytest.raises(Refused):
        store.change(log_level("loud"), NOW)
    assert store.read() == Documents(CONFIG, SECRETS)
    assert store.versions() == ()


def test_a_bad_file_is_mended_fault_by_fault(tmp_path: Path) -> None:
    broken = CONFIG + 'v4 = "10.8.0.7"\nv6 = "fd08::7"\n'
    store = stored(tmp_path, broken, SECRETS)
    saved = store.change(lambda old: unset_key(old, ("device", "anna", "v4")), NOW)
    assert (saved.config, len(saved.problems), saved.difference) == (None, 1, None)
    with pytest.raises(ConfigError):
        store.change(raw(lambda text: text + "[pond]\n[lake]\n"), NOW)
    saved = store.change(lambda old: unset_key(old, ("device", "anna", "v6")), NOW)
    assert isinstance(saved.config, Config)


def test_bad_secrets_are_mended_too(tmp_path: Path) -> None:
    store = stored(tmp_path, CONFIG, SECRETS + "psk_file = '/x'\n[lake]\n")
    saved = store.change(lambda old: replace(old, secrets=SECRETS + "[lake]\n"), NOW)
    assert (saved.config, len(saved.problems)) == (None, 1)
    saved = store.change(lambda old: replace(old, secrets=SECRETS), NOW)
    assert saved.config == load(store.path, {})


def test_what_is_not_even_toml_is_left_alone(tmp_path: Path) -> None:
    store = stored(tmp_path, CONFIG + "[", SECRETS)
    with pytest.raises(ConfigError, match="is not TOML"):
        store.change(log_level("debug"), NOW)
    store = stored(tmp_path, CONFIG, "[")
    with pytest.raises(ConfigError, match=r"secrets\.toml:1: is not TOML"):
        store.change(log_level("debug"), NOW)


def test_a_change_of_nothing_writes_nothing(store: Store) -> None:
    before = store.path.stat().st_ino
    saved = store.change(lambda old: old, NOW)
    assert not saved.difference
    assert (store.path.stat().st_ino, store.versions()) == (before, ())


def test_the_first_change_makes_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "edgevpn.toml", {})
    assert store.read() == Documents()
    store.change(log_level("debug"), NOW)
    assert store.path.read_text() == '[gateway]\nlog_level = "debug"\n'
    assert mode(store.path) == 0o600
    assert store.versions() == ()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_modes(store: Store) -> None:
    """The owner's choice for the file; secrets and versions are for its owner alone."""
    store.path.chmod(0o640)
    store.change(lambda old: add_device(old, "ben", {}, {"nt_hash": "00" * 16}, NOW), NOW)
    assert mode(store.path) == 0o640
    (version,) = store.versions()
    private = (store.path.with_name("secrets.toml"), *version.folder.iterdir())
    assert [mode(path) for path in private] == [0o600] * 3
    assert mode(version.folder) == mode(version.folder.parent) == 0o700


def test_a_link_stays_a_link(tmp_path: Path, store: Store) -> None:
    link = tmp_path / "link" / "edgevpn.toml"
    link.parent.mkdir()
    link.symlink_to(store.path)
    Store(link, {}).change(log_level("debug"), NOW)
    assert link.is_symlink()
    assert "debug" in store.path.read_text()


def test_no_such_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "edgevpn.toml"
    with pytest.raises(ConfigError) as error:
        Store(path, {}).change(log_level("debug"), NOW)
    assert str(error.value) == f"{path}: cannot be written: No such file or directory; make its folder"


def test_a_folder_that_is_not_ours(store: Store) -> None:
    """Who may not look into it is told whom to ask, whatever is asked for."""
    store.change(log_level("debug"), NOW)
    with powerless(store.path.parent):
        asked: dict[str, Callable[[], object]] = {
            "cannot be written": lambda: store.change(log_level("info"), NOW),
            "cannot be read": lambda: store.rollback(1, NOW),
        }
        for fault, question in asked.items():
            with pytest.raises(ConfigError, match=f"{fault}: Permission denied; ask its owner, or root"):
                question()


@contextmanager
def powerless(folder: Path) -> Iterator[None]:
    """A folder that is closed to us, even if the test is root's."""
    folder.chmod(0)
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


def test_a_folder_in_the_way(store: Store) -> None:
    store.path.with_name("versions").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        store.change(log_level("debug"), NOW)
    assert store.read() == Documents(CONFIG, SECRETS)


def test_the_last_versions_are_kept(store: Store) -> None:
    texts = [store.read().config]
    for number in range(KEPT + 2):
        store.change(lambda old, number=number: set_key(old, ("gateway", "nat_keepalive"), number), NOW)  # type: ignore[misc]
        texts.append(store.read().config)
    assert [version.number for version in store.versions()] == list(range(1, KEPT + 1))
    kept = [(version.folder / "edgevpn.toml").read_text() for version in store.versions()]
    assert kept == texts[-2 : -2 - KEPT : -1]
    assert not list(store.path.parent.rglob(".*"))


def test_back_and_forth(store: Store) -> None:
    """With the secrets of then; and back is a change like any other."""
    store.change(lambda old: remove_device(old, "anna"), NOW)
    assert load(store.path, {}).devices == ()
    saved = store.rollback(1, NOW)
    assert saved.difference is not None
    assert saved.difference.named("device", Fate.ADDED) == ("anna",)
    assert store.read() == Documents(CONFIG, SECRETS)
    store.rollback(1, NOW)
    assert load(store.path, {}).devices == ()
    store.rollback(2, NOW)
    assert load(store.path, {}).devices == ()


def test_there_is_no_such_version(store: Store) -> None:
    with pytest.raises(Refused, match="there is no version 1"):
        store.rollback(1, NOW)
    store.change(log_level("debug"), NOW)
    with pytest.raises(Refused, match="there is no version 2") as refusal:
        store.rollback(2, NOW)
    assert refusal.value.cure == "there are 1 to 1"


def test_changes_at_the_same_time_follow_each_other(store: Store) -> None:
    """None is lost: each sees what the one before has written."""

    def add(number: int) -> None:
        Store(store.path, {}).change(lambda old: add_device(old, f"d{number}", {}, {"nt_hash": "00" * 16}, NOW), NOW)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {device.name for device in load(store.path, {}).devices} == {"anna", *(f"d{number}" for number in range(8))}


CHANGES: dict[str, Change] = {
    "add": lambda old: add_device(old, "ben", {}, {"nt_hash": "00" * 16}, NOW),
    "other login": lambda old: set_device(old, "anna", {"login": "password"}, {"nt_hash": "00" * 16}, NOW),
    "other secret": lambda old: set_device(old, "anna", {}, {"psk": "another random text"}, NOW),
    "remove": lambda old: remove_device(old, "anna"),
}
FILE_OPERATIONS = (
    "open",
    "tempfile.mkdtemp",
    "tempfile.mkstemp",
    "os.chmod",
    "os.chown",
    "os.rename",
    "os.remove",
    "os.mkdir",
)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_killed_at_any_moment(tmp_path: Path, change: Change) -> None:
    """What a process leaves that dies in any operation on files is good: the old configuration or the new one."""
    before = load(stored(fresh(tmp_path, 0), CONFIG, SECRETS).path, {})
    done = stored(fresh(tmp_path, 1), CONFIG, SECRETS)
    done.change(change, NOW)
    after = load(done.path, {})
    seen = []
    for cut in range(1, 1000):
        store = stored(fresh(tmp_path, 1 + cut), CONFIG, SECRETS)
        if child := os.fork():
            _, status = os.waitpid(child, 0)
        else:
            _die_at(store, change, cut)
        seen.append(load(store.path, {}))
        assert all((version.folder / "edgevpn.toml").read_text() == CONFIG for version in store.versions())
        store.change(log_level("debug"), NOW)  # what is left over hinders nobody
        if not status:
            break
    assert {config == after for config in seen} == {True, False}
    assert all(config in (before, after) for config in seen)


def fresh(folder: Path, number: int) -> Path:
    made = folder / str(number)
    made.mkdir()
    return made


def _die_at(store: Store, change: Change, cut: int) -> None:
    """Carry out a change, and end without a trace at the n-th operation on files."""
    left = cut

    def count(event: str, _: tuple[object, ...]) -> None:
        nonlocal left
        if event in FILE_OPERATIONS:
            left -= 1
            if left == 0:
                os._exit(1)

    sys.addaudithook(count)
    store.change(change, NOW)
    os._exit(0)


NAMES = st.sampled_from(["anna", "ben", "Carla's 電話"])
EDITS: st.SearchStrategy[Change] = st.one_of(
    st.sampled_from(["debug", "info", "loud"]).map(log_level),
    st.tuples(NAMES, st.integers(0, 12)).map(
        lambda it: lambda old: set_key(old, ("device", it[0], "v4"), f"10.9.0.{it[1]}")
    ),
    st.tuples(NAMES, st.sampled_from(["Anna", "", "x" * 65536, "a\0b"])).map(
        lambda it: lambda old: set_device(old, it[0], {"owner": it[1]}, {}, NOW)
    ),
    NAMES.map(lambda name: lambda old: add_device(old, name, {}, {"nt_hash": "00" * 16}, NOW)),
    NAMES.map(lambda name: lambda old: set_device(old, name, {"login": "certificate"}, {}, NOW)),
    NAMES.map(lambda name: lambda old: remove_device(old, name)),
    st.just(lambda old: set_key(old, ("pool", "home", "v4"), "10.8.0.0/24")),
    st.just(lambda old: unset_key(old, ("pool", "home", "v4"))),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(EDITS, min_size=1, max_size=6))
def test_random_edits_apply_whole_or_not_at_all(tmp_path_factory: pytest.TempPathFactory, edits: list[Change]) -> None:
    """After each the file is good, says what the change said, and has its comments."""
    store = stored(tmp_path_factory.mktemp("edits"), CONFIG, SECRETS)
    for edit in edits:
        before = store.read()
        try:
            saved = store.change(edit, NOW)
        except (Refused, ConfigError):
            assert store.read() == before
            continue
        assert saved.config == load(store.path, {})
        assert store.read() == edit(before)
        assert store.read().config.startswith("# ours\n[pki]\n")
        assert "[pool.home]   # all of us\n" in store.read().config


def test_what_is_prepared_is_written_later(store: Store) -> None:
    prepared = store.prepare(log_level("debug"), NOW)
    assert store.read() == Documents(CONFIG, SECRETS)
    assert (prepared.saved.config is not None, store.versions()) == (True, ())
    store.commit(prepared)
    assert store.read() == prepared.new
    assert store.version(1) == Documents(CONFIG, SECRETS)


def test_what_is_prepared_does_not_undo_what_somebody_else_has_done(store: Store) -> None:
    prepared = store.prepare(log_level("debug"), NOW)
    store.change(log_level("error"), NOW)
    with pytest.raises(ConfigError, match="has been changed by somebody else"):
        store.commit(prepared)
    assert 'log_level = "error"' in store.path.read_text()


def test_back_from_what_is_not_even_toml(store: Store) -> None:
    store.change(log_level("debug"), NOW)
    store.path.write_text("[")
    assert store.rollback(1, NOW).config is not None
    assert store.read() == Documents(CONFIG, SECRETS)
    store.path.write_text("[")
    with pytest.raises(ConfigError, match="is not a key here"):
        store.change(lambda old: replace(old, config="pond = 1\n"), NOW, anew=True)
    assert store.change(lambda old: replace(old, config=CONFIG), NOW, anew=True).difference is None
