"""The parameters of a new array, made from the encoding of its variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xarray import Variable

from zchunk.creation import parameters_v3
from zchunk.wings.xarray import xarray_internals


def create_options(v: Variable, name: object, check: bool, zarr_format: int) -> dict[str, Any]:
    """Return the parameters of `Group.create` that the encoding of a new variable gives.

    Parameters
    ----------
    v : Variable
        The variable, encoded.
    name : hashable
        Its name.
    check : bool
        Whether the caller gave the encoding, and unknown members are refused. Otherwise it comes with the
        data from another file, and members that the format cannot have are left out.
    zarr_format : {2, 3}
        Format of the array.

    Raises
    ------
    ValueError, TypeError
        The format cannot have this encoding.
    """
    checksum = v.encoding.get("checksum")
    if checksum is not None:
        # A parameter that only zchunk has.
        v = v.copy(deep=False)
        del v.encoding["checksum"]
    extract: Any = xarray_internals.extract_zarr_variable_encoding
    found: dict[str, Any] = extract(v, raise_on_invalid=check, name=name, zarr_format=zarr_format)
    found.pop("fill_value", None)
    if not check:
        _leave_out(found, zarr_format)
    # The dtype implies this codec.
    if found.get("filters"):
        found["filters"] = [codec for codec in found["filters"] if _name(codec) != "vlen-utf8"]
    if _name(found.get("serializer")) == "vlen-utf8":
        del found["serializer"]
    if found.get("shards") is not None:
        found["chunks"], found["shards"] = parameters_v3.chunks_and_shards(
            found["chunks"], found["shards"], v.shape, v.dtype.itemsize
        )
    if checksum is not None:
        found["checksum"] = checksum
    return {"shards": None} | found


def _leave_out(found: dict[str, Any], zarr_format: int) -> None:
    """Remove the members that only the other format has."""
    if zarr_format == 2:
        found.pop("serializer", None)
        found.pop("shards", None)
    for member in ("compressors", "filters"):
        codecs = found.get(member)
        if isinstance(codecs, list | tuple) and {_is_of_3(codec) for codec in codecs} - {zarr_format == 3}:
            del found[member]


def _is_of_3(codec: object) -> bool:
    return "name" in codec if isinstance(codec, Mapping) else hasattr(codec, "to_dict")


def _name(codec: Any) -> Any:
    if _is_of_3(codec):
        return (codec if isinstance(codec, Mapping) else codec.to_dict())["name"]
    return codec.get("id") if isinstance(codec, Mapping) else getattr(codec, "codec_id", None)
