"""Arrays that zarrista wrote with the codecs of zarrs that zarr-python does not have: `make golden` does.

    build/zarr3/bin/python -m tests.promises.interop.reshaped

The program knows nothing of zchunk.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

ARCHIVE = Path(__file__).with_name("reshaped.zip")
EPOCH = (1980, 1, 1, 0, 0, 0)
ITEMS = np.arange(5 * 7 * 6, dtype="i4").reshape(5, 7, 6)
CHUNKS = (2, 3, 4)
BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def _codec(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


SHARDS = _codec(
    "sharding_indexed", chunk_shape=[3, 4], codecs=[BYTES], index_codecs=[BYTES, {"name": "crc32c"}]
)
CHAINS: dict[str, list[dict[str, Any]]] = {
    "one-for-two": [_codec("reshape", shape=[[0, 1], -1]), BYTES],
    "then-transposed": [_codec("reshape", shape=[[0, 1], [2]]), _codec("transpose", order=[1, 0]), BYTES],
    "transposed-before": [_codec("transpose", order=[2, 0, 1]), _codec("reshape", shape=[-1]), BYTES],
    "one-more": [
        _codec("reshape", shape=[2, 3, 2, -1]),
        _codec("transpose", order=[3, 1, 0, 2]),
        BYTES,
    ],
    "sharded": [_codec("reshape", shape=[[0, 1], [2]]), SHARDS],
    "rounded": [_codec("bitround", keepbits=3), BYTES],
}


def main() -> None:
    """Make the archive."""
    # Installed where this program runs, and nowhere else.
    from zarrista import Array
    from zarrista.store import FilesystemStore

    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(ARCHIVE, "w") as out:
        store = FilesystemStore(scratch)
        for name, chain in CHAINS.items():
            document = {
                "zarr_format": 3,
                "node_type": "array",
                "shape": ITEMS.shape,
                "data_type": "int32",
                "chunk_grid": _codec("regular", chunk_shape=CHUNKS),
                "chunk_key_encoding": _codec("default", separator="/"),
                "fill_value": 0,
                "codecs": chain,
            }
            array = Array.from_metadata(document, store, f"/{name}")
            array.store_metadata()
            array.store_array_subset((), ITEMS)
        for path in sorted(path for path in Path(scratch).rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(os.fspath(path.relative_to(scratch)), EPOCH)
            out.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
