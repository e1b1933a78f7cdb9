"""URLs as stores."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from zchunk.storage.base import Store
from zchunk.storage.fs import FSStore


def store_of_url(url: str, mode: str, storage_options: dict[str, Any]) -> Store | str:
    """Return an `FSStore` for a URL, or the path that it names if no more than a path is asked for."""
    if url.startswith("file://") and "::" not in url:
        path = path_of_url(url)
        if not storage_options and (path.endswith(".zip") or find_spec("fsspec") is None):
            return path
        # fsspec knows nothing of %-encoding.
        url = f"file://{path}"
    return FSStore(url, mode=mode, **storage_options)


def path_of_url(url: str) -> str:
    """Return the path that a ``file://`` URL names; `ValueError` if it is none.

    That is the path as it stands there, as fsspec and zarr 2 read it, if there is such a file; else without
    %-encoding.
    """
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        raise ValueError(f"cannot open {url!r}: a file URL is file:/// and an absolute path, %-encoded")
    return parts.path if os.path.lexists(parts.path) else unquote(parts.path)
