"""Arrays of zarr-python as arrays of zchunk's engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from zarr.core.buffer import cpu, default_buffer_prototype

from zchunk.engine.array import ChunkedArray
from zchunk.errors import ZchunkError
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import get_format
from zchunk.wings.zarr_pipeline import stores

# Numbers, times, and text and bytes of fixed length.
_KINDS = "biufcmMSUV"
# Those whose items are equal only if their bytes are.
_EXACT = "biuSUV"
# Those that have a zero, which stands for a fill value that format 2 leaves undefined.
_ZEROS = "biufc"


class Source:
    """What stands behind an array of zarr-python: its metadata as zchunk has them, and its store.

    Nothing here depends on the shape, which may change while the pipeline of an array stays.

    Parameters
    ----------
    model : ArrayMetadata
        Of an array that the native executor can read and write.
    store : zarr.abc.store.Store
        One that has a `stores.place_of`.
    orders : set of str, optional
        In which chunks are to lie in shards, by zarr-python's names.
    """

    def __init__(self, model: ArrayMetadata, store: Any, orders: frozenset[str] = frozenset()) -> None:
        self.model = model
        self.store = store
        self.chunks = model.chunk_shape
        self.separator = model.chunk_key_encoding.separator
        self._key = _key_pattern(model)
        self._last: tuple[str, bool, stores.Place, ChunkedArray] | None = None
        # Whether shards are stored as asked: chunks in C order, or in the order that nobody asked for.
        self._orders = orders <= {"lexicographic", "morton", "unordered"}
        # Whether values that are no fill value to zchunk, which compares bytes, can be one to zarr-python.
        dtype = model.dtype
        self.several_fills = dtype.kind == "c" or (dtype.kind == "f" and bool(np.isnan(model.fill_value)))
        if dtype.names is not None:
            self.several_fills = not all(leaf.kind in _EXACT for leaf in _leaves(dtype))

    @property
    def is_writable(self) -> bool:
        """Whether zchunk may write; if not, zarr-python writes, or says why it does not."""
        return self._orders and stores.is_writable(self.store)

    def split(self, key: str) -> tuple[str, str, tuple[int, ...]] | None:
        """Return what the key of a chunk begins with, the path of the array, and the coordinates."""
        found = self._key.fullmatch(key)
        if found is None:
            return None
        prefix, path, *coords = found.groups()
        return prefix, path or "", tuple(map(int, coords))

    def array(self, path: str, config: Any) -> ChunkedArray | None:
        """Return the array at a path as the engine takes it now; None if the store is not open yet.

        Parameters
        ----------
        path : str
            In the store.
        config : zarr.core.array_spec.ArrayConfig
            How zarr-python is to read and write it.
        """
        if not self.store._is_open:
            return None
        last, write_empty = self._last, bool(config.write_empty_chunks)
        if last is None or last[:2] != (path, write_empty) or not last[2].is_of(self.store):
            place = stores.place_of(self.store)
            if place is None:
                return None
            array = ChunkedArray(self.model, stores.store_at(place), path, write_empty)
            self._last = last = path, write_empty, place, array
        # Such an error is zarr-python's to raise: it may be none, for chunks within a shard may be missing.
        return last[3] if getattr(config, "read_missing_chunks", True) else last[3].requiring_chunks

    def differs_from_fill(self, value: np.ndarray[Any, Any]) -> bool:
        """Whether zarr-python and zchunk could differ in what is the fill value: another NaN, or -0j."""
        if not self.several_fills or not value.size:
            return False
        fill = np.asarray(self.model.fill_value, self.model.dtype)
        raw = np.dtype((np.void, value.dtype.itemsize))
        if value.dtype.names is not None:
            # zarr-python compares structures by field, in which NaN is no NaN.
            same = np.ascontiguousarray(value).reshape(-1).view(raw) == fill.reshape(1).view(raw)
            return bool(((value == fill).reshape(-1) != same).any())
        # NaN if one is NaN, which takes a tenth of the time of what follows.
        lowest = value.min() if value.dtype.kind == "f" else None
        if lowest is not None and not np.isnan(lowest):
            return False
        alike = np.isnan(value) if np.isnan(fill) else value == fill
        found = np.ascontiguousarray(value[alike])
        return bool((found.view(raw) != fill.reshape(1).view(raw)).any())


def _key_pattern(model: ArrayMetadata) -> re.Pattern[str]:
    """Return what keys of chunks are: the coordinates, and what is before them with the path of the array."""
    encoding, ndim = model.chunk_key_encoding, model.ndim
    separator = re.escape(encoding.separator)
    name = "c" if encoding.name == "default" else "" if ndim else "0"
    first = separator if name == "c" and ndim else ""
    return re.compile(rf"((?:(.*)/)?{name}{first}){separator.join([r'(0|[1-9][0-9]*)'] * ndim)}", re.DOTALL)


def find_source(metadata: Any, store: Any) -> Source | None:
    """Return the array of zarr-python with these metadata as zchunk has it; None if it is not for zchunk.

    Parameters
    ----------
    metadata : ArrayV2Metadata or ArrayV3Metadata
        As zarr-python has them.
    store : zarr.abc.store.Store
        Of the array.
    """
    if stores.place_of(store) is None or not _has_own_codecs(metadata):
        return None
    try:
        model = _model_of(metadata)
    except (ZchunkError, ValueError, TypeError):
        # What zchunk cannot have: data types and codecs of other packages.
        return None
    # Format 2 has no shards.
    codecs = metadata.codecs if metadata.zarr_format == 3 else ()
    orders = frozenset(getattr(codec, "subchunk_write_order", "morton") for codec in codecs)
    return None if model is None else Source(model, store, orders)


def _model_of(metadata: Any) -> ArrayMetadata | None:
    fmt = get_format(metadata.zarr_format)
    stored = metadata.to_buffer_dict(prototype=default_buffer_prototype())[fmt.array_key]
    model = fmt.parse_array(stored.to_bytes(), fmt.array_key, ".", frozenset())
    dtype = model.dtype
    if model.edges is not None or not _is_fixed(dtype) or metadata.dtype.to_native_dtype() != dtype:
        return None
    if dtype.kind == "V" and not _is_plain_structure(model, metadata.fill_value):
        return None
    if model.shards is not None and model.shards.inner.shards is not None:
        return None
    if model.innermost.chain.native_spec is None:
        return None
    if model.fill_value is not None:
        return model
    # zarr-python reads zeros then, and chunks of zeros are empty.
    return model.replace(fill_value=dtype.type(0)) if dtype.kind in _ZEROS else None


def _leaves(dtype: np.dtype[Any]) -> Iterator[np.dtype[Any]]:
    """Yield the dtypes of fields, and of fields in them; a dtype without fields itself."""
    if dtype.names is None:
        yield dtype
    for name in dtype.names or ():
        yield from _leaves(dtype[name])


def _is_fixed(dtype: np.dtype[Any]) -> bool:
    """Whether items are plain bytes: numbers, text, and structures of them without padding and axes."""
    leaves = list(_leaves(dtype))
    return sum(leaf.itemsize for leaf in leaves) == dtype.itemsize > 0 and all(
        leaf.kind in _KINDS and leaf.subdtype is None for leaf in leaves
    )


def _is_plain_structure(model: ArrayMetadata, fill_value: Any) -> bool:
    """Whether both read the same: bytes, or structures in this machine's byte order, and the fill value."""
    if model.innermost.swapped or any(not leaf.isnative for leaf in _leaves(model.dtype)):
        return False
    if fill_value is None or model.fill_value is None:
        return False
    given, ours = (np.asarray(value, model.dtype).tobytes() for value in (fill_value, model.fill_value))
    return given == ours


def _has_own_codecs(metadata: Any) -> bool:
    """Whether all codecs are those that zarr-python, or numcodecs, has for the names in the metadata."""
    if metadata.zarr_format == 2:
        given = [*(metadata.filters or ()), metadata.compressor]
        return all(codec is None or _is_of(codec, "numcodecs", "zarr.codecs") for codec in given)
    return _are_own(metadata.codecs)


def _are_own(codecs: Iterable[Any]) -> bool:
    return all(
        _is_of(codec, "zarr.codecs")
        and _are_own(getattr(codec, "codecs", ()))
        and _are_own(getattr(codec, "index_codecs", ()))
        for codec in codecs
    )


def _is_of(codec: object, *packages: str) -> bool:
    return any(f"{type(codec).__module__}.".startswith(f"{package}.") for package in packages)


def items_of(buffer: Any) -> np.ndarray[Any, Any] | None:
    """Return the NumPy array in a buffer of zarr-python; None if it is another buffer, as that of a GPU."""
    if type(buffer) is not cpu.NDBuffer:
        return None
    items = buffer.as_ndarray_like()
    return items if type(items) is np.ndarray else None
