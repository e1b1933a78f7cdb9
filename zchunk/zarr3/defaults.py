"""zarr 3's defaults where a caller says nothing: `config`, and the compressor.

`config` shares all that is set with `zchunk.config`; only what was not set is zarr 3's.
"""

from __future__ import annotations

from zchunk.codecs.zstd import Zstd
from zchunk.runtime.settings import Config
from zchunk.runtime.settings import config as _shared

config = Config(
    _shared.flat_defaults
    | {
        "default_zarr_format": 3,
        "array.write_empty_chunks": False,
        "array.rectilinear_chunks": False,
        "async.concurrency": 10,
        # zarr's, which nothing here asks for.
        "array.target_shard_size_bytes": None,
        "async.timeout": None,
        "json_indent": 2,
    },
    shared=_shared,
)
# In both formats.
COMPRESSOR = Zstd(level=0)
