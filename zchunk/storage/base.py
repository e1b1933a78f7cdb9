"""The contract of a store, and `KVStore` for foreign mappings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from pickle import PickleBuffer
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from zchunk.errors import StoreError
from zchunk.keys import ARRAY_KEY, check_key, check_rename, is_key, join, normalize_path
from zchunk.storage import lazy

DimensionSeparator: TypeAlias = Literal[".", "/"]
Mode: TypeAlias = Literal["r", "r+", "a", "w", "w-", "x"]

_FIELD_NAME = re.compile(":[^:]*:")


def as_buffer(value: Any) -> bytes | memoryview:
    """Return the memory of a bytes-like object as flat bytes, without a copy where it is contiguous.

    Arrays in C or Fortran order are taken as they lie in memory, others in C order.
    """
    if type(value) is bytes:
        return value
    try:
        view = memoryview(value)
    except ValueError:
        # datetime64 and timedelta64 arrays export no buffer.
        return bytes(value.tobytes(order="A"))
    except TypeError:
        raise TypeError(f"a store holds bytes, and {type(value).__name__} is not bytes-like") from None
    if "O" in _FIELD_NAME.sub("", view.format):
        raise TypeError("an array of Python objects has no bytes to store; encode it first")
    return PickleBuffer(view).raw() if view.contiguous else view.tobytes()


def as_bytes(value: Any) -> bytes:
    """Return a bytes-like object as bytes that share no memory with it (unless it is bytes)."""
    return value if type(value) is bytes else bytes(as_buffer(value))


def check_path(path: str) -> str:
    """Return `path` if it is ``""``, the root, or a legal key, else raise `InvalidKeyError`."""
    return path if path == "" else check_key(path)


def check_range(start: int, stop: int | None) -> None:
    """Raise `ValueError` unless ``0 <= start <= stop``."""
    if start < 0 or (stop is not None and stop < start):
        raise ValueError(f"byte range [{start}, {stop}) is not of the form 0 <= start <= stop")


def check_separator(separator: str | None) -> DimensionSeparator | None:
    """Return `separator` if it is ``"."``, ``"/"`` or None, else raise `ValueError`."""
    if separator not in (None, ".", "/"):
        raise ValueError(f"dimension_separator is '.', '/' or None, not {separator!r}")
    return separator  # type: ignore[return-value]


class Store(MutableMapping[str, bytes]):
    """A mapping from keys to bytes, with methods that have a slow default and that a store may do better.

    The contract, which `tests/store_conformance.py` holds every store to:

    - Keys are checked by `zchunk.keys.check_key`; an illegal one is not ``in`` the store, and raises
      `InvalidKeyError` in every method.
    - Values are given as any contiguous bytes-like object and come back as bytes. The store never keeps
      a reference to memory that the caller may change.
    - To who reads, only `KeyError` means missing. Whatever else fails raises something else.
    - A reader sees the old or the new value of a key, never a mixture, unless the store says otherwise.
    - Single operations are safe from many threads. Stores pickle, and survive a fork.
    - `list_dir`, `erase_prefix` and `is_empty` take a node path in its normal form, ``""`` for the root. The
      methods with zarr 2's names (`listdir`, `rmdir`, `rename`, `getsize`) normalise what they are given.

    A subclass gives the five methods of `MutableMapping` and overrides what it can do faster.
    """

    _dimension_separator: DimensionSeparator | None = None
    # Version of the format, for which xarray asks.
    _store_version = 2

    @property
    def root(self) -> str | None:
        """Absolute path of the local folder whose files are the values, or None.

        Code that is given a folder may read and replace the files itself: value of ``a/b`` in file ``a/b``.
        """
        return None

    def make_folder(self, path: str) -> None:
        """Make the folder at a node path, for who writes the files below `root`. Nothing, by default."""

    @property
    def lock_identity(self) -> str:
        """Name of the values for locks in this process: the same for all stores that share them."""
        return str(id(self))

    def metadata(self, key: str) -> bytes | dict[str, Any]:
        """Return the value of a key that holds JSON; a store that has it parsed may give the object instead.

        That is the store's, and must not be changed.
        """
        return self[key]

    @property
    def ranged(self) -> bool:
        """Whether `get_range` and `size` cost less than the whole value."""
        return type(self).get_range is not Store.get_range

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        """Return bytes ``start:stop`` of the value, fewer if it ends before `stop`; None is the end."""
        check_range(start, stop)
        return self[key][start:stop]

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those `keys` that exist."""
        values = {}
        for key in keys:
            try:
                values[key] = self[key]
            except KeyError:
                continue
        return values

    def set_many(self, items: Mapping[str, Any]) -> None:
        """Set the values of many keys, in the order given."""
        for key, value in items.items():
            self[key] = value

    def erase_many(self, keys: Iterable[str]) -> None:
        """Delete those `keys` that exist."""
        for key in keys:
            try:
                del self[key]
            except KeyError:
                continue

    def size(self, key: str) -> int:
        """Return the number of bytes of the value."""
        return len(self[key])

    def list_dir(self, path: str = "") -> list[str]:
        """Return the sorted names of the keys and folders directly below `path`, none if nothing is there."""
        start = len(check_path(path)) + 1 if path != "" else 0
        return sorted({key[start:].partition("/")[0] for key in self._keys_below(path)})

    def is_empty(self, path: str = "") -> bool:
        """Whether no key lies below `path`."""
        return not self.list_dir(path)

    def erase_prefix(self, path: str = "") -> None:
        """Delete every key below `path`. A key that is `path` itself stays."""
        self.erase_many(self._keys_below(path))

    def clear(self) -> None:
        """Delete every key."""
        self.erase_prefix()

    def close(self) -> None:
        """Release what the store holds. Nothing, by default."""

    # --- zarr 2's names

    @property
    def _metadata_class(self) -> Any:
        # Stores for zarr 2 that were made elsewhere ask for it.
        return lazy.Metadata2

    @staticmethod
    def _ensure_store(store: Any) -> Store:
        # Stores for zarr 2 that wrap another one call it.
        try:
            return as_store(store)
        except TypeError as error:
            raise ValueError(str(error)) from None

    def is_readable(self) -> bool:
        """Whether values can be read: always."""
        return True

    def is_writeable(self) -> bool:
        """Whether there are methods for writing: always."""
        return True

    def is_listable(self) -> bool:
        """Whether keys can be listed: always."""
        return True

    def is_erasable(self) -> bool:
        """Whether there are methods for deleting: always."""
        return True

    def getitems(self, keys: Iterable[str], *, contexts: Any = None) -> dict[str, bytes]:
        """Do what `get_many` does. `contexts` mean nothing here."""
        return self.get_many(keys)

    def setitems(self, values: Mapping[str, Any]) -> None:
        """Do what `set_many` does."""
        self.set_many(values)

    def delitems(self, keys: Iterable[str]) -> None:
        """Do what `erase_many` does."""
        self.erase_many(keys)

    def listdir(self, path: str | None = None) -> list[str]:
        """Do what `list_dir` does, except for an array in a store that has the separator ``/`` for all.

        There, the keys of chunks (``0/0``) come instead of the folders that they are in.
        """
        path = normalize_path(path)
        names = self.list_dir(path)
        if self._dimension_separator == "/" and ARRAY_KEY in names:
            return sorted(key for name in names for key in self._chunks(path, name))
        return names

    def _chunks(self, path: str, name: str) -> Iterator[str]:
        below = self.list_dir(join(path, name)) if name.isdecimal() else []
        for child in below:
            yield from (f"{name}/{key}" for key in self._chunks(join(path, name), child))
        if not below:
            yield name

    def rmdir(self, path: str | None = None) -> None:
        """Do what `erase_prefix` does."""
        self.erase_prefix(normalize_path(path))

    def rename(self, src_path: str, dst_path: str) -> None:
        """Move the key `src_path` and all keys below it to `dst_path`, where nothing may be.

        Raises
        ------
        KeyError
            Nothing is at `src_path`.
        StoreError
            Something is at `dst_path`.
        """
        src, dst = check_rename(src_path, dst_path)
        keys = self._keys_below(src)
        if src in self:
            keys.append(src)
        if not keys:
            raise KeyError(src)
        if src == dst:
            return
        if dst in self or not self.is_empty(dst):
            raise StoreError(f"cannot rename {src!r} to {dst!r}: the target exists; delete it first")
        for key in keys:
            self._copy(key, dst + key[len(src) :])
        for key in keys:
            del self[key]

    def getsize(self, path: str | None = None) -> int:
        """Return the size of the key `path`, or the sum over the keys (not folders) directly below it."""
        path = normalize_path(path)
        sizes = 0
        for key in [path] if path and path in self else [join(path, name) for name in self.list_dir(path)]:
            try:
                sizes += self.size(key)
            except KeyError:
                continue
        return sizes

    def _copy(self, src: str, dst: str) -> None:
        self[dst] = self[src]

    def _keys_below(self, path: str) -> list[str]:
        prefix = check_path(path) + "/" if path != "" else ""
        return [key for key in self if key.startswith(prefix)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class KVStore(Store):
    """A store over any mutable mapping, such as a dict.

    Optional methods of the store contract that the mapping has are used. As safe to share between threads
    and processes as the mapping is. Keys of the mapping that no store may have are not shown.

    Parameters
    ----------
    mutablemapping : MutableMapping
        Holds the values. Those written through the store are bytes.
    """

    def __init__(self, mutablemapping: MutableMapping[str, Any]) -> None:
        self._mutable_mapping = mutablemapping
        self.quick_lookups = isinstance(mutablemapping, dict)
        self._dimension_separator = getattr(mutablemapping, "_dimension_separator", None)

    @property
    def lock_identity(self) -> str:
        return str(getattr(self._mutable_mapping, "lock_identity", id(self._mutable_mapping)))

    def __getitem__(self, key: str) -> bytes:
        return as_bytes(self._mutable_mapping[check_key(key)])

    def __setitem__(self, key: str, value: Any) -> None:
        self._mutable_mapping[check_key(key)] = as_bytes(value)

    def __delitem__(self, key: str) -> None:
        del self._mutable_mapping[check_key(key)]

    def __contains__(self, key: object) -> bool:
        return is_key(key) and key in self._mutable_mapping

    def __iter__(self) -> Iterator[str]:
        # `list` is one step for a dict: other threads may add keys meanwhile.
        return iter([key for key in list(self._mutable_mapping) if is_key(key)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, KVStore):
            return self._mutable_mapping == other._mutable_mapping
        return NotImplemented

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self._mutable_mapping).__name__} at {id(self):#x}>"

    def _copy(self, src: str, dst: str) -> None:
        # Whatever it is.
        self._mutable_mapping[dst] = self._mutable_mapping[src]

    @property
    def ranged(self) -> bool:
        return self._optional("get_range") is not None

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        method = self._optional("get_range")
        if method is None:
            return super().get_range(key, start, stop)
        check_range(start, stop)
        return as_bytes(method(check_key(key), start, stop))

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        method = self._optional("get_many")
        if method is None:
            return super().get_many(keys)
        return {key: as_bytes(value) for key, value in method([check_key(key) for key in keys]).items()}

    def set_many(self, items: Mapping[str, Any]) -> None:
        method = self._optional("set_many")
        if method is None:
            super().set_many(items)
        else:
            method({check_key(key): as_bytes(value) for key, value in items.items()})

    def erase_many(self, keys: Iterable[str]) -> None:
        method = self._optional("erase_many")
        if method is None:
            super().erase_many(keys)
        else:
            method([check_key(key) for key in keys])

    def size(self, key: str) -> int:
        method = self._optional("size")
        return super().size(key) if method is None else int(method(check_key(key)))

    def list_dir(self, path: str = "") -> list[str]:
        method = self._optional("list_dir")
        return super().list_dir(path) if method is None else sorted(method(check_path(path)))

    def erase_prefix(self, path: str = "") -> None:
        method = self._optional("erase_prefix")
        if method is None:
            super().erase_prefix(path)
        else:
            method(check_path(path))

    def close(self) -> None:
        """Close the mapping, if it can be closed."""
        method = self._optional("close")
        if method is not None:
            method()

    def _optional(self, name: str) -> Any:
        method = getattr(self._mutable_mapping, name, None)
        return method if callable(method) else None


def as_store(store: Any) -> Store:
    """Return `store` if it is a `Store`, else a `KVStore` over it; `TypeError` if it is no mapping."""
    if isinstance(store, Store):
        if store._store_version != 2:
            raise ValueError(f"{store!r:.80} is of the draft of format 3, of which there are only attributes")
        return store
    names = ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "keys")
    if isinstance(store, MutableMapping) or all(hasattr(type(store), name) for name in names):
        return KVStore(store)
    raise TypeError(f"a store is a path or a mutable mapping from str to bytes, not {type(store).__name__}")
