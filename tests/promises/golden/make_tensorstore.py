"""Golden data by tensorstore. ``make.py`` runs it in an environment of its own."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
from record import COMPLEX, FLOATS, INTEGERS, Archive, case_name, holed, noise, smooth

LZ4 = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": -1, "blocksize": 0}
archive = Archive("tensorstore")


def add(
    case: str,
    values: np.ndarray,
    chunks: Any,
    fill: Any = None,
    compressor: Any = LZ4,
    *,
    order: str = "C",
    separator: str = ".",
    holes: bool = False,
) -> None:
    """Write one case. ``fill`` is a pair: NumPy value and JSON. Chunks that are all fill stay missing."""
    value, text = fill or (None, None)
    if holes:
        values = holed(values, 0 if value is None else value, chunks)
    path = archive.store(case)
    store = ts.open(
        {
            "driver": "zarr",
            "kvstore": {"driver": "file", "path": path},
            "metadata": {
                "shape": values.shape,
                "chunks": chunks,
                "dtype": values.dtype.str,
                "fill_value": text,
                "order": order,
                "compressor": compressor,
                "dimension_separator": separator,
            },
        },
        create=True,
    ).result()
    if holes:
        last = (values.shape[0] - 1) // chunks[0] * chunks[0]
        store[: chunks[0], chunks[1] :] = values[: chunks[0], chunks[1] :]
        store[chunks[0] : last] = values[chunks[0] : last]
    else:
        store[...] = values
    archive.expect_array(
        case,
        values,
        chunks,
        value,
        order=order,
        separator=separator,
        compressor=compressor,
        read=lambda: np.asarray(store.read().result()).astype(values.dtype),
    )


for i, dtype in enumerate(["|b1", *INTEGERS, *FLOATS, *COMPLEX]):
    for order in "CF":
        add(f"dtype-{case_name(dtype)}-{order}", noise((7, 5), dtype, i), (4, 3), order=order)

FILLS: dict[str, tuple[Any, Any, Any]] = {
    "none": ("<f8", None, None),
    "nan": ("<f8", np.nan, "NaN"),
    "inf": (">f4", np.inf, "Infinity"),
    "minus-inf": ("<f2", -np.inf, "-Infinity"),
    "minus-zero": ("<f8", -0.0, -0.0),
    "bool": ("|b1", True, True),
    "int-max": ("<i8", 2**63 - 1, 2**63 - 1),
    "uint-max": (">u8", 2**64 - 1, 2**64 - 1),
    "complex": ("<c16", 1.5 - 2j, [1.5, -2.0]),
    "complex-inf": (">c8", complex(0, np.inf), [0.0, "Infinity"]),
}
for label, (dtype, value, text) in FILLS.items():
    add(f"fill-{label}", noise((11, 7), dtype), (4, 3), (value, text), holes=True)

COMPRESSORS: dict[str, Any] = {
    "none": None,
    "zlib": {"id": "zlib", "level": 1},
    "gzip": {"id": "gzip", "level": 5},
    "bz2": {"id": "bz2", "level": 1},
    "zstd": {"id": "zstd", "level": 3},
}
for cname, shuffle in product(["blosclz", "lz4", "lz4hc", "zlib", "zstd"], [-1, 0, 1, 2]):
    COMPRESSORS[f"blosc-{cname}-shuffle{shuffle}"] = {**LZ4, "cname": cname, "shuffle": shuffle}
for label, codec in COMPRESSORS.items():
    for dtype in ("<i2", "|u1"):
        values = np.concatenate([smooth((300,), dtype), noise((300,), dtype)])
        add(f"codec-{label}-{case_name(dtype)}", values, (200,), None, codec)

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
            (-1, -1),
            order=order,
            separator=separator,
        )

# One field of a structured dtype at a time, sub-array and all.
dtype = np.dtype([("a", "<i4"), ("b", ">f8", (2, 3)), ("c", "|u1")])
values = noise((7,), dtype)
path = archive.store("dtype-struct")
metadata = {
    "shape": [7],
    "chunks": [4],
    "compressor": LZ4,
    "dtype": [["a", "<i4"], ["b", ">f8", [2, 3]], ["c", "|u1"]],
}
back = np.zeros_like(values)
for name in dtype.names:
    spec = {
        "driver": "zarr",
        "kvstore": {"driver": "file", "path": path},
        "metadata": metadata,
        "field": name,
    }
    field = ts.open(spec, create=name == "a", open=True).result()
    field[...] = values[name]
    back[name] = field.read().result()
assert json.loads((Path(path) / ".zarray").read_bytes())["fill_value"] is None
archive.expect_array("dtype-struct", values, (4,), None, compressor=LZ4, read=lambda: back)

archive.pack()
