"""Places: from a path or URL of a command line to the store and the node in it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zchunk.convenience.opening import open as open_node
from zchunk.core.array import Array
from zchunk.errors import ArrayNotFoundError, GroupNotFoundError, PathNotFoundError
from zchunk.runtime.near_names import near
from zchunk.storage.resolve import using_store
from zchunk.wings.command_line.arguments import UsageError

if TYPE_CHECKING:
    from zchunk.hierarchy.groups import Group
    from zchunk.storage import Store
    from zchunk.storage.base import Mode

# Stores that are one file, or name their format: a node in them is not in a folder.
_WHOLE = re.compile(r"\.(?:zip|n5)/+(?=.)")
# Members of a group that an error lists.
_LISTED = 8


def split(text: str) -> tuple[str, str]:
    """Return the store that a path names, and the path of the node in it.

    Examples
    --------
    >>> split("run.zarr/u"), split("a/run.zip/g/u"), split("s3://b.zip/run.zarr")
    (('run.zarr/u', ''), ('a/run.zip', 'g/u'), ('s3://b.zip/run.zarr', ''))
    """
    scheme, found, rest = text.partition("://")
    start = 0
    if found and scheme != "memory":
        # The name of a bucket or a server may end so, too.
        start = len(scheme) + 3 + max(rest.find("/"), 0)
    match = _WHOLE.search(text, start)
    if match is None:
        return text, ""
    return text[: match.start()] + match.group().rstrip("/"), text[match.end() :].strip("/")


def options_of(args: argparse.Namespace, text: str) -> dict[str, Any] | None:
    """Return the options of the store that a place names; paths have none."""
    given = getattr(args, "options", None)
    return dict(given) if given and ("://" in text or "::" in text) else None


@contextmanager
def store_at(args: argparse.Namespace, text: str, mode: Mode = "r") -> Iterator[tuple[Store, str]]:
    """Give the store that a place names, and the path in it; the store is closed at the end."""
    where, path = split(text)
    if not where.strip():
        raise UsageError("the path is empty")
    if mode == "r" and "://" not in where and os.path.isfile(where) and not where.endswith(".zip"):
        raise UsageError(f"{where!r} is a file, not an array or group; zchunk import makes one of it")
    with using_store(where, mode, options_of(args, text)) as store:
        yield store, path


@contextmanager
def node_at(args: argparse.Namespace, text: str, mode: Mode = "r") -> Iterator[Array | Group]:
    """Give the array or group at a place.

    Raises
    ------
    UsageError
        There is none; the error names what is near.
    """
    with store_at(args, text, mode) as (store, path):
        try:
            node = open_node(store, mode, path=path)
        except (PathNotFoundError, ArrayNotFoundError, GroupNotFoundError):
            raise UsageError(f"no array or group at {text!r}{_nearby(store, path, text)}") from None
        yield node


@contextmanager
def array_at(args: argparse.Namespace, text: str) -> Iterator[Array]:
    """Give the array at a place; `UsageError` if it is a group."""
    with node_at(args, text) as node:
        yield as_array(node, text)


def as_array(node: Array | Group, text: str) -> Array:
    """Return the node, if it is an array."""
    if isinstance(node, Array):
        return node
    members = {"arrays": sorted(node.array_keys()), "groups": sorted(node.group_keys())}
    listed = [f"; its {what} are {_listed(names)}" for what, names in members.items() if names]
    raise UsageError(f"{text!r} is a group{''.join(listed) or ' without arrays'}")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")


def _nearby(store: Store, path: str, text: str) -> str:
    """Return what an error adds where nothing is: a name that is near, or whether there is anything."""
    if path:
        above, _, name = path.rpartition("/")
        return near(name, store.list_dir(above))
    if store.root is None:
        return ""
    if os.path.isdir(store.root):
        return ": the folder has no Zarr metadata"
    folder, name = os.path.split(os.path.abspath(text))
    try:
        return near(name, os.listdir(folder)) or ": there is no such file or folder"
    except OSError:
        return ": there is no such file or folder"
