"""Names of zarr 2's module ``hierarchy``."""

from zchunk.api import group, open_group
from zchunk.group import Group

__all__ = ["Group", "group", "open_group"]
