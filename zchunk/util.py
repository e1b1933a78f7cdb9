"""Names of zarr 2's module ``util``."""

from typing import Any

from zchunk.display import InfoReporter
from zchunk.grid import normalize_chunks, normalize_shape
from zchunk.keys import normalize_path as normalize_storage_path
from zchunk.meta import json_dumps, json_loads
from zchunk.tree import TreeViewer


def buffer_size(v: Any) -> int:
    """Return the number of bytes of a bytes-like object."""
    return memoryview(v).nbytes


__all__ = [
    "InfoReporter",
    "TreeViewer",
    "buffer_size",
    "json_dumps",
    "json_loads",
    "normalize_chunks",
    "normalize_shape",
    "normalize_storage_path",
]
