"""Names of ``zarr.core.group``."""

from zchunk.hierarchy.groups import Group
from zchunk.metadata.group import ConsolidatedMetadata, GroupMetadata

__all__ = ["ConsolidatedMetadata", "Group", "GroupMetadata"]
