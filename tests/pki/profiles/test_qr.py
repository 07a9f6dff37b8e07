import re
from xml.etree import ElementTree

import pytest
import zxingcpp

from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.profiles.profile import Media
from edgevpn.pki.profiles.qr import LONGEST, QUIET, svg, terminal

LINKS = ["https://vpn.example.org:8443/i/k3vxq99abcmnp45xyz23kqw8", "http://192.168.1.1/i/a", "https://a/" + "x" * 290]
HALVES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def decoded(rows: list[list[int]]) -> list[str]:
    """What another program reads in a code: dark modules are 1."""
    scale = 4
    pixels = bytearray()
    for row in rows:
        wide = b"".join(bytes([0 if dark else 255]) * scale for dark in row)
        pixels += wide * scale
    image = memoryview(bytes(pixels)).cast("B", (len(rows) * scale, len(rows[0]) * scale))
    return [found.text for found in zxingcpp.read_barcodes(image)]


def modules(picture: bytes) -> list[list[int]]:
    """The modules that an SVG of ours draws, stroke by stroke: "M" absolute, "m" relative, "h" as long as it says."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own
    stroke = next(each for each in root.iter() if "stroke" in each.attrib)
    size = max(int(found) for found in re.findall(r"h(\d+)v", picture.decode()))
    rows = [[0] * size for _ in range(size)]
    x, y = 0.0, 0.0
    for command, arguments in re.findall(r"([Mmh])([-\d. ]+)", stroke.attrib["d"]):
        numbers = [float(number) for number in arguments.split()]
        if command == "h":
            for at in range(int(x), int(x + numbers[0])):
                rows[int(y)][at] = 1
            x += numbers[0]
        else:
            x, y = (numbers[0], numbers[1]) if command == "M" else (x + numbers[0], y + numbers[1])
    return rows


@pytest.mark.parametrize("link", LINKS)
def test_picture_says_the_link(link: str) -> None:
    artifact = svg(link)
    assert artifact.media is Media.SVG
    assert artifact.secret
    assert decoded(modules(artifact.octets)) == [link]


def test_picture_loads_and_runs_nothing() -> None:
    tags = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(svg(LINKS[0]).octets).iter()}  # noqa: S314
    assert tags == {"svg", "g", "path"}


@pytest.mark.parametrize("link", LINKS)
def test_terminal_says_it_too(link: str) -> None:
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in terminal(link).splitlines()]
    rows: list[list[int]] = []
    for line in lines:
        upper, lower = zip(*(HALVES[character] for character in line), strict=True)
        rows += [list(upper), list(lower)]
    light_on_dark = [[1 - bit for bit in row] for row in rows]
    assert [link] in (decoded(rows), decoded(light_on_dark))
    assert len(lines[0]) > 2 * QUIET


@pytest.mark.parametrize(
    "link",
    ["", "vpn.example.org", "javascript:alert(1)", "file:///etc/passwd", "https://", "https://büro/", "https://a/\n"],
)
def test_only_links(link: str) -> None:
    with pytest.raises(PkiError) as refusal:
        svg(link)
    assert refusal.value.reason is Reason.NOT_ALLOWED


def test_not_too_long() -> None:
    with pytest.raises(PkiError):
        svg("https://a/" + "x" * LONGEST)
