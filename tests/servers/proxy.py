"""A proxy that puts a `Network` before an HTTP server: ``python -m tests.servers.proxy HOST PORT``.

It holds each request and each answer as a whole, and opens a new connection to the server for each.
"""

from __future__ import annotations

import asyncio
import sys

from tests.servers.control import serve
from tests.servers.http11 import Answer, Connections, Request, parse_head
from tests.servers.network import Network

# Headers that concern one connection only, or that the proxy writes itself.
OWN = ("connection", "keep-alive", "transfer-encoding")


class Upstream:
    """The server behind the proxy."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    async def answer(self, request: Request) -> Answer:
        """Ask the server."""
        headers = [f"{name}: {value}" for name, value in request.headers.items() if name not in OWN]
        # With 1.0 the answer's end is that of the connection, and it comes in one piece.
        lines = [f"{request.method} {request.target} HTTP/1.0", *headers, "", ""]
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                writer.write("\r\n".join(lines).encode("latin-1") + request.body)
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        except ConnectionError:
            return Answer(502)
        (_, status, *_), answered = parse_head(head)
        return Answer(int(status), body, {k: v for k, v in answered.items() if k not in OWN})


if __name__ == "__main__":
    network = Network()
    serve(network, Connections(network, Upstream(sys.argv[1], int(sys.argv[2])).answer))
