"""Metadata: one frozen model of an array, and one module per format that parses and renders its JSON."""

from zchunk.metadata.model import ArrayMetadata

__all__ = ["ArrayMetadata"]
