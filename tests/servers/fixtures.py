"""Fixtures: each starts its server on first use, once per session, or skips the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.servers import azure, folders, google, redisdb, s3
from tests.servers.control import Controlled, controlled
from tests.servers.process import program


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.S3Server]:
    """moto's S3."""
    pytest.importorskip("moto.server", reason="moto is not installed")
    with s3.moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def _fast_s3_server() -> Iterator[s3.FastS3Server]:
    with s3.fast_server() as server:
        yield server


@pytest.fixture
def fast_s3_server(_fast_s3_server: s3.FastS3Server) -> s3.FastS3Server:
    """A fast server of S3 with `network`, which is perfect when the test begins."""
    _fast_s3_server.network.reset()
    return _fast_s3_server


@pytest.fixture(scope="session")
def azure_server() -> Iterator[azure.AzureServer]:
    """Azurite."""
    program = azure.azurite_program()
    if program is None:
        pytest.skip("azurite-blob is not installed; see `make servers`")
    with azure.azurite(program) as server:
        yield server


@pytest.fixture(scope="session")
def _gcs_server() -> Iterator[google.GCSServer]:
    with google.xml_server() as server:
        yield server


@pytest.fixture
def gcs_server(_gcs_server: google.GCSServer) -> google.GCSServer:
    """A server of Google's XML API with `network`, which is perfect when the test begins."""
    _gcs_server.network.reset()
    return _gcs_server


@pytest.fixture(scope="session")
def gcs_emulator() -> Iterator[google.GCSEmulator]:
    """gcp-storage-emulator, for gcsfs."""
    pytest.importorskip("gcp_storage_emulator", reason="gcp-storage-emulator is not installed")
    # gcsfs reads it on import; else it asks over gRPC for the kind of a bucket, for a minute each time.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    pytest.importorskip("gcsfs", reason="gcsfs is not installed")
    with google.gcs_emulator() as server:
        yield server


def _program(name: str) -> str:
    found = program(name)
    if found is None:
        pytest.skip(f"{name} is not installed; see `make servers`")
    return found


@pytest.fixture(scope="session")
def redis_server() -> Iterator[redisdb.RedisServer]:
    """Redis."""
    with redisdb.redis_server(_program("redis-server")) as server:
        yield server


@pytest.fixture
def http_folder() -> Iterator[Callable[[Path], str]]:
    """A function that serves a folder with Python's server, without ranges, and returns the address."""
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(folders.python_http(folder))


@pytest.fixture
def nginx_folder() -> Iterator[Callable[[Path], str]]:
    """A function that serves a folder with nginx, with ranges, and returns the address."""
    program = _program("nginx")
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(folders.nginx(program, folder))


@pytest.fixture(scope="session")
def _proxies() -> Iterator[Callable[[str], Controlled]]:
    found: dict[str, Controlled] = {}
    with ExitStack() as stack:

        def proxy(endpoint: str) -> Controlled:
            if endpoint not in found:
                address = urlsplit(endpoint)
                arguments = (str(address.hostname), str(address.port))
                found[endpoint] = stack.enter_context(controlled("tests.servers.proxy", *arguments))
            return found[endpoint]

        yield proxy


@pytest.fixture
def proxy(_proxies: Callable[[str], Controlled]) -> Callable[[str], Controlled]:
    """A function from the address of an HTTP server to a proxy before it, whose network is perfect."""

    def fresh(endpoint: str) -> Controlled:
        found = _proxies(endpoint)
        found.reset()
        return found

    return fresh
