"""Codecs of Python objects: which one a dtype asks for, and decoding what strangers have stored.

numcodecs' decoders believe the shape and the dtype that the data or the metadata announce, and take memory
for them at once. Here it is compared with what there is, and with what a chunk may hold, before.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from zchunk.codecs.base import Codec, flat
from zchunk.codecs.registry import as_codec, get_codec
from zchunk.dtypes import decode_dtype

_IDS = {str: "vlen-utf8", "str": "vlen-utf8", bytes: "vlen-bytes", "bytes": "vlen-bytes"}


def object_dtype(dtype: Any, object_codec: Any = None) -> tuple[Any, Codec | None]:
    """Return the dtype that a user means, and the codec of its objects, None if it has none.

    As in zarr 2.18 ``str`` and ``bytes`` are objects of any length, and ``"array:i4"`` are arrays of numbers.

    Raises
    ------
    ValueError
        The items of the arrays are not named.
    """
    codec = None if object_codec is None else as_codec(object_codec)
    if isinstance(dtype, str) and dtype.partition(":")[0] == "array":
        item = dtype.partition(":")[2]
        if codec is None and not item:
            raise ValueError(f"dtype {dtype!r} does not name the items of the arrays; write 'array:i4'")
        return np.dtype(object), codec or get_codec({"id": "vlen-array", "dtype": item})
    codec_id = _IDS.get(dtype) if isinstance(dtype, type | str) else None
    if codec_id is None:
        return dtype, codec
    return np.dtype(object), codec or get_codec({"id": codec_id})


def object_filters(
    dtype: np.dtype[Any], codec: Codec | None, filters: tuple[Codec, ...]
) -> tuple[Codec, ...]:
    """Return the filters of an array: with the codec of its objects in front, if it holds objects.

    Raises
    ------
    ValueError
        There is neither an object codec nor a filter.
    """
    if not dtype.hasobject:
        if codec is not None:
            warnings.warn("an object_codec is only needed for object arrays", UserWarning, stacklevel=4)
        return filters
    if codec is not None:
        return (codec, *filters)
    if not filters:
        raise ValueError(
            f"missing object_codec for object array: dtype {dtype} holds Python objects; give for instance "
            "object_codec=numcodecs.VLenUTF8(), or a dtype of fixed size such as 'U10'"
        )
    warnings.warn(
        "missing object_codec for object array; the first of the filters is taken for it",
        FutureWarning,
        stacklevel=4,
    )
    return filters


def decode(codec: Codec, data: Any, limit: int) -> Any:
    """Return what `codec` decodes `data` to.

    Parameters
    ----------
    codec : Codec
        That of a chunk.
    data : bytes-like
        From anyone.
    limit : int
        Most bytes that may come out, as far as they are known before.

    Raises
    ------
    Exception
        Whatever the codec raises, or `ValueError` if more would come out.
    """
    if type(codec).__module__.partition(".")[0] == "numcodecs":
        decoder = _DECODERS.get(codec.codec_id)
        if decoder is not None:
            return decoder(codec, data, limit)
        _check_growth(codec, data, limit)
    return codec.decode(data)


def _check(nbytes: int, limit: int) -> None:
    if nbytes > limit:
        raise ValueError(f"it announces {nbytes} decoded bytes, at most {limit} are possible")


def _check_growth(codec: Codec, data: Any, limit: int) -> None:
    """Check what comes out of a filter whose parameters, from the metadata, name dtypes."""
    decoded = getattr(codec, "decode_dtype", getattr(codec, "dtype", None))
    encoded = getattr(codec, "encode_dtype", getattr(codec, "astype", None))
    if isinstance(decoded, np.dtype) and isinstance(encoded, np.dtype):
        _check(memoryview(flat(data)[0]).nbytes // max(encoded.itemsize, 1) * decoded.itemsize, limit)


def _decode_vlen(codec: Codec, data: Any, limit: int) -> Any:
    view = memoryview(flat(data)[0]).cast("B")
    n = int.from_bytes(view[:4], "little")
    # Each item has its length in front, four bytes as the header.
    if len(view) < 4 + 4 * n:
        raise ValueError(f"it announces {n} items, which {len(view)} bytes cannot hold")
    _check(n * np.dtype(object).itemsize, limit)
    return codec.decode(data)


def _decode_json(codec: Codec, data: Any, limit: int) -> Any:
    config = codec.get_config()
    text = str(flat(data)[0], config["encoding"])
    return _array(json.loads(text, strict=config["strict"]), limit)


def _decode_msgpack(codec: Any, data: Any, limit: int) -> Any:
    import msgpack

    return _array(msgpack.unpackb(flat(data)[0], raw=codec.raw), limit)


def _array(items: Any, limit: int) -> np.ndarray[Any, Any]:
    """Return the array in the lists that JSON and MsgPack store: nested items, then dtype and shape.

    Unlike numcodecs' decoders it tells items that are lists from an axis.
    """
    if not isinstance(items, list) or len(items) < 2:
        raise ValueError("it is not a list that ends with a dtype and a shape")
    *values, name, shape = items
    dtype = decode_dtype(name.decode("ascii") if isinstance(name, bytes) else name)
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"it ends with {shape!r:.80}, not with a shape")
    size = math.prod(shape)
    _check(size * dtype.itemsize, limit)
    if dtype.kind != "O":
        result = np.empty(shape, dtype)
        result[...] = values if shape else values[0]
        return result
    for _ in shape[1:]:
        values = list(chain.from_iterable(values))
    if len(values) != size:
        raise ValueError(f"it holds {len(values)} items, but announces the shape {tuple(shape)}")
    return np.fromiter(values, object, size).reshape(shape)


_DECODERS: dict[str, Callable[[Any, Any, int], Any]] = {
    "vlen-utf8": _decode_vlen,
    "vlen-bytes": _decode_vlen,
    "vlen-array": _decode_vlen,
    "json2": _decode_json,
    "msgpack2": _decode_msgpack,
}
