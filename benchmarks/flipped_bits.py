"""Which codec notices what: `python -m benchmarks.flipped_bits` prints the table of the guide.

For each codec an array of one chunk is stored, one bit of the chunk is flipped, and the array is read. Either
that raises, or the values are right all the same, since the bit means nothing, or they are wrong. The bits
are spread evenly over the chunk, so that the result is the same every time.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, NamedTuple

import numpy as np

import zchunk
from zchunk.errors import ChunkError

BITS = 150
CODECS: dict[str, dict[str, Any]] = {
    "no compressor": {"compressors": None},
    "`Blosc` with LZ4, the default": {"compressors": zchunk.Blosc()},
    "`Blosc` with Zstd": {"compressors": zchunk.Blosc("zstd")},
    "`LZ4`": {"compressors": zchunk.LZ4(), "zarr_format": 2},
    "`Zstd`": {"compressors": zchunk.Zstd()},
    "`Zstd(checksum=True)`": {"compressors": zchunk.Zstd(checksum=True)},
    "`Zlib`": {"compressors": zchunk.Zlib(), "zarr_format": 2},
    "`GZip`": {"compressors": zchunk.GZip()},
    "any, `checksum=True`, format 2": {"checksum": True, "zarr_format": 2},
    "any, `checksum=True`, format 3": {"checksum": True},
    "any, `checksum=True`, a shard": {"checksum": True, "shards": (200, 200), "chunks": (100, 100)},
}


class Outcome(NamedTuple):
    """How often the damage was an error, did no harm, or gave wrong values."""

    noticed: int
    harmless: int
    wrong: int


def data() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a smooth field with a little noise, as simulations have."""
    x = np.linspace(0, 6, 200)
    noise = np.random.default_rng(0).normal(size=(200, 200))
    return (np.sin(x) * np.cos(x[:, None]) + 0.001 * noise).astype("f4")


def measure(parameters: dict[str, Any], bits: int = BITS) -> Outcome:
    """Flip bits, one by one, in the one chunk or shard of an array."""
    values = data()
    given = {"chunks": values.shape, "zarr_format": 3} | parameters
    z = zchunk.array(values, store=zchunk.MemoryStore(), **given)
    (key,) = (key for key in z.store if not key.endswith(("json", ".zarray")))
    stored = z.store[key]
    counts = [0, 0, 0]
    for bit in np.linspace(0, 8 * len(stored) - 1, bits).astype(int).tolist():
        damaged = bytearray(stored)
        damaged[bit // 8] ^= 1 << bit % 8
        z.store[key] = bytes(damaged)
        try:
            counts[1 if np.array_equal(z[...], values) else 2] += 1
        except ChunkError:
            counts[0] += 1
    return Outcome(*counts)


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flipped_bits", description=__doc__)
    parser.add_argument("--bits", type=int, default=BITS, help="how many bits are flipped, one by one")
    bits = parser.parse_args(arguments).bits
    print(f"| codec | an error | right values | wrong values, of {bits} |\n|---|---:|---:|---:|")
    for name, parameters in CODECS.items():
        found = measure(parameters, bits)
        print(f"| {name} | {found.noticed} | {found.harmless} | {found.wrong} |")


if __name__ == "__main__":
    main(sys.argv[1:])
