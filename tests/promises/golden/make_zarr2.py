"""Golden data by zarr 2.18.7, the reference for v2. ``make.py`` runs it in an environment of its own."""

from __future__ import annotations

from itertools import product
from typing import Any

import numcodecs
import numpy as np
import zarr
from numcodecs import Blosc
from record import (
    COMPLEX,
    FLAT,
    FLOATS,
    INTEGERS,
    NESTED,
    RAW,
    STRINGS,
    TIMES,
    Archive,
    case_name,
    holed,
    noise,
    smooth,
)

LZ4 = Blosc("lz4", clevel=5, shuffle=Blosc.SHUFFLE)
numcodecs.blosc.use_threads = False  # threads leave the blocks of a frame in the order in which they finish
archive = Archive("zarr2")


def add(
    case: str,
    values: np.ndarray,
    chunks: Any,
    fill: Any = 0,
    compressor: Any = LZ4,
    *,
    order: str = "C",
    separator: str = ".",
    filters: Any = None,
    attrs: Any = None,
    holes: bool = False,
    lossy: bool = False,
) -> None:
    """Write one case. Holes are chunks that are never written; what a lossy filter leaves is expected."""
    z = zarr.create(
        values.shape,
        chunks,
        values.dtype,
        compressor,
        fill,
        order,
        archive.store(case),
        filters=filters,
        dimension_separator=separator,
    )

    def read() -> np.ndarray:
        # Without a fill value zarr 2 leaves missing chunks as memory happens to be (zchunk promises zeros),
        # and it reads an infinite imaginary part as NaN: there the metadata on disk decides.
        untrue = fill is None or (isinstance(fill, complex) and np.isinf(fill.imag))
        return holed(z[...], hole, chunks) if holes and untrue else np.asarray(z[...])

    hole = np.zeros((), values.dtype) if fill is None else fill
    if holes:
        with_holes = holed(values, hole, chunks)
        last = (values.shape[0] - 1) // chunks[0] * chunks[0]
        z[: chunks[0], chunks[1] :] = values[: chunks[0], chunks[1] :]
        z[chunks[0] : last] = values[chunks[0] : last]
        assert 0 < z.nchunks_initialized < z.nchunks
        values = with_holes
    else:
        z[...] = values
    if attrs:
        z.attrs.put(attrs)
    archive.expect_array(
        case,
        z[...] if lossy else values,
        z.chunks,
        fill,
        order=order,
        separator=separator,
        attrs=attrs,
        # zarr 2 does not compress a 0-d array.
        compressor=compressor.get_config() if compressor and values.ndim else None,
        filters=[f.get_config() for f in filters] if filters else None,
        read=read,
    )


# Every dtype in both orders; prime sizes leave edge chunks.
for i, dtype in enumerate(["|b1", *INTEGERS, *FLOATS, *COMPLEX, *TIMES, *STRINGS, *RAW]):
    for order in "CF":
        fill = b"" if np.dtype(dtype).kind in "SV" else "" if np.dtype(dtype).kind == "U" else 0
        add(f"dtype-{case_name(dtype)}-{order}", noise((7, 5), dtype, i), (4, 3), fill, order=order)
for label, fields in {
    "flat": FLAT,
    "nested": NESTED,
    "padded": [("a", "u1"), ("", "V7"), ("b", "<f8")],
}.items():
    dtype = np.dtype([(n or f"pad{i}", *rest) for i, (n, *rest) in enumerate(fields)])
    for order in "CF":
        add(f"dtype-struct-{label}-{order}", noise((7, 5), dtype), (4, 3), None, order=order)

# Fill values, with chunks that are missing.
EXTREME = 2**63 - 1
FILLS: dict[str, tuple[Any, Any]] = {
    "none": ("<f8", None),
    "nan": ("<f8", np.nan),
    "inf": (">f4", np.inf),
    "minus-inf": ("<f2", -np.inf),
    "tiny": ("<f8", 5e-324),
    "float32": ("<f4", np.float32(0.1)),
    "bool": ("|b1", True),
    "int-max": ("<i8", EXTREME),
    "int-min": (">i8", -EXTREME - 1),
    "uint-max": ("<u8", 2 * EXTREME + 1),
    "int": (">i2", -42),
    "complex": ("<c16", 1.5 - 2j),
    "complex-inf": (">c8", complex(0, np.inf)),
    "complex-nan": ("<c16", complex(np.nan, -np.inf)),
    "nat": ("<M8[ns]", np.datetime64("NaT")),
    "date": (">M8[D]", np.datetime64("1999-12-31")),
    "delta": ("<m8[10ms]", np.timedelta64(70, "ms")),
    "delta-nat": ("<m8[s]", np.timedelta64("NaT")),
    "bytes": ("|S5", b"a\x00\xffz"),
    "text": ("<U4", "ä語😀"),
    "text-be": (">U4", "ä語😀"),
    "void": ("|V3", b"\x01\x02\xff"),
    "none-text": ("<U2", None),
    "none-void": ("|V3", None),
}
for label, (dtype, fill) in FILLS.items():
    add(f"fill-{label}", noise((11, 7), dtype), (4, 3), fill, holes=True)
flat = np.dtype(FLAT)
add("fill-struct", noise((11, 7), flat), (4, 3), np.array((7, np.nan, True, b"xy"), flat)[()], holes=True)


# Blosc: the product of what its users set, on a chunk that compresses and one that does not.
def half_and_half(n: int, dtype: Any) -> np.ndarray:
    return np.concatenate([smooth((n,), dtype), noise((n,), dtype)])


for cname, shuffle, clevel in product(["blosclz", "lz4", "lz4hc", "zlib", "zstd"], [-1, 0, 1, 2], [1, 5, 9]):
    add(
        f"blosc-{cname}-{clevel}-shuffle{shuffle}",
        half_and_half(200, "<f4"),
        200,
        0,
        Blosc(cname, clevel, shuffle),
    )
for shuffle in [-1, 0, 1, 2]:
    add(f"blosc-lz4-0-shuffle{shuffle}", half_and_half(200, "<f4"), 200, 0, Blosc("lz4", 0, shuffle))
    for dtype in ["|u1", "<i2", "<f8", "<c16", "|S3", "|S17", "|S300"]:
        values = half_and_half(150, dtype) if dtype[1] != "S" else noise((8,), dtype)
        add(
            f"blosc-lz4-5-shuffle{shuffle}-{case_name(dtype)}",
            values,
            (len(values) + 1) // 2,
            0 if dtype[1] != "S" else b"",
            Blosc("lz4", 5, shuffle),
        )

# Sizes around the ends of Blosc's blocks: small ones that are asked for, large ones that it chooses.
for cname, shuffle, n in product(["lz4", "zstd"], [1, 2], [127, 128, 129, 255, 256, 257, 640]):
    values = smooth((n,), "<i4")
    values[100:140] = noise((40,), "<i4")[: max(0, n - 100)]
    add(f"blocks-{cname}-shuffle{shuffle}-{4 * n}", values, n, 0, Blosc(cname, 5, shuffle, blocksize=512))
for cname, n in product(["lz4", "zstd", "blosclz"], [2**17 - 8, 2**17, 2**17 + 8, 2**19 + 40]):
    values = np.arange(n // 8, dtype="<f8") // 8
    values[200:260] = noise((60,), "<f8")
    add(f"blocks-{cname}-{n}", values, n // 8, 0, Blosc(cname, 5))


def reverse_blocks(frame: bytes) -> bytes:
    """The same Blosc frame with its blocks stored last to first, as threads can leave them."""
    size, block_size = np.frombuffer(frame, "<u4", 2, 4)
    starts = np.frombuffer(frame, "<i4", -(-int(size) // int(block_size)), 16)
    ends = [*starts[1:], len(frame)]
    blocks = [frame[a:b] for a, b in zip(starts, ends, strict=True)]
    lengths = np.array([len(b) for b in blocks[::-1]])
    moved = (int(starts[0]) + np.concatenate([[0], lengths.cumsum()[:-1]]))[::-1].astype("<i4")
    return frame[:16] + moved.tobytes() + b"".join(blocks[::-1])


for cname in ("lz4", "zstd"):
    case = f"blocks-{cname}-reversed"
    codec = Blosc(cname, 5, blocksize=512)
    z = zarr.array(
        smooth((700,), "<f4"), chunks=700, compressor=codec, store=zarr.DirectoryStore(archive.store(case))
    )
    z.store["0"] = reverse_blocks(z.store["0"])
    archive.expect_array(
        case, smooth((700,), "<f4"), z.chunks, compressor=codec.get_config(), read=lambda z=z: z[...]
    )
add("blocks-tiny", noise((40,), "|u1"), 7, 0, LZ4)

# The other compressors.
COMPRESSORS: dict[str, Any] = {
    "none": None,
    "lz4": numcodecs.LZ4(),
    "lz4-fast": numcodecs.LZ4(acceleration=10),
    "zstd": numcodecs.Zstd(level=1),
    "zstd-9": numcodecs.Zstd(level=9),
    "zstd-fast": numcodecs.Zstd(level=-5),
    "zstd-checksum": numcodecs.Zstd(level=3, checksum=True),
    "zlib": numcodecs.Zlib(level=1),
    "zlib-9": numcodecs.Zlib(level=9),
    "zlib-0": numcodecs.Zlib(level=0),
    "gzip": numcodecs.GZip(level=5),
    "bz2": numcodecs.BZ2(level=9),
    "lzma": numcodecs.LZMA(preset=1),
}
for label, codec in COMPRESSORS.items():
    add(f"codec-{label}", half_and_half(300, "<i2"), 200, 0, codec)
    add(f"codec-{label}-F", smooth((13, 17), ">f8"), (5, 7), np.nan, codec, order="F")

# Filters, alone and in chains, with both orders: an F chunk goes to the filter as F.
FILTERS: dict[str, tuple[Any, list[Any], bool]] = {
    "delta": ("<i4", [numcodecs.Delta("<i4")], False),
    "delta-astype": ("<i2", [numcodecs.Delta("<i2", astype="<i4")], False),
    "fixedscaleoffset": ("<f8", [numcodecs.FixedScaleOffset(1000, 10, "<f8", "<i4")], True),
    "shuffle": ("<f4", [numcodecs.Shuffle(4)], False),
    "quantize": ("<f4", [numcodecs.Quantize(2, "<f4")], True),
    "bitround": ("<f4", [numcodecs.BitRound(8)], True),
    "packbits": ("|b1", [numcodecs.PackBits()], False),
    "chain": (
        "<f8",
        [numcodecs.FixedScaleOffset(0, 100, "<f8", "<i4"), numcodecs.Delta("<i4"), numcodecs.Shuffle(4)],
        True,
    ),
    "zlib": ("<i4", [numcodecs.Delta("<i4"), numcodecs.Zlib(1)], False),
    "crc32": ("<i4", [numcodecs.CRC32()], False),
    "adler32": ("<i4", [numcodecs.Adler32()], False),
}
for (label, (dtype, filters, lossy)), order in product(FILTERS.items(), "CF"):
    values = noise((11, 7), dtype) if dtype == "|b1" else smooth((11, 7), dtype)
    add(f"filter-{label}-{order}", values, (5, 4), 0, order=order, filters=filters, lossy=lossy)
    if label in ("delta", "crc32"):
        add(f"filter-{label}-raw-{order}", values, (5, 4), 0, None, order=order, filters=filters)

# Shapes, chunk keys, separators.
SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "0d": ((), ()),
    "empty": ((0,), (1,)),
    "empty-2d": ((3, 0), (2, 1)),
    "one": ((1,), (1,)),
    "prime": ((101,), (10,)),
    "3d": ((5, 7, 11), (2, 3, 4)),
    "5d": ((2, 3, 2, 3, 2), (1, 2, 2, 2, 1)),
    "wide-chunk": ((3, 5), (8, 9)),
    "whole": ((6, 8), (6, 8)),
    "rows": ((6, 8), (1, 8)),
    "columns": ((6, 8), (6, 1)),
    "many-digits": ((120,), (1,)),
}
for (label, (shape, chunks)), order, separator in product(SHAPES.items(), "CF", "./"):
    if order == "C" or len(shape) > 1:
        word = "slash" if separator == "/" else "dot"
        add(
            f"shape-{label}-{order}-{word}",
            smooth(shape, "<f4"),
            chunks,
            -1,
            order=order,
            separator=separator,
        )

# The historic layouts: no dimension_separator in .zarray, and the nested store.
for label, store_class in {"flat": zarr.DirectoryStore, "nested": zarr.NestedDirectoryStore}.items():
    case = f"layout-{label}"
    z = zarr.array(smooth((9, 5), "<f8"), chunks=(4, 4), store=store_class(archive.store(case)))
    archive.expect_array(
        case,
        smooth((9, 5), "<f8"),
        z.chunks,
        separator="/" if label == "nested" else ".",
        compressor=z.compressor.get_config(),
        read=lambda z=z: z[...],
    )

# Groups, attributes, consolidated metadata.
ATTRS = {
    "title": "Gray–Scott",
    "none": None,
    "nan": float("nan"),
    "inf": [float("inf"), float("-inf")],
    "flag": True,
    "nested": {"a": [1, 2.5, {"b": "語"}], "": 0},
    "big": 2**70,
    "tiny": 1e-300,
    "empty": {},
}
for case in ("group", "group-consolidated"):
    store = archive.store(case)
    root = zarr.open_group(store, mode="w")
    root.attrs.put(ATTRS)
    archive.expect_group(case, attrs=ATTRS)
    for path in ("empty", "model", "model/ocean", "model/ocean/deep"):
        attrs = {"path": path} if "/" in path else {}
        root.create_group(path, overwrite=True).attrs.put(attrs)
        archive.expect_group(case, path, attrs)
    for path, fill in {
        "time": 0,
        "model/ocean/sst": np.nan,
        "model/ocean/deep/salt": None,
        "model/air": np.inf,
    }.items():
        values = smooth((6, 4), "<f8")
        z = root.create_dataset(
            path, shape=values.shape, chunks=(4, 4), dtype="<f8", fill_value=fill, compressor=LZ4
        )
        z[...] = values
        z.attrs.put({"units": "K", "missing": float("nan")})
        archive.expect_array(
            case,
            values,
            z.chunks,
            fill,
            path=path,
            compressor=LZ4.get_config(),
            attrs=z.attrs.asdict(),
            read=lambda z=z: z[...],
        )
    if case == "group-consolidated":
        zarr.consolidate_metadata(store)

archive.pack()
