"""`ZipStore`: all values in one zip archive."""

from __future__ import annotations

import os
import weakref
import zipfile
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from zchunk._ext.io.files import sync_files
from zchunk.errors import ReadOnlyError
from zchunk.runtime.settings import config
from zchunk.spec.keys import check_key, normalize_path
from zchunk.storage.base import Store
from zchunk.storage.checks import DimensionSeparator, as_buffer, check_range, check_separator
from zchunk.storage.local.directory import DURABILITY, Durability
from zchunk.storage.local.leftovers import temporary_beside
from zchunk.storage.mapping import as_store
from zchunk.storage.zip.archive import Archive
from zchunk.storage.zip.methods import METHODS
from zchunk.storage.zip.reader import File, Place, Reader, Value

if TYPE_CHECKING:
    from zchunk.typing import Bytes

_Mode: TypeAlias = Literal["r", "w", "a", "x"]


class ZipStore(Store):
    """A store in a zip archive.

    Values that are written go to the end of the file at once, and the archive's directory at `flush` and
    `close`. An archive whose writer was killed is opened as it was when its directory was last written, with
    a warning; one without any directory cannot be opened. A key that is written again is a
    new entry that takes the place of the old one in the directory, so an archive never has two entries of a
    name. The old bytes stay as dead space until `close` finds that more than half of the file is dead, and
    replaces it by a copy without them. (Keeping changed values in memory until the end instead would need
    memory without bound, and a copy of the archive for each changed attribute.)

    Parameters
    ----------
    path : str or path-like
        The archive.
    compression : int, default zipfile.ZIP_STORED
        Method for new entries: ``ZIP_STORED``, ``ZIP_DEFLATED``, ``ZIP_BZIP2`` or ``ZIP_LZMA``. Chunks are
        usually compressed already. A text is the mode: ``ZipStore("run.zip", "w")``.
    allowZip64 : bool, default True
        Whether the archive may grow beyond 2 GiB or 65,535 entries.
    mode : {"r", "w", "a", "x"}, default "a"
        ``"r"`` to read, ``"w"`` to replace, ``"a"`` to change or create, ``"x"`` to create what must not
        exist. The file is made or replaced at the first write, `flush` or `close`: a store that is dropped
        before leaves what was there.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    durability : {"atomic", "fsync", "none"}, optional
        ``"fsync"``: what `flush` and `close` have written is on the disk when they return. The other two are
        the same here.

    Notes
    -----
    The directory of the archive is read at once, and values when they are asked for. Values are checked by
    the CRC that the archive has, but for parts that are read alone. Arrays whose chunks are entries that are
    not compressed are read from the file as those of a `DirectoryStore` are.

    Safe to use from many threads; readers do not wait for each other. One process may write. A forked child
    may read what was written before the fork. A store that is collected, or alive when its process ends
    normally, is closed. Pickling flushes, and the copy opens the file again (to change it, unless `mode` is
    ``"r"``): let only one of them write. Names in the archive that are no legal keys are ignored, and kept.

    Examples
    --------
    >>> import zchunk
    >>> with zchunk.ZipStore("run.zip", mode="w") as store:
    ...     z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    >>> zchunk.open_array("run.zip", mode="r")[:]
    array([1, 2, 3, 4])
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.zip"

    verbatim = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        compression: int | _Mode = zipfile.ZIP_STORED,
        allowZip64: bool = True,
        mode: _Mode = "a",
        dimension_separator: DimensionSeparator | None = None,
        durability: Durability | None = None,
    ) -> None:
        durability = config.get("durability") if durability is None else durability
        if durability not in DURABILITY:
            raise ValueError(f"durability is 'atomic', 'fsync' or 'none', not {durability!r}")
        if isinstance(compression, str) and mode == "a":
            # The mode, where `zipfile.ZipFile` and `open` have it.
            mode = compression
            compression = zipfile.ZIP_STORED
        if mode not in ("r", "w", "a", "x"):
            raise ValueError(f"the mode of a zip store is 'r', 'w', 'a' or 'x', not {mode!r}")
        if not isinstance(compression, int) or compression not in METHODS:
            raise ValueError(f"compression is one of zipfile's ZIP_ constants {METHODS}, not {compression!r}")
        self.path: str = os.path.abspath(os.fsdecode(path))
        self.compression = compression
        self.allowZip64 = allowZip64
        self.mode = mode
        self._dimension_separator = check_separator(dimension_separator)
        self.durability: Durability = durability
        self._source: tuple[Store, str] | None = None
        self._keep(Archive(self.path, mode, allowZip64, durability == "fsync"))

    @classmethod
    def over(
        cls, store: MutableMapping[str, Any], key: str, dimension_separator: DimensionSeparator | None = None
    ) -> Self:
        """Return a store, to be read, in an archive that is the value of a key of another store.

        The directory of the archive is read at once, values when they are asked for: neighbours together,
        parts alone if they are not compressed. So the other store should give ranges cheaply.

        Parameters
        ----------
        store : Store or mapping
            Holds the archive, which must not be replaced meanwhile.
        key : str
            Of the archive.
        dimension_separator : {".", "/"}, optional
            As for `ZipStore`.

        Raises
        ------
        FileNotFoundError
            The other store has no such key.
        StoreError
            The value is no archive, or was not closed after writing and its last 64 MiB have no complete
            directory.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.ZipStore("run.zip", mode="w")
        >>> store["a/x"] = b"value"
        >>> store.close()
        >>> inside = zchunk.ZipStore.over(zchunk.DirectoryStore("."), "run.zip")
        >>> inside["a/x"]
        b'value'
        """
        self = cls.__new__(cls)
        self._open_over(as_store(store), key, dimension_separator)
        return self

    def _open_over(self, store: Store, key: str, dimension_separator: DimensionSeparator | None) -> None:
        self.path = f"{store.lock_identity}/{check_key(key)}"
        self.compression = zipfile.ZIP_STORED
        self.allowZip64 = True
        self.mode, self.durability = "r", "atomic"
        self._dimension_separator = check_separator(dimension_separator)
        self._source = store, key
        try:
            value = Value(store, key)
        except KeyError:
            raise FileNotFoundError(f"no zip archive {key!r} in {store!r}") from None
        self._keep(Reader(f"{key!r} in {store!r}", value))

    def _keep(self, archive: Reader) -> None:
        self._archive = archive
        if isinstance(archive, Archive) and archive.writable:
            # Others need nothing: a file closes itself.
            weakref.finalize(self, archive.release)

    def _left_behind(self, path: str) -> Iterator[tuple[str, str, str]]:
        if self._source is None:
            # Of compactions.
            for found, kind in temporary_beside(os.path.realpath(self.path)):
                yield found, kind, "a temporary file"
        if self._archive.left_out:
            yield self.path, "unclosed", self._archive.left_out

    _checks_values = True

    # Each would write a directory of its own at the end.
    many_writers = False

    @property
    def address(self) -> str:
        """Where it is, for texts."""
        return f"zip://{self.path}"

    @property
    def lock_identity(self) -> str:
        return self.path

    def __getstate__(self) -> tuple[Any, ...]:
        if self._source is not None:
            return (*self._source, self._dimension_separator)
        if not self._archive.closed:
            self.flush()
        # Opened with "w" or "x" again, the file would be lost.
        mode = "r" if self.mode == "r" else "a"
        return self.path, self.compression, self.allowZip64, mode, self._dimension_separator, self.durability

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if isinstance(state[0], Store):
            self._open_over(*state)
        else:
            self.__init__(*state)  # type: ignore[misc]

    def __getitem__(self, key: str) -> bytes:
        return self._archive.read(check_key(key))

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        check_range(start, stop)
        return self._archive.read(check_key(key), start, stop)

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]], version: object = None) -> list[bytes]:
        return self._archive.read_ranges(check_key(key), ranges)

    @property
    def concurrency(self) -> int:
        return 1 if self._source is None else self._source[0].concurrency

    def refuse_larger(self, key: str, most: int | None) -> None:
        self._archive.refuse_larger(key, most)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        return self._archive.read_many([check_key(key) for key in keys])

    def locate(self, keys: Iterable[str]) -> tuple[File, list[Place | None]] | None:
        """Return where values lie, for a caller that reads the file itself.

        Returns
        -------
        file, places
            A file, which stays as it is while the caller has it, with its descriptor `fd`; and for every key
            offset, size and CRC-32 of the value in it, None if there is none. Or None, if there is no file or
            a value is compressed.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.ZipStore("run.zip", mode="w")
        >>> store["a/x"] = b"value"
        >>> file, places = store.locate(["a/x", "a/y"])
        >>> offset, size, crc = places[0]
        >>> file.read(offset, size), places[1]
        (b'value', None)
        >>> store.close()
        """
        own = type(self).__getitem__ is ZipStore.__getitem__
        return self._archive.locate(keys) if own else None

    def __setitem__(self, key: str, value: Bytes) -> None:
        archive = self._writable()
        data = as_buffer(value)
        # As in zarr 2, and as zip files from elsewhere have it: "a/" without bytes is an entry for a folder.
        folder = isinstance(key, str) and key.endswith("/") and not data
        check_key(key[:-1] if folder else key)
        archive.write(key, data, self.compression)

    def __delitem__(self, key: str) -> None:
        self._writable().delete(check_key(key))

    def __contains__(self, key: object) -> bool:
        self._archive.check_open()
        return key in self._archive.entries

    def __iter__(self) -> Iterator[str]:
        self._archive.check_open()
        return iter(list(self._archive.entries))

    def keylist(self) -> list[str]:
        """Return all keys, sorted (zarr 2's name).

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.ZipStore("run.zip", mode="w")
        >>> store["a/x"] = b"value"
        >>> store.keylist()
        ['a/x']
        >>> store.close()
        """
        return sorted(self)

    def __len__(self) -> int:
        self._archive.check_open()
        return len(self._archive.entries)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ZipStore)
            and self._source == other._source
            and (self.path == other.path or self._source is not None)
            and self.compression == other.compression
            and self.allowZip64 == other.allowZip64
        )

    def __repr__(self) -> str:
        if self._source is not None:
            return f"{type(self).__name__}.over({self._source[0]!r}, {self._source[1]!r})"
        return f"{type(self).__name__}({self.path!r}, mode={self.mode!r})"

    def size(self, key: str) -> int:
        self._archive.check_open()
        return self._archive.entries[check_key(key)].file_size

    def getsize(self, path: str | None = None) -> int:
        """Return the compressed size of a key, or the sum over the keys directly below a path.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.ZipStore("run.zip", mode="w")
        >>> store["a/x"] = b"value"
        >>> store.getsize("a")
        5
        >>> store.close()
        """
        self._archive.check_open()
        path = normalize_path(path)
        entries = self._archive.entries
        if path in entries:
            return entries[path].compress_size
        prefix = f"{path}/" if path else ""
        infos = [entries.get(prefix + name) for name in self.list_dir(path)]
        return sum(info.compress_size for info in infos if info is not None)

    def erase_prefix(self, path: str = "") -> None:
        # Not metadata first, as elsewhere: all of it goes at once.
        self.erase_many(self._keys_below(path))

    def erase_many(self, keys: Iterable[str]) -> None:
        archive = self._writable()
        if type(self).__delitem__ is ZipStore.__delitem__:
            archive.delete_many([check_key(key) for key in keys])
        else:
            super().erase_many(keys)

    def rename(self, src_path: str, dst_path: str) -> None:
        self._writable()
        super().rename(src_path, dst_path)

    def _move(self, names: list[tuple[str, str]]) -> None:
        if type(self).__getitem__ is ZipStore.__getitem__ and type(self).__setitem__ is ZipStore.__setitem__:
            self._writable().move(names)
        else:
            super()._move(names)

    @property
    def zf(self) -> zipfile.ZipFile:
        """A new `zipfile.ZipFile` that reads what there is now, closed if the store is (zarr 2's name)."""
        closed = self._archive.closed
        if not closed:
            self.flush()
        archive = zipfile.ZipFile(self.path if self._source is None else self._archive.stream())
        if closed:
            archive.close()
        return archive

    def flush(self) -> None:
        """Write the directory of the archive, so that others can open it.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.ZipStore("run.zip", mode="w")
        >>> store["a/x"] = b"value"
        >>> store.flush()
        >>> zchunk.ZipStore("run.zip", mode="r")["a/x"]
        b'value'
        >>> store.close()
        """
        self._archive.flush()

    def sync(self, keys: str | Iterable[str] = "") -> None:
        self.flush()
        if self._source is None:
            sync_files([os.fsencode(self.path), os.fsencode(os.path.dirname(self.path))])

    def close(self) -> None:
        """Flush and close the archive. Nothing but `close` works afterwards.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.ZipStore("run.zip", mode="w")
        >>> store["a/x"] = b"value"
        >>> store.close()
        >>> store.close()
        """
        self._archive.close()

    def _writable(self) -> Archive:
        archive = self._archive
        archive.check_open()
        if self._source is not None:
            raise ReadOnlyError(f"zip store {archive.name} can only be read")
        if self.mode == "r":
            raise ReadOnlyError(f"zip store {archive.name} was opened with mode 'r'; use 'a' to change it")
        assert isinstance(archive, Archive)
        return archive
