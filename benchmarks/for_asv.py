"""zchunk for suites of others: benchmarks as airspeed velocity (asv) finds them, and for pytest-benchmark.

A suite for asv imports this module from its benchmark folder: ``from benchmarks.for_asv import *``. Methods
that begin with ``time_`` are timed, and peaks of memory are those of ``peakmem_``. With pytest-benchmark, a
test calls ``benchmark(getattr(case, name))`` for each of `timed`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import zchunk
from benchmarks.datasets import make_field

__all__ = ["Bulk", "Small"]

CODECS: dict[str, Any] = {"raw": None, "lz4": zchunk.Blosc("lz4", 5, 1), "zstd": zchunk.Zstd(3)}


class Bulk:
    """All of an array of floats, a box, and a series, in chunks and in shards."""

    params: ClassVar = [list(CODECS), ["chunks", "shards"]]
    param_names: ClassVar = ["codec", "layout"]
    shape: ClassVar = (128, 128, 256)

    def setup(self, codec: str, layout: str) -> None:
        """Store the array in a temporary folder."""
        self.folder = tempfile.TemporaryDirectory(prefix="zchunk-asv-")
        self.values = make_field(self.shape)
        shards = {"shards": (64, 64, 128)} if layout == "shards" else {}
        self.options = {"chunks": (32, 32, 64), "compressor": CODECS[codec], "zarr_format": 3, **shards}
        path = Path(self.folder.name, "read")
        self.z = zchunk.open_array(path, mode="w", shape=self.shape, dtype="f4", **self.options)
        self.z[...] = self.values

    def teardown(self, codec: str, layout: str) -> None:
        """Remove the folder."""
        self.folder.cleanup()

    def time_read(self, codec: str, layout: str) -> None:
        """Read all."""
        self.z[...]

    def time_box(self, codec: str, layout: str) -> None:
        """Read a box that meets 8 chunks in part."""
        self.z[20:50, 20:50, 40:90]

    def time_series(self, codec: str, layout: str) -> None:
        """Read along the first axis."""
        self.z[:, 7, 9]

    def time_write(self, codec: str, layout: str) -> None:
        """Create and write."""
        path = Path(self.folder.name, "written")
        zchunk.open_array(path, mode="w", shape=self.shape, dtype="f4", **self.options)[...] = self.values

    def peakmem_read(self, codec: str, layout: str) -> None:
        """Read all."""
        self.z[...]


class Small:
    """What is little but frequent: opening, one element, creating."""

    def setup(self) -> None:
        """Store an array of 20 chunks."""
        self.folder = tempfile.TemporaryDirectory(prefix="zchunk-asv-")
        self.path = Path(self.folder.name, "read")
        self.values = np.random.default_rng(1).random((40, 50))
        self.z = zchunk.open_array(self.path, mode="w", shape=(40, 50), chunks=(10, 10), dtype="f8")
        self.z[...] = self.values

    def teardown(self) -> None:
        """Remove the folder."""
        self.folder.cleanup()

    def time_open(self) -> None:
        """Open an array."""
        zchunk.open_array(self.path, mode="r")

    def time_element(self) -> None:
        """Read an element."""
        self.z[3, 4]

    def time_create_and_write(self) -> None:
        """Create an array, and write its chunks."""
        path = Path(self.folder.name, "written")
        zchunk.open_array(path, mode="w", shape=(40, 50), chunks=(10, 10), dtype="f8")[...] = self.values


def timed(case: object) -> Iterator[str]:
    """Yield the names of the methods that are timed."""
    return (name for name in dir(case) if name.startswith("time_"))
