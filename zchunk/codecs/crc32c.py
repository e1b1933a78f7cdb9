"""The crc32c codec: the checksum of format 3."""

from __future__ import annotations

from typing import Any

from zchunk._ext.codecs.crc32c import checksum
from zchunk.codecs.checksum import Checksum


class Crc32c(Checksum):
    """CRC-32C (Castagnoli, RFC 3720), stored little-endian beside the bytes.

    Parameters
    ----------
    location : {"end", "start"}, optional
        Where the checksum is. Format 3 only knows the end.

    Examples
    --------
    >>> import zchunk
    >>> codec = zchunk.codecs.Crc32c()
    >>> len(codec.encode(b"value"))
    9
    >>> bytes(codec.decode(codec.encode(b"value")))
    b'value'
    """

    codec_id = "crc32c"

    def __init__(self, location: str = "end") -> None:
        super().__init__(location)

    @staticmethod
    def sum_of(data: Any) -> int:
        return checksum(data)
