"""Names of zarr 2's module ``attrs``."""

from zchunk.core.attributes import Attributes

__all__ = ["Attributes"]
