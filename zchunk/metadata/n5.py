"""The ``attributes.json`` of N5 to and from Zarr v2 metadata, with the mapping of zarr 2.18."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np

from zchunk.codecs import N5ChunkWrapper
from zchunk.errors import MetadataError
from zchunk.metadata.v2 import parse_array
from zchunk.runtime.callers import caller_level

N5_FORMAT = "2.0.0"
# Members that are N5's own, not the user's.
n5_keywords = ["n5", "dataType", "dimensions", "blockSize", "compression"]

_ARRAY_MEMBERS = n5_keywords[1:]
# NumPy's names of N5's types, and of the others that zarr 2 writes.
_TYPE_NAME = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|(datetime|timedelta)64\[\w+\]", re.ASCII)
_BLOCK_MAX = 2**32 - 1
# As in Python's lzma.
_FORMAT_XZ = 1
_CHECKS_XZ = (-1, 4)
_PRESET_XZ = 6
_BLOSC = {"cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}


def user_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the members of ``attributes.json`` that are not N5's own."""
    return {name: value for name, value in attributes.items() if name not in n5_keywords}


def array_from_n5(attributes: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the ``.zarray`` of the N5 dataset with these attributes.

    Parameters
    ----------
    attributes : dict
        The object in ``attributes.json``. As in zarr 2 the user's members stay in the result.
    where : str
        Store key that they come from, for the messages of errors.

    Raises
    ------
    MetadataError
        It is no dataset that can be read.
    """
    missing = [name for name in _ARRAY_MEMBERS if name not in attributes]
    if missing:
        raise MetadataError(f"{where}: an N5 dataset lacks {', '.join(missing)}")
    name = attributes["dataType"]
    if not isinstance(name, str) or not _TYPE_NAME.fullmatch(name):
        raise MetadataError(f"{where}: dataType {name!r:.80} is no real number of a size that NumPy has")
    try:
        dtype = np.dtype(name).str
    except TypeError as err:
        raise MetadataError(f"{where}: dataType {name!r:.80} cannot be read: {err}") from err
    chunks = _reversed(attributes, "blockSize", 1, where)
    return user_attributes(attributes) | {
        "zarr_format": 2,
        "shape": _reversed(attributes, "dimensions", 0, where),
        "chunks": chunks,
        "dtype": dtype,
        "compressor": {
            "id": N5ChunkWrapper.codec_id,
            "compressor_config": _codec_from_n5(attributes["compression"], where),
            "dtype": dtype,
            "chunk_shape": chunks,
        },
        "fill_value": 0,
        "order": "C",
        "filters": [],
        "dimension_separator": ".",
    }


def _reversed(attributes: dict[str, Any], name: str, least: int, where: str) -> list[int]:
    value = attributes[name]
    if not isinstance(value, list) or not all(type(n) is int and n >= least for n in value):
        raise MetadataError(f"{where}: {name} is {value!r:.80}, not a list of integers from {least}")
    return value[::-1]


def array_to_n5(obj: dict[str, Any], where: str, told: bool = False) -> dict[str, Any]:
    """Return N5's own members of the ``attributes.json`` for a ``.zarray``.

    Parameters
    ----------
    obj : dict
        The object in ``.zarray``.
    where : str
        Its store key, for the messages of errors.
    told : bool, optional
        The caller is told elsewhere of codecs that few programs know.

    Raises
    ------
    TypeError
        N5 does not have the dtype.
    ValueError
        N5 does not have the order, the fill value or the filters; or no array can be like that.
    """
    meta = parse_array(obj, where)
    if meta.filters:
        raise ValueError(f"{where}: filters are {obj['filters']!r:.80}; N5 has no filters")
    if not _TYPE_NAME.fullmatch(meta.dtype.name):
        raise TypeError(f"{where}: dtype {meta.dtype} is not supported by N5, which has real numbers only")
    fill_value = meta.fill_value
    if fill_value is not None and fill_value != np.zeros((), meta.dtype)[()]:
        raise ValueError(f"{where}: fill_value is {fill_value!r:.80}; N5 has no other than 0")
    if meta.order != "C":
        raise ValueError(f"{where}: order is {meta.order!r}; N5 has no other than 'C'")
    if any(n > _BLOCK_MAX for n in meta.chunk_shape):
        raise ValueError(f"{where}: chunks are {meta.chunk_shape}; N5 has no blocks longer than {_BLOCK_MAX}")
    return {
        "dataType": meta.dtype.name,
        "dimensions": list(meta.shape[::-1]),
        "blockSize": list(meta.chunk_shape[::-1]),
        "compression": _codec_to_n5(obj["compressor"], told),
    }


def _codec_from_n5(config: Any, where: str) -> dict[str, Any] | None:
    """Return the configuration of the codec that ``compression`` names. Members may be left out."""
    kind = config.get("type") if isinstance(config, dict) else None
    if not isinstance(kind, str):
        raise MetadataError(f"{where}: compression is {config!r:.80}, not an object with the member 'type'")
    found = {name: value for name, value in config.items() if name not in ("type", "id")}
    match kind:
        case "raw":
            return None
        case "gzip":
            codec_id = "zlib" if found.get("useZlib") else "gzip"
            return {"id": codec_id, "level": found.get("level", -1)}
        case "bzip2":
            return {"id": "bz2", "level": found.get("blockSize", 9)}
        case "xz":
            preset = found.get("preset", _PRESET_XZ)
            return {"id": "lzma", "format": _FORMAT_XZ, "check": -1, "preset": preset, "filters": None}
        case "blosc":
            # Others also have the number of threads.
            return {"id": kind} | {name: found.get(name, default) for name, default in _BLOSC.items()}
    return {"id": kind, **found}


def _codec_to_n5(config: dict[str, Any] | None, told: bool) -> dict[str, Any]:
    """Return the ``compression`` for the configuration of a codec."""
    if config is not None and config["id"] == N5ChunkWrapper.codec_id:
        config = config["compressor_config"]
    if config is None:
        return {"type": "raw"}
    kind = config["id"]
    match kind:
        case "bz2":
            return {"type": "bzip2", "blockSize": config["level"]}
        case "blosc":
            return {"type": kind} | {name: config[name] for name in _BLOSC}
        case "zlib" | "gzip":
            return {"type": "gzip", "level": config["level"], "useZlib": kind == "zlib"}
        case "lzma":
            return _lzma_to_n5(config, told)
    # zarr 2 leaves the "id", at which others stumble.
    return {name: value for name, value in config.items() if name != "id"} | {"type": kind}


def _lzma_to_n5(config: dict[str, Any], told: bool) -> dict[str, Any]:
    preset = config["preset"] or _PRESET_XZ
    if config["format"] == _FORMAT_XZ and config["check"] in _CHECKS_XZ and not config["filters"]:
        return {"type": "xz", "preset": preset}
    if not told:
        warnings.warn(
            "few programs that read N5 know lzma compression other than xz with its usual check",
            RuntimeWarning,
            stacklevel=caller_level(),
        )
    # There can only be one of them.
    preset = None if config["filters"] else preset
    found = {name: config[name] for name in ("format", "check", "filters")}
    return {"type": "lzma", "preset": preset, **found}
