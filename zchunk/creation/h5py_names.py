"""Parameters of arrays by h5py's names, as zarr 2.18 takes them: translated to zarr's, or ignored."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from zchunk.codecs import as_codec, get_codec
from zchunk.creation.recipe import ArrayRecipe
from zchunk.errors import BadCompressorError
from zchunk.runtime.callers import caller_level, function_called
from zchunk.runtime.near_names import near

# Parameters of h5py's `create_dataset` that ask for what arrays here do not have.
_IGNORED = {
    "allow_unknown_filter", "dapl", "dcpl", "efile_prefix", "external", "fill_time", "fletcher32", "maxshape",
    "rdcc_nbytes", "rdcc_nslots", "rdcc_w0", "scaleoffset", "shuffle", "track_order", "track_times",
    "virtual_prefix",
}  # fmt: skip
# Parameters that are no part of a recipe, for a name that is nearly one of them.
_NAMES = {
    "cache_attrs", "cache_bytes", "cache_metadata", "chunk_store", "compression", "compression_opts",
    "config", "data", "exact", "fillvalue", "meta_array", "missing", "mode", "name", "overwrite", "path",
    "read_only", "storage_options", "store", "synchronizer", "write_data", "write_empty_chunks",
    "zarr_format", "zarr_version",
}  # fmt: skip


def translate(compressor: object, fill_value: object, kwargs: Mapping[str, object]) -> tuple[Any, Any]:
    """Return the compressor and fill value that a user asks for, by zarr's names or in `kwargs` by h5py's.

    Parameters
    ----------
    compressor, fill_value
        By zarr's names. A compressor that is not ``"default"`` counts, instead of what `kwargs` say.
    kwargs
        Other parameters that the user gave: ``compression`` (a codec or its name), ``compression_opts`` (its
        parameters) and ``fillvalue``. Others that h5py has are ignored, with a warning.

    Raises
    ------
    TypeError
        There is a parameter that neither zarr nor h5py has.
    CodecError
        There is no such codec.
    """
    if not kwargs:
        return compressor, fill_value
    others: dict[str, Any] = dict(kwargs)
    # Popped in any case, so that what is left is unknown.
    compression, options = others.pop("compression", "default"), others.pop("compression_opts", None)
    fill_value = others.pop("fillvalue", fill_value)
    if unknown := others.keys() - _IGNORED:
        raise TypeError(_unknown(min(unknown), function_called()))
    if isinstance(others.get("maxshape", 0), tuple | list | None):
        # Every array can be resized, without limit.
        others.pop("maxshape")
    ignored = list(others)
    if not isinstance(compressor, str) or compressor != "default":
        ignored += [name for name in ("compression", "compression_opts") if name in kwargs]
    elif compression is None or compression == "none":
        compressor = None
    elif isinstance(compression, str):
        compressor = "default" if compression == "default" else _codec(compression, options)
    elif hasattr(compression, "get_config"):
        compressor = compression
    else:
        raise BadCompressorError(f"compression is {compression!r:.80}, not a codec or the name of one")
    for name in ignored:
        warnings.warn(f"ignoring keyword argument {name!r}", stacklevel=caller_level())
    return compressor, fill_value


def _unknown(name: str, function: str) -> str:
    return f"{function}() has no parameter {name!r}{near(name, {*_NAMES, *ArrayRecipe._fields})}"


def _codec(name: str, options: object) -> Any:
    """Return the codec `name` with `options`: a mapping, a sequence, or the first of its parameters."""
    if isinstance(options, Mapping):
        return get_codec({**options, "id": name})
    if options is None:
        return as_codec(name)
    codec = get_codec({"id": name})
    return type(codec)(*(options if isinstance(options, list | tuple) else [options]))
