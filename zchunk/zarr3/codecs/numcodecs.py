"""numcodecs' codecs as those of format 3, by zarr 3's names: ``Delta(dtype="i4")`` is ``numcodecs.delta``.

>>> from zchunk.zarr3.codecs.numcodecs import Delta
>>> Delta(dtype="int32").to_dict()
{'name': 'numcodecs.delta', 'configuration': {'dtype': 'int32'}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from zchunk.errors import CodecError

__all__ = [
    "BZ2", "CRC32", "CRC32C", "LZ4", "LZMA", "ZFPY", "Adler32", "AsType", "BitRound", "Blosc", "Delta",
    "FixedScaleOffset", "Fletcher32", "GZip", "JenkinsLookup3", "PCodec", "PackBits", "Quantize", "Shuffle",
    "Zlib", "Zstd",
]  # fmt: skip


class _Numcodecs:
    """A codec of numcodecs in format 3; parameters are those of numcodecs', by their names."""

    _id = ""

    def __init__(self, **configuration: Any) -> None:
        self.codec_config = {"id": self._id, **configuration}

    @property
    def codec_name(self) -> str:
        """Name in the metadata."""
        return f"numcodecs.{self._id}"

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as JSON of format 3.

        Examples
        --------
        >>> from zchunk.zarr3.codecs.numcodecs import Zlib
        >>> Zlib(level=1).to_dict()
        {'name': 'numcodecs.zlib', 'configuration': {'level': 1}}
        """
        configuration = {name: value for name, value in self.codec_config.items() if name != "id"}
        return {"name": self.codec_name, "configuration": configuration}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the codec of JSON of format 3.

        Examples
        --------
        >>> from zchunk.zarr3.codecs.numcodecs import Zlib
        >>> Zlib.from_dict({"name": "numcodecs.zlib", "configuration": {"level": 1}})
        Zlib(level=1)
        """
        if data.get("name") != f"numcodecs.{cls._id}":
            raise CodecError(f"{data!r:.80} is no 'numcodecs.{cls._id}'")
        return cls(**data.get("configuration", {}))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Numcodecs) and self.codec_config == other.codec_config

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.codec_config.items() if name != "id")
        return f"{type(self).__name__}({given})"


class BZ2(_Numcodecs):
    """``numcodecs.bz2``."""

    _id = "bz2"


class CRC32(_Numcodecs):
    """``numcodecs.crc32``."""

    _id = "crc32"


class CRC32C(_Numcodecs):
    """``numcodecs.crc32c``."""

    _id = "crc32c"


class LZ4(_Numcodecs):
    """``numcodecs.lz4``."""

    _id = "lz4"


class LZMA(_Numcodecs):
    """``numcodecs.lzma``."""

    _id = "lzma"


class ZFPY(_Numcodecs):
    """``numcodecs.zfpy``."""

    _id = "zfpy"


class Adler32(_Numcodecs):
    """``numcodecs.adler32``."""

    _id = "adler32"


class AsType(_Numcodecs):
    """``numcodecs.astype``."""

    _id = "astype"


class BitRound(_Numcodecs):
    """``numcodecs.bitround``."""

    _id = "bitround"


class Blosc(_Numcodecs):
    """``numcodecs.blosc``."""

    _id = "blosc"


class Delta(_Numcodecs):
    """``numcodecs.delta``."""

    _id = "delta"


class FixedScaleOffset(_Numcodecs):
    """``numcodecs.fixedscaleoffset``."""

    _id = "fixedscaleoffset"


class Fletcher32(_Numcodecs):
    """``numcodecs.fletcher32``."""

    _id = "fletcher32"


class GZip(_Numcodecs):
    """``numcodecs.gzip``."""

    _id = "gzip"


class JenkinsLookup3(_Numcodecs):
    """``numcodecs.jenkins_lookup3``."""

    _id = "jenkins_lookup3"


class PackBits(_Numcodecs):
    """``numcodecs.packbits``."""

    _id = "packbits"


class PCodec(_Numcodecs):
    """``numcodecs.pcodec``."""

    _id = "pcodec"


class Quantize(_Numcodecs):
    """``numcodecs.quantize``."""

    _id = "quantize"


class Shuffle(_Numcodecs):
    """``numcodecs.shuffle``."""

    _id = "shuffle"


class Zlib(_Numcodecs):
    """``numcodecs.zlib``."""

    _id = "zlib"


class Zstd(_Numcodecs):
    """``numcodecs.zstd``."""

    _id = "zstd"


def kinds() -> list[type[_Numcodecs]]:
    """Return the classes of the codecs."""
    return _Numcodecs.__subclasses__()
