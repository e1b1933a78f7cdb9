"""The bytes that zchunk itself writes in format 3: run by hand when they are to change, ``python …``.

Only codecs whose bytes do not depend on the version of a library.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import zchunk

TARGET = Path(__file__).parent / "data" / "zchunk.json"
_CRC = {"name": "crc32c"}
_LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
_START = {
    "name": "sharding_indexed",
    "configuration": {
        "chunk_shape": [2, 2],
        "codecs": [_LITTLE],
        "index_codecs": [_LITTLE, _CRC],
        "index_location": "start",
    },
}
# Parameters of `zchunk.create`, beside those that all have.
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "defaults": {"compressors": "auto"},
    "big-endian": {"dtype": ">i4"},
    "transposed": {"order": "F", "compressors": [_CRC]},
    "keys": {"chunk_key_encoding": ("v2", "."), "dimension_names": ["y", None], "attributes": {"ä": [1.5]}},
    "shards": {"chunks": (2, 2), "shards": (4, 4)},
    "shards-crc32c": {"chunks": (2, 2), "shards": (4, 4), "compressors": [_CRC], "dtype": "f4"},
    "shards-start": {"chunks": (4, 4), "serializer": _START},
    "fill": {"chunks": (2, 2), "shards": (4, 4), "dtype": "f8", "fill_value": np.nan},
    "text": {"dtype": str, "fill_value": "ü"},
    "dates": {"dtype": "M8[ns]", "fill_value": np.datetime64("NaT", "ns")},
    "struct": {"dtype": [("a", "i2"), ("b", "f8")], "fill_value": (1, 0.5)},
}


def made() -> dict[str, dict[str, str]]:
    """Return the files of every case: metadata as text, chunks in hexadecimal digits."""
    found: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, how in CASES.items():
            how = {"chunks": (4, 4), "dtype": "i4", "compressors": None} | how
            z = zchunk.create((6, 5), store=Path(folder) / name, zarr_format=3, **how)
            items = np.arange(30).reshape(6, 5)
            if z.dtype.names:
                values = np.zeros((6, 5), z.dtype)
                values["a"], values["b"] = items, items / 4
            else:
                values = items.astype(str if z.dtype.hasobject else z.dtype).astype(z.dtype)
            z[:3] = values[:3]
            files = sorted(p for p in (Path(folder) / name).rglob("*") if p.is_file())
            found[name] = {
                p.relative_to(Path(folder) / name).as_posix(): (
                    p.read_text("utf-8") if p.name == "zarr.json" else p.read_bytes().hex()
                )
                for p in files
                # The bytes of Blosc depend on its version.
                if name != "defaults" or p.name == "zarr.json"
            }
        root = zchunk.open_group(Path(folder) / "g", mode="w", zarr_format=3)
        root.attrs["title"] = "Gray–Scott"
        root.create("a/b", shape=3, dtype="u1", compressors=None, attributes={"n": 1})
        plain = (Path(folder) / "g" / "zarr.json").read_text("utf-8")
        zchunk.consolidate_metadata(Path(folder) / "g")
        found["group"] = {
            "zarr.json": plain,
            "a/zarr.json": (Path(folder) / "g" / "a" / "zarr.json").read_text("utf-8"),
            "consolidated": (Path(folder) / "g" / "zarr.json").read_text("utf-8"),
        }
    return found


if __name__ == "__main__":
    TARGET.write_text(json.dumps(made(), indent=1, ensure_ascii=False) + "\n", "utf-8")
