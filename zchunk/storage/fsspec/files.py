"""Files of an fsspec file system as a store: what `FSStore` reads and writes when they are not local."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zchunk.errors import KeyBelowValueError, StoreError
from zchunk.spec.keys import check_key, is_key
from zchunk.storage.base import Store
from zchunk.storage.checks import as_bytes, check_path, check_range
from zchunk.storage.secrets import cleaned, cleaned_url, identity_of
from zchunk.storage.traces import erase_in_order

if TYPE_CHECKING:
    from zchunk.typing import Bytes

# What fsspec would expand as a pattern, in the methods that take many paths.
_MAGIC = frozenset("*?[]")
# What a web server would not see as part of the path.
_QUOTED = str.maketrans({"%": "%25", "?": "%3F", "#": "%23"})
_WEB = frozenset({"http", "https"})
# File systems that hand paths on to another one as they are.
_PASS_ON = frozenset({"blockcache", "cached", "filecache", "simplecache"})
_OF_ONE_PROCESS = frozenset({"memory", "zip", "tar", "libarchive", "reference"})
# Status of what a web server does not have.
_GONE = (404, 410)
# Requests at a time of a file system that can have several.
_CONCURRENCY = 64
_IN_THE_WAY = (FileExistsError, IsADirectoryError, NotADirectoryError)


def has_many_writers(fs: Any) -> bool:
    """Whether processes may write to copies of a file system: neither in memory nor in one archive."""
    while fs is not None:
        protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
        if not _OF_ONE_PROCESS.isdisjoint(protocols):
            return False
        # Of a cache or a folder.
        fs = getattr(fs, "fs", None)
    return True


class Objects(Store):
    """The files below the path `root_path` of the file system `fs`.

    The exceptions `missing` mean that there is no such file.
    """

    shared = True

    def __init__(self, fs: Any, root_path: str, missing: tuple[type[Exception], ...]) -> None:
        self.fs = fs
        self.missing = missing
        self.root_path = root_path.rstrip("/")
        # What the file system makes of the path of a key. Its root may be "" or "/", and so the paths in it
        # may begin with "/" or not.
        top = self.root_path or fs.root_marker
        self._prefix: str = fs._strip_protocol(f"{self.root_path}/x" if self.root_path else f"{top}x")[:-1]
        self._top: str = self._prefix[:-1] if self.root_path else top
        self._web = _web_of(fs)
        self._quotes = self._web is not None
        # Whether that is known: web servers may not.
        self._gives_ranges = not self._quotes
        self._is_async = _is_async(fs)
        # Object stores have no folders, and asking whether there is one is slow.
        self._has_folders = not self._is_async

    @property
    def lock_identity(self) -> str:
        # Which one of its kind: zip files, folders, accounts have the same paths.
        return f"{self.fs.protocol}:{self.fs._fs_token}:{identity_of(self._prefix)}"

    @property
    def concurrency(self) -> int:
        # Others do one after the other.
        return _CONCURRENCY if self._is_async else 1

    def _file(self, key: str) -> str:
        key = check_key(key)
        return self._prefix + (key.translate(_QUOTED) if self._quotes else key)

    def _folder(self, path: str) -> tuple[str, str]:
        """Return the folder at a node path, and what the paths of the files in it begin with."""
        if check_path(path) == "":
            return self._top, self._prefix
        folder = self._file(path)
        return folder, f"{folder}/"

    def _ask(self, key: str, call: Callable[..., Any], *args: Any, missing: Any = None, **kwargs: Any) -> Any:
        """Call the file system for a key: `KeyError` if there is none, `StoreError` if it fails."""
        missing = self.missing if missing is None else missing
        try:
            return call(*args, **kwargs)
        except missing as error:
            failure: Exception = KeyError(key)
            cause, status = error.__cause__, getattr(error.__cause__, "status", None)
            if self._quotes and cause and not isinstance(cause, missing) and status not in _GONE:
                # fsspec says of web pages that they are not found, whatever failed.
                failure = self._failure(key, cause)
        except (*_IN_THE_WAY, NotImplementedError):
            raise
        except Exception as error:
            failure = self._failure(key, error)
        # Not from the other error, in whose text there may be secrets.
        raise failure

    def _failure(self, key: str, error: BaseException) -> Exception:
        where = f"{cleaned_url(self.root_path)!r} ({type(self.fs).__name__})"
        what = f"{type(error).__name__}: {cleaned(str(error))}"
        failure = StoreError(f"cannot access {cleaned_url(key)!r} in {where}: {what}")
        # A full disk is one for the caller, too.
        failure.errno = getattr(error, "errno", None)
        return failure

    def __getitem__(self, key: str) -> bytes:
        path = self._file(key)
        try:
            return as_bytes(self._ask(key, self.fs.cat_file, path))
        except KeyError:
            self._look(key, path)
            raise

    def _look(self, key: str, path: str) -> None:
        """Raise `StoreError` if a cache of web pages says "missing" of what it could not get."""
        if self._quotes and self._web is not self.fs:
            try:
                self._ask(key, self._web.cat_file, path, start=0, end=1)
            except KeyError:
                pass

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        check_range(start, stop)
        path = self._file(key)
        try:
            if start != stop:
                data = as_bytes(self._ask(key, self.fs.cat_file, path, start=start, end=stop))
                return data if self._gives_ranges else self._range_of(key, data, start, stop)
        except StoreError:
            # How some say that the file ends before the range begins.
            if start < self.size(key):
                raise
        self.size(key)
        return b""

    def _range_of(self, key: str, data: bytes, start: int, stop: int | None) -> bytes:
        """Return a range of a value, of which a web server may have given all."""
        size = self.size(key)
        if len(range(size)[start:stop]) < size:
            self._gives_ranges = len(data) < size
        return data if self._gives_ranges or len(data) < size else data[start:stop]

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        paths = {self._file(key): key for key in keys}
        plain = [path for path in paths if _MAGIC.isdisjoint(path)]
        values: dict[str, bytes] = {}
        found = self._ask(paths[plain[0]], self.fs.cat, plain, on_error="return") if plain else {}
        for path, key in paths.items():
            if path in found and not isinstance(found[path], Exception):
                values[key] = as_bytes(found[path])
            elif path in found and not isinstance(found[path], self.missing):
                raise self._failure(key, found[path])
            elif path in found:
                self._look(key, path)
            else:
                try:
                    values[key] = self[key]
                except KeyError:
                    continue
        return values

    def __setitem__(self, key: str, value: Bytes) -> None:
        path, data = self._file(key), as_bytes(value)
        try:
            if self._has_folders and self.fs.isdir(path):
                # As in zarr 2.
                self._erase_folder(key)
            try:
                self._ask(key, self.fs.pipe_file, path, data, missing=FileNotFoundError)
            except KeyError:
                self._ask(key, self.fs.makedirs, self.fs._parent(path), missing=(), exist_ok=True)
                self._ask(key, self.fs.pipe_file, path, data, missing=())
        except _IN_THE_WAY as error:
            where = cleaned_url(self.root_path)
            raise KeyBelowValueError(
                f"cannot store {key!r} in {where!r}: there is a file above it ({error!r})"
            ) from error
        self._changed(path)

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        values = {self._file(key): as_bytes(value) for key, value in items.items()}
        if self._has_folders:
            super().set_many(items)
        elif values:
            self._ask(next(iter(items)), self.fs.pipe, values, missing=())
            for path in values:
                self._changed(path)

    def __delitem__(self, key: str) -> None:
        # Most delete what is not there without a word.
        path = self._file(key)
        if key not in self:
            if not self._has_folders or self.is_empty(key):
                raise KeyError(key)
            self._erase_folder(key)
            return
        self._ask(key, self.fs.rm_file, path)
        self._changed(path)

    def erase_many(self, keys: Iterable[str]) -> None:
        self._remove([self._file(key) for key in keys if key in self])

    def _remove(self, paths: list[str]) -> None:
        plain = [path for path in paths if _MAGIC.isdisjoint(path)]
        try:
            if plain:
                self._ask(plain[0], self.fs.rm, plain)
        except KeyError:
            # Others deleted some of them meanwhile.
            plain = []
        for path in paths:
            if path not in plain:
                try:
                    self._ask(path, self.fs.rm_file, path)
                except KeyError:
                    continue
        for path in paths:
            self._changed(path)

    def _changed(self, path: str) -> None:
        self.fs.invalidate_cache(self.fs._parent(path))

    def __contains__(self, key: object) -> bool:
        path = self._file(key)  # type: ignore[arg-type]
        try:
            # Not `isfile`, which says no if it cannot tell.
            return bool(self._ask(str(key), self.fs.info, path)["type"] == "file")
        except KeyError:
            return False

    def _names_below(self, folder: str, prefix: str) -> list[str]:
        """Return the paths of the files below a folder, relative to it."""
        try:
            # Others do not walk.
            checked = {"on_error": self._check} if self._quotes else {}
            found = self._ask(folder, self.fs.find, folder, **checked)
        except KeyError:
            return []
        return [name[len(prefix) :] for name in found if name.startswith(prefix)]

    def _check(self, error: Exception) -> None:
        """Not raise an error that means that a folder is missing."""
        if not isinstance(error, self.missing):
            raise error

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._names_below(self._top, self._prefix) if is_key(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Objects) and (self.fs, self._prefix) == (other.fs, other._prefix)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {cleaned_url(self._prefix)!r} of {type(self.fs).__name__}>"

    def size(self, key: str) -> int:
        info = self._ask(key, self.fs.info, self._file(key))
        if info["type"] != "file":
            raise KeyError(key)
        # Some servers do not say.
        return len(self[key]) if info["size"] is None else int(info["size"])

    def list_dir(self, path: str = "") -> list[str]:
        folder, prefix = self._folder(path)
        try:
            found = self._ask(path, self.fs.ls, folder, detail=False)
        except KeyError:
            return []
        names = {str(name).rstrip("/")[len(prefix) :] for name in found if str(name).startswith(prefix)}
        return sorted(name for name in names if is_key(name) and "/" not in name)

    def is_empty(self, path: str = "") -> bool:
        folder, _ = self._folder(path)

        def has_files() -> bool:
            found = self.fs.walk(folder, on_error=self._check)
            # A file that is walked has one with no name in it.
            return any(name for _, _, files in found for name in files)

        try:
            return not self._ask(path, has_files)
        except KeyError:
            return True

    def erase_prefix(self, path: str = "") -> None:
        folder, prefix = self._folder(path)
        if self._has_folders and path and self.fs.isfile(folder):
            return
        super().erase_prefix(path)
        self._remove_folders(folder, prefix)

    def _erase_folder(self, path: str) -> None:
        erase_in_order(self, path, self._keys_below(path))
        self._remove_folders(*self._folder(path))

    def _keys_below(self, path: str) -> list[str]:
        folder, prefix = self._folder(path)
        return [prefix[len(self._prefix) :] + name for name in self._names_below(folder, prefix)]

    def _erase_found(self, keys: Sequence[str]) -> None:
        self._remove([self._prefix + key for key in keys])

    def _remove_folders(self, folder: str, prefix: str) -> None:
        """Delete the folders that are left where all files were deleted."""
        if _MAGIC.isdisjoint(folder) and folder != self.fs.root_marker:
            try:
                # Not what others write at the same time.
                if self.fs.isdir(folder) and not self._names_below(folder, prefix):
                    self._ask(folder, self.fs.rm, folder, recursive=True)
            except KeyError:
                # Another process deletes in it, too.
                pass
        self.fs.invalidate_cache(folder)


def _is_async(fs: Any) -> bool:
    """Whether a file system can have many requests at a time; a folder says so of any file system in it."""
    while "dir" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol):
        fs = fs.fs
    return bool(fs.async_impl)


def _web_of(fs: Any) -> Any:
    """Return the file system of web pages that a file system is, or has the paths of; or None."""
    while True:
        protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
        if not protocols & _PASS_ON:
            return fs if protocols & _WEB else None
        fs = fs.fs
