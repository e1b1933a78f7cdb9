"""Nodes that are being made, and what killed makers leave: one makes a node, and the others touch nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.between_lines import interrupted
from tests.creation.test_opening import files
from tests.store_conformance import in_child
from zchunk.creation import arrays, drafts, nodes
from zchunk.creation.drafts import started
from zchunk.errors import BeingMadeError, ContainsArrayError, ContainsNodeError
from zchunk.runtime import owners
from zchunk.storage import (
    DirectoryStore,
    FSStore,
    KVStore,
    LMDBStore,
    LRUStoreCache,
    MemoryStore,
    N5Store,
    SQLiteStore,
    marks,
)

FORM: dict[str, Any] = {"shape": 4, "chunks": 1, "dtype": "i4"}
STORES: dict[str, Callable[[Path], Any]] = {
    "folder": DirectoryStore,
    "n5": N5Store,
    "cache": lambda p: LRUStoreCache(DirectoryStore(p), None),
    "database": lambda p: SQLiteStore(p),
}
OTHERS: dict[str, Callable[[Path], Any]] = {
    "lmdb": lambda p: LMDBStore(p),
    "normalized": lambda p: DirectoryStore(p, normalize_keys=True),
    "fsspec": lambda p: FSStore(str(p)),
}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a maker takes long; no test waits in vain."""
    monkeypatch.setattr(marks, "_PATIENCE", 300.0)


class Maker:
    """A process that has stored some chunks of a new array, and waits until it may go on, or is killed."""

    def __init__(self, store: Any, **kwargs: Any) -> None:
        ready, told = os.pipe()
        go, self._tell = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(self._tell)
                new = started(**{**FORM, "store": store, **kwargs})
                new.array[:2] = 7
                os.write(told, b"1")
                if os.read(go, 1):
                    new.array[2:] = 7
                    new.publish()
            finally:
                os._exit(0)
        os.close(told)
        os.close(go)
        try:
            assert os.read(ready, 1), "the process has failed"
        finally:
            os.close(ready)

    def go_on(self) -> None:
        os.write(self._tell, b"1")

    def wait(self) -> None:
        os.waitpid(self._pid, 0)
        os.close(self._tell)

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self.wait()


@contextmanager
def making(store: Any, **kwargs: Any) -> Iterator[Maker]:
    """Such a process, which has ended at the end of the block: killed, unless it was told to go on."""
    maker = Maker(store, **kwargs)
    try:
        yield maker
    except BaseException:
        maker.kill()
        raise
    maker.wait()


def killed_maker(store: Any, **kwargs: Any) -> None:
    Maker(store, **kwargs).kill()


CREATE: dict[str, Callable[[Any], Any]] = {
    "create": lambda s: zchunk.create(store=s, **FORM),
    "attributes": lambda s: zchunk.create(store=s, attributes={"a": 1}, **FORM),
    "array": lambda s: zchunk.array(np.full(4, 1, "i4"), chunks=1, store=s),
    "w-": lambda s: zchunk.open_array(s, "w-", **FORM),
    "group": lambda s: zchunk.open_group(s, "w-"),
    "rechunk": lambda s: zchunk.rechunk(zchunk.array(np.arange(4)), 2, s),
}
REPLACE: dict[str, Callable[[Any], Any]] = {
    "overwrite": lambda s: zchunk.create(store=s, overwrite=True, **FORM),
    "save": lambda s: zchunk.save(s, np.arange(4)),
    "w": lambda s: zchunk.open_group(s, "w"),
}


@pytest.mark.each_value
@pytest.mark.parametrize("kind", STORES | OTHERS)
@pytest.mark.parametrize("create", [*CREATE, *REPLACE])
def test_while_another_process_makes_an_array_nothing_is_touched(
    tmp_path: Path, kind: str, create: str
) -> None:
    if kind == "lmdb":
        pytest.importorskip("lmdb")
    open_ = partial((STORES | OTHERS)[kind], tmp_path / "s")
    with making(open_()) as maker:
        before = dict(open_())
        assert ".zarray" not in before
        with pytest.raises(BeingMadeError, match="another process makes"):
            (CREATE | REPLACE)[create](open_())
        assert dict(open_()) == before
        maker.go_on()
        assert zchunk.open_array(open_(), "a", **FORM)[:].tolist() == [7] * 4
    assert ".unfinished" not in open_()


OPEN: dict[str, Callable[[Any, str], Any]] = {
    "open_array": lambda s, p: zchunk.open_array(s, path=p, **FORM),
    "open": lambda s, p: zchunk.open(s, path=p, **FORM),
    "open_like": lambda s, p: zchunk.open_like(np.zeros(4, "i4"), s, chunks=1),
    "require_dataset": lambda s, p: zchunk.open_group(s).require_dataset(p, 4, "i4"),
}


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("open_", OPEN)
def test_that_comes_second_waits_and_opens(tmp_path: Path, kind: str, open_: str) -> None:
    store = STORES[kind](tmp_path / "s")
    path = "" if open_ == "open_like" else "a"
    with making(store, path=path) as maker:
        maker.go_on()
        assert OPEN[open_](STORES[kind](tmp_path / "s"), path)[:].tolist() == [7] * 4


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("create", [*CREATE, *REPLACE])
def test_what_a_killed_maker_left_is_no_part_of_what_comes(
    tmp_path: Path, kind: str, create: str, version: int
) -> None:
    if kind == "n5" and version == 3:
        pytest.skip("N5 is of format 2")
    store = STORES[kind](tmp_path / "s")
    killed_maker(store, zarr_format=version)
    assert any(key.endswith(".unfinished") for key in [*store])
    store = STORES[kind](tmp_path / "s")
    (CREATE | REPLACE)[create](store)
    assert not any(key.endswith(".unfinished") for key in store)
    if create in ("create", "attributes", "w-", "overwrite"):
        assert zchunk.open_array(store, "r")[:].tolist() == [0] * 4


def test_one_takes_over_from_a_killed_maker(tmp_path: Path) -> None:
    killed_maker(DirectoryStore(tmp_path))
    with making(DirectoryStore(tmp_path)) as maker:
        with pytest.raises(BeingMadeError):
            zchunk.create(store=tmp_path, **FORM)
        maker.go_on()
    assert zchunk.open_array(tmp_path, "r")[:].tolist() == [7] * 4


def test_of_several_that_take_over_one_does(tmp_path: Path) -> None:
    killed_maker(DirectoryStore(tmp_path))
    store = DirectoryStore(tmp_path)
    old = store[".unfinished"]
    for _ in range(2):
        # Both have seen the mark of the killed process.
        mark = marks.Mark(store, "", owners.signature())
        taken = marks._take_over(mark, old)
        assert taken == (_ == 0)
    assert owners.owner(store[".unfinished"]) == "this"


def test_a_handler_takes_over_another_mark_meanwhile(tmp_path: Path) -> None:
    """Of the same killed process: each mark has a lock of its own."""
    store = DirectoryStore(tmp_path)
    for path in "ab":
        killed_maker(store, path=path)
    mark = marks.Mark(store, "a", owners.signature())

    def take() -> bool:
        zchunk.create(store=store, path="b", **FORM)
        return True

    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(marks._alone(mark, take)), daemon=True)
    thread.start()
    thread.join(60)
    assert taken == [True]
    assert zchunk.open_array(store, "r", path="b").shape == (4,)


def test_a_mark_that_was_taken_over_and_removed_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path)
    other = marks.set_mark(store, "")
    read = DirectoryStore.__getitem__

    def removed_after_it_is_read(self: DirectoryStore, key: str) -> bytes:
        value = read(self, key)
        other.remove()
        return value

    monkeypatch.setattr(DirectoryStore, "__getitem__", removed_after_it_is_read)
    assert not marks._take_over(marks.Mark(store, "", owners.signature()), b"of a process that is gone")
    assert os.listdir(tmp_path) == []


def test_a_maker_whose_place_was_erased_does_not_show_half_of_its_array(tmp_path: Path) -> None:
    new = started(store=tmp_path, path="a", **FORM)
    new.array[:2] = 7
    in_child(lambda: DirectoryStore(tmp_path).erase_prefix("a"))
    with pytest.raises(ContainsArrayError, match="erased, or replaced"):
        new.array[2:] = 7
    with pytest.raises(ContainsArrayError, match="erased, or replaced"):
        new.publish()
    with pytest.raises(zchunk.errors.ArrayNotFoundError):
        zchunk.open_array(tmp_path, "r", path="a")


def test_what_failed_in_this_process_does_not_keep_it_away(tmp_path: Path) -> None:
    new = started(store=tmp_path, **FORM)
    new.array[:2] = 7
    # As if even clearing away had failed.
    marks._held.clear()
    assert zchunk.create(store=tmp_path, **FORM)[:].tolist() == [0] * 4
    assert ".unfinished" not in files(tmp_path)


IN_PROCESS: dict[str, Callable[[], Any]] = {"memory": MemoryStore, "dict": lambda: KVStore({})}


@pytest.mark.parametrize("kind", IN_PROCESS)
@pytest.mark.parametrize("create", [*CREATE, *REPLACE])
def test_threads_that_make_an_array_in_memory_keep_apart(kind: str, create: str) -> None:
    store = IN_PROCESS[kind]()
    new = started(store=store, **FORM)
    new.array[:2] = 7
    before = dict(store)
    found = in_thread(lambda: (CREATE | REPLACE)[create](store))
    assert isinstance(found, BeingMadeError)
    assert dict(store) == before
    new.array[2:] = 7
    new.publish()
    assert zchunk.open_array(store, "r")[:].tolist() == [7] * 4
    assert ".unfinished" not in store
    zchunk.save(store, np.arange(4))
    assert zchunk.open_array(store, "r")[:].tolist() == [0, 1, 2, 3]


def test_what_is_made_in_memory_can_be_given_up() -> None:
    store = MemoryStore()
    new = started(store=store, **FORM)
    new.array[:2] = 7
    new.discard()
    assert zchunk.create(store=store, **FORM)[:].tolist() == [0] * 4


def test_a_child_may_make_what_a_thread_of_its_parent_made_at_the_fork() -> None:
    store = MemoryStore()
    new = started(store=store, **FORM)
    assert in_child(lambda: zchunk.array(np.full(4, 1), store=store)[:].tolist()) == [1] * 4
    new.discard()


def in_thread(work: Callable[[], Any]) -> Any:
    """Return what `work` returns in another thread, or its error."""
    found = []

    def run() -> None:
        try:
            found.append(work())
        except ContainsNodeError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


FIRST: dict[str, Callable[[Path], Any]] = {
    "array": lambda p: zchunk.array(np.full(4, 1, "i4"), chunks=1, store=p),
    "attributes": lambda p: zchunk.create(store=p, fill_value=1, attributes={"of": 1}, **FORM),
    "create": lambda p: zchunk.create(store=p, fill_value=1, **FORM),
}
SECOND: dict[str, Callable[[Path], Any]] = {
    "array": lambda p: zchunk.array(np.full(4, 2, "i4"), chunks=1, store=p),
    "attributes": lambda p: zchunk.create(store=p, fill_value=2, attributes={"of": 2}, **FORM),
    "w-": lambda p: zchunk.open_array(p, "w-", fill_value=2, **FORM),
}


@pytest.mark.each_value
@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("first", FIRST)
def test_one_of_two_makers_wins_whenever_the_second_comes(tmp_path: Path, first: str, second: str) -> None:
    for module in (nodes, drafts, marks, arrays):
        at = 0
        while _meet(tmp_path / f"{module.__name__}{at}", first, second, module, at + 1):
            at += 1
        assert at or module is marks


def _meet(folder: Path, first: str, second: str, module: ModuleType, at: int) -> bool:
    """Let the second maker come before a line of the first; return whether there is such a line."""
    results: list[Any] = []
    with interrupted(module, lambda: results.append(in_thread(lambda: SECOND[second](folder))), at) as lines:
        try:
            results.append(FIRST[first](folder))
        except ContainsNodeError as error:
            results.append(error)
    if not lines.handled:
        return False
    winners = [
        number for number, found in zip((2, 1), results, strict=True) if not isinstance(found, Exception)
    ]
    assert len(winners) == 1, results
    winner = winners[0]
    found = zchunk.open_array(folder, "r")
    assert found[:].tolist() == [winner] * 4
    wanted = {"of": winner} if (first, second)[winner - 1] == "attributes" else {}
    assert dict(found.attrs) == wanted
    assert ".unfinished" not in files(folder)
    return True


class Late(DirectoryStore):
    """A store in which another maker begins just after it was seen that nothing is there."""

    verbatim = True

    def is_vacant(self, path: str = "") -> bool:
        vacant = super().is_vacant(path)
        if vacant:
            self.begin()
        return vacant

    begin: Callable[[], None]


@pytest.mark.parametrize("mode", ["a", "w-"])
def test_a_maker_without_a_mark_gives_way_to_one_that_has_set_it(tmp_path: Path, mode: Any) -> None:
    store, makers = Late(tmp_path / "x"), []
    store.begin = lambda: makers.append(Maker(DirectoryStore(tmp_path / "x")))

    def looked() -> None:
        # It has seen the mark.
        if makers and not told:
            told.append(True)
            makers[0].go_on()

    told: list[bool] = []
    with interrupted(marks, looked):
        if mode == "a":
            assert zchunk.open_array(store, mode, **FORM)[:].tolist() == [7] * 4
        else:
            with pytest.raises(ContainsArrayError):
                zchunk.open_array(store, mode, **FORM)
    makers[0].wait()
    assert zchunk.open_array(tmp_path / "x", "r")[:].tolist() == [7] * 4


def test_a_maker_that_gives_up_leaves_the_place_to_the_one_that_waits(tmp_path: Path) -> None:
    store, makers = Late(tmp_path / "x"), []
    store.begin = lambda: makers or makers.append(Maker(DirectoryStore(tmp_path / "x")))
    killed: list[bool] = []

    def looked() -> None:
        if makers and not killed:
            killed.append(True)
            makers[0].kill()

    with interrupted(marks, looked):
        assert zchunk.open_array(store, "w-", **FORM)[:].tolist() == [0] * 4
    assert sorted(files(tmp_path / "x")) == [".zarray"]


class Failing(MemoryStore):
    """A store in which nothing can be erased."""

    verbatim = True
    fails = False

    def erase_many(self, keys: Any) -> None:
        if self.fails:
            raise OSError("not now")
        super().erase_many(keys)


def test_where_even_clearing_away_fails_a_later_call_goes_on() -> None:
    store = Failing()
    new = started(store=store, **FORM)
    new.array[:2] = 7
    store.fails = True
    with pytest.raises(OSError, match="not now"):
        new.discard()
    store.fails = False
    zchunk.array(np.full(4, 1), chunks=1, store=store)
    assert zchunk.open_array(store, "r")[:].tolist() == [1] * 4


class Dying(DirectoryStore):
    """A store whose process is killed just before a node is there."""

    verbatim = True

    def set_new(self, key: str, value: Any) -> bool:
        if key in (".zarray", ".zgroup"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().set_new(key, value)


@pytest.mark.parametrize("create", ["create", "array", "w-", "group"])
def test_attributes_of_a_killed_maker_are_not_those_of_what_comes(tmp_path: Path, create: str) -> None:
    child = os.fork()
    if not child:
        try:
            zchunk.create(store=Dying(tmp_path), attributes={"of": "killed"}, **FORM)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert sorted(files(tmp_path)) == [".unfinished", ".zattrs"]
    made = CREATE[create](DirectoryStore(tmp_path))
    assert dict(made.attrs) == {}
    assert not {".unfinished", ".zattrs"} & {*files(tmp_path)}


def test_a_maker_with_a_mark_waits_until_one_without_has_given_way(tmp_path: Path) -> None:
    new = started(store=tmp_path, **FORM)
    new.array[:] = 7
    store = DirectoryStore(tmp_path)
    # As by a maker that has looked before there was a mark; it looks again afterwards.
    store[".zarray"] = b"{}"
    looks: list[bool] = []

    def look() -> None:
        looks.append(True)
        if len(looks) == 3:
            del store[".zarray"]

    with interrupted(marks, look):
        new.publish()
    assert zchunk.open_array(tmp_path, "r")[:].tolist() == [7] * 4


OPEN_OR_MAKE: dict[str, Callable[[DirectoryStore], Any]] = {
    "open_array": lambda s: zchunk.open_array(s, path="x", **FORM),
    "open_like": lambda s: zchunk.open_like(np.zeros(4, "i4"), s, chunks=1),
    "require_dataset": lambda s: zchunk.open_group(s).require_dataset("x", **FORM),
    "open_group": lambda s: zchunk.open_group(s, path="x"),
    "group": lambda s: zchunk.group(s),
    "require_group": lambda s: zchunk.open_group(s).require_group("x"),
}


@pytest.mark.each_value
@pytest.mark.parametrize("lines", [1, 5, 25])
@pytest.mark.parametrize("open_", OPEN_OR_MAKE)
def test_what_was_in_the_way_and_has_given_way_is_no_error(tmp_path: Path, open_: str, lines: int) -> None:
    """A node of another maker is there for a number of lines, from each line on: it makes way for a third."""
    is_group = open_.endswith("group")
    key = ("" if open_ in ("open_like", "group") else "x/") + (".zgroup" if is_group else ".zarray")
    document = b'{"zarr_format": 2}' if is_group else zchunk.empty(**FORM).store[".zarray"]
    at = 0
    while _is_in_the_way(OPEN_OR_MAKE[open_], DirectoryStore(tmp_path / str(at)), key, document, at, lines):
        at += 1
    assert at > 10


def _is_in_the_way(
    open_: Callable[[DirectoryStore], Any],
    store: DirectoryStore,
    key: str,
    document: bytes,
    at: int,
    lines: int,
) -> bool:
    """Let a node be there from a line on, for some; return whether there is such a line."""
    ran, put = 0, False

    def change() -> None:
        nonlocal ran, put
        ran += 1
        if ran == at + 1 and key not in store:
            store[key], put = document, True
        elif put and ran == at + 1 + lines:
            del store[key]

    with interrupted(nodes, change):
        open_(store)
    return ran > at
