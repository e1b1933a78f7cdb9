"""Metadata: one frozen model of an array, and one module per format that parses and renders its JSON.

`array` has the model, `ArrayMetadata`, which is public, `group` what a group's document has. `formats` has
what differs between formats, as one class for each; `v2`, `v3` and `n5` parse and render, `consolidated` the
metadata of all nodes in one document. Nothing behind the model asks for the format.
"""

from zchunk.metadata.array import ArrayMetadata

__all__ = ["ArrayMetadata"]
