"""The metadata of nodes, by zarr 3's names."""

from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.array import ArrayMetadata as ArrayV2Metadata
from zchunk.metadata.array import ArrayMetadata as ArrayV3Metadata
from zchunk.metadata.group import ConsolidatedMetadata, GroupMetadata

__all__ = ["ArrayMetadata", "ArrayV2Metadata", "ArrayV3Metadata", "ConsolidatedMetadata", "GroupMetadata"]
