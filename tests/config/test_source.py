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
    assert str(error.value).startswith("a.toml:2: b: is not TOML: ")


NOT_TOML = {
    "twice": (
        '[a]\nx = 1\n["b c"]\nx = 1\nx = 2',
        'a.toml:5: "b c".x: is not TOML: Cannot overwrite a value',
        "keep one of",
    ),
    "a table twice": (
        "[a.b]\n[a.b]\n",
        "a.toml:2: a.b: is not TOML: Cannot declare ('a', 'b') twice",
        "below one head",
    ),
    "no quotes": ("[a]\n x.y = abc\n", "a.toml:2: a.x.y: is not TOML: Invalid value", "put text in quotes"),
    "two on a line": ("x = 1 y = 2\n", "a.toml:1: x: is not TOML: Expected newline", "write one key on a line"),
    "no value": ("[a]\nfoo bar\n", "a.toml:2: a: is not TOML: Expected '='", "write KEY = VALUE"),
    "half a head": ("[a\n", "a.toml:1: is not TOML: Expected ']'", "close the head"),
    "half a string": ('x = "y\n', "a.toml:1: x: is not TOML: Illegal character", "close the text"),
    "half a list": ("[a]\nx = [1,\n", "a.toml:3: is not TOML: ", "that is open there"),
    "a backslash": ('x = "C:\\d"', "a.toml:1: x: is not TOML: Unescaped", "single quotes"),
    "half a key": ("'' . = 1", "a.toml:1: is not TOML: Invalid initial character", "needs quotes"),
}


@pytest.mark.parametrize(("text", "begin", "cure"), NOT_TOML.values(), ids=NOT_TOML)
def test_what_is_no_toml_has_a_place_and_a_cure(text: str, begin: str, cure: str) -> None:
    with pytest.raises(ConfigError) as error:
        toml(text, "a.toml")
    (problem,) = error.value.problems
    assert str(problem).startswith(begin)
    assert cure in problem.cure


def test_a_file_that_cannot_be_read_has_a_cure(tmp_path: Path) -> None:
    assert "name a file" in str(unreadable(tmp_path, IsADirectoryError(21, "Is a directory")))
    assert "ask its owner" in str(unreadable(tmp_path, PermissionError(13, "Permission denied")))
    assert "write it, or name another" in str(unreadable(tmp_path, FileNotFoundError(2, "No such file or directory")))
    assert unreadable(tmp_path, OSError(5, "Input/output error")).cure == ""


def test_problems_are_in_the_order_of_the_file() -> None:
    problems = [Problem(path=("b", "y"), fault="two"), Problem(path=("a",), fault="one"), Problem(fault="all")]
    assert [str(each) for each in located(problems, "a = 1\n[b]\nx = 1\n", "a.toml")] == [
        "a.toml: all",
        "a.toml:1: a: one",
        "a.toml:2: b.y: two",
    ]
