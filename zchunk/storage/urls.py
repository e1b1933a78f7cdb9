"""URLs as stores: the scheme decides."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from zchunk.errors import ReadOnlyError
from zchunk.storage import registry
from zchunk.storage.base import Store
from zchunk.storage.fsspec.store import OBJECT_STORES, FSStore
from zchunk.storage.secrets import cleaned_url

# What fsspec puts before another file system, whose files it has.
_CACHES = {"blockcache", "filecache", "simplecache"}
_REDIS = {"redis", "rediss"}
_REFERENCES = "reference://"


def store_of_url(url: str, mode: str, storage_options: dict[str, Any]) -> Store | str:
    """Return the store that a URL names, or the path if no more than a path is asked for."""
    scheme = "" if "::" in url else url.partition("://")[0]
    if scheme == "file":
        path = path_of_url(url)
        if path.endswith(".zip") or (not storage_options and find_spec("fsspec") is None):
            return path
        # fsspec knows nothing of %-encoding.
        url = f"file://{path}"
    elif _is_archive(url) and (scheme or url.partition("::")[0] in _CACHES):
        return _zip_of_url(url, mode, storage_options)
    if scheme in _REDIS:
        return registry.RedisStore.from_url(url, **storage_options)
    # By fsspec where its package is there, and obstore is not.
    package = OBJECT_STORES.get(scheme)
    if package is not None and (find_spec("obstore") is not None or find_spec(package) is None):
        read_only = mode == "r" or storage_options.get("read_only", False)
        return registry.ObjectStore.from_url(url, **storage_options | {"read_only": read_only})
    place = url.removeprefix(_REFERENCES)
    if place != url and place and not place.startswith("::") and "fo" not in storage_options:
        # References in a file, or in a folder of Parquet files, without the "::" that fsspec wants.
        url = f"{_REFERENCES}::{place}"
    return FSStore(url, mode=mode, **storage_options)


def _is_archive(url: str) -> bool:
    """Whether a URL names a file whose name ends in ``.zip``, not a bucket or server with such a name.

    Nor what is inside it: the files in the archive ``x.zip`` of ``zip::x.zip``.
    """
    before, _, place = url.rpartition("://")
    inside = any(part.partition("://")[0] == "zip" for part in url.split("::"))
    return url.endswith(".zip") and not inside and ("/" in place or before.endswith("memory"))


def _zip_of_url(url: str, mode: str, storage_options: dict[str, Any]) -> Store:
    if mode in ("w", "w-", "x"):
        shown = cleaned_url(url)
        raise ReadOnlyError(f"zip archives at URLs are read only; write {shown!r} to a file and upload that")
    folder, _, key = url.rpartition("/")
    if folder.endswith(":/"):
        folder += "/"
    outer = store_of_url(folder, "r", storage_options)
    assert isinstance(outer, Store)
    return registry.ZipStore.over(outer, key)


def path_of_url(url: str) -> str:
    """Return the path that a ``file://`` URL names; `ValueError` if it is none.

    That is the path as it stands there, as fsspec and zarr 2 read it, if there is such a file; else without
    %-encoding.
    """
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        shown = cleaned_url(url)
        raise ValueError(f"cannot open {shown!r}: a file URL is file:/// and an absolute path, %-encoded")
    return parts.path if os.path.lexists(parts.path) else unquote(parts.path)
