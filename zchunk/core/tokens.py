"""Tokens by which dask tells data apart: equal for data that are equal as far as one sees without reading."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import uuid4

from zchunk.core.properties import ArrayProperties
from zchunk.indexing.composition import Composition, Listed

if TYPE_CHECKING:
    from zchunk.core.node import Node


def token_of(node: Node) -> str | None:
    """Return a token of an array, or of a group with all that is below, whose chunks are local files.

    It is made of names, sizes, times and inodes of the files, metadata included, so that it is the same in
    every process, and changes once a file was written. No file is read, but each is looked at: that takes
    about a second for a hundred thousand. Views of an array, which take the same files for something else,
    have tokens of their own.

    Parameters
    ----------
    node : Array or Group
        The node.

    Returns
    -------
    str or None
        None if the chunks are not local files: then nothing shows whether they are still the same.
    """
    root = node.chunk_store.root
    if root is None:
        return None
    top = os.path.realpath(os.path.join(root, node.path))
    digest = blake2b(f"{top}\0{node.zarr_format}\0".encode("utf-8", "surrogateescape"), digest_size=16)
    if node._access.missing != "fill":
        # It is other data where a chunk is not stored.
        digest.update(f"missing={node._access.missing}\0".encode())
    if isinstance(node, ArrayProperties):
        # As the node has them: a view's are in no file, those of `chunk_store` in none of these.
        for rendered in node._format.array_items(node._metadata).values():
            digest.update(rendered + b"\0")
    for folder, below, names in os.walk(top):
        below.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            try:
                found = os.stat(path)
            except FileNotFoundError:
                # Erased or replaced meanwhile: as if it had never been there.
                continue
            stamp = f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
            digest.update(f"{os.path.relpath(path, top)}\0{stamp}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def composed_token(selection: Composition, of: object) -> str:
    """Return a token of what is selected of something with this representation."""
    items = repr((of, selection.shape)).encode("utf-8", "surrogateescape")
    digest = blake2b(items, digest_size=16)
    for axis_map in selection.maps:
        if isinstance(axis_map, Listed):
            digest.update(axis_map.positions.tobytes())
        digest.update(repr(axis_map.along if isinstance(axis_map, Listed) else axis_map).encode())
    return digest.hexdigest()


def new_token() -> str:
    """Return a token that differs from every other."""
    return uuid4().hex


def dask_token(node: Node) -> tuple[str, str]:
    """Return what dask knows a node by: `token_of`, or where that is None a new token every time."""
    return "zchunk", token_of(node) or new_token()
