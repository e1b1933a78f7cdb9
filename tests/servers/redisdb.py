"""Redis, with nothing on disk."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import HOST, free_port, running

_numbers = itertools.count(1)


class RedisServer:
    """A Redis server.

    Parameters
    ----------
    port : int
        Its port.
    """

    host = HOST

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"redis://{HOST}:{port}/0"

    def prefix(self) -> str:
        """Return a prefix of keys that no other test uses."""
        return f"test-{next(_numbers)}"


@contextmanager
def redis_server(program: str) -> Iterator[RedisServer]:
    """Run ``redis-server``."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        with running(command, port, cwd=Path(folder)):
            yield RedisServer(port)
