"""Golden data by zarr 3 in format v2. ``make.py`` runs it in an environment of its own."""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import numcodecs
import numpy as np
import zarr
from record import (
    COMPLEX,
    FLAT,
    FLOATS,
    INTEGERS,
    RAW,
    STRINGS,
    TIMES,
    Archive,
    case_name,
    holed,
    noise,
    smooth,
)

warnings.simplefilter("ignore")  # zarr warns that it may change how it stores strings and times
LZ4 = numcodecs.Blosc("lz4", clevel=5, shuffle=1)
archive = Archive("zarr3")


def add(
    case: str,
    values: np.ndarray,
    chunks: Any,
    compressor: Any = LZ4,
    *,
    order: str = "C",
    separator: str = ".",
    filters: Any = None,
    attrs: Any = None,
    holes: bool = False,
    **fill: Any,
) -> None:
    """Write one case. Holes are chunks that are never written, as chunks that are all fill."""
    z = zarr.create_array(
        archive.store(case),
        shape=values.shape,
        chunks=chunks,
        dtype=values.dtype,
        compressors=compressor,
        order=order,
        filters=filters,
        zarr_format=2,
        attributes=attrs,
        chunk_key_encoding={"name": "v2", "separator": separator},
        **fill,
    )
    value = fill.get("fill_value", z.fill_value)
    if holes:
        last = (values.shape[0] - 1) // chunks[0] * chunks[0]
        z[: chunks[0], chunks[1] :] = values[: chunks[0], chunks[1] :]
        z[chunks[0] : last] = values[chunks[0] : last]
        assert 0 < z.nchunks_initialized < z.nchunks
        values = holed(values, value, chunks)
    else:
        z[...] = values
    archive.expect_array(
        case,
        values,
        chunks,
        value,
        order=order,
        separator=separator,
        attrs=attrs,
        compressor=compressor.get_config() if compressor else None,
        filters=[f.get_config() for f in filters] if filters else None,
        read=lambda: np.asarray(z[...]),
    )


# Structured dtypes with sub-arrays, padding or times are beyond it.
plain = np.dtype([("id", "<u2"), ("value", ">f8"), ("flag", "|b1"), ("name", "|S5"), ("c", "<c8")])
for i, dtype in enumerate(["|b1", *INTEGERS, *FLOATS, *COMPLEX, *TIMES, *STRINGS, *RAW, FLAT, plain]):
    label = case_name(dtype) if isinstance(dtype, str) else f"struct-{len(np.dtype(dtype))}"
    for order in "CF":
        add(f"dtype-{label}-{order}", noise((7, 5), dtype, i), (4, 3), order=order)

FILLS: dict[str, tuple[Any, Any]] = {
    "nan": ("<f8", np.nan),
    "inf": (">f4", np.inf),
    "minus-inf": ("<f2", -np.inf),
    "minus-zero": ("<f8", -0.0),
    "bool": ("|b1", True),
    "int-max": ("<i8", 2**63 - 1),
    "uint-max": (">u8", 2**64 - 1),
    "complex": ("<c16", 1.5 - 2j),
    "nat": ("<M8[ns]", np.datetime64("NaT", "ns")),
    "date": ("<M8[D]", np.datetime64("1999-12-31")),
    "delta": ("<m8[s]", np.timedelta64(-70, "s")),
    "bytes": ("|S5", b"ab"),
    "text": ("<U4", "ä語"),
    "void": ("|V3", np.void(b"\x01\x02\xff")),
}
for label, (dtype, fill) in FILLS.items():
    add(f"fill-{label}", noise((11, 7), dtype), (4, 3), fill_value=fill, holes=True)
for label, dtype in {"bytes": "|S4", "text": ">U2", "void": "|V2", "date": ">M8[s]", "struct": plain}.items():
    add(f"fill-default-{label}", noise((11, 7), dtype), (4, 3), holes=True)

COMPRESSORS: dict[str, Any] = {
    "none": None,
    "lz4": numcodecs.LZ4(),
    "zstd": numcodecs.Zstd(level=0),
    "zlib": numcodecs.Zlib(level=1),
    "zstd-checksum": numcodecs.Zstd(level=3, checksum=True),
    "gzip": numcodecs.GZip(level=5),
    "bz2": numcodecs.BZ2(),
    "lzma": numcodecs.LZMA(preset=1),
}
for cname, shuffle in product(["blosclz", "lz4", "lz4hc", "zlib", "zstd"], [-1, 0, 1, 2]):
    COMPRESSORS[f"blosc-{cname}-shuffle{shuffle}"] = numcodecs.Blosc(cname, 5, shuffle)
for label, codec in COMPRESSORS.items():
    add(f"codec-{label}", np.concatenate([smooth((300,), "<i2"), noise((300,), "<i2")]), (200,), codec)

FILTERS = {"delta": numcodecs.Delta("<i4"), "shuffle": numcodecs.Shuffle(4), "crc32": numcodecs.CRC32()}
for label, codec in FILTERS.items():
    add(f"filter-{label}", smooth((11, 7), "<i4"), (5, 4), filters=[codec])

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "0d": ((), ()),
    "empty": ((3, 0), (2, 1)),
    "prime": ((101,), (10,)),
    "3d": ((5, 7, 11), (2, 3, 4)),
    "wide-chunk": ((3, 5), (8, 9)),
    "whole": ((6, 8), (6, 8)),
    "columns": ((6, 8), (6, 1)),
}
for (label, (shape, chunks)), order, separator in product(SHAPES.items(), "CF", "./"):
    if order == "C" or len(shape) > 1:
        word = "slash" if separator == "/" else "dot"
        add(
            f"shape-{label}-{order}-{word}",
            smooth(shape, "<f4"),
            chunks,
            order=order,
            separator=separator,
            fill_value=-1,
        )

ATTRS = {"title": "Gray–Scott", "nan": float("nan"), "nested": {"a": [1, 2.5, {"b": "語"}]}, "big": 2**70}
for case in ("group", "group-consolidated"):
    store = archive.store(case)
    root = zarr.create_group(store, zarr_format=2, attributes=ATTRS)
    archive.expect_group(case, attrs=ATTRS)
    for path in ("empty", "model", "model/ocean"):
        root.create_group(path, attributes={"path": path})
        archive.expect_group(case, path, {"path": path})
    for path, fill in {"time": 0, "model/ocean/sst": np.nan, "model/air": -np.inf}.items():
        values = smooth((6, 4), "<f8")
        attrs = {"units": "K", "missing": float("nan")}
        z = root.create_array(
            path,
            shape=values.shape,
            chunks=(4, 4),
            dtype="<f8",
            fill_value=fill,
            compressors=LZ4,
            attributes=attrs,
        )
        z[...] = values
        archive.expect_array(
            case,
            values,
            (4, 4),
            fill,
            path=path,
            compressor=LZ4.get_config(),
            attrs=attrs,
            read=lambda z=z: z[...],
        )
    if case == "group-consolidated":
        zarr.consolidate_metadata(store)

archive.pack()
