"""The crc32 codec: the checksum of format 2, which zarr 2 reads without another package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from zchunk.codecs.checksum import Checksum
from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    from zchunk._ext.engine import file_job
else:
    # It brings the native engine, which a program that only opens arrays does not need.
    file_job = LazyModule("zchunk._ext.engine.file_job")


class CRC32(Checksum):
    """CRC-32 of zip and gzip, stored little-endian beside the bytes.

    Parameters
    ----------
    location : {"start", "end"}, optional
        Where the checksum is. Versions of numcodecs before 0.14 only know the start.

    Examples
    --------
    >>> import zchunk
    >>> codec = zchunk.codecs.CRC32()
    >>> codec.encode(b"value")[4:]
    b'value'
    >>> bytes(codec.decode(codec.encode(b"value")))
    b'value'
    """

    codec_id = "crc32"
    usual: ClassVar[str] = "start"

    def __init__(self, location: str = "start") -> None:
        super().__init__(location)

    @staticmethod
    def sum_of(data: Any) -> int:
        return file_job.crc32(data)
