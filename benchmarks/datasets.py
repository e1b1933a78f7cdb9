"""The data of the benchmark: the values of the arrays, their sizes, and how they are stored."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Container = Literal["folder", "memory", "zip", "objects"]
ZarrFormat = Literal[2, 3]

# "full" is for figures to publish, "quick" for five minutes, "tiny" for the tests of the benchmark itself.
SIZES = ("full", "quick", "tiny")


@dataclass(frozen=True)
class Codec:
    """A compression that every library is asked for."""

    title: str
    kind: Literal["blosc", "zstd", "none"]
    cname: str = ""
    level: int = 0
    # Blosc's byte shuffle
    shuffle: int = 1


CODECS = {
    "lz4": Codec("Blosc LZ4", "blosc", "lz4", 5),
    "zstd": Codec("Blosc Zstd", "blosc", "zstd", 5),
    # what zarr_benchmarks uses; level 0 is Zstd's default, which is 3
    "plain-zstd": Codec("Zstd", "zstd", level=0),
    "raw": Codec("uncompressed", "none"),
}


# What Zarr 3 calls Blosc's shuffles, by their numbers
SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")


@dataclass(frozen=True)
class Layout:
    """An array as it is stored.

    If there are ``shards``, each of them is a file, and the chunks are those inside them.
    """

    shape: Shape
    chunks: Shape
    dtype: str
    codec: Codec = CODECS["lz4"]
    container: Container = "folder"
    zarr_format: ZarrFormat = 2
    shards: Shape | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array, decoded."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def chunk_nbytes(self) -> int:
        """Bytes of one chunk, decoded."""
        return math.prod(self.chunks) * np.dtype(self.dtype).itemsize

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return _boxes(self.shape, self.chunks)

    @property
    def shard_count(self) -> int:
        """Number of shards, or of chunks if there are no shards."""
        return _boxes(self.shape, self.shards or self.chunks)


def _boxes(shape: Shape, box: Shape) -> int:
    """Return how many boxes of a grid it takes to cover a shape."""
    return math.prod(-(-n // b) for n, b in zip(shape, box, strict=True))


def make_field(shape: Shape) -> NDArray[Any]:
    """Return a temperature-like field: large smooth waves, and noise below them that no codec removes."""
    rng = np.random.default_rng(20261122)
    out = np.full(shape, 280.0, dtype=np.float32)
    for axis, n in enumerate(shape):
        x = np.linspace(0.0, 2.0 * np.pi, n, dtype=np.float32)
        wave = (12.0 / (axis + 1)) * np.sin((axis + 1) * x + axis)
        out += wave.reshape([-1 if i == axis else 1 for i in range(out.ndim)])
    for plane in out:
        plane += np.float32(0.05) * rng.standard_normal(plane.shape, dtype=np.float32)
    return out


def make_random(shape: Shape) -> NDArray[Any]:
    """Return random bits, which no codec compresses."""
    return np.random.default_rng(8).integers(-(2**31), 2**31, shape, dtype="<i4")


def make_uniform(shape: Shape) -> NDArray[Any]:
    """Return random doubles between 0 and 1."""
    return np.random.default_rng(9).random(shape)


def make_categories(shape: Shape) -> NDArray[Any]:
    """Return small positive integers."""
    return np.random.default_rng(7).integers(0, 1000, shape).astype("<i4")


def make_counts(shape: Shape) -> NDArray[Any]:
    """Return 16-bit intensities as a camera or a microscope counts them: smooth, with shot noise."""
    return (100.0 * (make_field(shape) - 250.0)).astype("<u2")


def make_real(shape: Shape) -> NDArray[Any]:
    """Return 240 fields of air temperature over North America, mirrored at the edges to fill the shape."""
    if not (find_spec("iris_sample_data") and find_spec("h5py")):
        raise ImportError("the real data set needs iris-sample-data and h5py beside the benchmark")
    import h5py
    import iris_sample_data

    file = Path(iris_sample_data.__file__).parent / "sample_data" / "A1B_north_america.nc"
    with h5py.File(file) as source:
        out = source["air_temperature"][...]
    for axis, wanted in enumerate(shape):
        # 0 1 2 … n-1 n-1 … 2 1 0 0 1 2 …: there is no jump where one copy meets the next.
        turn = np.arange(wanted) % (2 * out.shape[axis])
        out = out.take(np.minimum(turn, 2 * out.shape[axis] - 1 - turn), axis)
    return np.ascontiguousarray(out, dtype="<f4")


def make_bytes(shape: Shape) -> NDArray[Any]:
    """Return random bytes."""
    return np.random.default_rng(11).integers(0, 256, shape, dtype="|u1")


def make_nothing(shape: Shape) -> NDArray[Any]:
    """Return zeros, the values of an array that was never written."""
    return np.zeros(shape, "|i1")


@dataclass(frozen=True)
class Source:
    """Values, and their shape in every size."""

    make: Callable[[Shape], NDArray[Any]]
    dtype: str
    full: Shape
    quick: Shape
    tiny: Shape


SOURCES = {
    "field": Source(make_field, "<f4", (512, 512, 256), (256, 256, 128), (40, 40, 20)),
    "random": Source(make_random, "<i4", (512, 512, 256), (256, 256, 128), (40, 40, 20)),
    "real": Source(make_real, "<f4", (512, 512, 256), (256, 256, 128), (40, 40, 20)),
    "series": Source(make_uniform, "<f8", (200, 200, 200), (200, 64, 64), (20, 10, 10)),
    "categories": Source(make_categories, "<i4", (1000, 1000), (500, 500), (40, 40)),
    "small": Source(make_uniform, "<f8", (40, 50), (40, 50), (40, 50)),
    "steps": Source(make_field, "<f4", (100, 256, 256), (50, 128, 128), (5, 16, 16)),
    "bytes": Source(make_bytes, "|u1", (1000, 100_000), (250, 100_000), (5, 1000)),
    "nothing": Source(make_nothing, "|i1", (1_000_000,), (1_000_000,), (1_000_000,)),
    # A chunk, which is a file, of every byte
    "many": Source(make_bytes, "|u1", (100_000,), (20_000,), (200,)),
    "million": Source(make_bytes, "|u1", (1_000_000,), (100_000,), (200,)),
    "counts": Source(make_counts, "<u2", (512, 512, 512), (128, 128, 128), (16, 16, 16)),
    # More than a disk and a processor have in their own memory
    "field-512": Source(make_field, "<f4", (512, 512, 512), (256, 256, 128), (40, 40, 20)),
}


@dataclass(frozen=True)
class Stored:
    """Values in a chunk shape, a codec and a container; cases that share it run together.

    An array that is not ``written`` is created and left empty. ``shards`` has a shape for every size.
    """

    source: str
    full: Shape
    quick: Shape
    tiny: Shape
    codec: str = "lz4"
    container: Container = "folder"
    written: bool = True
    zarr_format: ZarrFormat = 2
    shards: Mapping[str, Shape] | None = None

    def layout(self, size: str) -> Layout:
        """Return the array's layout in one of the sizes."""
        source = SOURCES[self.source]
        shape, chunks = getattr(source, size), getattr(self, size)
        shards = self.shards[size] if self.shards else None
        codec = CODECS[self.codec]
        return Layout(shape, chunks, source.dtype, codec, self.container, self.zarr_format, shards)


# Chunks of 1 MiB, and of 32 MiB (8 MiB in the quick size)
_1_MIB = ((64, 64, 64), (64, 64, 64), (16, 16, 10))
_32_MIB = ((256, 256, 128), (128, 128, 128), (20, 20, 20))
_BULK = (("field", ("lz4", "zstd", "raw")), ("random", ("lz4", "zstd")), ("real", ("lz4", "zstd")))
# 64 inner chunks in each of 8 shards; all tiny chunks in one
_INNER = ((64, 64, 64), (16, 16, 16), (2, 2, 2))
_SHARDS = {"full": (256, 256, 256), "quick": (64, 64, 64), "tiny": (8, 8, 8)}
_ONE_SHARD = {"full": (1000, 1000), "quick": (500, 500), "tiny": (40, 40)}
_SYNCED_SHARDS = {"full": (256, 256, 128), "quick": (128, 128, 64), "tiny": (20, 20, 10)}
_WAITING_SHARDS = {"full": (256, 256, 256), "quick": (128, 128, 128), "tiny": (20, 20, 20)}
# Shards and inner chunks of the array in an object store
_FAR_SHARDS = {"full": (4, 256, 256), "quick": (2, 128, 128), "tiny": (1, 16, 16)}
_FAR_INNER = ((1, 64, 64), (1, 32, 32), (1, 8, 8))

STORED = {
    f"{source}-{codec}{suffix}": Stored(source, *chunks, codec)
    for source, codecs in _BULK
    for codec in codecs
    for suffix, chunks in (("", _1_MIB), ("-large", _32_MIB))
} | {
    "series": Stored("series", (1, 200, 200), (1, 64, 64), (1, 10, 10)),
    "tiny": Stored("categories", (10, 10), (10, 10), (10, 10)),
    "small": Stored("small", (10, 10), (10, 10), (10, 10)),
    "steps": Stored("steps", (1, 256, 256), (1, 128, 128), (1, 16, 16)),
    **{
        f"slices-{codec}": Stored("field", (1, 512, 256), (1, 256, 128), (1, 40, 20), codec)
        for codec in ("lz4", "raw")
    },
    # These cases have an array of their own, so that no other case allocates between their results.
    **{f"kept-{codec}": Stored("field", *_1_MIB, codec) for codec in ("lz4", "raw")},
    "counts-raw": Stored("counts", (256, 256, 256), (64, 64, 64), (8, 8, 8), "raw"),
    "counts-zstd": Stored("counts", (256, 256, 256), (64, 64, 64), (8, 8, 8), "plain-zstd"),
    # Chunks of 1 MiB that hold many places and few times
    "dataset": Stored("real", (8, 256, 128), (8, 128, 64), (2, 20, 20)),
    "variables": Stored("small", *[(40, 50)] * 3),
    "variables-v3": Stored("small", *[(40, 50)] * 3, zarr_format=3),
    "missing": Stored("nothing", (1,), (1,), (1,), written=False),
    **{name: Stored(name, (1,), (1,), (1,), "raw") for name in ("many", "million")},
    "memory": Stored("field", *_1_MIB, container="memory"),
    "zip": Stored("field", *_1_MIB, container="zip"),
    **{
        f"field-{codec}-v3": Stored("field", *_1_MIB, codec, zarr_format=3)
        for codec in ("lz4", "zstd", "raw")
    },
    **{
        f"sharded-{name}": Stored("counts", *_INNER, codec, zarr_format=3, shards=_SHARDS)
        for name, codec in (("raw", "raw"), ("lz4", "lz4"), ("zstd", "plain-zstd"))
    },
    "sharded-tiny": Stored("categories", *[(10, 10)] * 3, zarr_format=3, shards=_ONE_SHARD),
    # What waits for the storage: chunks of 1 MiB, each of which `[:, i, j]` of the slices touches
    **{f"waiting-{codec}": Stored("field-512", *_1_MIB, codec) for codec in ("lz4", "raw")},
    **{
        f"waiting-slices-{codec}": Stored("field-512", (1, 512, 512), (1, 256, 128), (1, 40, 20), codec)
        for codec in ("lz4", "raw")
    },
    "waiting-sharded": Stored("field-512", *_1_MIB[:2], (10, 10, 10), zarr_format=3, shards=_WAITING_SHARDS),
    # 8 shards of 32 MiB (4 MiB in the quick size)
    **{
        f"synced-shards-{codec}": Stored(
            "field", *_1_MIB[:2], (10, 10, 10), codec, zarr_format=3, shards=_SYNCED_SHARDS
        )
        for codec in ("lz4", "raw")
    },
    "objects-raw": Stored("bytes", (1, 100_000), (1, 100_000), (1, 1000), "raw", "objects"),
    "objects-lz4": Stored("steps", (1, 128, 128), (1, 64, 64), (1, 8, 8), container="objects"),
    "objects-sharded": Stored(
        "steps", *_FAR_INNER, container="objects", zarr_format=3, shards=_FAR_SHARDS
    ),
    "objects-small": Stored("small", *[(10, 10)] * 3, container="objects"),
}

# Arrays in the group that is opened
GROUP_ARRAYS = {"full": 1000, "quick": 200, "tiny": 5}
# Arrays in the group whose metadata are consolidated
MANY_ARRAYS = {"full": 10_000, "quick": 1000, "tiny": 5}
