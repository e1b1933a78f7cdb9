"""Codecs of format 3 that are bound to items: made of their JSON and the dtype where they stand.

Their parameters are numbers of that dtype, or data types. What they do is in `zchunk.codecs`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zchunk.codecs.base import check_int
from zchunk.codecs.bitround import BitRound
from zchunk.codecs.bound import BoundCodec, ItemCodec
from zchunk.codecs.cast_value import CastValue, check_castable
from zchunk.codecs.packbits import PADDINGS, PackBits
from zchunk.codecs.scale_offset import ScaleOffset
from zchunk.errors import CodecError
from zchunk.metadata.v3.data_types import parse_data_type
from zchunk.metadata.v3.extension import Extension, check_members
from zchunk.metadata.v3.fill_values import parse_scalar

_DIRECTIONS = ("encode", "decode")
# Every pair of a map is looked for in all items.
_MAX_PAIRS = 4096


def item_codec(found: Extension, dtype: np.dtype[Any]) -> ItemCodec:
    """Return a codec from array to array for items of `dtype`.

    Parameters
    ----------
    found : Extension
        ``scale_offset``, ``cast_value`` or ``bitround``, and the parameters.
    dtype : numpy.dtype
        Of the items where the codec stands.

    Raises
    ------
    CodecError, MetadataError
        It has no such parameters, or does not take such items.
    """
    match found.name:
        case "scale_offset":
            return _scale_offset(found, dtype)
        case "cast_value":
            return _cast_value(found, dtype)
    check_members(found, "codec", {"keepbits"})
    return BitRound(dtype, check_int("bitround", "keepbits", found.configuration["keepbits"], 1, 2**32 - 1))


def serializer(found: Extension, dtype: np.dtype[Any], size: int) -> BoundCodec:
    """Return the codec ``packbits`` for chunks of so many items of `dtype`.

    Raises
    ------
    CodecError, MetadataError
        It has no such parameters, or does not take such items.
    """
    check_members(found, "codec", set(), {"padding_encoding", "first_bit", "last_bit"})
    padding = found.configuration.get("padding_encoding", "none")
    if padding not in PADDINGS:
        raise CodecError(
            f"codec 'packbits': padding_encoding is {padding!r:.80}, not one of {', '.join(PADDINGS)}"
        )
    first, last = (_bit(found, name) for name in ("first_bit", "last_bit"))
    return PackBits(dtype, size, padding, first, last, found.configuration)


def _bit(found: Extension, name: str) -> int | None:
    value = found.configuration.get(name)
    return None if value is None else check_int("packbits", name, value, 0, 63)


def _scale_offset(found: Extension, dtype: np.dtype[Any]) -> ScaleOffset:
    check_members(found, "codec", set(), {"offset", "scale"})
    if dtype.kind not in "iuf" or dtype.isbuiltin != 1:
        raise CodecError(f"codec 'scale_offset' takes integers and floats of NumPy, not {dtype}")
    offset, scale = (
        _number(found.configuration.get(name, default), dtype, f"codec 'scale_offset': {name}")
        for name, default in (("offset", 0), ("scale", 1))
    )
    return ScaleOffset(dtype, offset, scale, found.configuration)


def _cast_value(found: Extension, dtype: np.dtype[Any]) -> CastValue:
    check_members(found, "codec", {"data_type"}, {"rounding", "out_of_range", "scalar_map"})
    config = found.configuration
    encoded = parse_data_type(config["data_type"])
    for numbers in (dtype, encoded):
        # Before numbers of them are read.
        check_castable(numbers)
    maps = config.get("scalar_map")
    maps = {} if maps is None else maps
    if not isinstance(maps, dict) or maps.keys() - set(_DIRECTIONS):
        raise CodecError(
            f"codec 'cast_value': scalar_map is {maps!r:.80}, not an object with 'encode' and 'decode'"
        )
    return CastValue(
        dtype,
        encoded,
        config.get("rounding", "nearest-even"),
        config.get("out_of_range"),
        _pairs(maps, "encode", dtype, encoded),
        _pairs(maps, "decode", encoded, dtype),
        config,
    )


def _pairs(
    maps: dict[str, Any], direction: str, old: np.dtype[Any], new: np.dtype[Any]
) -> list[tuple[Any, Any]]:
    where = f"codec 'cast_value': scalar_map: {direction}"
    pairs = maps.get(direction, [])
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise CodecError(f"{where} is {pairs!r:.80}, not a list of pairs")
    if len(pairs) > _MAX_PAIRS:
        raise CodecError(f"{where} has {len(pairs)} pairs, the limit is {_MAX_PAIRS}")
    return [(_number(pair[0], old, where), _number(pair[1], new, where)) for pair in pairs]


def _number(value: object, dtype: np.dtype[Any], where: str) -> Any:
    try:
        if value is None:
            raise ValueError("null")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("in JSON, NaN and the infinities are text")
        return parse_scalar(value, dtype)
    except ValueError as err:
        raise CodecError(f"{where}: {value!r:.80} is no number of {dtype}: {err}") from err
