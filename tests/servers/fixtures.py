"""Fixtures: each starts its server when a test first asks for it, once a session, or skips the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import azure, s3


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.S3Server]:
    """moto's S3."""
    pytest.importorskip("moto", reason="moto[server] is not installed")
    with s3.moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def azure_server() -> Iterator[azure.AzureServer]:
    """Azurite."""
    program = azure.azurite_program()
    if program is None:
        pytest.skip("azurite-blob is not installed; see `make servers`")
    with azure.azurite(program) as server:
        yield server
