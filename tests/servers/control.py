"""A server of this package in a process of its own, and the pipe through which tests control it.

The process reads commands as lines of JSON and answers each with one line; it ends when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests import ROOT
from tests.servers.network import Network
from tests.servers.process import HOST, stop

COMMANDS = ("set", "fail", "clear", "reset", "counts", "requests")


class Controlled:
    """A running server that simulates its own network, as tests see it.

    Parameters
    ----------
    process : subprocess.Popen
        Its process, which has not said anything yet.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()
        self.endpoint = f"http://{HOST}:{self._read()}"

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended")
        return json.loads(line)

    def _ask(self, command: str, **arguments: Any) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps([command, arguments]).encode() + b"\n")
            self._process.stdin.flush()
            return self._read()

    def set(self, *, latency: float = 0.0, bandwidth: float | None = None) -> None:
        """Set how fast the network is.

        Parameters
        ----------
        latency : float, default 0
            Seconds between a request's last byte and the first of its answer.
        bandwidth : float, optional
            Bytes per second, of all connections together, in each direction; no limit by default.
        """
        self._ask("set", latency=latency, bandwidth=bandwidth)

    def fail(
        self,
        *,
        status: int | None = None,
        cut: int | None = None,
        drop: bool = False,
        stall: float | None = None,
        times: int | None = 1,
        every: int = 1,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Add a rule for requests that fail, in one of four ways.

        Parameters
        ----------
        status : int, optional
            The request is answered with this HTTP status, and not done.
        cut : int, optional
            It is done; its answer ends after so many bytes of the body, although it promised all.
        drop : bool, default False
            It is done, but the connection closes without an answer.
        stall : float, optional
            It is done; the answer comes so many seconds late.
        times : int, optional
            How many requests fail; None for all.
        every : int, default 1
            Only every n-th of the requests that match the rule fails.
        method, path : str, optional
            The rule is about requests of this method, and of paths that contain this.
        """
        if (status is not None) + (cut is not None) + drop + (stall is not None) != 1:
            raise ValueError("give one of status, cut, drop and stall")
        self._ask(
            "fail", status=status, cut=cut, drop=drop, stall=stall, times=times, every=every,
            method=method, path=path,
        )  # fmt: skip

    def clear(self) -> None:
        """Begin to count anew."""
        self._ask("clear")

    def reset(self) -> None:
        """Make the network perfect, remove all rules, and reset the counts."""
        self._ask("reset")

    def counts(self) -> dict[str, Any]:
        """Return the counts since `clear`.

        Returns
        -------
        dict
            ``requests``, ``methods`` (requests by method), ``most`` (at the same time), ``failed`` (by a
            rule), ``received`` and ``sent`` (bytes of bodies).
        """
        counts: dict[str, Any] = self._ask("counts")
        return counts

    def requests(self) -> list[tuple[str, str, str | None]]:
        """Method, path with query, and ``Range`` of the requests since `clear`, of 10,000 at most."""
        return [(method, path, span) for method, path, span in self._ask("requests")]


@contextmanager
def controlled(module: str, *arguments: str) -> Iterator[Controlled]:
    """Run a module that calls `serve`."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        try:
            yield Controlled(process)
        finally:
            stop(process)


def serve(
    network: Network, client: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> None:
    """Serve on a free port, print the port, and execute commands until the input ends."""
    asyncio.run(_serve(network, client))


async def _serve(network: Network, client: Any) -> None:
    server = await asyncio.start_server(client, HOST, 0, limit=1 << 20, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        command, arguments = json.loads(line)
        assert command in COMMANDS
        print(json.dumps(getattr(network, command)(**arguments)), flush=True)
