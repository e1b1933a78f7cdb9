"""`open_store`: from what users pass as `store` to a store."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from zchunk.errors import PathNotFoundError
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.versions import asked_format
from zchunk.storage import registry
from zchunk.storage.base import Mode, Store
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.mapping import as_store
from zchunk.storage.memory import MemoryStore

if TYPE_CHECKING:
    from zchunk.storage import urls as _urls
    from zchunk.typing import StoreLike
else:
    # Most stores are named by a path.
    _urls = LazyModule("zchunk.storage.urls")

_ZIP_MODES: dict[Mode, Literal["r", "w", "a", "x"]] = {
    "r": "r",
    "r+": "a",
    "a": "a",
    "w": "w",
    "w-": "a",
    "x": "x",
}


def open_store(
    store: StoreLike = None,
    mode: Mode = "a",
    storage_options: dict[str, Any] | None = None,
) -> Store:
    """Return the store that `store` names.

    Parameters
    ----------
    store : None, str, path-like or mapping
        None is a new `MemoryStore`; a path ending in ``.zip`` a `ZipStore`, one in ``.n5`` an `N5Store`, any
        other a `DirectoryStore` (``~/`` is the home folder); a URL of a bucket (``s3://bucket/x``, ``gs://``,
        ``az://``) or a store of obstore an `ObjectStore`; ``redis://host/0/x`` a `RedisStore`; any other URL
        (``https://…``, ``memory://x``, ``reference://refs.json``, chains with ``::``), a file system or
        `FSMap` of fsspec, and references of kerchunk as a dictionary, an `FSStore`; a URL that ends in
        ``.zip`` a `ZipStore`, to be read; a store of zarr-python 3 a `CoroutineStore`; any other mapping a
        `KVStore` over it; a `Store` itself. A ``file://`` URL, which may be %-encoded, is as the path that it
        names, and needs no fsspec.
    mode : {"r", "r+", "a", "w", "w-", "x"}, default "a"
        How to open a zip file: ``"r"`` to read; ``"r+"`` to change one that exists; ``"a"`` and ``"w-"`` to
        change or create; ``"w"`` to replace; ``"x"`` to create. An `FSStore` that is opened with ``"r"``
        refuses changes. Other stores are opened alike in all modes.
    storage_options : dict, optional
        Options of the service or file system, for a URL. For a mapping they mean nothing, as in zarr 2.

    Returns
    -------
    Store

    Raises
    ------
    PathNotFoundError
        For a zip file that should exist and does not.
    ImportError
        For a URL, if the package for it is not installed; it names the extra of zchunk that has it.
    ValueError
        For a ``file://`` URL without an absolute path, `storage_options` with a path, or an unknown mode.

    Examples
    --------
    >>> from zchunk.storage import open_store
    >>> open_store(None)  # doctest: +ELLIPSIS
    <MemoryStore at ...>
    >>> type(open_store("run.zarr"))
    <class 'zchunk.storage.directory.DirectoryStore'>
    """
    if mode not in _ZIP_MODES:
        raise ValueError(f"mode is one of {', '.join(map(repr, _ZIP_MODES))}, not {mode!r}")
    if store is None:
        return MemoryStore()
    if not isinstance(store, (str, os.PathLike)):
        return _store_of_map(store, mode, storage_options or {})
    path = os.fspath(store)
    if path == "~" or path.startswith("~/"):
        # A shell leaves a `~` within quotes to the program.
        path = os.path.expanduser(path)
    if "://" in path or "::" in path:
        found = _urls.store_of_url(path, mode, storage_options or {})
        if not isinstance(found, str):
            return found
        path = found
    elif storage_options:
        raise ValueError(f"storage_options are for URLs, and {path!r} is a path; leave them out")
    if path.endswith(".n5"):
        return registry.N5Store(path)
    if not path.endswith(".zip") or os.path.isdir(path):
        return DirectoryStore(path)
    if mode in ("r", "r+") and not os.path.exists(path):
        raise PathNotFoundError(f"no zip file at {path!r}; mode 'a' creates one")
    return registry.ZipStore(path, mode=_ZIP_MODES[mode])


def _store_of_map(store: Any, mode: Mode, storage_options: dict[str, Any]) -> Store:
    # A program that has such an object has imported the module.
    buckets = sys.modules.get("obstore.store")
    if buckets is not None and isinstance(store, buckets.ObjectStore):
        return registry.ObjectStore(store, read_only=mode == "r", **storage_options)
    files = sys.modules.get("fsspec.spec")
    if files is not None and isinstance(store, files.AbstractFileSystem):
        return registry.FSStore(store.root_marker, mode=mode, fs=store, **storage_options)
    mapping = sys.modules.get("fsspec.mapping")
    if mapping is not None and isinstance(store, mapping.FSMap):
        return registry.FSStore(
            store.root,
            mode=mode,
            fs=store.fs,
            missing_exceptions=store.missing_exceptions,
            **storage_options,
        )
    if isinstance(store, dict) and isinstance(store.get("refs"), dict):
        # References of kerchunk and VirtualiZarr: no key of a store has a dictionary for its value.
        return registry.FSStore("reference://", mode=mode, **{**storage_options, "fo": store})
    coroutines = sys.modules.get("zarr.abc.store")
    if coroutines is not None and isinstance(store, getattr(coroutines, "Store", ())):
        return _store_of_zarr3(store)
    return as_store(store)


def _store_of_zarr3(store: Any) -> Store:
    """Return a store for one of zarr-python 3: for local files zchunk's own, which is faster."""
    local = getattr(sys.modules.get("zarr.storage"), "LocalStore", None)
    if local is not None and type(store) is local and not store.read_only:
        return DirectoryStore(store.root)
    return registry.CoroutineStore(store)


@contextmanager
def using_store(
    store: StoreLike, mode: Mode, storage_options: dict[str, Any] | None = None
) -> Iterator[Store]:
    """Give the store that `store` names, and close it at the end if it was opened here, by its path."""
    target = open_store(store, mode, storage_options)
    try:
        yield target
    finally:
        if isinstance(store, str | os.PathLike):
            target.close()


def normalize_store_arg(
    store: StoreLike,
    storage_options: dict[str, Any] | None = None,
    mode: Mode = "r",
    *,
    zarr_version: int | None = None,
) -> Store:
    """Do what `open_store` does (zarr 2's name).

    Parameters
    ----------
    store, storage_options, mode
        As for `open_store`.
    zarr_version : {None, 2, 3}, optional
        Version of the format; a store has none.

    Returns
    -------
    Store

    Examples
    --------
    >>> from zchunk.storage import normalize_store_arg
    >>> normalize_store_arg({})  # doctest: +ELLIPSIS
    <KVStore of dict at ...>
    """
    asked_format(zarr_version)
    return open_store(store, mode, storage_options)
