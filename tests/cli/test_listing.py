import pytest

from edgevpn.cli.listing import cell


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ([], "-"), (["a", "b"], "a, b"), (True, "yes"), (False, "no"), (0, "0"), ("x", "x")],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text
