"""z5: both formats, in C++; numbers, in groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import z5py

# What the configuration of a compressor is called by parameters; the level of Blosc in format 3 is "level".
_OPTIONS = {"cname": "codec", "clevel": "clevel", "shuffle": "shuffle", "level": "level"}


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the groups and the array, and assign all items."""
    if case.fill == "null":
        raise NotImplementedError("no fill value")
    file = z5py.File(
        store, "w", use_zarr_format=True, dimension_separator=case.separator, zarr_format=case.format
    )
    for name, value in case.group.items():
        file.attrs[name] = value
    *_, codec = case.document()["codecs"] if case.format == 3 else [case.document()["compressor"]]
    shards: dict[str, Any] = {}
    chunks = case.chunks
    if case.layout == "end":
        codec = codec["configuration"]["codecs"][-1]
        shards, chunks = {"shards": case.chunks}, case.inner
    name, options = _compression(codec)
    if case.format == 3 and name == "blosc":
        options["level"] = options.pop("clevel")
    array = file.create_dataset(
        case.path,
        shape=case.shape,
        dtype=case.data_type,
        chunks=chunks,
        compression=name,
        fillvalue=case.fill_item.item(),
        chunk_key_encoding=case.encoding,
        **shards,
        **options,
    )
    array[...] = items
    for name, value in case.attributes.items():
        array.attrs[name] = value


def _compression(codec: dict[str, Any] | None) -> tuple[str, dict[str, Any]]:
    name = codec and codec.get("id", codec.get("name"))
    if codec is None or name in (None, "bytes"):
        return "raw", {}
    configuration = codec.get("configuration", codec)
    options = {_OPTIONS[k]: v for k, v in configuration.items() if k in _OPTIONS}
    if isinstance(options.get("shuffle"), str):
        options["shuffle"] = ("noshuffle", "shuffle", "bitshuffle").index(options["shuffle"])
    return {"bz2": "bzip2"}.get(name, name), options


def _open(store: str, case: Any, mode: str) -> Any:
    return z5py.File(store, mode, use_zarr_format=True)[case.path]


def read(store: str, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box."""
    return np.asarray(_open(store, case, "r")[... if box is None else box])


def change(store: str, case: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box."""
    _open(store, case, "r+")[box or ...] = items


def attributes(store: str, case: Any) -> tuple[Any, Any]:
    """Those of the array and of the root group."""
    return dict(_open(store, case, "r").attrs.items()), dict(
        z5py.File(store, "r", use_zarr_format=True).attrs.items()
    )
