"""Azure's blobs: Azurite, a program for Node."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import ROOT
from tests.servers.places import ObjectServer
from tests.servers.process import HOST, free_port, running

# Every emulator of Azure has this account; Microsoft documents its key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
INSTALLED = ROOT / "build" / "node" / "node_modules" / ".bin" / "azurite-blob"


class AzureServer(ObjectServer):
    """A server that speaks Azure's blob service; buckets are its containers."""

    scheme = "az"

    def options(self, endpoint: str) -> dict[str, Any]:
        return {"endpoint": f"{endpoint}/{ACCOUNT}", "account_name": ACCOUNT, "account_key": KEY}

    def make_bucket(self, name: str) -> None:
        date = email.utils.formatdate(usegmt=True)
        headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06"
        # The method, eleven headers that are not sent, the x-ms- headers, and the resource.
        text = "PUT" + "\n" * 12 + f"{headers}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        digest = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
        request = urllib.request.Request(
            f"{self.endpoint}/{ACCOUNT}/{name}?restype=container",
            method="PUT",
            headers={
                **dict(line.split(":", 1) for line in headers.split("\n")),
                "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
            },
        )
        urllib.request.urlopen(request, timeout=10).close()


def azurite_program() -> str | None:
    """Azurite's blob server: ``$ZCHUNK_AZURITE``, the one that ``make servers`` installs, or on the path."""
    for name in (os.environ.get("ZCHUNK_AZURITE"), str(INSTALLED), "azurite-blob"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


@contextmanager
def azurite(program: str) -> Iterator[AzureServer]:
    """Azurite, with everything in memory."""
    port = free_port()
    command = [
        program, "--blobHost", HOST, "--blobPort", str(port), "--inMemoryPersistence",
        "--skipApiVersionCheck", "--disableTelemetry", "--silent",
    ]  # fmt: skip
    with running(command, port):
        yield AzureServer(f"http://{HOST}:{port}")
