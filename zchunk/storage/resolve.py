"""`open_store`: from what users pass as `store` to a store."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Any, Literal

from zchunk.errors import PathNotFoundError
from zchunk.storage import lazy
from zchunk.storage.base import Mode, Store, as_store
from zchunk.storage.directory import DirectoryStore
from zchunk.storage.memory import MemoryStore

_ZIP_MODES: dict[Mode, Literal["r", "w", "a", "x"]] = {
    "r": "r",
    "r+": "a",
    "a": "a",
    "w": "w",
    "w-": "a",
    "x": "x",
}


def open_store(
    store: str | os.PathLike[str] | MutableMapping[str, Any] | None = None, mode: Mode = "a"
) -> Store:
    """Return the store that `store` names.

    Parameters
    ----------
    store : None, str, path-like or mapping
        None is a new `MemoryStore`; a path ending in ``.zip`` a `ZipStore`, any other path or ``file://`` URL
        a `DirectoryStore`; a mapping a `KVStore` over it; a `Store` itself.
    mode : {"r", "r+", "a", "w", "w-", "x"}, default "a"
        How to open a zip file: ``"r"`` to read; ``"r+"`` to change one that exists; ``"a"`` and ``"w-"`` to
        change or create; ``"w"`` to replace; ``"x"`` to create. Other stores are opened alike in all modes.

    Returns
    -------
    Store

    Raises
    ------
    PathNotFoundError
        For a zip file that should exist and does not.
    ValueError
        For a URL with another scheme than ``file``, or an unknown mode.
    """
    if mode not in _ZIP_MODES:
        raise ValueError(f"mode is one of {', '.join(map(repr, _ZIP_MODES))}, not {mode!r}")
    if store is None:
        return MemoryStore()
    if not isinstance(store, (str, os.PathLike)):
        return as_store(store)
    path = os.fspath(store)
    if "://" in path:
        path = lazy.path_of_url(path)
    if not path.endswith(".zip") or os.path.isdir(path):
        return DirectoryStore(path)
    if mode in ("r", "r+") and not os.path.exists(path):
        raise PathNotFoundError(f"no zip file at {path!r}; mode 'a' creates one")
    return lazy.ZipStore(path, mode=_ZIP_MODES[mode])
