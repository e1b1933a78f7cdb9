"""The stores in which operations are made to fail, each with the kind of arrays that it holds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zchunk
from zchunk.storage import (
    DirectoryStore,
    FSStore,
    LMDBStore,
    N5Store,
    NestedDirectoryStore,
    SQLiteStore,
    ZipStore,
)


def _fsspec(path: Path, durability: str | None) -> Any:
    """The files of fsspec itself, not those of a `DirectoryStore`."""
    import fsspec

    return FSStore(path.name, fs=fsspec.filesystem("dir", path=str(path.parent), target_protocol="file"))


def _folder(path: Path, durability: str | None) -> Any:
    return DirectoryStore(path, durability=durability)


@dataclass(frozen=True)
class Place:
    """A kind of stores, and of arrays in them.

    Parameters
    ----------
    name : str
        Of the kind.
    make : callable
        Returns the store at a path.
    zarr_format : int
        Of nodes.
    options : dict
        Parameters of arrays.
    durability : str or None
        Of the store, if it has one.
    is_folder : bool
        Whether keys are files.
    erases_only : bool
        Whether only erasing can be undone by doing it again: values are written in place.
    """

    name: str
    make: Callable[[Path, Any], Any]
    zarr_format: int = 3
    options: dict[str, Any] = field(default_factory=dict)
    durability: str | None = None
    is_folder: bool = True
    erases_only: bool = False

    @property
    def sharded(self) -> bool:
        return "shards" in self.options

    def open(self, folder: Path) -> Any:
        """Open the store in a folder."""
        return self.make(folder / "store", self.durability)

    def create(self, **parameters: Any) -> dict[str, Any]:
        """Return parameters of a new array of this kind."""
        found = {"zarr_format": self.zarr_format} | self.options | parameters
        if "shards" in found and "chunks" in found and found["shards"] is not None:
            found["shards"] = tuple(2 * n for n in found["chunks"])
        return found


SHARDS = {"shards": True}
PLACES = {
    place.name: place
    for place in (
        Place("v2", _folder, 2, {}, "atomic"),
        Place("v2-fsync", _folder, 2, {}, "fsync"),
        Place("v2-none", _folder, 2, {}, "none"),
        Place("nested", lambda p, d: NestedDirectoryStore(p, durability=d), 2, {}, "atomic"),
        Place("v3", _folder, 3, {}, "atomic"),
        Place("v3-fsync", _folder, 3, {}, "fsync"),
        Place("v3-none", _folder, 3, {}, "none"),
        Place("shards", _folder, 3, SHARDS, "atomic"),
        Place("shards-fsync", _folder, 3, SHARDS, "fsync"),
        Place("shards-none", _folder, 3, SHARDS, "none"),
        Place("n5", lambda p, d: N5Store(p, durability=d), 2, {}, "atomic"),
        Place("fsspec", lambda p, d: FSStore(p.as_uri()), 2, {}, None),
        Place("fsspec-files", _fsspec, 2, {}, None, erases_only=True),
        Place("zip", lambda p, d: ZipStore(f"{p}.zip", durability=d), 3, {}, "atomic", False),
        Place("zip-fsync", lambda p, d: ZipStore(f"{p}.zip", durability=d), 3, {}, "fsync", False),
        Place("sqlite", lambda p, d: SQLiteStore(f"{p}.sqlite"), 3, {}, None, False),
        Place("sqlite-fsync", lambda p, d: SQLiteStore(f"{p}.sqlite", durability=d), 3, {}, "fsync", False),
        Place("lmdb", lambda p, d: LMDBStore(f"{p}.lmdb", map_size=1 << 24), 3, {}, None, False),
    )
}


def close(store: Any) -> None:
    """Close a store that can be closed."""
    if hasattr(store, "close"):
        store.close()


def files(folder: Path) -> set[str]:
    """Return the files in a folder, and below."""
    found = (os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)
    return {os.path.relpath(path, folder) for path in found}


def temporary_files(folder: Path) -> set[str]:
    """Return the temporary files in a folder, but those of a removal, which the next call finishes."""
    return {name for name in files(folder) if ".partial" in name and not _is_going(name)}


def _is_going(name: str) -> bool:
    return "erasing." in name or "erased." in name


def renew(start: Path, folder: Path) -> None:
    """Make a folder the same as another one."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder, symlinks=True, copy_function=shutil.copyfile)


def leftovers_removed(store: Any) -> None:
    """Remove what killed writers have left, as docs/stores.md advises."""
    if isinstance(store, DirectoryStore):
        store.remove_leftovers()
    zchunk.storage.remove_leftovers(store)
