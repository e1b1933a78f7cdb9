"""The zlib and gzip codecs: RFC 1950 and RFC 1952."""

from __future__ import annotations

import zlib
from typing import Any

from zchunk._ext.codecs.dispatch import KINDS, MAX_DEFLATE
from zchunk.codecs.base import NativeCodec, Spec, check_int


class _Deflate(NativeCodec):
    max_size = MAX_DEFLATE

    def __init__(self, level: int = 1) -> None:
        self.level = check_int(self.codec_id, "level", level, -1, 9)

    def spec(self, itemsize: int) -> Spec:
        return KINDS[self.codec_id], self.level, 0, 0, 0, 1, 0

    def _decode_unsized(self, buf: Any, limit: int | None) -> bytes:
        """Decode with the standard library, which can grow its output, up to `limit`."""
        window = 31 if self.codec_id == "gzip" else 15
        data: Any = memoryview(buf).cast("B")
        parts: list[bytes] = []
        room = limit
        try:
            while len(data) or not parts:
                stream = zlib.decompressobj(window)
                # 0 would mean "no limit"; one byte more shows that there is more.
                parts.append(stream.decompress(data, 0 if room is None else room + 1))
                if room is not None:
                    room -= len(parts[-1])
                    if room < 0:
                        raise RuntimeError(f"it decodes to more than the {limit} bytes that are possible")
                if not stream.eof:
                    size = memoryview(buf).nbytes
                    raise RuntimeError(f"truncated: {size} bytes are there, more are needed")
                data = stream.unused_data
                if len(data) and self.codec_id == "zlib":
                    raise RuntimeError(f"{len(data)} bytes follow the end of the data")
        except zlib.error as err:
            raise RuntimeError(f"corrupt: {err}") from err
        return b"".join(parts)


class Zlib(_Deflate):
    """zlib compression.

    Parameters
    ----------
    level : int, optional
        0 (none) to 9 (most), -1 for the library's default.

    Examples
    --------
    >>> import zchunk
    >>> codec = zchunk.Zlib(level=6)
    >>> codec.decode(codec.encode(b"value" * 100))[:5]
    b'value'
    >>> codec.get_config()
    {'id': 'zlib', 'level': 6}
    """

    codec_id = "zlib"


class GZip(_Deflate):
    """gzip compression.

    Parameters
    ----------
    level : int, optional
        0 (none) to 9 (most), -1 for the library's default.

    Examples
    --------
    >>> import zchunk
    >>> codec = zchunk.GZip()
    >>> codec.decode(codec.encode(b"value" * 100))[:5]
    b'value'
    >>> codec.get_config()
    {'id': 'gzip', 'level': 1}
    """

    codec_id = "gzip"
