"""Names of zarr 2's module ``attrs``."""

from zchunk.attributes import Attributes

__all__ = ["Attributes"]
