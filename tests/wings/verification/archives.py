"""Archives for these tests: arrays of every kind in a group, and ways to damage them."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import numpy as np

import zchunk

# Parameters of arrays, by name, for each format.
_BOTH: dict[str, dict[str, Any]] = {
    "blosc": {"shape": (10, 12), "chunks": (4, 5), "dtype": "f8"},
    "checked": {"shape": (10, 12), "chunks": (4, 5), "dtype": "f8", "checksum": True},
    "raw": {"shape": (10, 12), "chunks": (4, 5), "dtype": ">i2", "compressors": None},
    "fortran": {"shape": (5, 4), "chunks": 2, "dtype": "i4", "order": "F", "compressors": zchunk.Zstd()},
    "gzip": {"shape": 7, "chunks": 3, "dtype": "M8[s]", "compressors": zchunk.GZip()},
    "text": {"shape": 5, "chunks": 2, "dtype": str, "checksum": True},
    "scalar": {"shape": (), "chunks": (), "dtype": "i4"},
    "nothing": {"shape": (0, 3), "chunks": 2, "dtype": "i4"},
}
ARRAYS: dict[int, dict[str, dict[str, Any]]] = {
    2: _BOTH | {"nested": {"shape": (4, 4), "chunks": 2, "dtype": "i4", "dimension_separator": "/"}},
    3: _BOTH
    | {
        "shards": {"shape": (10, 12), "chunks": (2, 3), "shards": (4, 6), "dtype": "f4"},
        "checked_shards": {
            "shape": (9, 12), "chunks": (2, 3), "shards": (4, 6), "dtype": "f4", "checksum": True,
        },
        "v2_names": {"shape": (4, 4), "chunks": 2, "dtype": "i4", "chunk_key_encoding": ("v2", ".")},
    },
}  # fmt: skip


def values(z: zchunk.Array) -> Any:
    """Return values for all items of an array, none of them the fill value."""
    items = np.arange(1, z.size + 1).reshape(z.shape)
    return items.astype(str).astype(object) if z.dtype.kind == "O" else items.astype(z.dtype)


def make(store: Any, zarr_format: int, *names: str) -> zchunk.Group:
    """Fill a store with a group of arrays, all kinds by default, one of them in a group below."""
    group = zchunk.open_group(store, "w", zarr_format=zarr_format)  # type: ignore[arg-type]
    group.attrs["title"] = "test"
    for name, parameters in ARRAYS[zarr_format].items():
        if not names or name in names:
            z = group.create(f"below/{name}" if name == "raw" else name, **parameters)
            z[...] = values(z)
            z.attrs["units"] = "m"
    return group


def chunk_keys(store: MutableMapping[str, bytes], name: str) -> list[str]:
    """Return the keys of the chunks of an array."""
    found = (key for key in store if key.startswith(f"{name}/"))
    return sorted(key for key in found if key.rpartition("/")[2] not in (".zarray", ".zattrs", "zarr.json"))


def flipped(value: bytes, bit: int) -> bytes:
    """Return bytes with one bit flipped."""
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def kinds(report: Any) -> dict[str, list[str]]:
    """Return the kinds of findings by key."""
    found: dict[str, list[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.key, []).append(finding.kind)
    return found


def every_array() -> Iterator[tuple[int, str]]:
    """Yield format and name of every kind of array that has chunks."""
    for zarr_format, arrays in ARRAYS.items():
        yield from ((zarr_format, name) for name in arrays if name not in ("nothing", "raw"))
