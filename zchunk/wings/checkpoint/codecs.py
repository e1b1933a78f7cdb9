"""The codecs of a checkpoint: those that the caller asks for, and checksums after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zchunk.codecs import as_codec
from zchunk.errors import CodecError

CRC32C: dict[str, Any] = {"name": "crc32c"}


def with_checksum(compressors: Any) -> Any:
    """Return `compressors` of a `CheckpointManager` as those of an array.

    Examples
    --------
    >>> from zchunk.wings.checkpoint.codecs import with_checksum
    >>> with_checksum("crc32c"), with_checksum(None)
    ([{'name': 'crc32c'}], None)
    """
    if compressors is None:
        return None
    if isinstance(compressors, str):
        if compressors == "crc32c":
            return [CRC32C]
        try:
            return [as_codec(compressors, 3), CRC32C]
        except CodecError as err:
            raise CodecError(f"compressors: {err}") from err
    several = isinstance(compressors, Sequence) and not isinstance(compressors, Mapping)
    return [*(compressors if several else [compressors]), CRC32C]
