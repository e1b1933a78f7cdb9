"""What programs import from ``zarr.core``: names that other modules have.

`array`, `buffer` and `group` have no code of their own.
"""

from zchunk.zarr3.core import array, buffer, group

__all__ = ["array", "buffer", "group"]
