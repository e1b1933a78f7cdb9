"""Damage of every kind that a store may suffer, and the findings of `verify` that it must be.

Each function damages a store that `make` has filled, by its keys, so that it does so in any store; it returns
the kinds of findings by key. Nothing else may be found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping
from typing import Any, NamedTuple

import numpy as np

import zchunk
from zchunk.codecs import Crc32c

Values = MutableMapping[str, bytes]
Found = dict[str, list[str]]
Entries = np.ndarray[Any, np.dtype[np.uint64]]

ITEMS = np.arange(1, 97, dtype="i4").reshape(8, 12) * 1_000_003
_PARAMETERS: dict[str, dict[str, Any]] = {
    "raw": {"compressors": None},
    "blosc": {"compressors": zchunk.Blosc()},
    "checked": {"checksum": True},
    "raw_checked": {"compressors": None, "checksum": True},
    "zstd": {"compressors": zchunk.Zstd(checksum=True)},
    "gzip": {"compressors": zchunk.GZip()},
}
# Those that only one format has.
_OF_FORMAT: dict[int, dict[str, dict[str, Any]]] = {
    2: {"zlib": {"compressors": zchunk.Zlib()}, "lz4": {"compressors": zchunk.LZ4()}},
    3: {
        "shards": {"compressors": None, "shards": (8, 12)},
        "checked_shards": {"shards": (8, 12), "checksum": True},
    },
}
# Arrays in which every flipped bit of a chunk is noticed.
CHECKED = {
    2: ("checked", "raw_checked", "zstd", "gzip", "zlib"),
    3: ("checked", "raw_checked", "zstd", "gzip"),
}


def make(store: Values, zarr_format: int) -> None:
    """Fill a store with a group, a group below, and an array of every codec in it."""
    group = zchunk.open_group(store, "w", zarr_format=zarr_format)  # type: ignore[arg-type]
    group.attrs["title"] = "test"
    below = group.create_group("below")
    for name, parameters in (_PARAMETERS | _OF_FORMAT[zarr_format]).items():
        z = below.create(name, shape=(8, 12), chunks=(4, 6), dtype="i4", **parameters)
        z[...] = ITEMS
        z.attrs["units"] = "m"


def chunk(zarr_format: int, name: str, *at: int) -> str:
    """Return the key of a chunk of an array."""
    return f"below/{name}/" + (".".join(map(str, at)) if zarr_format == 2 else "c/" + "/".join(map(str, at)))


def document(zarr_format: int, name: str = "") -> str:
    """Return the key of the metadata of an array, or of the group below."""
    if zarr_format == 3:
        return f"below/{name}/zarr.json" if name else "below/zarr.json"
    return f"below/{name}/.zarray" if name else "below/.zgroup"


def flipped(value: bytes, bit: int) -> bytes:
    """Return bytes with one bit flipped; they are counted from the end if `bit` is negative."""
    changed, bit = bytearray(value), bit % (8 * len(value))
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class Damage(NamedTuple):
    """One kind of damage.

    Parameters
    ----------
    name : str
        Of the case.
    do : callable
        Damages a store of a format, and returns the findings.
    zarr_formats : tuple of int
        In which it can be.
    manifest : bool
        Whether only a manifest tells of it.
    """

    name: str
    do: Callable[[Values, int], Found]
    zarr_formats: tuple[int, ...] = (2, 3)
    manifest: bool = False


def _changed(name: str, kind: str, change: Callable[[bytes], bytes]) -> Callable[[Values, int], Found]:
    """Return what changes the value of a chunk, or of the one shard."""

    def do(store: Values, zarr_format: int) -> Found:
        key = chunk(zarr_format, name, 0, 0)
        store[key] = change(store[key])
        return {key: [kind]}

    return do


def _set(kind: str, key: Callable[[int], str], value: bytes) -> Callable[[Values, int], Found]:
    """Return what puts a value under a key."""

    def do(store: Values, zarr_format: int) -> Found:
        store[key(zarr_format)] = value
        return {key(zarr_format): [kind]}

    return do


def _deleted(store: Values, zarr_format: int) -> Found:
    key = chunk(zarr_format, "blosc", 1, 1)
    del store[key]
    return {key: ["manifest-missing"]}


def _swapped(store: Values, zarr_format: int) -> Found:
    keys = [chunk(zarr_format, "checked", 0, 0), chunk(zarr_format, "checked", 1, 0)]
    store[keys[0]], store[keys[1]] = store[keys[1]], store[keys[0]]
    return {key: ["manifest-changed"] for key in keys}


def _older(store: Values, zarr_format: int) -> Found:
    key = chunk(zarr_format, "zstd", 0, 1)
    zchunk.open_group(store, "r+")["below/zstd"][:4, 6:] = 5
    return {key: ["manifest-changed"]}


def _new(store: Values, zarr_format: int) -> Found:
    store["below/README"] = b"text"
    return {"below/README": ["foreign-key", "manifest-added"]}


def _without_metadata(store: Values, zarr_format: int) -> Found:
    del store[document(zarr_format, "gzip")]
    found = {chunk(zarr_format, "gzip", i, j): ["orphan-chunk"] for i in range(2) for j in range(2)}
    return found if zarr_format == 3 else found | {"below/gzip/.zattrs": ["attributes-alone"]}


def _shrunk(store: Values, zarr_format: int) -> Found:
    key = document(zarr_format, "raw")
    said = json.loads(store[key])
    said["shape"] = [4, 12]
    store[key] = json.dumps(said).encode()
    return {chunk(zarr_format, "raw", 1, j): ["outside-grid"] for j in range(2)}


def _unknown_codec(store: Values, zarr_format: int) -> Found:
    key = document(zarr_format, "blosc")
    store[key] = store[key].replace(b'"blosc"', b'"quantum"')
    return {key: ["codec-unknown"]}


def _other_format(store: Values, zarr_format: int) -> Found:
    other = "below/raw/zarr.json" if zarr_format == 2 else "below/raw/.zarray"
    made: dict[str, bytes] = {}
    zchunk.create((8, 12), (4, 6), "i4", None, store=made, zarr_format=5 - zarr_format)
    store[other] = made[other.rpartition("/")[2]]
    if zarr_format == 2:
        return {other: ["mixed-formats"]}
    # What is opened first is format 2, of which these are no chunks.
    found = {chunk(3, "raw", i, j): ["orphan-chunk"] for i in range(2) for j in range(2)}
    return found | {"below/raw/zarr.json": ["mixed-formats"], other: ["mixed-formats"]}


def _both_nodes(store: Values, zarr_format: int) -> Found:
    store["below/raw/.zgroup"] = b'{"zarr_format": 2}'
    return {"below/raw/.zgroup": ["mixed-nodes"]}


def _node_in_array(store: Values, zarr_format: int) -> Found:
    key = document(zarr_format).replace("below/", "below/raw/inner/")
    store[key] = store[document(zarr_format)]
    return {key: ["node-in-array"]}


def _stale(store: Values, zarr_format: int) -> Found:
    zchunk.consolidate_metadata(store)
    zchunk.open_group(store, "r+")["below/raw"].attrs["units"] = "km"
    return {".zmetadata" if zarr_format == 2 else "zarr.json": ["consolidated-stale"]}


def _stale_below(store: Values, zarr_format: int) -> Found:
    inner: dict[str, bytes] = {}
    zchunk.open_group(inner, "w", zarr_format=zarr_format)["x"] = [1, 2]  # type: ignore[arg-type]
    zchunk.consolidate_metadata(inner)
    store.update({f"below/part/{key}": value for key, value in inner.items()})
    zchunk.open_group(store, "r+")["below/part/x"].attrs["units"] = "km"
    return {f"below/part/{'.zmetadata' if zarr_format == 2 else 'zarr.json'}": ["consolidated-stale"]}


def _invalid_consolidated(store: Values, zarr_format: int) -> Found:
    zchunk.consolidate_metadata(store)
    key = ".zmetadata" if zarr_format == 2 else "zarr.json"
    said = json.loads(store[key])
    (said if zarr_format == 2 else said["consolidated_metadata"])["metadata"] = {"../a": {}}
    store[key] = json.dumps(said).encode()
    return {key: ["consolidated-invalid"]}


def _index(change: Callable[[Entries], None], kind: str) -> Callable[[Values, int], Found]:
    """Return what changes the index of the shard, with a checksum that is right."""

    def do(store: Values, zarr_format: int) -> Found:
        key = chunk(3, "shards", 0, 0)
        raw = store[key]
        entries = np.frombuffer(raw[-68:-4], "<u8").reshape(4, 2).copy()
        change(entries)
        store[key] = raw[:-68] + bytes(Crc32c().encode(entries.tobytes()))
        return {key: [kind]}

    return do


def _overlap(entries: Entries) -> None:
    entries[1] = entries[0]


def _hole(entries: Entries) -> None:
    entries[2] = 2**64 - 1


def _beyond(entries: Entries) -> None:
    entries[3, 0] = 10**6


def _other_size(value: bytes) -> bytes:
    # Whole, but of another array.
    return bytes(zchunk.Blosc().encode(np.arange(10, dtype="i4")))


def _flips() -> list[Damage]:
    """Return a flipped bit at the begin, in the middle and at the end of what notices all of them."""
    cases = []
    for zarr_format, names in CHECKED.items():
        for name in names:
            kind = "chunk-checksum" if "checked" in name else "chunk-undecodable"
            for where, bit in (("first", 0), ("middle", 777), ("last", -1)):
                # The first byte of a gzip or Zstd frame says what it is, the middle lies in the data.
                def change(value: bytes, bit: int = bit) -> bytes:
                    return flipped(value, bit)

                cases.append(Damage(f"{where}-bit-{name}", _changed(name, kind, change), (zarr_format,)))
    return cases


DAMAGES = [
    *_flips(),
    Damage("bit-in-shard", _changed("checked_shards", "chunk-checksum", lambda v: flipped(v, 100)), (3,)),
    Damage("bit-in-shard-index", _changed("checked_shards", "shard-index", lambda v: flipped(v, -200)), (3,)),
    Damage("bit-in-plain-shard-index", _changed("shards", "shard-index", lambda v: flipped(v, -1)), (3,)),
    Damage("truncated-raw", _changed("raw", "chunk-size", lambda v: v[:-1])),
    Damage("truncated-blosc", _changed("blosc", "chunk-undecodable", lambda v: v[:-1])),
    Damage("truncated-checked", _changed("checked", "chunk-checksum", lambda v: v[:-1])),
    Damage("truncated-zstd", _changed("zstd", "chunk-undecodable", lambda v: v[:-1])),
    Damage("truncated-gzip", _changed("gzip", "chunk-undecodable", lambda v: v[:-1])),
    Damage("truncated-lz4", _changed("lz4", "chunk-undecodable", lambda v: v[:-1]), (2,)),
    Damage("truncated-shard", _changed("shards", "shard-index", lambda v: v[:-1]), (3,)),
    Damage("empty-raw", _changed("raw", "chunk-size", lambda v: b"")),
    Damage("empty-blosc", _changed("blosc", "chunk-undecodable", lambda v: b"")),
    Damage("empty-checked", _changed("checked", "chunk-checksum", lambda v: b"")),
    Damage("empty-shard", _changed("shards", "shard-index", lambda v: b""), (3,)),
    Damage("zeros-raw-longer", _changed("raw", "chunk-size", lambda v: bytes(len(v) + 1))),
    Damage("zeros-blosc", _changed("blosc", "chunk-undecodable", lambda v: bytes(len(v)))),
    Damage("zeros-checked", _changed("checked", "chunk-checksum", lambda v: b"\1" + bytes(len(v) - 1))),
    Damage("another-size", _changed("blosc", "chunk-undecodable", _other_size)),
    Damage("huge", _changed("gzip", "chunk-size", lambda v: v + bytes(100_000))),
    Damage("shard-overlap", _index(_overlap, "shard-overlap"), (3,)),
    Damage("shard-hole", _index(_hole, "shard-hole"), (3,)),
    Damage("shard-beyond", _index(_beyond, "shard-index"), (3,)),
    Damage("deleted", _deleted, manifest=True),
    Damage("swapped", _swapped, manifest=True),
    Damage("another-version", _older, manifest=True),
    Damage("new-key", _new, manifest=True),
    Damage("orphan", _set("orphan-chunk", lambda f: chunk(f, "gone", 0, 0), b"chunk")),
    Damage("outside-grid", _set("outside-grid", lambda f: chunk(f, "blosc", 7, 0), b"chunk")),
    Damage("foreign-key", _set("foreign-key", lambda f: "below/blosc/notes.txt", b"text")),
    Damage("foreign-key-outside", _set("foreign-key", lambda f: "notes", b"text")),
    Damage("invalid-json", _set("metadata-invalid", lambda f: document(f, "raw"), b'{"zarr_format": ')),
    Damage("no-object", _set("metadata-invalid", lambda f: document(f, "raw"), b"[]")),
    Damage("empty-metadata", _set("metadata-invalid", lambda f: document(f, "raw"), b"")),
    Damage("invalid-group", _set("metadata-invalid", lambda f: document(f), b'{"zarr_format": 9}')),
    Damage("invalid-attributes", _set("attributes-invalid", lambda f: "below/raw/.zattrs", b"[1"), (2,)),
    Damage("attributes-alone", _set("attributes-alone", lambda f: "below/x/.zattrs", b"{}"), (2,)),
    Damage("without-metadata", _without_metadata),
    Damage("shrunk", _shrunk),
    Damage("unknown-codec", _unknown_codec),
    Damage("mixed-formats", _other_format),
    Damage("mixed-nodes", _both_nodes, (2,)),
    Damage("node-in-array", _node_in_array),
    Damage("consolidated-stale", _stale),
    Damage("consolidated-stale-below", _stale_below),
    Damage("consolidated-invalid", _invalid_consolidated),
]
