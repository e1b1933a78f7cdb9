"""The Zstd codec: Zstandard frames (RFC 8878)."""

from __future__ import annotations

from typing import Any

from zchunk._ext.codecs.dispatch import KINDS, decode, zstd_decoded_bound
from zchunk._ext.codecs.libraries import versions
from zchunk.codecs.base import NativeCodec, Spec, check_int

_LEVELS = versions()["zstd"]


class Zstd(NativeCodec):
    """Zstandard compression.

    Parameters
    ----------
    level : int, optional
        Up to 22, negative for speed; 0 is the library's default, 3.
    checksum : bool, optional
        Store a checksum, which decoding verifies.

    Examples
    --------
    >>> import zchunk
    >>> codec = zchunk.Zstd(level=5)
    >>> codec.decode(codec.encode(b"value" * 100))[:5]
    b'value'
    >>> codec.get_config()
    {'id': 'zstd', 'level': 5}
    """

    codec_id = "zstd"

    def __init__(self, level: int = 1, checksum: bool = False) -> None:
        self.level = check_int("zstd", "level", level, *_LEVELS)
        self.checksum = bool(checksum)

    def spec(self, itemsize: int) -> Spec:
        return KINDS["zstd"], self.level, int(self.checksum), 0, 0, 1, 0

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if not self.checksum:
            # Some readers know no such member.
            del config["checksum"]
        return config

    def _decode_unsized(self, buf: Any, limit: int | None) -> bytes:
        # Frames of a streaming encoder do not tell their size, but no block of theirs is larger than 128 KiB.
        bound = zstd_decoded_bound(buf)
        if bound < 0:
            raise RuntimeError(f"corrupt: {memoryview(buf).nbytes} bytes are no Zstandard frames")
        return decode(self.spec(1), buf, bound if limit is None else min(bound, limit), exact=False)
