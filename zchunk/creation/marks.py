"""The mark of a node that is being made: chunks, or attributes, are there, and the metadata are not yet.

A mark is the value of a key beside them, set by one process only, and signed. That process makes the node: no
other writes there, or erases what a killed process has left. Without a mark a node is made in one step, by
its metadata alone; the maker looks for a mark afterwards, as one with a mark looks for metadata, so that one
of both sees the other.

A mark whose process is gone is taken over by the next maker. Where that cannot be told, on another machine,
it counts as gone after a day. In a store that cannot set a value for one process only (see `Store.set_new`)
two processes may have a mark at the same time. In a store of this process alone, such as a dict, the mark is
no key but an entry in a table of the process: it keeps threads apart.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from zchunk._ext.threads.key_locks import OF_CHUNK
from zchunk.core.access import Access
from zchunk.errors import BeingMadeError, ContainsArrayError, StoreError
from zchunk.metadata.formats import find
from zchunk.runtime.fork import PerProcess
from zchunk.runtime.locks import metadata_lock
from zchunk.runtime.owners import Owner, owner, signature
from zchunk.spec.keys import UNFINISHED_KEY, join
from zchunk.storage.base import Store
from zchunk.sync import HAS_FILE_LOCKS, KeyLock

T = TypeVar("T")

# Signatures of the marks that this process has set and not yet taken away.
_held: set[bytes] = set()

# Seconds for which the second maker waits for the first, and between its looks, at first and at most.
_PATIENCE = 10.0
_SHORT, _LONG = 0.001, 0.05


class Mark(NamedTuple):
    """The mark that this process has set at a path of a store."""

    store: Store
    path: str
    value: bytes

    @property
    def key(self) -> str:
        return join(self.path, UNFINISHED_KEY)

    @property
    def found(self) -> bytes | None:
        """The value of the mark that is there, of whichever maker."""
        if marks_are_keys(self.store):
            return self.store.get(self.key)
        mark = _own().get(self._place)
        return None if mark is None else mark.value

    def set_new(self) -> bool:
        """Set it; return False if one is there."""
        if marks_are_keys(self.store):
            return self.store.set_new(self.key, self.value)
        # Two marks are never equal: they are signed.
        return _own().setdefault(self._place, self).value == self.value

    def is_there(self) -> bool:
        """Whether nobody has erased it."""
        return self.found == self.value

    @property
    def _place(self) -> tuple[str, str]:
        return self.store.lock_identity, self.path

    def check(self) -> None:
        """Raise `ContainsArrayError` if another process has replaced what this one makes."""
        if not self.is_there():
            raise ContainsArrayError(
                f"what was being made at {'/' + self.path!r} in {self.store!r} was erased, or replaced, by "
                "another process meanwhile"
            )

    def remove(self) -> None:
        """Say that the node is complete, or that all of it is gone."""
        try:
            if marks_are_keys(self.store) or b"\n" in self.value:
                self.store.erase_many([self.key])
        finally:
            self.forget()

    def give_up(self) -> None:
        """Remove the mark, unless it is another one."""
        try:
            if self.is_there():
                self.remove()
        finally:
            self.forget()

    def forget(self) -> None:
        """Let it count as that of a process that is gone, for this process."""
        _held.discard(self.value)
        if not marks_are_keys(self.store) and self.is_there():
            del _own()[self._place]


# The marks in stores of this process alone, by the identity of the store and the path.
_own: PerProcess[dict[tuple[str, str], Mark]] = PerProcess(dict[tuple[str, str], Mark])


def set_mark(store: Store, path: str) -> Mark:
    """Set the mark at a path, or take it over from a process that is gone.

    Raises
    ------
    BeingMadeError
        Another process, or thread, makes a node there.
    """
    mark = Mark(store, path, signature())
    _held.add(mark.value)
    try:
        if mark.set_new():
            return mark
        old = mark.found
        if old is None and mark.set_new():
            return mark
        if old is not None and _state(mark, old) == "gone" and _take_over(mark, old):
            return mark
        raise being_made(store, path)
    except BaseException:
        _held.discard(mark.value)
        raise


def sign_mark(store: Store, path: str, content: bytes) -> Mark:
    """Return the mark at a path, set again by this process and with some content.

    The caller has it, or has seen that no other maker lives. A later call goes on once it is forgotten.
    """
    mark = Mark(store, path, signature() + b"\n" + content)
    _held.add(mark.value)
    if not marks_are_keys(store):
        _own()[mark._place] = mark
    try:
        store[mark.key] = mark.value
    except BaseException:
        mark.forget()
        raise
    return mark


def marks_are_keys(store: Store) -> bool:
    """Whether a mark is a key in a store, because other processes may use it."""
    return UNFINISHED_KEY in store._trace_names


def being_made(store: Store, path: str) -> BeingMadeError:
    """Return the error for a node that is to be made while another process makes one in its place."""
    return BeingMadeError(
        f"another process makes a node at {'/' + path!r} in {store!r}; open it when it is there. If that "
        f"process is gone, on another machine perhaps, use overwrite=True, or delete the key "
        f"{join(path, UNFINISHED_KEY)!r}"
    )


def is_marked(store: Store, path: str) -> bool:
    """Whether another maker that is not known to be gone makes a node at a path."""
    mark = Mark(store, path, b"")
    value = mark.found
    return value is not None and _state(mark, value) != "gone"


def is_marked_here(store: Store, path: str) -> bool:
    """Whether a thread makes a node at a path of a store whose marks are no keys."""
    return not marks_are_keys(store) and Mark(store, path, b"").found is not None


def surely_marked(store: Store, path: str) -> bool:
    """Whether another maker on this machine makes a node at a path, and lives."""
    mark = Mark(store, path, b"")
    value = mark.found
    return value is not None and _state(mark, value) == "lives"


def patiently(make: Callable[[], T], access: Access) -> T:
    """Return what `make` makes; if another maker is at work there, when that one is done."""
    while True:
        try:
            return make()
        except BeingMadeError:
            if not wait_for_maker(access.store, access.chunk_store, access.path):
                raise


def wait_for_maker(store: Store, chunk_store: Store | None, path: str) -> bool:
    """Wait until no other maker is at work at a path; return False if it still is after some seconds."""
    marked = store if chunk_store is None else chunk_store
    end, pause = time.monotonic() + _PATIENCE, _SHORT
    while is_marked(marked, path) and find(store, path) is None:
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 2, _LONG)
    return True


def insist(mark: Mark, put: Callable[[], bool]) -> bool:
    """Return whether a node is put in its place within some seconds, while its mark is there.

    The metadata in its way may be those of a maker without a mark: it takes them away as it sees this one.
    """
    end, pause = time.monotonic() + _PATIENCE, _SHORT
    while mark.is_there() and time.monotonic() < end:
        time.sleep(pause)
        if put():
            return True
        pause = min(pause * 2, _LONG)
    return False


def _state(mark: Mark, value: bytes) -> Owner:
    root = mark.store.root
    try:
        age = None if root is None else time.time() - os.stat(f"{root}/{mark.key}").st_mtime
    except FileNotFoundError:
        return "gone"
    found = owner(value, age)
    if found == "this":
        # A thread makes a node; or what was begun could not be cleared away.
        return "lives" if value in _held else "gone"
    return found


def _take_over(mark: Mark, old: bytes) -> bool:
    """Replace a mark whose process is gone; return False if another process did so before."""

    def change(now: bytes | None) -> bytes:
        if now != old:
            # Not to be stored again: the process that took it over may be removing it.
            raise _TakenOverError
        return mark.value

    def take() -> bool:
        if not marks_are_keys(mark.store):
            _own()[mark._place] = mark
            return True
        try:
            mark.store.modify(mark.key, change)
        except _TakenOverError:
            return False
        return mark.store.get(mark.key) == mark.value

    # Of the mark, as if it were a node: that of its node may be held.
    with metadata_lock(mark.store, f"{mark.key}/"):
        return _alone(mark, take)


class _TakenOverError(Exception):
    """Another process has taken over a mark."""


def _alone(mark: Mark, take: Callable[[], bool]) -> bool:
    """Do the work while no other process takes over a mark in a local folder; other stores see to it."""
    if mark.store.root is None or not HAS_FILE_LOCKS:
        return take()
    try:
        with _FolderLock(mark.store.root):
            return take()
    except _NoLocksError:
        # Some file systems have none.
        return take()


class _FolderLock(KeyLock):
    """The lock of a folder. A signal handler gets it again, for another mark."""

    def __init__(self, folder: str) -> None:
        # The slash says that it is a folder.
        path = os.path.join(os.path.realpath(folder), "")
        # Within the lock of the mark, outside of what a store locks.
        super().__init__(path, path, OF_CHUNK, zlib.crc32(os.fsencode(path)), by_program=False)

    @staticmethod
    def _failed(path: str, err: OSError) -> StoreError:
        return _NoLocksError(path)


class _NoLocksError(StoreError):
    """A folder cannot be locked."""
