"""The LZ4 codec: the decoded size as int32, then one LZ4 block, as numcodecs stores it."""

from __future__ import annotations

from zchunk._ext.codecs.dispatch import KINDS
from zchunk.codecs.base import NativeCodec, Spec, check_int


class LZ4(NativeCodec):
    """LZ4 compression.

    Parameters
    ----------
    acceleration : int, optional
        Larger is faster and compresses less; 1 is LZ4's own speed.

    Examples
    --------
    >>> import zchunk
    >>> codec = zchunk.LZ4()
    >>> codec.decode(codec.encode(b"value" * 100))[:5]
    b'value'
    >>> codec.get_config()
    {'id': 'lz4', 'acceleration': 1}
    """

    codec_id = "lz4"
    max_size = 0x7E000000

    def __init__(self, acceleration: int = 1) -> None:
        self.acceleration = check_int("lz4", "acceleration", acceleration, -(2**31), 2**31 - 1)

    def spec(self, itemsize: int) -> Spec:
        return KINDS["lz4"], self.acceleration, 0, 0, 0, 1, 0
