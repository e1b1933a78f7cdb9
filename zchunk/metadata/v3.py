"""Stand-in for the metadata of format 3, until the module of this name is there."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from zchunk.codecs import Blosc, GZip, Zstd
from zchunk.errors import MetadataError
from zchunk.keys import ChunkKeyEncoding
from zchunk.metadata.model import ArrayMetadata, ShardFormat
from zchunk.metadata.v2 import parse_json, render_json

_SHUFFLE = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


def node_type(raw: Any, where: str) -> str:
    obj = parse_json(raw, where)
    if obj.get("zarr_format") != 3 or obj.get("node_type") not in ("array", "group"):
        raise MetadataError(f"{where}: not a node of format 3")
    return str(obj["node_type"])


def parse_group(raw: Any, where: str) -> dict[str, Any]:
    if node_type(raw, where) != "group":
        raise MetadataError(f"{where}: not a group")
    return parse_json(raw, where)


def render_group(
    attributes: dict[str, Any] | None = None, consolidated: dict[str, Any] | None = None
) -> bytes:
    obj: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": attributes or {}}
    if consolidated is not None:
        obj["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": consolidated}
    return render_json(obj)


def parse_codecs(
    configs: list[Any], dtype: np.dtype[Any], chunk_shape: tuple[int, ...], fill: Any
) -> dict[str, Any]:
    members: dict[str, Any] = {"compressors": (), "filters": ()}
    for c in configs:
        conf = dict(c.get("configuration", {}))
        match c["name"]:
            case "bytes":
                members["swapped"] = conf.get("endian", sys.byteorder) != sys.byteorder
            case "blosc":
                conf.pop("typesize", None)
                conf["shuffle"] = _SHUFFLE[conf["shuffle"]]
                members["compressors"] += (Blosc(**conf),)
            case "gzip":
                members["compressors"] += (GZip(**conf),)
            case "zstd":
                members["compressors"] += (Zstd(**conf),)
            case "sharding_indexed":
                inner = ArrayMetadata(
                    shape=chunk_shape,
                    dtype=dtype,
                    chunk_shape=tuple(conf["chunk_shape"]),
                    fill_value=fill,
                    zarr_format=3,
                    **parse_codecs(conf["codecs"], dtype, tuple(conf["chunk_shape"]), fill),
                )
                n = inner.grid.cdata_shape + (2,)
                index = ArrayMetadata(
                    shape=n,
                    dtype=np.dtype("u8"),
                    chunk_shape=n,
                    fill_value=np.uint64(2**64 - 1),
                    zarr_format=3,
                )
                members["shards"] = ShardFormat(inner, index, conf.get("index_location", "end"))
            case _:
                raise MetadataError(f"codec {c!r}")
    return members


def _fill(v: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(v, list):
        return dtype.type(complex(*v))
    return dtype.type(v)


def parse_array(raw: Any, where: str, trusted: frozenset[str] = frozenset()) -> ArrayMetadata:
    obj = parse_json(raw, where)
    if node_type(obj, where) != "array":
        raise MetadataError(f"{where}: not an array")
    dtype = np.dtype(obj["data_type"])
    chunks = tuple(obj["chunk_grid"]["configuration"]["chunk_shape"])
    enc = obj["chunk_key_encoding"]
    fill = _fill(obj["fill_value"], dtype)
    names = obj.get("dimension_names")
    return ArrayMetadata(
        shape=tuple(obj["shape"]),
        dtype=dtype,
        chunk_shape=chunks,
        fill_value=fill,
        chunk_key_encoding=ChunkKeyEncoding(
            enc["name"],
            enc.get("configuration", {}).get("separator", "/" if enc["name"] == "default" else "."),
        ),
        zarr_format=3,
        dimension_names=None if names is None else tuple(names),
        **parse_codecs(obj["codecs"], dtype, chunks, fill),
    )


def _codecs(m: ArrayMetadata) -> list[Any]:
    if m.shards is not None:
        return [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": list(m.shards.inner.chunk_shape),
                    "codecs": _codecs(m.shards.inner),
                    "index_codecs": [
                        {"name": "bytes", "configuration": {"endian": "little"}},
                        {"name": "crc32c"},
                    ],
                    "index_location": m.shards.location,
                },
            }
        ]
    big = m.swapped == (sys.byteorder == "little")
    out: list[Any] = [{"name": "bytes", "configuration": {"endian": "big" if big else "little"}}]
    for c in m.compressors:
        conf = c.get_config()
        name = conf.pop("id")
        if name == "blosc":
            conf["shuffle"] = {v: k for k, v in _SHUFFLE.items()}[conf["shuffle"]]
            conf["typesize"] = m.dtype.itemsize
        out.append({"name": name, "configuration": conf})
    return out


def render_array(meta: ArrayMetadata, attributes: dict[str, Any] | None = None) -> bytes:
    f = meta.fill_value
    obj = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": meta.shape,
        "data_type": meta.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": meta.chunk_shape}},
        "chunk_key_encoding": {
            "name": meta.chunk_key_encoding.name,
            "configuration": {"separator": meta.chunk_key_encoding.separator},
        },
        "fill_value": [f.real, f.imag] if meta.dtype.kind == "c" else f.item(),
        "codecs": _codecs(meta),
        "attributes": attributes or {},
    }
    if meta.dimension_names is not None:
        obj["dimension_names"] = meta.dimension_names
    return render_json(obj)


def resized(raw: bytes, shape: tuple[int, ...]) -> bytes:
    return render_json(json.loads(raw) | {"shape": list(shape)})


def parse_consolidated(raw: Any, where: str) -> dict[str, dict[str, Any]] | None:
    obj = parse_group(raw, where).get("consolidated_metadata")
    return None if obj is None else obj["metadata"]
