"""Google's storage: the server of `objects` for its XML API, and gcp-storage-emulator for its JSON API."""

from __future__ import annotations

import itertools
import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers.control import Controlled, controlled
from tests.servers.places import ObjectServer
from tests.servers.process import HOST, free_port, running

_numbers = itertools.count(1)


class GCSServer(ObjectServer):
    """A server of Google's XML API, which obstore speaks.

    Parameters
    ----------
    network : Controlled
        How it and its network are told what to do.
    """

    scheme = "gs"

    def __init__(self, network: Controlled) -> None:
        super().__init__(network.endpoint)
        self.network = network

    def options(self, endpoint: str) -> dict[str, Any]:
        account = {"gcs_base_url": endpoint, "disable_oauth": True}
        nobody = {"client_email": "", "private_key": "", "private_key_id": ""}
        return {"service_account_key": json.dumps({**account, **nobody})}

    def make_bucket(self, name: str) -> None:
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=10).close()


class GCSEmulator:
    """A server of Google's JSON API, which gcsfs speaks.

    Parameters
    ----------
    endpoint : str
        Its address.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        # For `fsspec.filesystem("gs", **options)`.
        self.options = {"endpoint_url": endpoint, "token": "anon", "project": "testing"}

    def new(self, prefix: str = "") -> str:
        """The URL of a new bucket, or of a path in it."""
        name = f"bucket-{next(_numbers)}"
        request = urllib.request.Request(
            f"{self.endpoint}/storage/v1/b?project=testing",
            method="POST",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
        return f"gs://{name}/{prefix}".rstrip("/")


@contextmanager
def xml_server() -> Iterator[GCSServer]:
    """The server of `objects`, for Google's XML API."""
    with controlled("tests.servers.objects") as network:
        yield GCSServer(network)


@contextmanager
def gcs_emulator() -> Iterator[GCSEmulator]:
    """gcp-storage-emulator, with everything in memory; needs the package of that name."""
    port = free_port()
    code = "from gcp_storage_emulator.__main__ import main; main()"
    command = [sys.executable, "-c", code, "start", "--host", HOST, "--port", str(port), "--in-memory", "-q"]
    with running(command, port):
        yield GCSEmulator(f"http://{HOST}:{port}")
