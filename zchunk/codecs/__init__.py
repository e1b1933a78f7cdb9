"""Codecs: those that run natively, and all of numcodecs by name.

`Blosc`, `LZ4`, `Zstd`, `Zlib`, `GZip`, `CRC32` and `Crc32c` are zchunk's own, with the names, parameters and
bytes of numcodecs'; `N5ChunkWrapper` makes the blocks of `zchunk.storage.N5Store`. Any other codec of
numcodecs is an attribute of this module too (``zchunk.codecs.Delta``); numcodecs is imported when the first
of them is asked for. zarr 3's names of codecs are here, too (``zchunk.codecs.BloscCodec``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zchunk.codecs.base import Codec, NativeCodec
from zchunk.codecs.blosc import Blosc
from zchunk.codecs.chain import CodecChain
from zchunk.codecs.crc32 import CRC32
from zchunk.codecs.crc32c import Crc32c
from zchunk.codecs.deflate import GZip, Zlib
from zchunk.codecs.lz4 import LZ4
from zchunk.codecs.registry import as_codec, get_codec, register_codec
from zchunk.codecs.zstd import Zstd
from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    from zchunk.codecs import n5
    from zchunk.codecs.n5 import N5ChunkWrapper
else:
    n5 = LazyModule("zchunk.codecs.n5")
# zarr 3's names of codecs that are nobody else's.
_zarr3: Any = LazyModule("zchunk.zarr3.codecs")
_ZARR3_NAMES = {
    *("BloscCodec", "BytesCodec", "CastValue", "Crc32cCodec", "GzipCodec", "ScaleOffset", "ShardingCodec"),
    *("TransposeCodec", "VLenBytesCodec", "VLenUTF8Codec", "ZstdCodec"),
}

__all__ = [
    "LZ4",
    "Blosc",
    "Codec",
    "CodecChain",
    "CRC32",
    "Crc32c",
    "GZip",
    "N5ChunkWrapper",
    "NativeCodec",
    "Zlib",
    "Zstd",
    "as_codec",
    "get_codec",
    "register_codec",
]

for _cls in (Blosc, LZ4, Zstd, Zlib, GZip, CRC32, Crc32c):
    register_codec(_cls)


class _N5:
    """Stands for the codec of N5's blocks, which few arrays have, where codecs are known by name."""

    @staticmethod
    def from_config(config: dict[str, Any]) -> Codec:
        made: Codec = n5.N5ChunkWrapper.from_config(config)
        return made


register_codec(_N5, "n5_wrapper")


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    if name == "N5ChunkWrapper":
        return n5.N5ChunkWrapper
    if name in _ZARR3_NAMES:
        return getattr(_zarr3, name)
    import numcodecs

    if name == "codec_registry":
        return numcodecs.registry.codec_registry

    try:
        return getattr(numcodecs, name)
    except AttributeError:
        raise AttributeError(f"neither zchunk nor numcodecs has a codec {name!r}") from None
