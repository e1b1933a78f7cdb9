"""`MemoryStore`: values in nested dicts, which list and erase a folder without looking at every key."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from zchunk._ext.threads.guards import Guard
from zchunk.errors import KeyBelowValueError, StoreError
from zchunk.spec.keys import check_key, check_rename, is_key, normalize_path
from zchunk.storage.base import Store
from zchunk.storage.checks import DimensionSeparator, as_bytes, check_path, check_separator

if TYPE_CHECKING:
    from zchunk.typing import Bytes

# One lock for changes in all memory stores: each holds it for the time of a few dict operations.
_changes = Guard()

Folder = MutableMapping[str, Any]


class MemoryStore(Store):
    """A store in main memory.

    Parameters
    ----------
    root : MutableMapping, optional
        The top folder: names to bytes or to mappings of type `cls`, which are folders.
    cls : type, default dict
        Type of the folders.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.

    Notes
    -----
    A key is a value or a folder: writing or deleting one that is a folder erases all keys below it, as in
    zarr 2.

    Safe to use from many threads. Reading takes no lock. A pickle is a copy of all values, and a forked
    child has its own.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    >>> sorted(store)
    ['.zarray', '0', '1']
    """

    quick_lookups = verbatim = True

    def __init__(
        self,
        root: Folder | None = None,
        cls: type[Any] = dict,
        dimension_separator: DimensionSeparator | None = None,
    ) -> None:
        if root is not None and not isinstance(root, cls):
            raise TypeError(f"root is a folder and so a {cls.__name__}, not {type(root).__name__}")
        self._tree: Folder = cls() if root is None else root
        self.cls = cls
        self._dimension_separator = check_separator(dimension_separator)

    @property
    def lock_identity(self) -> str:
        return str(id(self._tree))

    def __getstate__(self) -> dict[str, Any]:
        with _changes:
            return {**self.__dict__, "_tree": self._copy_of(self._tree)}

    def __getitem__(self, key: str) -> bytes:
        value = self._find(check_key(key))
        if value is None or isinstance(value, self.cls):
            raise KeyError(key)
        return as_bytes(value)

    def __setitem__(self, key: str, value: Bytes) -> None:
        check_key(key)
        data = as_bytes(value)
        with _changes:
            folder, name = self._require_parent(key)
            folder[name] = data

    def set_new(self, key: str, value: Bytes) -> bool:
        if type(self).__setitem__ is not MemoryStore.__setitem__:
            return super().set_new(key, value)
        with _changes:
            if key in self:
                return False
            self[key] = value
            return True

    def __delitem__(self, key: str) -> None:
        check_key(key)
        with _changes:
            # A folder without keys is only a trace of deleted ones.
            if key not in self and self.is_empty(key):
                raise KeyError(key)
            self._remove(key)

    def erase_many(self, keys: Iterable[str]) -> None:
        for key in keys:
            with _changes:
                if check_key(key) in self:
                    self._remove(key)

    def __contains__(self, key: object) -> bool:
        value = self._find(check_key(key)) if is_key(key) else None
        return value is not None and not isinstance(value, self.cls)

    def __iter__(self) -> Iterator[str]:
        with _changes:
            return iter(list(self._walk(self._tree)))

    def __len__(self) -> int:
        with _changes:
            return sum(1 for _ in self._walk(self._tree))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryStore) and self._tree == other._tree and self.cls == other.cls

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x}>"

    def size(self, key: str) -> int:
        return len(self[key])

    def list_dir(self, path: str = "") -> list[str]:
        with _changes:
            folder = self._find(check_path(path))
            return sorted(folder) if isinstance(folder, self.cls) else []

    def is_empty(self, path: str = "") -> bool:
        with _changes:
            folder = self._find(check_path(path))
            return not isinstance(folder, self.cls) or next(self._walk(folder), None) is None

    def erase_prefix(self, path: str = "") -> None:
        check_path(path)
        with _changes:
            folder = self._find(path)
            if not path:
                self._tree.clear()
            elif isinstance(folder, self.cls):
                self._remove(path)

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = check_rename(src_path, dst_path)
        with _changes:
            value = self._find(src)
            if value is None:
                raise KeyError(src)
            if src == dst:
                return
            if dst in self or not self.is_empty(dst):
                raise StoreError(f"cannot rename {src!r} to {dst!r}: the target exists; delete it first")
            folder, name = self._require_parent(dst)
            folder[name] = value
            self._remove(src)

    def getsize(self, path: str | None = None) -> int:
        with _changes:
            value = self._find(normalize_path(path))
            if isinstance(value, self.cls):
                return sum(len(as_bytes(v)) for v in list(value.values()) if not isinstance(v, self.cls))
            return 0 if value is None else len(as_bytes(value))

    def _find(self, path: str) -> Any:
        """Return the value or folder at `path`, None if there is none."""
        found: Any = self._tree
        if not path:
            return found
        cls = self.cls
        for name in path.split("/"):
            if not isinstance(found, cls):
                return None
            found = found.get(name)
        return found

    def _require_parent(self, key: str) -> tuple[Folder, str]:
        *names, last = key.split("/")
        folder = self._tree
        for name in names:
            child = folder.get(name)
            folder = folder.setdefault(name, self.cls()) if child is None else child
            if not isinstance(folder, self.cls):
                raise KeyBelowValueError(f"cannot store {key!r}: {name!r} in it has a value")
        return folder, last

    def _remove(self, path: str) -> None:
        """Remove the value or folder at `path`, which a signal handler may have done since it was seen."""
        parent, _, name = path.rpartition("/")
        folder = self._find(parent)
        if isinstance(folder, self.cls):
            folder.pop(name, None)

    def _walk(self, folder: Folder, prefix: str = "") -> Iterator[str]:
        # No recursion: there may be more levels than Python has. Of each level what is in it now: a signal
        # handler may change it before the next.
        levels = [(prefix, iter(list(folder.items())))]
        while levels:
            prefix, members = levels[-1]
            for name, value in members:
                if isinstance(value, self.cls):
                    levels.append((f"{prefix}{name}/", iter(list(value.items()))))
                    break
                yield prefix + name
            else:
                levels.pop()

    def _copy_of(self, folder: Folder) -> Folder:
        copy: Folder = self.cls()
        for name, value in list(folder.items()):
            copy[name] = self._copy_of(value) if isinstance(value, self.cls) else as_bytes(value)
        return copy


class DictStore(MemoryStore):
    """zarr 2's older name of `MemoryStore`.

    Examples
    --------
    >>> import warnings
    >>> import zchunk
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     store = zchunk.DictStore()
    >>> isinstance(store, zchunk.MemoryStore)
    True
    """

    verbatim = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn("DictStore is an old name; use MemoryStore", DeprecationWarning, stacklevel=2)
        super().__init__(*args, **kwargs)

    def __setstate__(self, state: dict[str, Any]) -> None:
        warnings.warn("DictStore is an old name; use MemoryStore", DeprecationWarning, stacklevel=2)
        self.__dict__.update(state)
