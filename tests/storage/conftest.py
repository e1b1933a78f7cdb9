"""What tests of stores share: a server that hears, and processes whose calls of the system fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.faults import library
from tests.servers.process import HOST


class Echo(BaseHTTPRequestHandler):
    """Answers that all is well, and keeps what it was told of the client."""

    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(f"{self.headers.get('Authorization')} {self.headers.get('x-amz-security-token')}")
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.end_headers()
        self.wfile.write(b"v")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def echo() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and what it has heard of the client."""
    handler = type("OwnEcho", (Echo,), {"seen": []})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://{HOST}:{server.server_port}", handler.seen  # type: ignore[attr-defined]
        server.shutdown()


@pytest.fixture(scope="session")
def with_calls() -> Callable[..., list[list[str]]]:
    """Runs code with `calls.c` before the C library, as `tests.faults.library.run`."""
    reason = library.reason_not_to()
    if reason is not None:
        pytest.skip(reason)
    return library.run
