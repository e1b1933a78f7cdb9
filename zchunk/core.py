"""Names of zarr 2's module ``core``."""

from zchunk.array import Array

__all__ = ["Array"]
