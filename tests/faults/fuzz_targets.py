"""What reads data of others: functions of bytes that raise nothing but zchunk's own errors for them.

`fuzzing` runs them by atheris, the tests with what is in `corpus` and mutations of that.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

import zchunk
from zchunk.errors import ZchunkError
from zchunk.metadata import consolidated, v2, v3

CORPUS = Path(__file__).with_name("corpus")
# What a selection that is none raises, as NumPy does.
_WRONG = (ZchunkError, IndexError, ValueError, TypeError, KeyError)


def frame(data: bytes) -> None:
    """Read a chunk whole and in part that says it is a Blosc frame, an LZ4 or a Zstd one."""
    for compressor in (zchunk.Blosc(), zchunk.LZ4(), zchunk.Zstd()):
        z = zchunk.create((40, 9), chunks=(40, 9), dtype="i4", compressor=compressor, zarr_format=2)
        z.store["0.0"] = data
        for selection in (np.s_[...], np.s_[3], np.s_[:, 4], np.s_[::7, 2:5]):
            try:
                z[selection]
            except ZchunkError:
                continue


def shard(data: bytes) -> None:
    """Read chunks of a shard with an index at either end."""
    for at in ("start", "end"):
        store, z = _sharded(at)
        store["c/0/0"] = data
        for selection in (np.s_[...], np.s_[5, 3], np.s_[::3, 1:7]):
            try:
                z[selection]
            except ZchunkError:
                continue


def _sharded(at: str) -> tuple[dict[str, Any], Any]:
    """Return an array of one shard, whose index is at one of its ends, and the store that it is in."""
    store: dict[str, Any] = {}
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    sharding = {
        "chunk_shape": (2, 2),
        "codecs": [little, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}],
        "index_codecs": [little, {"name": "crc32c"}],
        "index_location": at,
    }
    serializer = {"name": "sharding_indexed", "configuration": sharding}
    how: dict[str, Any] = {"chunks": (8, 8), "compressors": None, "serializer": serializer}
    return store, zchunk.create((8, 8), dtype="i2", store=store, zarr_format=3, **how)


def metadata(data: bytes) -> None:
    """Parse a document as metadata of an array or group of either format, and open it."""
    parsers = {".zarray": v2.parse_array, ".zgroup": v2.parse_group, "zarr.json": v3.parse_array}
    for key, parse in parsers.items():
        try:
            parse(data, key)
            zchunk.open({key: data}, mode="r")
        except ZchunkError:
            continue


def consolidated_metadata(data: bytes) -> None:
    """Parse consolidated metadata of both formats."""
    try:
        consolidated.parse(data, ".zmetadata")
    except ZchunkError:
        pass
    try:
        consolidated.parse3(data, "", "zarr.json")
    except ZchunkError:
        pass


def archive(data: bytes) -> None:
    """Open an archive, list it and read all that is in it."""
    try:
        store = zchunk.ZipStore.over({"a.zip": data}, "a.zip")
        for key in store:
            store[key]
    except (ZchunkError, KeyError):
        return


def selection(data: bytes) -> None:
    """Read what a text of JSON selects, in every way; where NumPy has a meaning, the same as NumPy."""
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        return
    items = np.arange(60).reshape(5, 4, 3)
    z = zchunk.array(items, chunks=(2, 3, 2))
    wanted = _selection(given)
    for read in (z.__getitem__, z.oindex.__getitem__, z.vindex.__getitem__, z.get_mask_selection):
        try:
            read(wanted)
        except _WRONG:
            continue
    try:
        found = z[wanted]
    except _WRONG:
        return
    np.testing.assert_array_equal(found, items[wanted])


def _selection(given: Any) -> Any:
    """Return a selection: lists of "slice" and three numbers are slices, objects are tuples."""
    if isinstance(given, dict):
        return tuple(_selection(value) for value in given.values())
    if isinstance(given, list) and given[:1] == ["slice"] and len(given) == 4:
        return slice(*given[1:])
    return ... if given == "..." else given


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frame": frame,
    "shard": shard,
    "metadata": metadata,
    "consolidated": consolidated_metadata,
    "archive": archive,
    "selection": selection,
}


def seeds() -> dict[str, list[bytes]]:
    """Return valid inputs of every target: what the corpora were made of."""
    items = np.arange(360, dtype="i4").reshape(40, 9)
    frames = [bytes(codec.encode(items)) for codec in (zchunk.Blosc(), zchunk.LZ4(), zchunk.Zstd())]
    shards = []
    for at in ("start", "end"):
        store, z = _sharded(at)
        z[2:7, :5] = 3
        shards.append(bytes(store["c/0/0"]))
    documents, collected = [], []
    for version in (2, 3):
        store = zchunk.MemoryStore()
        group = zchunk.open_group(store, zarr_format=version)
        group.create("a", shape=(4, 4), chunks=(2, 2), dtype="f4", fill_value=np.nan)
        group.create("t", shape=3, dtype=str)
        documents += [bytes(store[key]) for key in store if not key.endswith(".zattrs")]
        zchunk.consolidate_metadata(store)
        collected.append(bytes(store[".zmetadata" if version == 2 else "zarr.json"]))
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("a/.zarray", documents[0])
        file.writestr("a/0.0", frames[0], zipfile.ZIP_DEFLATED)
    texts = ["3", "[0, 2]", '{"a": ["slice", 4, null, -2], "b": [1, 0]}', '{"a": "...", "b": -1}', "[true]"]
    return {
        "frame": frames,
        "shard": shards,
        "metadata": documents,
        "consolidated": collected,
        "archive": [packed.getvalue()],
        "selection": [text.encode() for text in texts],
    }


def inputs(target: str) -> list[bytes]:
    """Return the corpus of a target."""
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
