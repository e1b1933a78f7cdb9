"""`FSStore`: values in the files of any file system that fsspec knows."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from zchunk.errors import ReadOnlyError
from zchunk.runtime.fork import PerProcess
from zchunk.runtime.near_names import near
from zchunk.spec.keys import check_key, is_key, normalize_path
from zchunk.storage.base import Store
from zchunk.storage.checks import DimensionSeparator, check_path, check_separator
from zchunk.storage.fsspec.files import Objects, has_many_writers
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.secrets import cleaned_url

if TYPE_CHECKING:
    from zchunk.typing import Bytes

_MISSING = (KeyError, FileNotFoundError, IsADirectoryError, NotADirectoryError)
# A subclass with its own idea of a value is asked for it.
_OWN = ("__getitem__", "__setitem__", "__delitem__", "__contains__")

# Schemes of object stores, and the packages by which fsspec opens them.
OBJECT_STORES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs",
    "az": "adlfs", "azure": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "adl": "adlfs",
}  # fmt: skip


class FSStore(Store):
    """A store in any file system that fsspec knows: local, memory, S3, HTTP, … Needs the package ``fsspec``.

    Parameters
    ----------
    url : str or FSStore
        Where the values are, such as ``"s3://bucket/data.zarr"`` or ``"simplecache::https://host/data.zarr"``.
        With `fs`, the path in it. Another `FSStore`: the same files, with `storage_options` in addition.
    normalize_keys : bool, default False
        Turn keys to lower case.
    key_separator : {".", "/"}, optional
        zarr's older name of `dimension_separator`.
    mode : str, default "w"
        ``"r"`` refuses every change; all others allow them.
    exceptions : sequence of exception types, optional
        What means that a key is missing; by default `KeyError`, `FileNotFoundError` and that a folder is
        there. Everything else is an error, of remote file systems a `StoreError`. (zarr 2 took every
        `OSError` for a missing chunk, and read fill values when the network failed. For a server that says
        "forbidden" instead of "not found", add `PermissionError`.)
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    fs : fsspec.AbstractFileSystem, optional
        The file system, instead of the one that `url` names.
    check : bool, default False
        Write and delete a file at once, to see whether that is possible.
    create : bool, default False
        Make the folder at once.
    missing_exceptions : sequence of exception types, optional
        Used when `exceptions` is not given (fsspec's name of it).
    **storage_options
        Passed to the file system.

    Notes
    -----
    Safe to use from many threads if the file system is, as fsspec's own are. After a fork the child makes the
    file system again. Many values are read and written at the same time where the file system can do that.

    What processes that read and write the same key see is up to the file system. Object stores replace a
    value as a whole. Local files are those of a `DirectoryStore`, with its guarantees: whatever happens to
    the process, a reader sees the old or the new value.

    Keys are used as they are: ``0.0`` is never stored as ``0/0`` (arrays with the separator ``/`` ask for
    that key themselves).

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.FSStore("memory://run.zarr")
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    >>> sorted(store)
    ['.zarray', '0', '1']
    >>> zchunk.open_array("memory://run.zarr", mode="r")[:]
    array([1, 2, 3, 4])
    >>> store.clear()
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.fs"

    verbatim = True

    shared = True

    def __init__(
        self,
        url: str | os.PathLike[str] | FSStore,
        normalize_keys: bool = False,
        key_separator: DimensionSeparator | None = None,
        mode: str = "w",
        exceptions: Iterable[type[Exception]] | None = None,
        dimension_separator: DimensionSeparator | None = None,
        fs: Any = None,
        check: bool = False,
        create: bool = False,
        missing_exceptions: Iterable[type[Exception]] | None = None,
        **storage_options: Any,
    ) -> None:
        if isinstance(url, FSStore):
            # As dask and ome-zarr do it, to pass options on.
            if url.mode == "r":
                mode = "r"
            dimension_separator = dimension_separator or key_separator or url._dimension_separator
            fs = _with_options(url.fs, storage_options) if fs is None else fs
            url, storage_options = url.path, {}
        url = os.fspath(url)
        if fs is not None:
            if storage_options:
                raise ValueError(
                    f"fs and options for making one ({', '.join(storage_options)}) are given; leave one out"
                )
            path = fs._strip_protocol(url)
        else:
            fs, path = _file_system(url, storage_options)
        self.path: str = path
        self.normalize_keys = normalize_keys
        self.mode: str = mode
        missing = missing_exceptions if exceptions is None else exceptions
        self.exceptions: tuple[type[Exception], ...] = _MISSING if missing is None else tuple(missing)
        self._dimension_separator = check_separator(
            dimension_separator if key_separator is None else key_separator
        )
        self.key_separator = self._dimension_separator or "."
        if check or create:
            # For what it does, not for what it returns.
            fs.get_mapper(path, check=check, create=create)
        self._made = PerProcess(partial(_make, fs, path, self.exceptions, os.getpid()))

    @property
    def fs(self) -> Any:
        """The fsspec file system, in this process."""
        return self._made()[0]

    @property
    def map(self) -> Any:
        """The same files as an `fsspec.FSMap`."""
        return self.fs.get_mapper(self.path)

    @property
    def _files(self) -> Store:
        return self._made()[1]

    @property
    def root(self) -> str | None:
        own = all(getattr(type(self), name) is getattr(FSStore, name) for name in _OWN)
        return self._files.root if own and not self.normalize_keys and self.mode != "r" else None

    @property
    def concurrency(self) -> int:
        return self._files.concurrency

    def make_folder(self, path: str) -> None:
        self._check_writable()
        self._files.make_folder(self._path(path))

    @property
    def lock_identity(self) -> str:
        return self._files.lock_identity

    @property
    def many_writers(self) -> bool:  # type: ignore[override]
        return has_many_writers(self.fs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None, "_fs": self.fs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        fs = state.pop("_fs")
        self.__dict__.update(state)
        self._made = PerProcess(partial(_make, fs, self.path, self.exceptions, os.getpid()))

    def _check_writable(self) -> None:
        if self.mode == "r":
            raise ReadOnlyError(f"{self!r} was opened with mode 'r'; use 'w' to change it")

    def _key(self, key: object) -> str:
        key = check_key(key)
        return key.lower() if self.normalize_keys else key

    def _folded(self, path: str) -> str:
        return path.lower() if self.normalize_keys else path

    def _path(self, path: str) -> str:
        return self._folded(check_path(path))

    def _normalize_key(self, path: str | None) -> str:
        """Return a node path as it is in the file system, from what users give (zarr 2's name)."""
        return self._path(normalize_path(path))

    def __getitem__(self, key: str) -> bytes:
        return self._files[self._key(key)]

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        return self._files.get_range(self._key(key), start, stop)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        names = {key: self._key(key) for key in keys}
        found = self._files.get_many(dict.fromkeys(names.values()))
        return {key: found[name] for key, name in names.items() if name in found}

    def __setitem__(self, key: str, value: Bytes) -> None:
        key = self._key(key)
        self._check_writable()
        self._files[key] = value

    def set_new(self, key: str, value: Bytes) -> bool:
        if type(self).__setitem__ is not FSStore.__setitem__:
            return super().set_new(key, value)
        self._check_writable()
        return self._files.set_new(self._key(key), value)

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        items = {self._key(key): value for key, value in items.items()}
        self._check_writable()
        self._files.set_many(items)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set the values of many keys.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.FSStore("memory://run.zarr")
        >>> store.update({"a": b"value", "b": b"other"})
        >>> sorted(store)
        ['a', 'b']
        >>> store.clear()
        """
        self.set_many(dict(*args, **kwargs))

    def __delitem__(self, key: str) -> None:
        key = self._key(key)
        self._check_writable()
        del self._files[key]

    def sync(self, keys: str | Iterable[str] = "") -> None:
        # Only of a local file system it does anything.
        self._files.sync(self._path(keys) if isinstance(keys, str) else [self._path(key) for key in keys])

    def erase_many(self, keys: Iterable[str]) -> None:
        keys = [self._key(key) for key in keys]
        self._check_writable()
        self._files.erase_many(keys)

    def __contains__(self, key: object) -> bool:
        return is_key(key) and self._key(key) in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FSStore)
            and (self.path, self.mode) == (other.path, other.mode)
            and bool(self.fs == other.fs)
        )

    def __repr__(self) -> str:
        path = cleaned_url(self.path)
        return f"{type(self).__name__}({path!r}, fs=<{type(self.fs).__name__}>, mode={self.mode!r})"

    def size(self, key: str) -> int:
        return self._files.size(self._key(key))

    def list_dir(self, path: str = "") -> list[str]:
        return self._files.list_dir(self._path(path))

    def is_empty(self, path: str = "") -> bool:
        return self._files.is_empty(self._path(path))

    def erase_prefix(self, path: str = "") -> None:
        path = self._path(path)
        self._check_writable()
        self._files.erase_prefix(path)

    def _erase_claimed(self, path: str, whole: bool = False) -> None:
        self._files._erase_claimed(self._path(path), whole)

    def _detach(self, path: str) -> None:
        self._files._detach(self._path(path))

    def _mark_file(self, path: str) -> str | None:
        return self._files._mark_file(self._path(path))

    def remove_leftovers(self, path: str | None = None) -> list[str]:
        return self._files.remove_leftovers(self._path(normalize_path(path)))

    @property
    def _trace_names(self) -> tuple[str, ...]:
        return self._files._trace_names

    def unfinished(self, path: str = "") -> bool:
        return self._files.unfinished(self._path(path))

    def finish_erasing(self, path: str = "") -> None:
        self._files.finish_erasing(self._path(path))

    def lost(self, path: str = "") -> bool:
        return self._files.lost(self._path(path))

    def foreign(self, path: str = "") -> list[str]:
        return self._files.foreign(self._path(path))

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = self._normalize_key(src_path), self._normalize_key(dst_path)
        self._check_writable()
        self._files.rename(src, dst)

    def getsize(self, path: str | None = None) -> int:
        return self._files.getsize(self._normalize_key(path))

    def dir_path(self, path: str | None = None) -> str:
        """Return the path of the folder at a node path, in the file system.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.FSStore("memory://run.zarr")
        >>> store.dir_path("a")
        '/run.zarr/a'
        """
        path = self._normalize_key(path)
        return f"{self.path.rstrip('/')}/{path}" if path and self.path else path or self.path


def _with_options(fs: Any, options: dict[str, Any]) -> Any:
    """Return a file system as another one, with more options."""
    return type(fs)(*fs.storage_args, **fs.storage_options | options) if options else fs


def _file_system(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    """Return the file system that a URL names, and the path in it."""
    try:
        from fsspec import available_protocols
        from fsspec.core import split_protocol, url_to_fs
    except ImportError:
        raise ImportError(
            f"opening {cleaned_url(url)!r} needs the package fsspec: pip install fsspec"
        ) from None
    if "::" not in url and split_protocol(url)[0] in (None, "file", "local"):
        # `fs.open` makes folders then, too.
        options = {"auto_mkdir": True} | options
    try:
        fs, path = url_to_fs(url, **options)
    except ImportError as error:
        raise ImportError(_missing(url, str(error))) from None
    except ValueError as error:
        if not str(error).startswith("Protocol not known"):
            raise
        scheme = url.rpartition("::")[2].partition("://")[0]
        raise ValueError(
            f"cannot open {cleaned_url(url)!r}: fsspec has no file system for {scheme!r}"
            f"{near(scheme, available_protocols())}"
        ) from None
    return fs, path


def _missing(url: str, error: str) -> str:
    """Return the error for a URL whose package is not installed, which fsspec's `error` names."""
    shown = cleaned_url(url)
    if "http://" in url or "https://" in url:
        return f"opening {shown!r} needs more: pip install 'fsspec[http]', or {error}"
    if url.partition("://")[0] in OBJECT_STORES:
        return (
            f"opening {shown!r} by fsspec needs more: {error}. Or pip install obstore, and open the "
            "URL by zchunk.open or zchunk.ObjectStore.from_url"
        )
    return f"opening {shown!r} needs more: {error}"


def _make(fs: Any, path: str, missing: tuple[type[Exception], ...], owner: int) -> tuple[Any, Store]:
    """Return a file system for this process, and the files at a path of it."""
    if os.getpid() != owner:
        # fsspec's own way to be made again: those with threads and connections do not survive a fork.
        fs = pickle.loads(pickle.dumps(fs))
    # Not a subclass of it, which may do something of its own.
    if f"{type(fs).__module__}.{type(fs).__qualname__}" == "fsspec.implementations.local.LocalFileSystem":
        return fs, DirectoryStore(path)
    return fs, Objects(fs, path, missing)
