"""Names of ``zarr.core.buffer``."""

from zchunk.zarr3.storage import Buffer

__all__ = ["Buffer"]
