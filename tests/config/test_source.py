from pathlib import Path

import pytest

from edgevpn.config.errors import ConfigError, Problem
from edgevpn.config.source import LARGEST_FILE, contents, located, toml, unreadable


def test_text_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes("\ufeffa = 'ä'\r\n".encode())
    path.chmod(0o640)
    text, mode = contents(path)
    assert (text, mode & 0o777) == ("a = 'ä'\r\n", 0o640)


def test_a_missing_file_is_for_the_caller_to_judge(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        contents(tmp_path / "none")
    assert unreadable(Path("none"), error.value).fault == "cannot be read: No such file or directory"


def test_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"#" * LARGEST_FILE)
    assert len(contents(path)[0]) == LARGEST_FILE
    for octets, fault in ((b"#" * (LARGEST_FILE + 1), "is too large"), (b"\n\xff", "is not UTF-8 text")):
        path.write_bytes(octets)
        with pytest.raises(ConfigError, match=fault):
            contents(path)


def test_what_is_no_toml() -> None:
    with pytest.raises(ConfigError) as error:
        toml("a = 1\nb =\n", "a.toml")
    assert str(error.value).startswith("a.toml:2: is not TOML: ")


def test_problems_are_in_the_order_of_the_file() -> None:
    problems = [Problem(path=("b", "y"), fault="two"), Problem(path=("a",), fault="one"), Problem(fault="all")]
    assert [str(each) for each in located(problems, "a = 1\n[b]\nx = 1\n", "a.toml")] == [
        "a.toml: all",
        "a.toml:1: a: one",
        "a.toml:2: b.y: two",
    ]
