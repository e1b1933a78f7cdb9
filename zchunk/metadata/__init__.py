"""Metadata: one frozen model of an array, and one module per format that parses and renders its JSON."""

from zchunk.metadata.array import ArrayMetadata

__all__ = ["ArrayMetadata"]
