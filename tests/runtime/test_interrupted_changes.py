"""Changes inside changes: what a signal handler does to the node or chunk whose change it interrupts."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk._ext.threads.locks import ChunkLocks, KeyLock
from zchunk.errors import ChangeInProgressError

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no signals for programs")


class Interrupted(zchunk.MemoryStore):
    """Sends a signal to its process before it replaces a value, once, if it is told to."""

    armed = False

    def __setitem__(self, key: str, value: Any) -> None:
        if self.armed:
            self.armed = False
            signal.raise_signal(signal.SIGUSR1)
        super().__setitem__(key, value)


@contextmanager
def handling(handler: Callable[[], Any]) -> Iterator[list[Any]]:
    """Call `handler` for the signal; what it returned or raised is in the list."""
    seen: list[Any] = []

    def handle(number: int, frame: object) -> None:
        try:
            seen.append(handler())
        except Exception as error:
            seen.append(error)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGUSR1, before)


def interrupted(store: Interrupted, change: Callable[[], Any], handler: Callable[[], Any]) -> Any:
    """Change something, and return what a handler returns or raises that comes in the middle of it."""
    with handling(handler) as seen:
        store.armed = True
        change()
        assert not store.armed
    (result,) = seen
    return result


def assert_refused(result: Any, what: str) -> None:
    assert isinstance(result, ChangeInProgressError), result
    assert what in str(result)
    assert "another process" not in str(result)


@pytest.fixture(params=[2, 3])
def fmt(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def z(fmt: int) -> Any:
    store = Interrupted()
    z = zchunk.open_array(store, "w", path="a", shape=6, chunks=4, dtype="i4", zarr_format=fmt)
    z[:] = np.arange(6)
    z.attrs["n"] = 1
    return z


def test_append_in_append(z: Any) -> None:
    again = zchunk.open_array(z.store, "r+", path="a")
    assert_refused(interrupted(z.store, lambda: z.append([6, 7]), lambda: again.append([8])), "'/a'")
    assert zchunk.open_array(z.store, path="a")[:].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    # It is over.
    again.append([8])
    assert again[:].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_readers_in_handlers_of_appends(z: Any) -> None:
    def read() -> Any:
        found = zchunk.open_array(z.store, "r", path="a")
        return found[:].tolist(), z.shape, dict(found.attrs), dict(z.attrs)

    result = interrupted(z.store, lambda: z.append([6, 7]), read)
    assert result == ([0, 1, 2, 3, 4, 5], (6,), {"n": 1}, {"n": 1})


def test_attributes_in_attributes(z: Any) -> None:
    again = zchunk.open_array(z.store, "r+", path="a")
    assert_refused(
        interrupted(z.store, lambda: z.attrs.update(m=2), lambda: again.attrs.update(k=3)), "metadata of '/a'"
    )
    assert_refused(interrupted(z.store, lambda: z.attrs.update(m=2), lambda: z.attrs.update(k=3)), "'/a'")
    assert dict(zchunk.open_array(z.store, path="a").attrs) == {"n": 1, "m": 2}
    assert z.attrs["m"] == 2


def test_readers_in_handlers_of_attributes(z: Any) -> None:
    assert interrupted(z.store, lambda: z.attrs.update(m=2), lambda: dict(z.attrs)) == {"n": 1}
    assert dict(z.attrs) == {"n": 1, "m": 2}


class Read(zchunk.MemoryStore):
    """Sends a signal to its process after it has read a value, once, if it is told to."""

    armed = False

    def __getitem__(self, key: str) -> bytes:
        value = super().__getitem__(key)
        if self.armed:
            self.armed = False
            signal.raise_signal(signal.SIGUSR1)
        return value


def test_what_a_handler_changes_while_attributes_are_read_is_seen(fmt: int) -> None:
    store = Read()
    g = zchunk.open_group(store, "w", zarr_format=fmt)
    g.attrs["n"] = 1
    attrs = zchunk.open_group(store, "r+").attrs
    attrs.refresh()
    with handling(lambda: attrs.update(n=2)) as seen:
        store.armed = True
        attrs.refresh()
    assert seen == [None]
    assert attrs["n"] == 2


def test_other_nodes_in_handlers(z: Any, fmt: int) -> None:
    other = zchunk.open_array(z.store, "w", path="b", shape=3, chunks=2, dtype="i4", zarr_format=fmt)

    def change() -> str:
        other.attrs["k"] = 3
        other.append([5])
        other[:3] = 1
        return "done"

    assert interrupted(z.store, lambda: z.append([6, 7]), change) == "done"
    assert interrupted(z.store, lambda: z.attrs.update(m=2), change) == "done"
    assert other[:].tolist() == [1, 1, 1, 5, 5]
    assert z[:].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_part_of_a_chunk_in_the_same_chunk(z: Any) -> None:
    again = zchunk.open_array(z.store, "r+", path="a")

    def change() -> None:
        again[1] = 11

    def other() -> list[int]:
        again[4] = 14
        return again[:].tolist()  # type: ignore[no-any-return]

    assert_refused(interrupted(z.store, lambda: z.__setitem__(0, 10), change), "array '/a'")
    assert z[:].tolist() == [10, 1, 2, 3, 4, 5]
    assert interrupted(z.store, lambda: z.__setitem__(0, 20), other) == [10, 1, 2, 3, 14, 5]
    assert z[:].tolist() == [20, 1, 2, 3, 14, 5]


def test_rows_of_one_shard() -> None:
    store = Interrupted()
    z = zchunk.create((8, 4), chunks=(1, 4), shards=(4, 4), dtype="i4", store=store, zarr_format=3)
    z[:] = 0

    def change() -> None:
        z[1] = 1

    def other() -> int:
        z[5] = 5
        return int(z[:].sum())

    assert_refused(interrupted(store, lambda: z.__setitem__(0, 7), change), "c/0/0")
    assert z[:, 0].tolist() == [7, 0, 0, 0, 0, 0, 0, 0]
    assert interrupted(store, lambda: z.__setitem__(0, 8), other) == 48
    assert z[:, 0].tolist() == [8, 0, 0, 0, 0, 5, 0, 0]


class Sending(zchunk.DirectoryStore):
    """Sends a signal to its process before it changes a value."""

    def modify(self, key: str, change: Callable[[bytes | None], Any]) -> None:
        signal.raise_signal(signal.SIGUSR1)
        super().modify(key, change)


def test_kernels_and_helpers_know_what_is_being_changed(tmp_path: Path) -> None:
    """A field of one chunk is changed by the generic route, all chunks by kernels on several threads."""
    z = zchunk.open_array(tmp_path / "z", "w", shape=4000, chunks=10, dtype=[("a", "i4"), ("b", "i4")])
    z[:] = (1, 2)
    fields = zchunk.open_array(Sending(tmp_path / "z"), "r+")
    threads = zchunk.get_threads()
    zchunk.set_threads(3)
    try:
        with handling(lambda: z.__setitem__(slice(None), (3, 4))) as seen:
            fields["b", 3995] = 9
    finally:
        zchunk.set_threads(threads)
    assert_refused(seen[0], "'399'")
    assert z[3995].tolist() == (1, 9)


class SendingN5(zchunk.N5Store):
    """Sends a signal to its process when it has read the attributes that it changes."""

    armed = False

    def _attributes(self, path: str) -> Any:
        found = super()._attributes(path)
        if self.armed:
            self.armed = False
            signal.raise_signal(signal.SIGUSR1)
        return found


def test_values_that_hold_all_metadata_of_a_node(tmp_path: Path) -> None:
    store = SendingN5(tmp_path / "n5")
    z = zchunk.open_array(store, "w", shape=3, chunks=2, dtype="i4")
    z.attrs["n"] = 1
    before = store[".zarray"]

    def change() -> None:
        store[".zarray"] = before

    with handling(change) as seen:
        store.armed = True
        store[".zattrs"] = b'{"m": 2}'
    assert_refused(seen[0], "metadata")
    assert dict(zchunk.open_array(zchunk.N5Store(tmp_path / "n5")).attrs) == {"m": 2}


def test_storm_of_signals(tmp_path: Path, fmt: int) -> None:
    """Whatever moment they come in: what was not refused is there, and nothing else is wrong."""
    path = os.fspath(tmp_path / "z")
    z = zchunk.open_array(path, "w", shape=0, chunks=7, dtype="i8", zarr_format=fmt)
    other = zchunk.open_array(path, "r+")
    appended: list[int] = []
    named: list[str] = []
    refused: list[Exception] = []
    errors: list[Exception] = []

    def attempt(change: Callable[[], Any]) -> bool:
        try:
            change()
        except ChangeInProgressError as error:
            refused.append(error)
            return False
        except Exception as error:
            errors.append(error)
        return True

    def handle(number: int, frame: object) -> None:
        # Not one in another.
        signal.setitimer(signal.ITIMER_REAL, 0)
        n = -1 - len(appended)
        if attempt(lambda: other.append([n])):
            appended.append(n)
        if attempt(lambda: other.attrs.update({f"handler {len(named)}": 1})):
            named.append(f"handler {len(named)}")
        if attempt(lambda: other[:].sum()) and running:
            signal.setitimer(signal.ITIMER_REAL, 0.0003 + len(appended) % 5 * 0.0004)

    before, running = signal.signal(signal.SIGALRM, handle), True
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    try:
        for i in range(400):
            z.append([i])
            z.attrs[f"main {i}"] = 1
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not errors, errors
    z = zchunk.open_array(path, "r")
    assert sorted(z[:].tolist()) == sorted([*appended, *range(400)])
    assert set(z.attrs) == {*named, *(f"main {i}" for i in range(400))}


def refuse(key: str) -> Exception:
    return ChangeInProgressError(key)


def test_a_lock_keeps_other_threads_out_and_lets_its_own_in_to_read() -> None:
    order: list[str] = []
    inside, go = threading.Event(), threading.Event()

    def hold() -> None:
        with KeyLock(7, "key", refuse):
            inside.set()
            go.wait(60)
            with KeyLock(7, "key", refuse, changes=False):
                order.append("first")
            with pytest.raises(ChangeInProgressError, match="key"), KeyLock(7, "key", refuse):
                pass
            with KeyLock(7, "another", refuse), KeyLock(7, "key", refuse, 1):
                pass

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(60)
    # Neither another key nor another table waits.
    with KeyLock(7, "another", refuse), KeyLock(7, "key", refuse, 1), ChunkLocks(8, ["key"], refuse):
        pass
    go.set()
    with KeyLock(7, "key", refuse):
        order.append("second")
    holder.join()
    assert order == ["first", "second"]


def test_changes_in_reads() -> None:
    with KeyLock(7, "key", refuse, changes=False), KeyLock(7, "key", refuse):
        pass


def test_several_keys_are_all_held_or_none() -> None:
    keys = [str(i) for i in range(50)]
    with KeyLock(7, "30", refuse):
        with pytest.raises(ChangeInProgressError, match="30"), ChunkLocks(7, keys, refuse):
            pass
        with ChunkLocks(7, keys[:30] + keys[:10], refuse):
            pass
    taken: list[str] = []

    def take() -> None:
        for key in keys:
            with KeyLock(7, key, refuse):
                taken.append(key)

    with ChunkLocks(7, keys, refuse):
        taker = threading.Thread(target=take)
        taker.start()
        taker.join(0.2)
        assert not taken
    taker.join()
    assert taken == keys


def test_a_lock_is_for_one_use_at_a_time_and_let_go_when_dropped() -> None:
    lock = KeyLock(7, "key", refuse)
    with lock:
        with pytest.raises(ValueError, match="one use"):
            lock.__enter__()
        with pytest.raises(ValueError, match="held"):
            lock.__init__(8, "key", refuse)  # type: ignore[misc]
    lock.__enter__()
    del lock
    with KeyLock(7, "key", refuse):
        pass
    with pytest.raises(ValueError, match="table 3"):
        KeyLock(7, "key", refuse, 3)


def test_a_forked_child_holds_nothing() -> None:
    with KeyLock(7, "key", refuse):
        child = os.fork()
        if not child:
            with KeyLock(7, "key", refuse):
                pass
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
