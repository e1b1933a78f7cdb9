"""zarr 3's defaults: `config`, and what arrays and groups are where a caller says nothing.

`config` shares all that is set with `zchunk.config`; only what was not set is zarr 3's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zchunk.codecs.zstd import Zstd
from zchunk.core.array_config import ArrayConfig, NewNodes, as_config
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.settings import Config
from zchunk.runtime.settings import config as _shared

if TYPE_CHECKING:
    from zchunk.metadata.array import ArrayMetadata
    from zchunk.typing import ArrayConfigLike
    from zchunk.zarr3 import metadata
else:
    # For programs that ask for them.
    metadata = LazyModule("zchunk.zarr3.metadata")

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


def configuration(given: ArrayConfigLike = None) -> ArrayConfig:
    """Return how arrays are used and what new ones are: what a caller says, and zarr 3's defaults.

    Examples
    --------
    >>> configuration().write_empty_chunks
    False
    >>> configuration({"write_empty_chunks": True}).write_empty_chunks
    True
    """
    if isinstance(given, ArrayConfig) and given.new_nodes != NewNodes():
        return given
    base = ArrayConfig(
        config.get("array.order"),
        config.get("array.write_empty_chunks"),
        config.get("array.read_missing_chunks"),
        NewNodes(config.get("default_zarr_format"), COMPRESSOR, shown),
        strings=True,
    )
    return as_config(None if given is None else _as_mapping(given), base=base)


def shown(plain: ArrayMetadata, attributes: Callable[[], dict[str, Any]]) -> ArrayMetadata:
    """Return what `Array.metadata` is: the metadata of an array, with zarr 3's members.

    Examples
    --------
    >>> import zchunk
    >>> type(shown(zchunk.zeros(3).metadata, dict)).__name__
    'ArrayV2Metadata'
    """
    return metadata.shown(plain, attributes)


def _as_mapping(given: ArrayConfigLike) -> ArrayConfigLike:
    return given.to_dict() if isinstance(given, ArrayConfig) else given
