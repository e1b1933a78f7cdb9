"""A second opinion: chunks decoded by the packages that others use, and compared with what was read.

python-blosc and lz4 are asked for Blosc and LZ4, Python's zlib for Zlib and GZip, numcodecs for Zstd. Filters
are not repeated: a chunk that has any, or Python objects, is not compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from zchunk.codecs.checksum import Checksum
from zchunk.engine.array import ChunkedArray

# Tells zlib of the header of gzip.
_GZIP = 16 + zlib.MAX_WBITS


class Reference:
    """Compares chunks with what the reference decoders make of them.

    Raises
    ------
    ImportError
        One of the packages is not installed.
    """

    def __init__(self) -> None:
        try:
            blosc, lz4, numcodecs = map(import_module, ("blosc", "lz4.block", "numcodecs"))
        except ImportError as err:
            raise ImportError(f"reference=True needs them: pip install blosc lz4 numcodecs ({err})") from err
        self._decoders: dict[str, Callable[[bytes], bytes]] = {
            "blosc": blosc.decompress,
            "lz4": lz4.decompress,
            "zstd": lambda data: bytes(numcodecs.Zstd().decode(data)),
            "zlib": zlib.decompress,
            "gzip": lambda data: zlib.decompress(data, _GZIP),
        }

    def __call__(self, array: ChunkedArray, key: str, items: np.ndarray[Any, Any]) -> str | None:
        """Return what differs, None if nothing does, or the chunk is not compared."""
        chain = array.chain
        if chain.native_spec is None:
            return None
        codecs = [codec for codec in (*chain.filters, *chain.compressors) if not isinstance(codec, Checksum)]
        if any(codec.codec_id not in self._decoders for codec in codecs):
            return None
        try:
            data = bytes(array.store[key])
        except KeyError:
            return None
        for codec in reversed(chain.filters + chain.compressors):
            try:
                decode = codec.decode if isinstance(codec, Checksum) else self._decoders[codec.codec_id]
                data = bytes(decode(data))
            except Exception as err:
                return f"{codec.codec_id}: {type(err).__name__}: {err}"
        stored = items.byteswap() if chain.swapped else items
        if data == stored.tobytes(chain.order):
            return None
        return f"{len(data)} bytes decoded by reference, {items.nbytes} natively, with other contents"
