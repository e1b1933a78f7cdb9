"""What of an array some other implementations of Zarr do not read.

The other way round: all of them read an array of which this finds nothing. That is held against the list of
what each of them has, which random arrays are tried with (`make interop`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zchunk.codecs import Blosc, GZip, Zlib, Zstd
from zchunk.codecs.base import Codec
from zchunk.metadata.array import ArrayMetadata

_NUMBERS = ("i1", "i2", "i4", "u1", "u2", "u4", "f4", "f8")


def unportable(meta: ArrayMetadata, path: str) -> Iterator[str]:
    """Give what some implementations do not read, in words.

    Parameters
    ----------
    meta : ArrayMetadata
        Of the array.
    path : str
        Where it lies in its store.
    """
    if not path:
        yield "it lies in no group"
    if not meta.shape or 0 in meta.shape:
        yield "it has no axes" if not meta.shape else "an axis has the length 0"
    if meta.dtype.str[1:] not in _NUMBERS:
        yield f"items of {meta.dtype}, not integers of 8 to 32 bits, float32 or float64"
    elif meta.swapped or meta.dtype.byteorder == ">":
        yield "big-endian items"
    if meta.fill_value is None or any(np.asarray(meta.fill_value).tobytes()):
        yield f"the fill value {meta.fill_value!r:.80}, not 0"
    if meta.order != "C":
        yield f"order {meta.order}"
    if meta.edges is not None:
        yield "chunks of several sizes"
    if meta.shards is not None:
        yield "shards"
    else:
        yield from _codecs(meta)
    encoding = meta.chunk_key_encoding
    if meta.zarr_format == 3 and (encoding.name, encoding.separator) != ("default", "/"):
        yield f"chunk keys by {encoding.name!r} with {encoding.separator!r}, not by 'default' with '/'"


def _codecs(meta: ArrayMetadata) -> Iterator[str]:
    if meta.filters:
        yield f"filters: {', '.join(codec.codec_id for codec in meta.filters)}"
    if len(meta.compressors) > 1 or not all(_is_common(codec, meta) for codec in meta.compressors):
        names = ", ".join(codec.codec_id for codec in meta.compressors)
        known = "zlib" if meta.zarr_format == 2 else "gzip, Zstandard without a checksum"
        yield f"compressors: {names}, not {known}, or Blosc with LZ4 and byte shuffle"


def _is_common(codec: Codec, meta: ArrayMetadata) -> bool:
    match codec:
        case Blosc(cname="lz4", shuffle=shuffle):
            return shuffle == 1 or (shuffle < 0 and meta.dtype.itemsize > 1)
        case GZip():
            return meta.zarr_format == 3
        case Zstd(checksum=checksum):
            return meta.zarr_format == 3 and not checksum
        case Zlib():
            return meta.zarr_format == 2
    return False
