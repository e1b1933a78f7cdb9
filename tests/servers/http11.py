"""The part of HTTP/1.1 that clients of object stores use, through a `Network`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from tests.servers.network import PIECE, Network

REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified", 404: "Not Found"}
BODILESS = (204, 304)


class Request(NamedTuple):
    """A request; the names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """An answer. To HEAD it holds the body that GET would get, or states its length in the headers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012


def parse_head(head: bytes) -> tuple[list[str], dict[str, str]]:
    """The three words of the first line, and the headers."""
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = (line.split(":", 1) for line in lines)
    return first.split(" ", 2), {name.lower(): value.strip() for name, value in headers}


class Connections:
    """Handle a connection: read requests, call `answer`, and send the result.

    Parameters
    ----------
    network : Network
        The network between client and server.
    answer : callable
        A coroutine function, from a `Request` to an `Answer`.
    """

    def __init__(self, network: Network, answer: Callable[[Request], Awaitable[Answer]]) -> None:
        self.network = network
        self.answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve a request; whether another can follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        (method, target, version), headers = parse_head(head)
        path, mark, query = target.partition("?")
        seen = unquote(path) + mark + query
        net = self.network
        net.methods[method] += 1
        net.log.append((method, seen, headers.get("range")))
        net.running += 1
        net.most = max(net.most, net.running)
        try:
            body = await self._body(reader, int(headers.get("content-length", 0)))
            request = Request(method, target, headers, body)
            rule = net.failures.pick(method, seen)
            return await self._respond(request, rule, writer) and version == "HTTP/1.1"
        finally:
            net.running -= 1

    async def _body(self, reader: asyncio.StreamReader, size: int) -> bytes:
        self.network.received += size
        if self.network.up.rate is None:
            return await reader.readexactly(size)
        body = bytearray()
        while len(body) < size:
            piece = await reader.readexactly(min(PIECE, size - len(body)))
            await self.network.up.carry(len(piece))
            body += piece
        return bytes(body)

    async def _respond(
        self, request: Request, rule: dict[str, Any] | None, writer: asyncio.StreamWriter
    ) -> bool:
        net, rule = self.network, rule or {}
        begun = time.monotonic()
        net.failed += bool(rule)
        if rule.get("status"):
            answer = Answer(rule["status"])
        elif "transfer-encoding" in request.headers:
            answer = Answer(411)
        else:
            answer = await self.answer(request)
        wait = begun + net.latency + (rule.get("stall") or 0) - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        if rule.get("drop"):
            return False
        size = len(answer.body)
        headers = answer.headers
        if answer.status not in BODILESS:
            headers = {"content-length": str(size), **headers}
        lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Said So')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        cut = rule.get("cut")
        if request.method != "HEAD":
            await self._send(memoryview(answer.body)[:cut], writer)
        return cut is None and "close" not in request.headers.get("connection", "")

    async def _send(self, body: memoryview, writer: asyncio.StreamWriter) -> None:
        down = self.network.down
        step = PIECE if down.rate is not None else 16 * PIECE
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            await down.carry(len(piece))
            writer.write(piece)
            await writer.drain()
            self.network.sent += len(piece)
