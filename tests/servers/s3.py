"""S3: moto's server, and a fast one that is its own network, each in a process of its own."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers.control import Controlled, controlled
from tests.servers.places import ObjectServer
from tests.servers.process import HOST, free_port, running

REGION = "us-east-1"


class S3Server(ObjectServer):
    """A server that speaks S3, with the bucket's name in the path."""

    scheme = "s3"
    key = "testing"
    secret = "testing-secret"

    def options(self, endpoint: str) -> dict[str, Any]:
        return {
            "endpoint": endpoint,
            "region": REGION,
            "access_key_id": self.key,
            "secret_access_key": self.secret,
            "virtual_hosted_style_request": False,
        }

    def make_bucket(self, name: str) -> None:
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """moto's server; needs the packages ``moto[s3]``, ``flask`` and ``flask-cors``."""
    port = free_port()
    with running([sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)], port):
        yield S3Server(f"http://{HOST}:{port}")


class FastS3Server(S3Server):
    """The server of `objects`.

    Parameters
    ----------
    network : Controlled
        How it and its network are told what to do.
    """

    def __init__(self, network: Controlled) -> None:
        super().__init__(network.endpoint)
        self.network = network


@contextmanager
def fast_server() -> Iterator[FastS3Server]:
    """The server of `objects`, for S3."""
    with controlled("tests.servers.objects") as network:
        yield FastS3Server(network)
