"""The object store of the remote cases: the network before it, and how workers reach it.

It is the fast server of `tests.servers`, which simulates the network itself. The harness starts it for the
workers of these cases, and passes its address in environment variables.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VARIABLE = "ZCHUNK_BENCHMARK_OBJECTS"
# Requests that every library may have under way at a time
CONCURRENCY = 64
SCHEME = "s3://"


@dataclass(frozen=True)
class Network:
    """Seconds from a request to its answer, and bytes per second of all connections in each direction."""

    latency: float
    bandwidth: float | None = None

    @property
    def title(self) -> str:
        """A description for the table."""
        bandwidth = f", {self.bandwidth / 1e6:g} MB/s" if self.bandwidth else ""
        return f"object store at {1000 * self.latency:g} ms{bandwidth}"


def environment(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables for a worker, from the options with which obstore reaches the server."""
    keys = {"AWS_ACCESS_KEY_ID": "access_key_id", "AWS_SECRET_ACCESS_KEY": "secret_access_key"}
    return {VARIABLE: json.dumps(options), **{name: options[key] for name, key in keys.items()}}


def given() -> bool:
    """Return whether this is a worker of remote cases."""
    return VARIABLE in os.environ


def options() -> dict[str, Any]:
    """Return the options with which obstore reaches the server."""
    found: dict[str, Any] = json.loads(os.environ[VARIABLE])
    return found


def url(name: str) -> str:
    """Return the URL of an array or a group: a bucket of its own, whose name has no underscores."""
    return f"{SCHEME}{name.replace('_', '-')}/data"


def split(url: str) -> tuple[str, str]:
    """Return bucket and path of a URL."""
    bucket, _, path = url.removeprefix(SCHEME).partition("/")
    return bucket, path


def clear(url: str) -> None:
    """Create the bucket of a URL; this server empties a bucket that is created again."""
    request = urllib.request.Request(f"{options()['endpoint']}/{split(url)[0]}", method="PUT")
    urllib.request.urlopen(request, timeout=60).close()
