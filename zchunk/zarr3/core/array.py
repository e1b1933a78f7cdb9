"""Names of ``zarr.core.array``."""

from zchunk.core.array import Array
from zchunk.core.array_config import ArrayConfig

__all__ = ["Array", "ArrayConfig"]
