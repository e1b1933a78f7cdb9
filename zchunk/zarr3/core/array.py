"""Names of ``zarr.core.array``."""

from zchunk.core.array_config import ArrayConfig
from zchunk.zarr3.nodes import Array

__all__ = ["Array", "ArrayConfig"]
