"""Names of zarr 2's module ``meta_v1``."""

from zchunk.wings.zarr2.format1 import (
    decode_metadata,
    encode_metadata,
    migrate_1to2,
)

__all__ = [
    "decode_metadata",
    "encode_metadata",
    "migrate_1to2",
]
