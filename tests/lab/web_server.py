"""A web server at a node of the network, for files that daemons fetch."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET

from tests.lab.network import Node

PORT = 80


class WebServer:
    """What is to be had at a node's WAN address, by path; what is not in `files` is answered with 404."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def uri(self, path: str) -> str:
        """Where a file is."""
        return f"http://{self.node.wan.v4}{path}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server is there for the length of the block; the same files may be served again later."""
        server = HTTPServer((self.node.wan.v4, PORT), self._handler(), bind_and_activate=False)
        server.socket.close()
        server.socket = self.node.socket(AF_INET, SOCK_STREAM)
        server.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        server.socket.bind((self.node.wan.v4, PORT))
        server.server_activate()
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        files, asked = self.files, self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                octets = files.get(self.path)
                self.send_response(404 if octets is None else 200)
                self.end_headers()
                self.wfile.write(octets or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
                pass

        return Handler
