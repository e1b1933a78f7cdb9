"""Names of zarr 2's module ``util``."""

from zchunk.display import InfoReporter
from zchunk.grid import normalize_chunks, normalize_shape
from zchunk.keys import normalize_path as normalize_storage_path
from zchunk.tree import TreeViewer

__all__ = ["InfoReporter", "TreeViewer", "normalize_chunks", "normalize_shape", "normalize_storage_path"]
