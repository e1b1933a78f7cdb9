"""The mark of a place that a process changes: it makes a node there, replaces one, or erases one.

A mark is the value of a key in that place, set by one process only, and signed. It is set before the first
thing is erased or written, and removed after the last: until then no other process changes the place. When
chunks, or attributes, are there and the metadata are not yet, it says whose they are. A place where nothing
is needs none for a node that is made in one step: by a folder that is put there (`local.new_folders`), or by
its metadata alone; then the maker looks for a mark afterwards, as one with a mark looks for metadata, so that
one of both sees the other.

A mark whose process is gone is taken over by the next one that changes the place. Where that cannot be told,
on another machine, it counts as gone after a day. In a store that cannot set a value for one process only
(see `Store.set_new`) two processes may have a mark at the same time. In a store of this process alone, such
as a dict, the mark is no key but an entry in a table of the process: it keeps threads apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, TypeVar

from zchunk.errors import BeingMadeError, ContainsArrayError, ContainsNodeError
from zchunk.metadata.formats import find
from zchunk.runtime.fork import PerProcess
from zchunk.runtime.metadata_locks import metadata_lock
from zchunk.runtime.owners import Owner, described, owner, signature
from zchunk.spec.keys import UNFINISHED_KEY, join, normalize_path, parents
from zchunk.storage.local.mark_files import ABANDONED, LockedMark, lock_mark, may_be_left

if TYPE_CHECKING:
    from zchunk.storage.base import Store

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
        """The value of the mark that is there, of whichever process."""
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

    def abandon(self) -> None:
        """Leave the mark as that of a process that is gone: chunks are there that belong to no node."""
        try:
            if marks_are_keys(self.store):
                self.store[self.key] = ABANDONED
        finally:
            self.forget()

    def leave(self, store: Store) -> None:
        """Say what an erasing that failed leaves: a node in a store, nothing, or chunks without a node."""
        try:
            # Where the mark is gone, all is: it goes last, or with all the rest.
            if find(store, self.path) is not None or not self.is_there():
                self.give_up()
            else:
                self.abandon()
        finally:
            # If the store fails, too, a later call of this process goes on.
            self.forget()

    def forget(self) -> None:
        """Let it count as that of a process that is gone, for this process."""
        _held.discard(self.value)
        if not marks_are_keys(self.store) and self.is_there():
            del _own()[self._place]


# The marks in stores of this process alone, by the identity of the store and the path.
_own: PerProcess[dict[tuple[str, str], Mark]] = PerProcess(dict[tuple[str, str], Mark])


def set_mark(store: Store, path: str, content: bytes = b"", replacing: bool = False) -> Mark:
    """Set the mark at a path, or take it over from a process that is gone.

    Parameters
    ----------
    store, path : Store, str
        The place.
    content : bytes, optional
        What is in the mark besides its signature; then it is a key in every store.
    replacing : bool, optional
        Whether what is there goes in any case: a process that cannot be seen from here keeps nobody away.

    Raises
    ------
    BeingMadeError
        Another process, or thread, makes, replaces or erases a node there.
    """
    mark = Mark(store, path, signature() + (b"\n" + content if content else b""))
    _held.add(mark.value)
    try:
        if not _set(mark, replacing):
            raise being_made(store, path)
        if content and not marks_are_keys(store):
            store[mark.key] = mark.value
    except BaseException:
        mark.forget()
        raise
    return mark


def _set(mark: Mark, replacing: bool) -> bool:
    if mark.set_new():
        return True
    old = mark.found
    state = "gone" if old is None else _state(mark, old)
    if old is not None and (state == "gone" or (replacing and state == "unknown")) and _take_over(mark, old):
        return True
    # It may have been removed meanwhile.
    return mark.set_new()


def marks_are_keys(store: Store) -> bool:
    """Whether a mark is a key in a store, because other processes may use it."""
    return UNFINISHED_KEY in store._trace_names


def erase(store: Store, path: str) -> None:
    """Erase all at a path of a store as the only process that changes it."""
    mark = set_mark(store, path, replacing=True)
    try:
        store._erase_claimed(path, whole=True)
    finally:
        mark.give_up()


def being_made(store: Store, path: str) -> BeingMadeError:
    """Return the error for a place that is to be changed while another process changes it."""
    value = Mark(store, path, b"").found
    return BeingMadeError(
        f"another process makes, replaces or erases the node at {'/' + path!r} in {store!r}"
        f"{'' if value is None else f': {described(value)}'}. Wait until it is done, and open what is there "
        "then; or give another path. If that process is gone, on another machine perhaps, use "
        f"overwrite=True, or delete the key {join(path, UNFINISHED_KEY)!r}"
    )


def is_marked(store: Store, path: str) -> bool:
    """Whether another process that is not known to be gone changes what is at a path."""
    mark = Mark(store, path, b"")
    value = mark.found
    return value is not None and _state(mark, value) != "gone"


def is_marked_here(store: Store, path: str) -> bool:
    """Whether a thread makes a node at a path of a store whose marks are no keys."""
    return not marks_are_keys(store) and Mark(store, path, b"").found is not None


def surely_marked(store: Store, path: str) -> bool:
    """Whether another process on this machine changes what is at a path, and lives."""
    mark = Mark(store, path, b"")
    value = mark.found
    return value is not None and _state(mark, value) == "lives"


class Place(Protocol):
    """Where a node is, or is to be."""

    @property
    def store(self) -> Store: ...
    @property
    def chunk_store(self) -> Store | None: ...
    @property
    def path(self) -> str: ...


def patiently(make: Callable[[], T], look: Callable[[], T | None], place: Place) -> T:
    """Return what `make` makes; if another process makes it first, what `look` finds then.

    `make` raises `ContainsNodeError` for what is in its way. That may be the node of a process without a
    mark, which gives way to one that has set a mark: where nothing is found afterwards, this begins again.
    """
    while True:
        try:
            return make()
        except BeingMadeError:
            if not wait_for_maker(place.store, place.chunk_store, place.path):
                raise
        except ContainsNodeError:
            found = look()
            if found is None and _is_taken(place.store, place.path):
                # Either it has come since, or it is not what is looked for.
                found = look()
                if found is None:
                    raise
            if found is not None:
                return found


def _is_taken(store: Store, path: str) -> bool:
    """Whether a node is at a path, or an array above it."""
    if find(store, path) is not None:
        return True
    return any((found := find(store, above)) is not None and found[1] == "array" for above in parents(path))


def wait_for_maker(store: Store, chunk_store: Store | None, path: str) -> bool:
    """Wait until no other process is at work at a path; return False if it still is after some seconds."""
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


def clear_left(store: Store, path: str) -> bool:
    """Remove the mark beside a complete node that a killed process has left; return whether there was one."""
    mark = Mark(store, path, signature())
    old = mark.found
    if old is None or not may_be_left(old) or find(store, path) is None or _state(mark, old) != "gone":
        return False
    _held.add(mark.value)
    try:
        return _take_over(mark, old)
    finally:
        mark.give_up()


def remove_left(store: Store, path: str | None) -> list[str]:
    """Remove such marks at and below a path; return their keys."""
    if not marks_are_keys(store):
        return []
    keys = [key.rpartition("/") for key in store._keys_below(normalize_path(path))]
    at = [place for place, _, name in keys if name == UNFINISHED_KEY]
    return [join(place, UNFINISHED_KEY) for place in at if clear_left(store, place)]


class Working:
    """What a worker of the process that has a mark does: meanwhile nobody takes the mark over.

    The worker may outlive that process, and does nothing more then. Where marks are files it holds a lock of
    the mark; elsewhere it looks before it begins, and what it has begun then it ends.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._locked: LockedMark | None = None

    def __enter__(self) -> Self:
        mark = self._mark
        path = mark.store._mark_file(mark.path)
        self._locked = None if path is None else lock_mark(path, shared=True)
        if path is not None and self._locked is None:
            raise self._gone()
        if mark.store.get(mark.key) != mark.value or owner(mark.value) == "gone":
            self._release()
            raise self._gone()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._locked is not None:
            self._locked.release()

    def _gone(self) -> ContainsArrayError:
        mark = self._mark
        return ContainsArrayError(
            f"the process that began to make {'/' + mark.path!r} in {mark.store!r} is gone, or another has "
            "taken its place: its workers write no more"
        )


def _state(mark: Mark, value: bytes) -> Owner:
    path = mark.store._mark_file(mark.path)
    try:
        age = None if path is None else time.time() - os.stat(path).st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return "gone"
    found = owner(value, age)
    if found == "this":
        # A thread changes the place; or what was begun could not be cleared away.
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
    """Do the work while no other process takes over a mark that is a file; other stores see to it.

    Workers of the process that is gone may still write there: it waits for them.
    """
    path = mark.store._mark_file(mark.path)
    if path is None:
        return take()
    end, pause = time.monotonic() + _PATIENCE, _SHORT
    while (locked := lock_mark(path, shared=False)) is None:
        if not os.path.lexists(path) or time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 2, _LONG)
    with locked:
        return take()
