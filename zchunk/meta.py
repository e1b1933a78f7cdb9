"""Names of zarr 2's module ``meta``."""

from zchunk.wings.zarr2.metadata import (
    ZARR_FORMAT,
    Metadata2,
    decode_array_metadata,
    decode_group_metadata,
    encode_array_metadata,
    encode_group_metadata,
    json_dumps,
    json_loads,
    parse_metadata,
)

__all__ = [
    "ZARR_FORMAT",
    "Metadata2",
    "decode_array_metadata",
    "decode_group_metadata",
    "encode_array_metadata",
    "encode_group_metadata",
    "json_dumps",
    "json_loads",
    "parse_metadata",
]
