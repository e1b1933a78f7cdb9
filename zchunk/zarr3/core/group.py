"""Names of ``zarr.core.group``."""

from zchunk.metadata.group import ConsolidatedMetadata, GroupMetadata
from zchunk.zarr3.nodes import Group

__all__ = ["ConsolidatedMetadata", "Group", "GroupMetadata"]
