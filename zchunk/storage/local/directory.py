"""Stores in a folder: one file per key."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from zchunk._ext.io.descriptor import Descriptor
from zchunk._ext.io.files import are_files, real_path, sync_files, write_file
from zchunk.errors import FSPathExistNotDir, InvalidKeyError, KeyBelowValueError, StoreError
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.settings import config
from zchunk.spec.keys import NODE_FILES, UNFINISHED_KEY, check_key, check_rename, is_key, join, normalize_path
from zchunk.storage.base import Store
from zchunk.storage.checks import DimensionSeparator, as_buffer, check_path, check_range, check_separator
from zchunk.storage.local.files import (
    Files,
    above,
    count_chunks,
    names,
    read_fd,
    remove_empty,
    scan,
    sync_folder,
    walk,
)
from zchunk.storage.local.leftovers import PARTIAL, remove_leftovers, tidy, unfinished
from zchunk.storage.local.trees import RETRIES, each_file, is_absence, is_link, mode_of, unlink

if TYPE_CHECKING:
    from zchunk._ext.io import ahead
    from zchunk.storage import marks
    from zchunk.storage.local import file_kinds, new_folders, removal
    from zchunk.typing import Bytes
else:
    # Most programs make nothing where something else is, and readers make nothing.
    ahead = LazyModule("zchunk._ext.io.ahead")
    marks = LazyModule("zchunk.storage.marks")
    file_kinds = LazyModule("zchunk.storage.local.file_kinds")
    new_folders = LazyModule("zchunk.storage.local.new_folders")
    removal = LazyModule("zchunk.storage.local.removal")

Durability: TypeAlias = Literal["none", "atomic", "fsync"]

# How files are replaced, as `zchunk._ext` has it.
DURABILITY = {"none": 0, "atomic": 1, "fsync": 2}

# O_NONBLOCK: a FIFO in the folder must not hang anyone. It means nothing for regular files.
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | _FLAGS
# What the system says where a file cannot have two names; on Linux it is mostly EPERM.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class DirectoryStore(Store):
    """A store in a folder, where the value of the key ``a/b`` is the file ``a/b``.

    The folder is made by the first write. Files that are not regular, and temporary files named
    ``*.partial``, are not part of the store. Temporary files of writers that were killed are removed by the
    next writer in their folder. In a folder of more than some thousand files that takes more writes than one;
    `remove_leftovers` looks at all at once.
    Writing or deleting a key that is a folder erases all that is in it, as in zarr 2.

    Parameters
    ----------
    path : str or path-like
        The folder.
    normalize_keys : bool, default False
        Turn keys to lower case.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    durability : {"atomic", "fsync", "none"}, optional
        ``"atomic"`` writes a temporary file beside the old one and renames it: whatever happens to the
        process, a reader sees the old or the new value. ``"fsync"`` also syncs file and folder: the same
        holds for the machine. ``"none"`` writes in place, but for metadata, which are never cut. `sync` makes
        many values durable at once. By default as `zchunk.config` says, which is ``"atomic"``.

    Notes
    -----
    Safe to use from many threads and processes, by the above. Symbolic links are followed; one that is a
    file is replaced when its key is written.

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> store = zchunk.DirectoryStore("run.zarr")
    >>> z = zchunk.array(np.ones((4, 4)), chunks=2, store=store)
    >>> store.list_dir()
    ['.zarray', '0.0', '0.1', '1.0', '1.1']
    >>> zchunk.open_array("run.zarr", mode="r")[0, 0]
    np.float64(1.0)
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.directory"

    verbatim = True
    shared = True
    # Whether shards are written past the system's cache, where it can be: for those that are synced at once,
    # and not read soon.
    direct = False

    _identity: str | None = None
    # Whether the values of keys are files as they lie: not in a subclass that does something of its own.
    _plain = True
    _puts_new = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._plain = cls._keeps("__getitem__", "__setitem__", "__delitem__", "__contains__", "file_path")
        cls._puts_new = cls._plain and cls._keeps("set_new", "set_new_many")

    @classmethod
    def _keeps(cls, *methods: str) -> bool:
        """Whether these methods are still those of this class."""
        return all(getattr(cls, name) is getattr(DirectoryStore, name) for name in methods)

    def __init__(
        self,
        path: str | os.PathLike[str],
        normalize_keys: bool = False,
        dimension_separator: DimensionSeparator | None = None,
        durability: Durability | None = None,
    ) -> None:
        durability = config.get("durability") if durability is None else durability
        if durability not in ("atomic", "fsync", "none"):
            raise ValueError(f"durability is 'atomic', 'fsync' or 'none', not {durability!r}")
        self.path: str = os.path.abspath(os.fsdecode(path))
        if "\0" in self.path:
            raise ValueError(f"the path of a folder has no NUL: {self.path!r}")
        if os.path.isfile(self.path):
            kind = file_kinds.kind_of_file(self.path)
            raise FSPathExistNotDir(f"cannot open {self.path!r} as a store: it is {kind}")
        self.normalize_keys = normalize_keys
        self.durability: Durability = durability
        self._dimension_separator = check_separator(dimension_separator)

    @property
    def root(self) -> str | None:
        # None where files are not what item access would give.
        return self.path if self._plain and not self.normalize_keys else None

    @property
    def lock_identity(self) -> str:
        # Looked up once there is a folder: it costs as much as reading a small file.
        if self._identity is None:
            found = real_path(os.fsencode(self.path))
            if found is None:
                return os.path.realpath(self.path)
            self._identity = os.fsdecode(found)
        return self._identity

    def __getstate__(self) -> dict[str, Any]:
        # Where the copy is used, links may lead elsewhere.
        return {**self.__dict__, "_identity": None}

    def make_folder(self, path: str) -> None:
        self._make_folder(path, self._folder(path))

    def tidy(self, path: str) -> None:
        tidy(self._folder(path))

    def remove_leftovers(self, path: str | None = None) -> list[str]:
        """Delete the temporary files of writers that were killed, and return their paths.

        A file of a writer on another machine, or in another container, counts as left over when nothing was
        written to it for a day; one whose machine cannot be told for sure (written by an earlier version, or
        where there is no ``/proc``) when its process is gone and nothing was written to it for an hour. Files
        of writers that live stay.

        Parameters
        ----------
        path : str, optional
            Of the node whose folder, with all below, is looked through; the whole store by default.

        Examples
        --------
        >>> from zchunk.storage import DirectoryStore
        >>> store = DirectoryStore("run.zarr")
        >>> store["a/0"] = b"value"
        >>> store.remove_leftovers()
        []
        """
        return remove_leftovers(self.dir_path(path))

    def file_path(self, key: str) -> str:
        """Return the path of the file that holds the value of `key`.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("run.zarr")
        >>> store.file_path("a/0.0") == f"{store.path}/a/0.0"
        True
        """
        if check_key(key).endswith(PARTIAL):
            raise InvalidKeyError(f"store key {key!r}: names ending in {PARTIAL!r} are for unfinished writes")
        return f"{self.path}/{key.lower() if self.normalize_keys else key}"

    def dir_path(self, path: str | None = None) -> str:
        """Return the path of the folder at a node path.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("run.zarr")
        >>> store.dir_path("a") == f"{store.path}/a"
        True
        """
        return self._folder(normalize_path(path))

    def _folded(self, path: str) -> str:
        return path.lower() if self.normalize_keys else path

    def _folder(self, path: str) -> str:
        path = check_path(path)
        return join(self.path, self._folded(path)) if path else self.path

    def __getitem__(self, key: str) -> bytes:
        return self._read(key, 0, None)

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        check_range(start, stop)
        if type(self).__getitem__ is not DirectoryStore.__getitem__:
            return super().get_range(key, start, stop)
        return self._read(key, start, stop)

    def _read(self, key: str, start: int, stop: int | None) -> bytes:
        try:
            file = Descriptor(os.fsencode(self.file_path(key)), _READ)
        except OSError as err:
            if not is_absence(err):
                raise
            raise KeyError(key) from None
        with file:
            status = os.fstat(file.fd)
            if not stat.S_ISREG(status.st_mode):
                raise KeyError(key)
            if start:
                os.lseek(file.fd, start, os.SEEK_SET)
            stop = status.st_size if stop is None else min(stop, status.st_size)
            return read_fd(file.fd, max(stop - start, 0))

    def __setitem__(self, key: str, value: Bytes) -> None:
        self._write(key, value)

    def _set_whole(self, key: str, value: Bytes) -> None:
        if type(self).__setitem__ is not DirectoryStore.__setitem__:
            self[key] = value
        else:
            self._write(key, value, DURABILITY["atomic"])

    def _write(self, key: str, value: Bytes, least: int = 0) -> None:
        path = self.file_path(key)
        data, encoded, how = as_buffer(value), os.fsencode(path), max(self._how(key), least)
        folder = path.rpartition("/")[0]
        if folder not in tidy.folders:
            tidy(folder)
        for _ in range(RETRIES):
            try:
                return write_file(encoded, data, how)
            except IsADirectoryError:
                removal.remove_folder(path, self.durability == "fsync")
            except NotADirectoryError:
                raise self._below_value(key, os.path.dirname(path)) from None
            except FileNotFoundError:
                # Again and again, for another process may be erasing the folder.
                continue
        raise self._removed(key)

    def _how(self, key: str) -> int:
        """Return how a value is written. Metadata are never cut: without them the chunks are lost, too."""
        how = DURABILITY[self.durability]
        return max(how, DURABILITY["atomic"]) if key.rpartition("/")[2] in NODE_FILES else how

    def _removed(self, key: str) -> StoreError:
        return StoreError(
            f"cannot store {key!r} in {self.path!r}: other processes remove its folder all the time"
        )

    def set_new(self, key: str, value: Bytes) -> bool:
        if type(self).__setitem__ is not DirectoryStore.__setitem__:
            return super().set_new(key, value)
        return self._link_new(key, value)

    def _link_new(self, key: str, value: Any) -> bool:
        """Make the file of a key if there is none; of several processes one does."""
        path = self.file_path(key)
        tidy(os.path.dirname(path))
        data, encoded, how = as_buffer(value), os.fsencode(path), DURABILITY[self.durability]
        for _ in range(RETRIES):
            try:
                write_file(encoded, data, how, new=True)
            except FileNotFoundError:
                # Another process erases the folder.
                continue
            except FileExistsError:
                # If it is no file, but a folder perhaps, then it is for the store to say whether it goes.
                return False if os.path.isfile(path) else super().set_new(key, value)
            except NotADirectoryError:
                raise self._below_value(key, os.path.dirname(path)) from None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return super().set_new(key, value)
            return True
        raise self._removed(key)

    def __delitem__(self, key: str) -> None:
        path = self.file_path(key)
        if not unlink(path):
            if self.is_empty(key):
                raise KeyError(key)
            self.erase_prefix(key)
        if self.durability == "fsync":
            sync_folder(os.path.dirname(path))

    def existing(self, keys: Iterable[str]) -> set[str]:
        if type(self).__contains__ is not DirectoryStore.__contains__:
            return super().existing(keys)
        keys = list(keys)
        return set(compress(keys, are_files([os.fsencode(self.file_path(key)) for key in keys])))

    def read_ahead(self, keys: Iterable[str]) -> None:
        ahead.read_ahead([os.fsencode(self.file_path(key)) for key in keys])

    def erase_many(self, keys: Iterable[str]) -> None:
        if type(self).__delitem__ is not DirectoryStore.__delitem__:
            # Not the folders, which deleting one by one would erase.
            super().erase_many(key for key in keys if key in self)
            return
        folders: set[str] = set()

        def erase(path: str) -> None:
            if unlink(path) and self.durability == "fsync":
                folders.add(os.path.dirname(path))

        try:
            each_file(erase, list(map(self.file_path, keys)))
        finally:
            for folder in folders:
                sync_folder(folder)

    def __contains__(self, key: object) -> bool:
        return is_key(key) and self._stat(check_key(key)) is not None

    def __iter__(self) -> Iterator[str]:
        return self._keys_fast(self.path)

    def __len__(self) -> int:
        if type(self).__iter__ is not DirectoryStore.__iter__:
            return sum(1 for _ in self)
        return sum(len(files) for _, _, files in walk(self.path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DirectoryStore) and self.path == other.path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def size(self, key: str) -> int:
        if type(self).__getitem__ is not DirectoryStore.__getitem__:
            return super().size(key)
        status = self._stat(key)
        if status is None:
            raise KeyError(key)
        return status.st_size

    def list_dir(self, path: str = "") -> list[str]:
        return sorted(names(self._folder(path)))

    def _count_chunks(self, path: str, prefix: str, separator: str, limits: Sequence[int]) -> int | None:
        if not self._keeps("list_dir"):
            return None
        return count_chunks(self._folder(path), prefix, separator, limits)

    def is_empty(self, path: str = "") -> bool:
        return next(self._keys_fast(self._folder(path)), None) is None

    def erase_prefix(self, path: str = "") -> None:
        """Delete the folder at `path`: every key below it, and whatever else it holds.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("run.zarr")
        >>> store["a/0"] = b"value"
        >>> store.erase_prefix("a")
        >>> list(store)
        []
        """
        folder = self._folder(path)
        if not stat.S_ISDIR(mode_of(folder)):
            return
        if path:
            removal.remove_folder(folder, self.durability == "fsync")
        elif any(are_files([os.fsencode(f"{folder}/{name}") for name in NODE_FILES])):
            # Not moved aside: the folder above it is not the store's.
            marks.erase(self, path)
            removal.remove_empty_folder(folder)
        else:
            removal.remove_in_place(folder, self.durability == "fsync")
        if self.durability == "fsync":
            sync_folder(os.path.dirname(folder))

    def _erase_claimed(self, path: str, whole: bool = False) -> None:
        if whole and path:
            # In one step for readers, with the mark.
            self.erase_prefix(path)
        else:
            removal.clear_folder(self._folder(path), self.durability == "fsync", UNFINISHED_KEY)

    def _put_new(self, path: str, items: Mapping[str, bytes]) -> bool:
        fsync = self.durability == "fsync"
        return self.root is not None and new_folders.put_new_folder(self._folder(path), items, fsync)

    def _detach(self, path: str) -> None:
        if path and is_link(self._folder(path)):
            os.unlink(self._folder(path))

    def _mark_file(self, path: str) -> str | None:
        return f"{self._folder(path)}/{UNFINISHED_KEY}"

    def sync(self, keys: str | Iterable[str] = "") -> None:
        files: list[str] = []
        # The folder of the store has its name in the one above.
        folders = {self.path, os.path.dirname(self.path)}
        for key in [keys] if isinstance(keys, str) else keys:
            path = self._folder(key)
            if stat.S_ISDIR(mode_of(path)):
                for folder, _, found in walk(path):
                    folders.add(folder)
                    files += found.keys(f"{folder}/")
            else:
                files.append(path)
            folders.update(above(path, self.path))
        # A file is there for good once the folders above are: so they come last, from the lowest up.
        ordered = [*dict.fromkeys(files), *sorted(folders, key=len, reverse=True)]
        sync_files(list(map(os.fsencode, ordered)))

    def is_vacant(self, path: str = "") -> bool:
        if self.root is None:
            return False
        folder = self._folder(path)
        try:
            os.lstat(folder)
        except OSError as err:
            if err.errno != errno.ENOENT:
                return False
        else:
            return False
        # The caller is going to make it.
        tidy.made(folder)
        return True

    @property
    def _trace_names(self) -> tuple[str, ...]:
        return (UNFINISHED_KEY,)

    def unfinished(self, path: str = "") -> bool:
        return unfinished(self._folder(path))

    def finish_erasing(self, path: str = "") -> None:
        removal.finish_erasing(self._folder(path))

    def lost(self, path: str = "") -> bool:
        return not stat.S_ISDIR(mode_of(self._folder(path)))

    def foreign(self, path: str = "") -> list[str]:
        return removal.foreign_files(self._folder(path))

    def rename(self, src_path: str, dst_path: str) -> None:
        """Move the file or folder `src_path` to `dst_path`, where nothing may be, in one step.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("run.zarr")
        >>> store["a/0"] = b"value"
        >>> store.rename("a", "b")
        >>> list(store)
        ['b/0']
        """
        src, dst = check_rename(src_path, dst_path)
        src_file, dst_file = self._folder(src), self._folder(dst)
        if not mode_of(src_file, follow=False):
            raise KeyError(src)
        if stat.S_ISREG(mode_of(src_file)):
            # A key must not become an unfinished write.
            self.file_path(dst)
        if src_file == dst_file:
            return
        if stat.S_ISREG(mode_of(dst_file)) or not self.is_empty(dst):
            raise StoreError(f"cannot rename {src!r} to {dst!r}: the target exists; delete it first")
        remove_empty(dst_file)
        self._make_folder(dst, os.path.dirname(dst_file))
        os.rename(src_file, dst_file)
        if self.durability == "fsync":
            sync_folder(os.path.dirname(dst_file))
            sync_folder(os.path.dirname(src_file))

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)
        folder = self._folder(path)
        if stat.S_ISREG(mode_of(folder)):
            return os.path.getsize(folder)
        return sum(entry.stat().st_size for entry in scan(folder) if entry.is_file())

    def _stat(self, key: str) -> os.stat_result | None:
        try:
            status = os.stat(self.file_path(key))
        except OSError as err:
            if not is_absence(err):
                raise
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def _keys_below(self, path: str) -> list[str]:
        if type(self).__iter__ is not DirectoryStore.__iter__:
            return super()._keys_below(path)
        return [join(path, name) for name in self._keys_fast(self._folder(path))]

    @staticmethod
    def _keys_fast(
        path: str, walker: Callable[[str], Iterable[tuple[str, list[str], Iterable[str]]]] = walk
    ) -> Iterator[str]:
        """Yield the keys of the files below a folder (zarr 2's name)."""
        start = len(path.rstrip("/")) + 1
        for folder, _, files in walker(path):
            below = f"{folder[start:]}/" if folder[start:] else ""
            yield from files.keys(below) if isinstance(files, Files) else (below + name for name in files)

    def _make_folder(self, key: str, folder: str) -> None:
        missing = []
        level = folder
        while self.durability == "fsync" and not os.path.isdir(level) and level != os.path.dirname(level):
            level = os.path.dirname(level)
            missing.append(level)
        try:
            os.makedirs(folder, exist_ok=True)
            for level in missing:
                sync_folder(level)
        except FileNotFoundError:
            # Another process erases the folder; the caller tries again.
            return
        except (FileExistsError, NotADirectoryError):
            raise self._below_value(key, folder) from None

    @staticmethod
    def _below_value(key: str, folder: str) -> KeyBelowValueError:
        return KeyBelowValueError(f"cannot store {key!r}: a file stands where {folder!r} would be")


class NestedDirectoryStore(DirectoryStore):
    """A `DirectoryStore` whose arrays put their chunks in nested folders (``0/0`` rather than ``0.0``).

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> z = zchunk.array(np.ones((4, 4)), chunks=2, store=zchunk.NestedDirectoryStore("run.zarr"))
    >>> sorted(z.store)
    ['.zarray', '0/0', '0/1', '1/0', '1/1']
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.directory"

    verbatim = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        normalize_keys: bool = False,
        dimension_separator: DimensionSeparator | None = "/",
        durability: Durability | None = None,
    ) -> None:
        if dimension_separator not in (None, "/"):
            raise ValueError(f"NestedDirectoryStore has dimension_separator '/', not {dimension_separator!r}")
        super().__init__(path, normalize_keys, "/", durability)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NestedDirectoryStore) and self.path == other.path
