"""Overlap: whether what is written lies in, or in the place of, what is read."""

from __future__ import annotations

import os
from collections.abc import Iterable

from zchunk.core.node import Node
from zchunk.errors import CopyError
from zchunk.storage import Store


def place(store: Store, path: str) -> str:
    """Return the name of a path in a store that is the same for all stores that share it.

    That of a folder is the real path, for another store may begin further down.
    """
    found = os.path.join(store.lock_identity, store._folded(path))
    return (os.path.realpath(found) if os.path.isabs(found) else found).rstrip("/")


def places(node: Node, path: str | None = None) -> set[str]:
    """Return where the metadata and the chunks of a node are, or those at another path in its stores."""
    path = node.path if path is None else path
    return {place(store, path) for store in (node.store, node.chunk_store)}


def is_below(path: str, top: str) -> bool:
    """Whether a path is `top` or below it."""
    return not top or f"{path}/".startswith(f"{top.rstrip('/')}/")


def check_apart(sources: Iterable[Node], store: Store, path: str, advice: str = "") -> None:
    """Raise `CopyError` if a path in a store is at, in or above one of the sources."""
    new = place(store, path)
    for node in sources:
        if any(is_below(new, old) or is_below(old, new) for old in places(node)):
            raise CopyError(
                "the destination is the source, or lies in it or above it: "
                f"{'/' + path!r} in {store!r} would be in or instead of its source {node!r}{advice}"
            )


def check_not_read(sources: Iterable[Node], written: Node, advice: str = "") -> None:
    """Raise `CopyError` if the data that are written to a node are read from it too."""
    changed = places(written)
    for node in sources:
        if places(node) & changed:
            raise CopyError(f"{written!r} would be read while it is written to{advice}")
