"""Removing folders so that no node is seen without its chunks, whenever the process is killed.

A folder with a node is first moved aside, in one step, under a name that belongs to no store; then its files
are deleted one by one. A folder that cannot be moved, as the one of a store itself, or has to stay, with the
mark of a process that makes a node there, is emptied, metadata first; files that arrive meanwhile stay. Both
leave a folder that ends in ``.partial`` while they are at work, so that the next writer knows what a killed
process has left (see `leftovers`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from zchunk._ext.io.descriptor import Descriptor
from zchunk._ext.io.files import are_files
from zchunk._ext.io.listing import Listing
from zchunk.errors import StoreError
from zchunk.spec.keys import ARRAY_KEY, NODE_FILES, UNFINISHED_KEY, erase_rank, is_chunk_name
from zchunk.storage.local.files import sync_folder, write_new
from zchunk.storage.local.leftovers import (
    ERASED,
    ERASING,
    abandon,
    discard,
    is_abandoned_trace,
    is_hidden,
    partial_path,
)
from zchunk.storage.local.trees import (
    RETRIES,
    is_absence,
    is_folder,
    is_link,
    mode_of,
    remove_tree,
    unlink_files,
)

# In a folder that is there while what is beside it is deleted: the names of that.
_NAMES = "names"
# Names that an error shows of a folder that is not the store's.
_SHOWN = 5
# Through a link, which the folder of a store may be
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NODE_FILES = (ARRAY_KEY, *(NODE_FILES - {ARRAY_KEY}))


def remove_folder(folder: str, sync: bool = False) -> None:
    """Delete a folder in a store: at once for a reader, file by file on the disk."""
    if is_link(folder):
        # What is linked may have other users.
        os.unlink(folder)
        return
    aside = partial_path(os.path.join(os.path.dirname(folder), ERASED))
    try:
        os.rename(folder, aside)
    except FileNotFoundError:
        # Another process has deleted it.
        return
    except OSError:
        # A file system is mounted here, for instance.
        remove_in_place(folder, sync)
        return
    try:
        if sync:
            sync_folder(os.path.dirname(folder))
        remove_tree(aside)
    except BaseException:
        abandon(aside)
        raise


def remove_in_place(folder: str, sync: bool = False) -> None:
    """Delete what is in a folder, metadata first; and the folder, unless it is a link or has to stay."""
    clear_folder(folder, sync)
    remove_empty_folder(folder)


def remove_empty_folder(folder: str) -> None:
    """Delete a folder, unless it is a link or has to stay, or others have put something there."""
    with suppress(OSError):
        os.rmdir(folder)


def clear_folder(folder: str, sync: bool = False, keep: str = "") -> None:
    """Delete what is in a folder now, metadata first, but the file of one name."""
    for _ in range(RETRIES):
        aside = partial_path(os.path.join(folder, ERASING))
        try:
            os.mkdir(aside)
            _clear_into(aside, folder, sync, keep)
            return
        except FileNotFoundError:
            # Another process deletes in it too.
            if not mode_of(folder, follow=False):
                return
        except BaseException:
            abandon(aside)
            raise
    raise StoreError(f"cannot erase {folder!r}: others delete in it all the time; try again")


def _clear_into(aside: str, folder: str, sync: bool, keep: str) -> None:
    with Descriptor(os.fsencode(folder), _FOLDER) as opened:
        found = Listing(b".", opened.fd)
        # What has its turn; all else are chunks.
        files, folders = found.take_out([*NODE_FILES, UNFINISHED_KEY]), list(found.folders)
        for name in found.others:
            (folders if _is_folder(name, opened.fd) else files).append(name)
        files = sorted((name for name in files if name != keep), key=erase_rank)
        folders = [name for name in folders if name != os.path.basename(aside)]
        _write_names(aside, b"\0".join([found.text, *map(os.fsencode, files + folders)]), sync)
        metadata = [name for name in files if name in NODE_FILES]
        for name in metadata:
            # One after the other: an array does not lose its attributes before it goes.
            _unlink(f"{folder}/{name}")
            if sync:
                sync_folder(folder)
        moved = _move_into(aside, folder, folders, sync)
        unlink_files(found, opened.fd, missing=True)
    for name in files[len(metadata) :]:
        _unlink(f"{folder}/{name}")
    if sync:
        # Before what was moved is deleted, and before new metadata claim what is left.
        sync_folder(folder)
    for path in moved:
        remove_tree(path)
    # At last: as long as the names are there, others know what is not among them.
    _unlink(f"{aside}/{_NAMES}")
    try:
        os.rmdir(aside)
    except OSError:
        # Another process deletes it, too, or has put something there.
        remove_tree(aside)


def _is_folder(name: str, fd: int) -> bool:
    with suppress(FileNotFoundError):
        return is_folder(name, fd)
    return False


def _move_into(aside: str, folder: str, names: list[str], sync: bool) -> list[str]:
    """Move folders in a folder to another, or empty those that cannot be; return the paths of those moved."""
    moved = []
    for number, name in enumerate(names):
        try:
            os.rename(f"{folder}/{name}", f"{aside}/{number}")
            moved.append(f"{aside}/{number}")
        except FileNotFoundError:
            continue
        except OSError:
            remove_in_place(f"{folder}/{name}", sync)
    return moved


def _write_names(aside: str, names: bytes, sync: bool) -> None:
    """Write down what is to go. If that fails nothing goes, and nothing is left."""
    try:
        write_new(f"{aside}/{_NAMES}", names, sync)
        if sync:
            # Without it nobody would know whose the chunks are that have lost their metadata.
            sync_folder(aside)
            sync_folder(os.path.dirname(aside))
    except BaseException:
        discard(aside)
        raise


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def foreign_files(folder: str) -> list[str]:
    """Return paths, relative to a folder, of some files in it; none if they belong to a node or to nobody.

    A node's is every file beside metadata, of Zarr or N5. Nobody's are temporary files, and what a killed
    process had not yet made complete, or not yet deleted.
    """
    # Mostly the first is there.
    if any(are_files([os.fsencode(f"{folder}/{name}")])[0] for name in _NODE_FILES):
        return []
    traces = _traces(folder)
    if traces is None:
        return []
    erased, start = _Erased(folder, traces), len(folder.rstrip("/")) + 1
    found = (entry.path[start:] for entry in _files(folder) if entry not in erased)
    if mode_of(f"{folder}/{UNFINISHED_KEY}", follow=False):
        found = (name for name in found if name != UNFINISHED_KEY)
        found = (name for name in found if not is_chunk_name(name.partition("/")[0]))
    return sorted(islice(found, _SHOWN))


def finish_erasing(folder: str) -> None:
    """Delete what processes that are gone had begun to delete in a folder, and what they left to tell so.

    What others have put there since stays: it has another name, or is newer than the last that was deleted.
    """
    traces = [entry for entry in _traces(folder) or [] if is_abandoned_trace(entry)]
    if not traces:
        return
    erased, folders = _Erased(folder, traces), list[str]()
    old = [entry.path for entry in _files(folder, folders) if entry in erased]
    mark = f"{folder}/{UNFINISHED_KEY}"
    for path in sorted((path for path in old if path != mark), key=erase_rank):
        _unlink(path)
    for path in sorted(folders, key=len, reverse=True):
        with suppress(OSError):
            os.rmdir(path)
    for entry in traces:
        remove_tree(entry.path)


def _traces(folder: str) -> list[os.DirEntry[str]] | None:
    """Return what is in a folder while it is cleared, or since a kill at that; None if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name.startswith(f"{ERASING}.") and is_hidden(entry)]
    except OSError as error:
        if not is_absence(error):
            raise
        return None


class _Erased:
    """The files in a folder, and below it, that processes have begun to delete which left traces there."""

    def __init__(self, folder: str, traces: list[os.DirEntry[str]]) -> None:
        self._start = len(folder.rstrip("/")) + 1
        # When each was still seen to delete, and what it deletes.
        self._traces: list[tuple[int, set[str]]] = []
        for entry in traces:
            # The process may come to the end of it.
            with suppress(FileNotFoundError):
                names = _names_in(entry.path)
                self._traces.append((entry.stat(follow_symlinks=False).st_mtime_ns, names))

    def __contains__(self, entry: os.DirEntry[str]) -> bool:
        name = entry.path[self._start :].partition("/")[0]
        return any(name in names and _changed(entry) <= until for until, names in self._traces)


def _names_in(trace: str) -> set[str]:
    try:
        with open(f"{trace}/{_NAMES}", "rb") as file:
            return set(map(os.fsdecode, file.read().split(b"\0")))
    except FileNotFoundError:
        # Nothing has been deleted yet, or all has been.
        return set()


def _changed(entry: os.DirEntry[str]) -> int:
    """Return when a file was put where it is: copies may keep the times of their contents, but not this."""
    try:
        return entry.stat(follow_symlinks=False).st_ctime_ns
    except FileNotFoundError:
        # Another process has deleted it.
        return 0


def _files(folder: str, folders: list[str] | None = None) -> Iterator[os.DirEntry[str]]:
    """Yield all in a folder and below that is no folder and not temporary; add the `folders` below it."""
    left = [folder.rstrip("/")]
    while left:
        try:
            with os.scandir(left.pop() or "/") as entries:
                found = [entry for entry in entries if not is_hidden(entry)]
        except (FileNotFoundError, NotADirectoryError):
            # Another process has deleted it.
            continue
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                yield entry
                continue
            left.append(entry.path)
            if folders is not None:
                folders.append(entry.path)
