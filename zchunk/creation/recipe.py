"""The recipe of an array: what a new array is to be, in the words of the caller.

It goes as a whole from the functions that users call to where the metadata are made. It has a module of its
own so that a program that only reads arrays need not import that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class ArrayRecipe(NamedTuple):
    """Parameters of `zchunk.create` that say what the array is to be, with their defaults."""

    shape: Any
    chunks: Any = True
    dtype: Any = None
    compressor: Any = "default"
    fill_value: Any = 0
    order: str = "C"
    dimension_separator: str | None = None
    filters: Any = None
    object_codec: Any = None
    shards: Any = None
    compressors: Any = "auto"
    serializer: Any = None
    chunk_key_encoding: Any = None
    dimension_names: Any = None
    checksum: bool = False
    attributes: Mapping[str, Any] | None = None
    index_location: str = "end"
