"""Zip files: `store` has `ZipStore`, `archive` and `reader` the format, `methods` the compression."""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.storage.zip.store import ZipStore
else:
    __getattr__ = lazy_names(globals(), {"zchunk.storage.zip.store": "ZipStore"})

__all__ = ["ZipStore"]
