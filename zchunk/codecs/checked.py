"""Decoding with numcodecs what strangers have stored.

Its decoders take the memory that data or metadata announce at once, or as much as comes out. Here that is
compared before with what there is, and with what a chunk may hold.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from zchunk.codecs.base import Codec, LimitedCodec, NativeCodec, flat
from zchunk.spec.dtypes import decode_dtype


def decode(codec: Codec, data: object, limit: int) -> Any:
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
    if isinstance(codec, LimitedCodec | NativeCodec):
        return codec.decode(data, limit=limit)
    if type(codec).__module__.partition(".")[0] == "numcodecs":
        decoder = _DECODERS.get(codec.codec_id)
        if decoder is not None:
            return decoder(codec, data, limit)
        _check_growth(codec, data, limit)
    return codec.decode(data)


def _check(nbytes: int, limit: int) -> None:
    if nbytes > limit:
        raise ValueError(f"it announces {nbytes} decoded bytes, at most {limit} are possible")


def _check_growth(codec: Codec, data: object, limit: int) -> None:
    """Check what comes out of a filter whose parameters, from the metadata, name dtypes."""
    decoded = getattr(codec, "decode_dtype", getattr(codec, "dtype", None))
    encoded = getattr(codec, "encode_dtype", getattr(codec, "astype", None))
    if isinstance(decoded, np.dtype) and isinstance(encoded, np.dtype):
        _check(memoryview(flat(data)[0]).nbytes // max(encoded.itemsize, 1) * decoded.itemsize, limit)


def _decode_bz2(codec: Codec, data: object, limit: int) -> Any:
    import bz2

    return _decompress(bz2.BZ2Decompressor, data, limit)


def _decode_lzma(codec: Any, data: Any, limit: int) -> Any:
    import lzma

    # Other streams than raw ones name their filters themselves, and the module takes none for them: what
    # numcodecs encodes with filters it does not decode.
    filters = codec.filters if codec.format == lzma.FORMAT_RAW else None
    # Nothing refers to what is further back than all that may come out, whatever the metadata ask for.
    window = max(limit, 4096)
    filters = filters and [
        {**f, "dict_size": min(f["dict_size"], window)} if "dict_size" in f else f for f in filters
    ]
    return _decompress(lambda: lzma.LZMADecompressor(codec.format, filters=filters), data, limit)


def _decompress(new: Callable[[], Any], data: object, limit: int) -> bytes:
    """Return what the streams in `data` decode to. Their headers do not say how much that is."""
    rest = bytes(flat(data)[0])
    parts: list[bytes] = []
    while rest:
        stream = new()
        try:
            parts.append(stream.decompress(rest, min(limit, sys.maxsize - 1) + 1))
        except Exception:
            # What follows a stream may be anything, as in the modules' own functions.
            if parts:
                break
            raise
        limit -= len(parts[-1])
        if limit < 0:
            raise ValueError("it decodes to more bytes than are possible")
        if not stream.eof:
            raise ValueError("it ends in the middle of a stream")
        rest = stream.unused_data
    return b"".join(parts)


def _decode_vlen(codec: Codec, data: object, limit: int) -> Any:
    view = memoryview(flat(data)[0]).cast("B")
    n = int.from_bytes(view[:4], "little")
    # Each item has its length in front, four bytes as the header.
    if len(view) < 4 + 4 * n:
        raise ValueError(f"it announces {n} items, which {len(view)} bytes cannot hold")
    _check(n * np.dtype(object).itemsize, limit)
    return codec.decode(data)


def _decode_json(codec: Codec, data: object, limit: int) -> Any:
    config = codec.get_config()
    text = str(flat(data)[0], config["encoding"])
    return _array(json.loads(text, strict=config["strict"]), limit)


def _decode_msgpack(codec: Any, data: Any, limit: int) -> Any:
    import msgpack

    data = flat(data)[0]
    first = msgpack.Unpacker(max_buffer_size=16)
    first.feed(bytes(memoryview(data).cast("B")[:16]))
    # Items along the first axis, a dtype and a shape.
    _check((first.read_array_header() - 2) * np.dtype(object).itemsize, limit)
    return _array(msgpack.unpackb(data, raw=codec.raw), limit)


def _array(items: object, limit: int) -> np.ndarray[Any, Any]:
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
    "bz2": _decode_bz2,
    "lzma": _decode_lzma,
    "vlen-utf8": _decode_vlen,
    "vlen-bytes": _decode_vlen,
    "vlen-array": _decode_vlen,
    "json2": _decode_json,
    "msgpack2": _decode_msgpack,
}
