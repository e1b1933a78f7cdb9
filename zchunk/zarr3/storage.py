"""zarr 3's stores by its names: zchunk's, with zarr 3's parameters, which can be read-only.

They are mappings of keys to bytes, as all stores of zchunk. zarr 3's coroutines (``await store.get(key,
prototype)``) are not there.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, Self

from zchunk.errors import ReadOnlyError
from zchunk.spec.keys import check_key
from zchunk.storage.base import Store
from zchunk.storage.checks import as_buffer
from zchunk.storage.cloud.objects import ObjectStore
from zchunk.storage.fsspec.store import FSStore
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.mapping import KVStore
from zchunk.storage.store_path import StorePath, with_path
from zchunk.storage.zip.store import ZipStore as _ZipStore
from zchunk.typing import StoreLike

if TYPE_CHECKING:
    from zchunk.typing import Bytes, StorageOptions, StoreLike

__all__ = [
    "Buffer",
    "FsspecStore",
    "GpuMemoryStore",
    "LocalStore",
    "LoggingStore",
    "ManagedMemoryStore",
    "MemoryStore",
    "ObjectStore",
    "StoreLike",
    "StorePath",
    "WrapperStore",
    "ZipStore",
]


class _Guarded(Store):
    """A store that may refuse changes."""

    read_only: bool = False
    supports_deletes = supports_listing = True

    def with_read_only(self, read_only: bool = False) -> Self:
        """Return another store for the same values, which refuses changes or does not.

        Examples
        --------
        >>> from zchunk.zarr3.storage import MemoryStore
        >>> MemoryStore().with_read_only(True).read_only
        True
        """
        other = type(self).__new__(type(self))
        # What has finalizers lives as long as the other one.
        vars(other).update(vars(self), read_only=read_only, _origin=self)
        return other

    @property
    def supports_writes(self) -> bool:
        """Whether it takes changes."""
        return not self.read_only

    def __str__(self) -> str:
        return str(StorePath(self))

    def _change(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"{self!r} is read-only; store.with_read_only(False) is not")

    def __setitem__(self, key: str, value: Bytes) -> None:
        self._change()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self._change()
        super().__delitem__(key)

    def modify(self, key: str, change: Callable[[bytes | None], Bytes | None]) -> None:
        self._change()
        super().modify(key, change)

    def set_new(self, key: str, value: Bytes) -> bool:
        self._change()
        return super().set_new(key, value)

    def set_new_many(self, items: Mapping[str, Bytes]) -> bool:
        self._change()
        return super().set_new_many(items)

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        self._change()
        super().set_many(items)

    def erase_many(self, keys: Iterable[str]) -> None:
        self._change()
        super().erase_many(keys)

    def erase_prefix(self, path: str = "") -> None:
        self._change()
        super().erase_prefix(path)

    def clear(self) -> None:
        self._change()
        super().clear()

    def rename(self, src_path: str, dst_path: str) -> None:
        self._change()
        super().rename(src_path, dst_path)


class LocalStore(_Guarded, DirectoryStore):
    """A folder.

    Parameters
    ----------
    root : path
        The folder.
    read_only : bool, optional
        Refuse changes.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> z = zarr.create_array(zarr.storage.LocalStore("a.zarr"), shape=3, dtype="i4")
    >>> zarr.open(zarr.storage.LocalStore("a.zarr", read_only=True)).read_only
    True
    """

    # Files are what item access gives; writing to them past it is refused by arrays that are read-only.
    _plain = True

    def __init__(self, root: str | os.PathLike[str], *, read_only: bool = False) -> None:
        super().__init__(root)
        self.read_only = read_only

    def _put_new(self, path: str, items: Mapping[str, bytes]) -> bool:
        self._change()
        return super()._put_new(path, items)


LocalStore._plain = LocalStore._puts_new = True


class Buffer(bytes):
    """A value of a dict that zarr 3 takes as a store: bytes with zarr 3's methods.

    Examples
    --------
    >>> Buffer(b"abc").to_bytes()
    b'abc'
    """

    def to_bytes(self) -> bytes:
        """Return the bytes.

        Examples
        --------
        >>> Buffer(b"abc").to_bytes()
        b'abc'
        """
        return bytes(self)


class MemoryStore(_Guarded, KVStore):
    """A dict.

    Parameters
    ----------
    store_dict : MutableMapping, optional
        Holds the values; a new dict by default. Those that are written have `to_bytes`, as zarr 3's have.
    read_only : bool, optional
        Refuse changes.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> values = {}
    >>> z = zarr.create_array(zarr.storage.MemoryStore(values), shape=3, dtype="i4")
    >>> sorted(values)
    ['zarr.json']
    """

    def __init__(
        self, store_dict: MutableMapping[str, Any] | None = None, *, read_only: bool = False
    ) -> None:
        super().__init__({} if store_dict is None else store_dict)
        self.read_only = read_only

    def __setitem__(self, key: str, value: Bytes) -> None:
        self._change()
        self._mutable_mapping[check_key(key)] = Buffer(as_buffer(value))

    def as_read(self, key: str, value: bytes) -> bytes | None:
        # Changed in nothing but its class.
        return value if isinstance(self._mutable_mapping, dict) else None


ManagedMemoryStore = MemoryStore


class GpuMemoryStore:
    """zarr 3's store in the memory of a GPU, which zchunk does not have."""

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError("zchunk reads into NumPy arrays; cupy.asarray(z[...]) copies one to a GPU")


class ZipStore(_Guarded, _ZipStore):
    """A zip file.

    Parameters
    ----------
    path : path or binary file
        The file; an open one is read, and must stay open.
    mode : {"r", "w", "a", "x"}, optional
        Read, replace, change or create, create.
    read_only : bool, optional
        Refuse changes; by default if the mode is ``"r"``.
    compression, allowZip64
        As for `zchunk.ZipStore`.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> with zarr.storage.ZipStore("a.zip", mode="w") as store:
    ...     z = zarr.create_array(store, data=[1, 2, 3])
    >>> zarr.open_array(zarr.storage.ZipStore("a.zip"))[:]
    array([1, 2, 3])
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | IO[bytes],
        *,
        mode: Literal["r", "w", "a", "x"] = "r",
        read_only: bool | None = None,
        compression: int = 0,
        allowZip64: bool = True,
    ) -> None:
        if isinstance(path, str | os.PathLike):
            super().__init__(path, compression, allowZip64, mode)
        elif mode == "r":
            self._open_over(_OneFile(path), "archive", None)
        else:
            raise ValueError(f"an open file can be read, not changed; give its path for the mode {mode!r}")
        self.read_only = mode == "r" if read_only is None else read_only


class _OneFile(Store):
    """An open binary file as the only value of a store."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def _size(self) -> int:
        return self._file.seek(0, os.SEEK_END)

    def __getitem__(self, key: str) -> bytes:
        return self.get_range(key, 0)

    @property
    def ranged(self) -> bool:
        return True

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        length = self._size()
        start = max(length + start, 0) if start < 0 else start
        self._file.seek(start)
        return self._file.read(max((length if stop is None else min(stop, length)) - start, 0))

    def size(self, key: str) -> int:
        return self._size()

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise ReadOnlyError("an open file can only be read")

    def __delitem__(self, key: str) -> NoReturn:
        raise ReadOnlyError("an open file can only be read")

    def __iter__(self) -> Any:
        return iter(["archive"])

    def __len__(self) -> int:
        return 1


class FsspecStore(_Guarded, FSStore):
    """Files of a file system of fsspec.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem
        The file system.
    read_only : bool, optional
        Refuse changes.
    path : str, optional
        The folder in it.
    allowed_exceptions : tuple of exceptions, optional
        Errors that mean that a key is missing.

    Examples
    --------
    >>> import fsspec
    >>> from zchunk.zarr3.storage import FsspecStore
    >>> store = FsspecStore(fsspec.filesystem("memory"), path="/a.zarr")
    >>> store["x"] = b"value"
    >>> FsspecStore.from_url("memory://a.zarr", read_only=True)["x"]
    b'value'
    """

    def __init__(
        self,
        fs: Any,
        read_only: bool = False,
        path: str = "/",
        allowed_exceptions: tuple[type[Exception], ...] | None = None,
    ) -> None:
        super().__init__(path, fs=fs, mode="r" if read_only else "w", missing_exceptions=allowed_exceptions)
        self.read_only = read_only

    def with_read_only(self, read_only: bool = False) -> Self:
        return type(self)(self.fs, read_only, self.path, self.exceptions)

    @classmethod
    def from_url(
        cls, url: str, storage_options: StorageOptions | None = None, read_only: bool = False, **kwargs: Any
    ) -> Self:
        """Return the store of a URL.

        Examples
        --------
        >>> from zchunk.zarr3.storage import FsspecStore
        >>> FsspecStore.from_url("memory://a.zarr").path
        '/a.zarr'
        """
        found = FSStore(url, **(storage_options or {}))
        return cls(found.fs, read_only, found.path, **kwargs)

    @classmethod
    def from_mapper(cls, fs_map: Any, read_only: bool = False, **kwargs: Any) -> Self:
        """Return the store of an `fsspec.FSMap`.

        Examples
        --------
        >>> import fsspec
        >>> from zchunk.zarr3.storage import FsspecStore
        >>> FsspecStore.from_mapper(fsspec.get_mapper("memory://a.zarr")).path
        '/a.zarr'
        """
        return cls(fs_map.fs, read_only, fs_map.root, **kwargs)

    @classmethod
    def from_upath(cls, upath: Any, read_only: bool = False, **kwargs: Any) -> Self:
        """Return the store of a path of universal_pathlib."""
        return cls(upath.fs, read_only, upath.path, **kwargs)


class WrapperStore(_Guarded, KVStore):
    """A store in front of another one, to derive stores from that do something of their own.

    Parameters
    ----------
    store : Store or mapping
        The other one.

    Examples
    --------
    >>> from zchunk.zarr3.storage import MemoryStore, WrapperStore
    >>> store = WrapperStore(MemoryStore())
    >>> store["x"] = b"value"
    >>> store["x"]
    b'value'
    """

    def __init__(self, store: StoreLike) -> None:
        super().__init__(as_place(store)[0])
        self._store = self._mutable_mapping
        self.read_only = bool(getattr(self._store, "read_only", False))

    def with_read_only(self, read_only: bool = False) -> Self:
        other = super().with_read_only(read_only)
        if hasattr(self._store, "with_read_only"):
            other._store = other._mutable_mapping = self._store.with_read_only(read_only)
        return other


class LoggingStore(WrapperStore):
    """A store that tells `logging` of every access to another one, and counts them.

    Parameters
    ----------
    store : Store or mapping
        The other one.
    log_level : str, optional
        Level of the messages.
    log_handler : logging.Handler, optional
        What shows them; by default it writes to the standard error.

    Examples
    --------
    >>> from zchunk.zarr3.storage import LoggingStore
    >>> store = LoggingStore({}, log_level="CRITICAL")
    >>> store["x"] = b"value"
    >>> store.counter["set"]
    1
    """

    def __init__(
        self, store: StoreLike, log_level: str = "DEBUG", log_handler: logging.Handler | None = None
    ) -> None:
        super().__init__(store)
        self.counter: Counter[str] = Counter()
        self.log_level = log_level
        self.logger = logging.getLogger(f"LoggingStore({self._store!r})")
        self.logger.setLevel(log_level)
        if log_handler is not None or not self.logger.handlers:
            self.logger.addHandler(log_handler or logging.StreamHandler())

    def _tell(self, name: str, key: object) -> None:
        self.counter[name] += 1
        self.logger.debug("%s %s(%r)", type(self._store).__name__, name, key)

    def __getitem__(self, key: str) -> bytes:
        self._tell("get", key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Bytes) -> None:
        self._tell("set", key)
        super().__setitem__(key, value)

    def set_new_many(self, items: Mapping[str, Bytes]) -> bool:
        for key in items:
            self._tell("set", key)
        return super().set_new_many(items)

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        for key in items:
            self._tell("set", key)
        super().set_many(items)

    def __delitem__(self, key: str) -> None:
        self._tell("delete", key)
        super().__delitem__(key)

    def __contains__(self, key: object) -> bool:
        self._tell("exists", key)
        return super().__contains__(key)

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        self._tell("get", key)
        return super().get_range(key, start, stop)

    def list_dir(self, path: str = "") -> list[str]:
        self._tell("list_dir", path)
        return super().list_dir(path)


def as_place(store: Any, path: Any = None) -> tuple[Any, Any]:
    """Return store and path, where a dict, whose values zarr 3 gives methods, or a `StorePath` may be given.

    Examples
    --------
    >>> as_place("a.zarr", "b")
    ('a.zarr', 'b')
    """
    store, path = with_path(store, path)
    return (MemoryStore(store) if type(store) is dict else store), path
