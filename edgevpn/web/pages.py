"""The pages of `webui/`, read once and kept compressed: no path of a request ever names a file."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from edgevpn.frozen import dataclass

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served. Other files in the folder are not."""


@dataclass(frozen=True, slots=True)
class Page:
    """One file. `tag` changes with its content."""

    media_type: str
    tag: str
    packed: bytes


def home() -> Path | None:
    """The folder of the pages: beside the package, or where pip lays it."""
    beside = Path(__file__).parent.parent.parent / "webui"
    shared = Path(sys.prefix) / "share/edgevpn/webui"
    return next((place for place in (beside, shared) if (place / "index.html").is_file()), None)


def read(folder: Path) -> dict[str, Page]:
    """All pages by their paths; "/" is index.html."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in MEDIA_TYPES)
    pages = {f"/{path.relative_to(folder).as_posix()}": _page(path) for path in found}
    if index := pages.pop("/index.html", None):
        pages["/"] = index
    return pages


def routes(pages: Mapping[str, Page]) -> list[web.RouteDef]:
    """The paths, as aiohttp takes them."""
    return [web.get(path, _served(page)) for path, page in pages.items()]


def _page(path: Path) -> Page:
    content = path.read_bytes()
    tag = f'"{sha256(content).hexdigest()[:16]}"'
    return Page(MEDIA_TYPES[path.suffix], tag, gzip.compress(content, 9, mtime=0))


def _served(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        headers = {"ETag": page.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match") == page.tag:
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        headers["Content-Type"] = page.media_type
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return web.Response(body=page.packed, headers=headers)
        return web.Response(body=gzip.decompress(page.packed), headers=headers)

    return handle
