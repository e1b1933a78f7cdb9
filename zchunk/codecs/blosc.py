"""The Blosc codec: blocks, shuffles and five compressors, as C-Blosc 1 stores them."""

from __future__ import annotations

from typing import Any, ClassVar

from zchunk._ext.codecs.dispatch import KINDS
from zchunk.codecs.base import NativeCodec, Spec, check_int
from zchunk.errors import CodecError

_STREAMS = {"blosclz": 0, "lz4": 1, "lz4hc": 2, "zlib": 4, "zstd": 5}
_SHUFFLES = {-1: "AUTOSHUFFLE", 0: "NOSHUFFLE", 1: "SHUFFLE", 2: "BITSHUFFLE"}


class Blosc(NativeCodec):
    """Blosc compression.

    Parameters
    ----------
    cname : {"lz4", "lz4hc", "zstd", "zlib", "blosclz"}, optional
        The compressor inside.
    clevel : int, optional
        0 (none) to 9 (most).
    shuffle : int, optional
        `NOSHUFFLE`, `SHUFFLE` (bytes), `BITSHUFFLE`, or `AUTOSHUFFLE`: bits for one-byte items, else bytes.
    blocksize : int, optional
        Bytes of a block; 0 for C-Blosc's choice.
    typesize : int, optional
        Bytes of an item, if it is not that of what is encoded.

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> codec = zchunk.Blosc("zstd", clevel=3, shuffle=zchunk.Blosc.BITSHUFFLE)
    >>> data = np.arange(1000, dtype="i4")
    >>> len(codec.encode(data)) < data.nbytes
    True
    >>> z = zchunk.zeros(1000, chunks=100, compressor=codec)
    >>> z.compressor
    Blosc(cname='zstd', clevel=3, shuffle=BITSHUFFLE, blocksize=0)
    """

    codec_id = "blosc"
    max_size = 2**31 - 1 - 16
    NOSHUFFLE: ClassVar[int] = 0
    SHUFFLE: ClassVar[int] = 1
    BITSHUFFLE: ClassVar[int] = 2
    AUTOSHUFFLE: ClassVar[int] = -1
    AUTOBLOCKS: ClassVar[int] = 0

    def __init__(
        self,
        cname: str = "lz4",
        clevel: int = 5,
        shuffle: int = 1,
        blocksize: int = 0,
        typesize: int | None = None,
    ) -> None:
        if not isinstance(cname, str) or cname not in _STREAMS:
            raise CodecError(f"codec 'blosc': cname is {cname!r:.80}, not one of {', '.join(_STREAMS)}")
        self.cname = cname
        self.clevel = check_int("blosc", "clevel", clevel, 0, 9)
        self.shuffle = check_int("blosc", "shuffle", shuffle, -1, 2)
        self.blocksize = check_int("blosc", "blocksize", blocksize, 0, 2**31 - 1)
        self.typesize = None if typesize is None else check_int("blosc", "typesize", typesize, 1, 2**31 - 1)

    def spec(self, itemsize: int) -> Spec:
        itemsize = self.typesize or itemsize
        shuffle = self.shuffle if self.shuffle >= 0 else (2 if itemsize == 1 else 1)
        # C-Blosc's header has one byte for it.
        typesize = itemsize if itemsize < 256 else 1
        return KINDS["blosc"], self.clevel, 0, _STREAMS[self.cname], shuffle, typesize, self.blocksize

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.typesize is None:
            del config["typesize"]
        return config

    def __repr__(self) -> str:
        typesize = "" if self.typesize is None else f", typesize={self.typesize}"
        return (
            f"Blosc(cname={self.cname!r}, clevel={self.clevel}, shuffle={_SHUFFLES[self.shuffle]}, "
            f"blocksize={self.blocksize}{typesize})"
        )
