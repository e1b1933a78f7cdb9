"""Names of zarr 2's module ``n5``."""

from zchunk.codecs import N5ChunkWrapper
from zchunk.metadata.n5 import N5_FORMAT, n5_keywords
from zchunk.storage.n5 import N5FSStore, N5Store, n5_attrs_key

__all__ = ["N5_FORMAT", "N5ChunkWrapper", "N5FSStore", "N5Store", "n5_attrs_key", "n5_keywords"]
