"""Likeness: the parameters of a new array that is to be like another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from zchunk.codecs.registry import trusted_ids
from zchunk.core.array import Array
from zchunk.core.array_config import ArrayConfig
from zchunk.core.node import Node
from zchunk.creation.conversion import chunks_of_view, merged, parameters_of
from zchunk.indexing.values import check_data
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.versions import asked_format

if TYPE_CHECKING:
    from zchunk.core import lazy_views
else:
    # For programs that select lazily.
    lazy_views = LazyModule("zchunk.core.lazy_views")


def chunks_of(a: Any) -> Any:
    """Return the chunk shape of an array-like that has one; otherwise None, which stands for a guess."""
    if isinstance(a, Array):
        return a._metadata.grid_of_chunks.largest
    if is_view(a):
        return chunks_of_view(a)
    chunks: Any = getattr(a, "chunks", None)
    if chunks is None and hasattr(a, "chunklen"):
        # An array of bcolz: its chunks are rows.
        chunks = (a.chunklen, *a.shape[1:])
    # Those of dask are tuples of tuples.
    regular = isinstance(chunks, tuple) and all(isinstance(length, int | np.integer) for length in chunks)
    return chunks if regular and len(chunks) == len(a.shape) else None


def is_view(a: object) -> TypeGuard[lazy_views.LazyItems]:
    """Whether this is a lazy view. For nothing else their module is imported."""
    return hasattr(a, "origins") and isinstance(a, lazy_views.LazyItems)


def is_array(node: object) -> bool:
    """Whether a node, zchunk's or another library's, is an array."""
    # Members of a group are attributes of it: one may be called "shape".
    return isinstance(node, Array) if isinstance(node, Node) else hasattr(node, "shape")


def codecs_of(a: Array) -> dict[str, Any]:
    """Return the codecs of an array, as `create` takes them."""
    filters = a.filters or []
    if not a.dtype.hasobject:
        return {"compressor": a.compressor, "filters": filters}
    return {"compressor": a.compressor, "object_codec": filters[0], "filters": filters[1:]}


def trusted_codecs(
    object_codec: object = None, compressor: object = None, filters: object = None, compressors: object = None
) -> frozenset[str]:
    """Return which codecs, of those that run code from the data, are among these parameters of `create`."""
    listed = [found for found in (filters, compressors) if isinstance(found, list | tuple)]
    return trusted_ids(object_codec, compressor, *(codec for found in listed for codec in found))


def parameters_like(a: object, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of `create`: those in `kwargs`, and from the array `a` those that are not given."""
    check_data(a)
    if not hasattr(a, "shape"):
        a = np.asanyarray(a)
    found = {"shape": a.shape, "chunks": chunks_of(a), "dtype": getattr(a, "dtype", None)}
    if isinstance(a, Array) or is_view(a):
        version = asked_format(kwargs.get("zarr_version"), kwargs.get("zarr_format"))
        old = a.zarr_format if isinstance(a, Array) else a.arrays[0].zarr_format
        config = kwargs.get("config")
        strict = isinstance(config, ArrayConfig) and config.new_nodes.like_of_same_format
        if version is None and (old != 2 or strict):
            found["zarr_format"] = version = old
        if not strict or version == old or a.dtype.hasobject:
            found |= parameters_of(a, version or 2)
        found.pop("fill_value", None)
        if "dtype" in kwargs:
            # Items of another dtype may not be objects, or be objects of another kind.
            found.pop("object_codec", None)
        if "shape" in kwargs:
            found.pop("dimension_names", None)
    return merged(found, kwargs)
