"""What a store tells of the folders that its keys are in: most stores have none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    from zchunk.spec.keys import ChunkKeyEncoding
    from zchunk.storage import marks
    from zchunk.storage.base import Store
    from zchunk.storage.local import leftovers
    from zchunk.typing import Bytes
else:
    # Of them it asks only where something is left.
    marks = LazyModule("zchunk.storage.marks")
    leftovers = LazyModule("zchunk.storage.local.leftovers")


class Folders:
    """Base of `zchunk.storage.Store`: what stores of local files are asked, and what all others answer."""

    # Whether a value that is read whole is compared with a checksum of the store's own.
    _checks_values = False

    @property
    def _trace_names(self) -> tuple[str, ...]:
        """Names of the keys beside a node that tell of a process which makes or erases it."""
        return ()

    def _without_metadata(self, encoding: ChunkKeyEncoding) -> ChunkKeyEncoding:
        """Return how the chunks of an array are named as long as no metadata say that they are chunks."""
        return encoding

    def _folded(self, path: str) -> str:
        """Return a node path as the store has it: some do not tell upper from lower case."""
        return path

    @property
    def root(self) -> str | None:
        """Absolute path of the local folder whose files are the values, or None.

        Code that is given a folder may read and replace the files itself: value of ``a/b`` in file ``a/b``.
        """
        return None

    def make_folder(self, path: str) -> None:
        """Make the folder at a node path, for a caller that writes the files below `root`.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.make_folder("a")
        >>> list(store)
        []
        """

    def read_ahead(self, keys: Iterable[str]) -> None:
        """Say that small values are going to be read one by one, for storage that gets several as quickly.

        Nothing, by default. Keys that do not exist are for the reader to find out.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("run.zarr")
        >>> store.read_ahead(["a/.zarray", "b/.zarray"])
        """

    def tidy(self, path: str) -> None:
        """Remove what killed writers have left at a node path, before files below `root` are written.

        Called before every write, so a store does something the first time only. Nothing, by default.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.tidy("a")
        """

    def remove_leftovers(self, path: str | None = None) -> list[str]:
        """Delete what writers that were killed have left at a node path and below; return the keys, or files.

        That is the mark beside a node that is complete and, where values are files, temporary files.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.MemoryStore().remove_leftovers()
        []
        """
        return marks.remove_left(cast("Store", self), path)

    def _left_behind(self, path: str) -> Iterator[tuple[str, str, str]]:
        """Yield what writers have left at a node path that is no key: file, kind of finding, and what it is.

        See `zchunk.verify`.
        """
        if self.root is not None:
            for found, kind in leftovers.temporary(f"{self.root}/{path}" if path else self.root):
                yield found, kind, "a temporary file or folder"

    def is_vacant(self, path: str = "") -> bool:
        """Whether nothing is at a node path: no node, no chunk, nothing that a killed process has left.

        Where one look does not tell, False.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("new.zarr")
        >>> store["a/x"] = b"value"
        >>> store.is_vacant("a"), store.is_vacant("b")
        (False, True)
        """
        return False

    def unfinished(self, path: str = "") -> bool:
        """Whether a process that is gone has begun to erase what is at a node path, and left a part of it.

        Where that cannot be told, or would take a request, False.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.MemoryStore().unfinished("a")
        False
        """
        return False

    def finish_erasing(self, path: str = "") -> None:
        """Erase the rest of what is `unfinished` at a node path; what others have put there since stays.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.MemoryStore().finish_erasing("a")
        """

    def _count_chunks(self, path: str, prefix: str, separator: str, limits: Sequence[int]) -> int | None:
        """Return how many names in `list_dir` are a prefix, then coordinates below the limits.

        None if that takes a list of all names.
        """
        return None

    # Whether `_put_new` puts a node in its place where nothing is.
    _puts_new = False

    def _put_new(self, path: str, items: Mapping[str, bytes]) -> bool:
        """Put a node, the values of some names, at a path below the root where nothing is: all in one step.

        Of several processes one does. False, with nothing there, if something is, or the store cannot do it.
        """
        return False

    def _set_whole(self, key: str, value: Bytes) -> None:
        """Set a value that is never cut, whatever the durability: readers have the old one or the new one."""
        cast("Store", self)[key] = value

    def _detach(self, path: str) -> None:
        """Remove the link to a folder elsewhere that a node path may be: that may have other users."""

    def _mark_file(self, path: str) -> str | None:
        """Return the path of the local file that is the mark at a node path; None where they are no files."""
        return None

    def lost(self, path: str = "") -> bool:
        """Whether the folder is gone that a node at a path would be in.

        Where there are no folders, or it would take a request to tell, False.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.DirectoryStore("nothing").lost("a"), zchunk.MemoryStore().lost("a")
        (True, False)
        """
        return False
