"""Reading PowerShell: by the grammar of tree-sitter-powershell, since PowerShell itself is not to be had everywhere."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

LANGUAGE = Language(tree_sitter_powershell.language())


def parse(script: str) -> Node:
    """The syntax tree of a script, or AssertionError with the lines that are none."""
    root = Parser(LANGUAGE).parse(script.encode()).root_node
    faults = [node for node in walk(root) if node.is_error or node.is_missing]
    lines = script.splitlines()
    assert not faults, "\n".join(f"{node.start_point.row + 1}: {lines[node.start_point.row]}" for node in faults)
    return root


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def commands(root: Node) -> dict[str, set[str]]:
    """The commands of a script, each with the parameters that it is given anywhere."""
    found: dict[str, set[str]] = {}
    for node in walk(root):
        if node.type == "command":
            parts = list(walk(node))
            name = next(text(part) for part in parts if part.type == "command_name")
            parameters = {text(part).lstrip("-") for part in parts if part.type == "command_parameter"}
            found.setdefault(name, set()).update(parameters)
    return found


def strings(root: Node) -> list[str]:
    """The values of the single-quoted strings."""
    quotes = "'\u2018\u2019\u201a\u201b"
    values = []
    for node in walk(root):
        if node.type == "verbatim_string_characters":
            value = text(node)[1:-1]
            for quote in quotes:
                value = value.replace(quote * 2, quote)
            values.append(value)
    return values
