"""The codecs of a checkpoint."""

from __future__ import annotations

from typing import Any

import pytest

import zchunk
from zchunk.wings.checkpoint.codecs import CRC32C, with_checksum

BLOSC = zchunk.Blosc(cname="lz4")


@pytest.mark.parametrize(
    ("given", "codecs"),
    [
        ("crc32c", [CRC32C]),
        (None, None),
        (BLOSC, [BLOSC, CRC32C]),
        ([BLOSC], [BLOSC, CRC32C]),
        ((), [CRC32C]),
        ("zstd:3", [zchunk.Zstd(3), CRC32C]),
    ],
)
def test_checksums_come_last(given: Any, codecs: Any) -> None:
    assert with_checksum(given) == codecs


def test_a_name_that_is_none() -> None:
    with pytest.raises(ValueError, match="did you mean 'lz4'"):
        with_checksum("lz-4")


@pytest.mark.parametrize("given", [{"name": "zstd", "configuration": {"level": 1, "checksum": False}}, BLOSC])
def test_arrays_with_them_are_native(given: Any) -> None:
    z = zchunk.zeros(100, chunks=10, zarr_format=3, compressors=with_checksum(given))
    z[:] = range(100)
    assert z.metadata.chain.native_spec is not None
    assert z[:].tolist() == list(range(100))
