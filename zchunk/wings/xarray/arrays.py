"""Arrays as xarray's lazy variables: their items, names of axes, attributes and encoding."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from zchunk.codecs import Codec
from zchunk.core.array import Array
from zchunk.core.tokens import new_token, token_of
from zchunk.errors import MetadataError
from zchunk.metadata.v2 import parse_json
from zchunk.metadata.v3.codecs import render_codecs
from zchunk.spec.keys import ARRAY_KEY, join
from zchunk.wings.xarray.xarray_internals import BackendArray, FillValueCoder, create_vlen_dtype, indexing

# In format 2, the names of the axes are an attribute of this name.
DIMENSION_KEY = "_ARRAY_DIMENSIONS"


class LazyArray(BackendArray):
    """An array that is read when its items are wanted.

    It pickles as the array does, and threads may share it. Its token for dask is the array's, as
    `zchunk.core.tokens.token_of` gives it; where that is None, it is a token that only copies share.

    Parameters
    ----------
    array : Array
        Opened for reading, or for both.
    """

    __slots__ = ("_array", "_token", "dtype", "shape")

    def __init__(self, array: Array) -> None:
        self._array = array
        # dask makes its token from the pickle when this lies in xarray's own lazy arrays.
        self._token = None if array.chunk_store.root is not None else new_token()
        self.shape = array.shape
        # xarray's dtype for text of any length.
        self.dtype = create_vlen_dtype(str) if is_text(array) else array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        array = self._array
        read: Any = array.__getitem__
        if isinstance(key, indexing.OuterIndexer):
            read = array.oindex.__getitem__
        elif isinstance(key, indexing.VectorizedIndexer):
            read = array.vindex.__getitem__
        support = indexing.IndexingSupport.VECTORIZED
        items = indexing.explicit_indexing_adapter(key, self.shape, support, read)
        # A single item is no array, and `asarray` would give text another dtype.
        return items if isinstance(items, np.ndarray) else np.asarray(items, self.dtype)

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Read in another thread."""
        return await asyncio.to_thread(self.__getitem__, key)

    def __dask_tokenize__(self) -> Any:
        return "zchunk", token_of(self._array) or self._token


def is_text(array: Array) -> bool:
    """Return whether the items are text of any length."""
    return any(codec.codec_id == "vlen-utf8" for codec in array.filters or ())


# ---- names of axes, attributes


def dimensions(array: Array) -> tuple[str, ...]:
    """Return the names of the axes.

    Raises
    ------
    KeyError
        The axes have no names.
    """
    names: Any = array.dimension_names
    if array.zarr_format == 2:
        names = array.attrs.get(DIMENSION_KEY)
        if names is None:
            names = _nczarr_dimensions(array)
    names = () if names is None and not array.ndim else names
    if not isinstance(names, list | tuple) or len(names) != array.ndim or None in names:
        member = "the attribute " + DIMENSION_KEY if array.zarr_format == 2 else "dimension_names"
        raise KeyError(
            f"array {'/' + array.path!r} in {array.store!r:.80} has no names for its {array.ndim} axes: "
            f"xarray needs {member}, which here is {names!r:.80}"
        )
    return tuple(map(str, names))


def _nczarr_dimensions(array: Array) -> Any:
    """Return the names that netCDF's library gives the axes in its own member of the metadata, or None."""
    try:
        found = array.store.metadata(join(array.path, ARRAY_KEY))
    except KeyError:
        return None
    document = found if isinstance(found, dict) else parse_json(found, ARRAY_KEY)
    own = document.get("_NCZARR_ARRAY")
    refs = own.get("dimrefs") if isinstance(own, dict) else None
    return [str(ref).rpartition("/")[2] for ref in refs] if isinstance(refs, list) else None


def attributes(array: Array, mask: bool) -> dict[str, Any]:
    """Return the attributes for xarray.

    Parameters
    ----------
    array : Array
        The array.
    mask : bool
        Whether its fill value stands for missing items.
    """
    attrs = array.attrs.asdict()
    if array.zarr_format == 2:
        attrs = {
            name: value
            for name, value in attrs.items()
            if name != DIMENSION_KEY and not name.lower().startswith("_nc")
        }
    if mask:
        if array.fill_value is not None and not (is_text(array) and array.fill_value in (0, "")):
            attrs["_FillValue"] = array.fill_value
    elif "_FillValue" in attrs:
        attrs["_FillValue"] = _missing(array, attrs["_FillValue"])
    return attrs


def _missing(array: Array, value: Any) -> Any:
    """Return the value that xarray encodes as the attribute ``_FillValue`` of an array of format 3.

    Other programs write numbers, which stand for themselves.
    """
    dtype: Any = array.dtype
    if is_text(array):
        dtype = "string"
    elif dtype.kind == "O":
        dtype = "bytes"
    elif dtype.kind in "fc" and isinstance(value, int | float):
        return dtype.type(value)
    try:
        return FillValueCoder.decode(value, dtype)
    except (AssertionError, ArithmeticError, TypeError, ValueError, struct.error) as err:
        raise MetadataError(
            f"the attribute _FillValue of array {'/' + array.path!r} is {value!r:.80}, which is no value of "
            f"its dtype {array.dtype}: {err}; open it with use_zarr_fill_value_as_mask=True to leave it alone"
        ) from err


# ---- encoding


def encoding(array: Array, dims: tuple[str, ...], mask: bool) -> dict[str, Any]:
    """Return the parameters by which both engines, zchunk and zarr, write another array like this one.

    Codecs are numcodecs' objects in format 2, and the JSON of the metadata in format 3.

    Parameters
    ----------
    array : Array
        The array.
    dims : tuple of str
        Names of its axes.
    mask : bool
        Whether its fill value stands for missing items.
    """
    chunks = _compact(array.chunks)
    shards = None if array.shards is None else _compact(array.shards)
    result = {
        "chunks": chunks,
        # The unit of reading and writing, which becomes dask's chunks.
        "preferred_chunks": dict(zip(dims, chunks if shards is None else shards, strict=True)),
        "shards": shards,
    }
    if array.zarr_format == 2:
        result["compressors"] = tuple(map(_numcodecs, array.compressors))
        result["filters"] = tuple(map(_numcodecs, array.filters or ()))
        return result
    chain = render_codecs(array.metadata.innermost)
    last = len(chain) - len(array.compressors)
    result["filters"] = tuple(chain[: last - 1])
    result["serializer"] = chain[last - 1]
    result["compressors"] = tuple(chain[last:])
    if not mask:
        result["fill_value"] = array.fill_value
    return result


def _numcodecs(codec: Codec) -> Any:
    # Not above: only readers of arrays of format 2 need it.
    from numcodecs import get_codec

    return get_codec(codec.get_config())


def _compact(chunks: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return one length for every axis that has regular chunks, and all lengths for any other axis."""

    def lengths() -> Iterator[Any]:
        for sizes in chunks:
            if isinstance(sizes, int | np.integer):
                yield int(sizes)
            elif not sizes:
                yield (0,)
            else:
                regular = len(set(sizes[:-1])) <= 1 and sizes[-1] <= sizes[0]
                yield int(sizes[0]) if regular else tuple(map(int, sizes))

    return tuple(lengths())
