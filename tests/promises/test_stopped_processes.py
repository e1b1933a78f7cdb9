"""Processes that are stopped, or killed, while they make, replace or erase what others make, too."""

from __future__ import annotations

import errno
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.creation.test_opening import files
from tests.storage.test_marks import FORM, killed_maker, making
from zchunk.creation import nodes
from zchunk.creation.drafts import started
from zchunk.errors import BeingMadeError, ContainsArrayError
from zchunk.storage import DirectoryStore, N5Store, SQLiteStore, marks, remove_leftovers
from zchunk.storage.base import Store
from zchunk.storage.local import removal
from zchunk.wings.rechunking import tasks


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a maker takes long; no test waits in vain."""
    monkeypatch.setattr(marks, "_PATIENCE", 300.0)


class Process:
    """A process that does some work, and stops when it calls `stop`; `go_on` returns its error, or None."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._results, told = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            found = "None"
            try:
                work()
            except BaseException as error:
                found = f"{type(error).__name__}: {error}"
            finally:
                os.write(told, found.encode())
                os._exit(0)
        os.close(told)
        self._wait()

    def _wait(self) -> None:
        self.stopped = os.WIFSTOPPED(os.waitpid(self.pid, os.WUNTRACED)[1])

    def go_on(self) -> str:
        """Let it go on until it stops again, or ends: then return what became of it."""
        os.kill(self.pid, signal.SIGCONT)
        self._wait()
        return "stopped" if self.stopped else self.found

    @property
    def found(self) -> str:
        return os.read(self._results, 10_000).decode()

    def kill(self) -> None:
        if self.stopped:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.stopped = False

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._results)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


@contextmanager
def stopping(
    work: Callable[[], Any], owner: Any, name: str, at: int = 1, after: bool = False
) -> Iterator[Process]:
    """A process that stops before the `at`-th call of a function, or after it, while it does some work."""
    call, count = getattr(owner, name), 0

    def stops(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == at and not after:
            stop()
        result = call(*args, **kwargs)
        if count == at and after:
            stop()
        return result

    def run() -> None:
        setattr(owner, name, stops)
        work()

    with Process(run) as process:
        assert process.stopped, process.found
        yield process


STORES: dict[str, Callable[[Path], Any]] = {
    "folder": DirectoryStore,
    "n5": N5Store,
    "database": lambda p: SQLiteStore(p),
}
REPLACE: dict[str, Callable[[Any, str], Any]] = {
    "array": lambda s, p: zchunk.array(np.full(4, 1, "i4"), chunks=1, store=s, path=p, overwrite=True),
    "create": lambda s, p: zchunk.create(store=s, path=p, overwrite=True, **FORM),
    "group": lambda s, p: zchunk.open_group(s, "w", path=p),
}


@pytest.mark.parametrize("path", ["a", ""])
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("replace", REPLACE)
def test_that_has_seen_no_other_erases_nothing_of_one_that_came_before(
    tmp_path: Path, replace: str, kind: str, path: str
) -> None:
    open_ = partial(STORES[kind], tmp_path / "s")
    zchunk.array(np.full(4, 9, "i4"), chunks=1, store=open_(), path=path)
    with (
        stopping(lambda: REPLACE[replace](open_(), path), nodes, "refuse_foreign", after=True) as late,
        making(open_(), path=path, overwrite=True) as maker,
    ):
        before = dict(open_())
        assert "BeingMadeError" in late.go_on()
        assert dict(open_()) == before
        maker.go_on()
    assert zchunk.open_array(open_(), "r", path=path)[:].tolist() == [7] * 4
    assert not any(key.endswith(".unfinished") for key in open_())


@pytest.mark.parametrize("path", ["a", ""])
@pytest.mark.parametrize("replace", REPLACE)
def test_while_one_replaces_a_node_no_other_changes_it(tmp_path: Path, replace: str, path: str) -> None:
    z = zchunk.array(np.full(4, 9, "i4"), chunks=1, store=tmp_path, path=path)
    # The mark is there, and nothing is erased.
    with stopping(lambda: REPLACE[replace](tmp_path, path), DirectoryStore, "_erase_claimed") as first:
        for other in REPLACE.values():
            with pytest.raises(BeingMadeError, match=f"process {first.pid} of this machine"):
                other(tmp_path, path)
        if path:
            with pytest.raises(BeingMadeError):
                del zchunk.open_group(tmp_path)[path]
        assert z[:].tolist() == [9] * 4
        assert first.go_on() == "None"
    assert ".unfinished" not in {*map(os.path.basename, files(tmp_path))}
    zchunk.array([1, 2], store=tmp_path, path=path, overwrite=True)
    assert zchunk.open_array(tmp_path, "r", path=path)[:].tolist() == [1, 2]


@pytest.mark.parametrize("gives_way", ["in_time", "later"])
def test_a_maker_without_a_mark_takes_back_nothing_but_its_own(
    tmp_path: Path, gives_way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    zchunk.open_group(tmp_path)
    # Where a folder is, the node is not made aside.
    (tmp_path / "a").mkdir()

    def create() -> None:
        put = nodes._put

        def stops(store: Any, path: str, *args: Any) -> bool:
            if path == "a":
                stop()
            done = put(store, path, *args)
            if path == "a":
                stop()
            return done

        nodes._put = stops
        zchunk.create(store=tmp_path, path="a", **FORM)

    with Process(create) as other:
        new = started(store=tmp_path, path="a", overwrite=True, **FORM)
        new.array[:] = 7
        # Its metadata are there, and it has not looked for a mark yet.
        assert other.go_on() == "stopped"
        if gives_way == "in_time":
            sleep = marks.time.sleep

            def let_go(seconds: float) -> None:
                if other.stopped:
                    other.stopped = False
                    os.kill(other.pid, signal.SIGCONT)
                sleep(seconds)

            monkeypatch.setattr(marks.time, "sleep", let_go)
            new.publish()
            os.waitpid(other.pid, 0)
            assert "ContainsArrayError" in other.found
            assert zchunk.open_array(tmp_path, "r", path="a")[:].tolist() == [7] * 4
        else:
            monkeypatch.setattr(marks, "_PATIENCE", 0.0)
            with pytest.raises(ContainsArrayError):
                new.publish()
            # It stops again when it has made its array anew, for there are chunks of another.
            while other.stopped:
                found = other.go_on()
            assert found == "None"
            assert zchunk.open_array(tmp_path, "r", path="a")[:].tolist() == [0] * 4
    assert ".unfinished" not in {*map(os.path.basename, files(tmp_path))}


def test_what_one_makes_below_a_group_that_is_deleted_goes_with_it(tmp_path: Path) -> None:
    group = zchunk.open_group(tmp_path)

    def make() -> None:
        new = started(store=tmp_path, path="g/a", **FORM)
        new.array[:2] = 7
        stop()
        new.array[2:] = 7

    with Process(make) as process:
        assert process.stopped
        del group["g"]
        found = process.go_on()
    assert "ContainsArrayError" in found
    assert "erased, or replaced" in found
    assert sorted(files(tmp_path)) == [".zgroup"]
    assert zchunk.create(store=tmp_path, path="g/a", **FORM)[:].tolist() == [0] * 4


def test_chunks_do_not_get_into_what_another_makes_in_the_same_place(tmp_path: Path) -> None:
    group = zchunk.open_group(tmp_path)
    new = started(store=tmp_path, path="g/a", **FORM)
    new.array[:2] = 7
    del group["g"]
    z = zchunk.create(store=tmp_path, path="g/a", **FORM)
    for write in (lambda: new.array.__setitem__(slice(2, None), 7), new.publish, new.discard):
        try:
            write()
        except ContainsArrayError:
            continue
    assert z[:].tolist() == [0] * 4


def test_a_killed_array_leaves_no_chunks_in_a_group(tmp_path: Path) -> None:
    for name, kwargs in {"a": {}, "b": {"zarr_format": 3}, "c": {"dimension_separator": "/"}}.items():
        store = DirectoryStore(tmp_path / name)
        killed_maker(store, path="x", **FORM | kwargs)
        zchunk.open_group(store, path="x", zarr_format=kwargs.get("zarr_format", 2))
        node = "zarr.json" if name == "b" else ".zgroup"
        assert sorted(files(tmp_path / name)) == sorted([node, f"x/{node}"])


# ---- erasing


class Keys(Store):
    """A store of keys and values that other processes may use, with nothing but what every store has."""

    shared = True
    verbatim = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = DirectoryStore(folder)

    @property
    def lock_identity(self) -> str:
        return str(self.folder)

    @staticmethod
    def _name(key: str) -> str:
        return key.replace(".partial", ".trace")

    def __getitem__(self, key: str) -> bytes:
        return self._files[self._name(key)]

    def __setitem__(self, key: str, value: Any) -> None:
        self._files[self._name(key)] = value

    def __delitem__(self, key: str) -> None:
        del self._files[self._name(key)]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._name(key) in self._files

    def __iter__(self) -> Iterator[str]:
        return (key.replace(".trace", ".partial") for key in self._files)

    def __len__(self) -> int:
        return len(self._files)


MAKE: dict[str, Callable[[Any], Any]] = {
    "array": lambda s: zchunk.array(np.arange(4), chunks=1, store=s, path="a"),
    "create": lambda s: zchunk.create(store=s, path="a", **FORM),
    "replace": lambda s: zchunk.array(np.arange(4), chunks=1, store=s, path="a", overwrite=True),
}


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("way", ["erase_prefix", "del"])
@pytest.mark.parametrize("make", MAKE)
def test_a_process_that_erases_key_by_key_is_waited_for(
    tmp_path: Path, make: str, way: str, killed: bool
) -> None:
    store = Keys(tmp_path)
    zchunk.create(shape=10, chunks=1, dtype="i4", store=store, path="a")[:] = 1

    def erase() -> None:
        if way == "del":
            del zchunk.open_group(store)["a"]
        else:
            store.erase_prefix("a")

    with stopping(erase, Keys, "__delitem__", at=5) as eraser:
        before = dict(store)
        with pytest.raises(BeingMadeError):
            MAKE[make](store)
        assert dict(store) == before
        if killed:
            eraser.kill()
        else:
            assert eraser.go_on() == "None"
            assert [key for key in store if key.startswith("a/")] == []
        MAKE[make](store)
    wanted = [0] * 4 if make == "create" else [0, 1, 2, 3]
    assert zchunk.open_array(store, "r", path="a")[:].tolist() == wanted
    assert not [key for key in store if "unfinished" in key or "erasing" in key]


def test_a_process_does_not_erase_what_another_makes_key_by_key(tmp_path: Path) -> None:
    store = Keys(tmp_path)
    with making(store, path="g/a") as maker:
        # It is for the maker to notice.
        with pytest.raises(BeingMadeError):
            zchunk.open_array(store, "w", path="g/a", **FORM)
        maker.go_on()
    assert zchunk.open_array(store, "r", path="g/a")[:].tolist() == [7] * 4


@pytest.mark.parametrize("replace", [True, False])
def test_what_arrives_while_a_root_is_erased_stays(tmp_path: Path, replace: bool) -> None:
    z = zchunk.create(shape=(4, 4), chunks=1, store=tmp_path / "s", dimension_separator="/")
    z[:] = 1

    def erase() -> None:
        if replace:
            zchunk.open_array(tmp_path / "s", "w", **FORM)
        else:
            DirectoryStore(tmp_path / "s").erase_prefix()

    with stopping(erase, removal, "_unlink") as eraser:
        (tmp_path / "s" / "notes.txt").write_bytes(b"mine")
        (tmp_path / "s" / "photos").mkdir()
        (tmp_path / "s" / "photos" / "a.jpg").write_bytes(b"jpg")
        with pytest.raises(BeingMadeError):
            zchunk.open_group(tmp_path / "s", "w")
        assert eraser.go_on() == "None"
    assert sorted(files(tmp_path / "s")) == sorted([*[".zarray"] * replace, "notes.txt", "photos/a.jpg"])


def test_what_is_deleted_may_be_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = zchunk.open_group(tmp_path)
    group.create("a", **FORM)[:] = 1
    group.create("b", **FORM)[:] = 1
    link, remove, room = DirectoryStore._link_new, removal.remove_tree, False

    def full(self: DirectoryStore, key: str, value: Any) -> bool:
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return link(self, key, value)

    def make_room(folder: str) -> None:
        nonlocal room
        remove(folder)
        room = True

    monkeypatch.setattr(DirectoryStore, "_link_new", full)
    del group["a"]
    assert sorted(group) == ["b"]
    monkeypatch.setattr(removal, "remove_tree", make_room)
    zchunk.array([1], store=tmp_path, path="b", overwrite=True)
    assert group["b"][:].tolist() == [1]


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    zchunk.array([1, 2], store=tmp_path / "other")
    zchunk.open_group(tmp_path / "s")
    (tmp_path / "s" / "a").symlink_to(tmp_path / "other")
    zchunk.array([3, 4, 5], store=tmp_path / "s", path="a", overwrite=True)
    assert zchunk.open_array(tmp_path / "other", "r")[:].tolist() == [1, 2]
    assert zchunk.open_array(tmp_path / "s", "r", path="a")[:].tolist() == [3, 4, 5]
    assert sorted(files(tmp_path / "other")) == [".zarray", "0"]


# ---- marks that are left


def left_mark(store: Any, **kwargs: Any) -> None:
    """Let a process make an array in a store, which is killed when all but its mark is as it is to be."""

    def make() -> None:
        marks.Mark.remove = lambda self: os.kill(os.getpid(), signal.SIGKILL)
        zchunk.array(np.arange(6), chunks=2, store=store, path="a", **kwargs)

    with Process(make):
        pass
    assert any(key.endswith(".unfinished") for key in store)


def refused(store: Any) -> None:
    with pytest.raises(ContainsArrayError):
        zchunk.create(3, store=store, path="a")


CLEARED: dict[str, Callable[[Any], Any]] = {
    "chunk": lambda s: zchunk.open_array(s, "r+", path="a").__setitem__(0, 5),
    "create": refused,
    "function": remove_leftovers,
    "replace": lambda s: zchunk.save(s, np.arange(3), path="a"),
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", ["folder", "database"])
@pytest.mark.parametrize("way", CLEARED)
def test_a_mark_that_is_left_beside_a_node_goes(tmp_path: Path, way: str, kind: str, version: Any) -> None:
    if (way, kind) == ("chunk", "database"):
        pytest.skip("a database is not looked through at a write")
    store = STORES[kind](tmp_path / "s")
    zchunk.open_group(store, zarr_format=version)
    left_mark(store, zarr_format=version)
    copy: dict[str, bytes] = {}
    zchunk.copy_store(store, copy)
    assert zchunk.open_array(copy, "r", path="a")[:].tolist() == [*range(6)]
    assert not any(key.endswith(".unfinished") for key in copy)
    CLEARED[way](store)
    assert not any(key.endswith(".unfinished") for key in store)


def test_a_mark_whose_process_lives_stays(tmp_path: Path) -> None:
    zchunk.create(store=tmp_path, path="a", **FORM)
    with stopping(lambda: REPLACE["array"](tmp_path, "a"), DirectoryStore, "_erase_claimed") as process:
        zchunk.open_array(tmp_path, "r+", path="a")[0] = 5
        assert remove_leftovers(tmp_path) == []
        assert (tmp_path / "a" / ".unfinished").exists()
        assert process.go_on() == "None"


# ---- rechunking


class Handing:
    """An executor of other processes that hands a task on, and stops its own process then."""

    _max_workers = 1

    def __init__(self, file: Path) -> None:
        self._file = file

    def submit(self, *task: Any) -> Any:
        self._file.write_bytes(pickle.dumps(task))
        stop()


@pytest.fixture
def source(tmp_path: Path) -> zchunk.Array:
    return zchunk.array(np.full(40, 1, "i4"), chunks=10, store=tmp_path / "source")


@contextmanager
def handing(source: zchunk.Array, folder: Path) -> Iterator[tuple[Process, Callable[[], Any]]]:
    """A process that rechunks, stopped when it hands the first task on, and what runs the task in another."""
    executor = Handing(folder / "task")
    with Process(lambda: zchunk.rechunk(source, 4, folder / "t", path="a", executor=executor)) as call:
        assert call.stopped, call.found
        run, *task = pickle.loads((folder / "task").read_bytes())
        yield call, partial(run, *task)


def test_workers_of_a_killed_call_write_no_more(tmp_path: Path, source: zchunk.Array) -> None:
    with handing(source, tmp_path) as (call, work):
        call.kill()
    before = files(tmp_path / "t")
    with pytest.raises(ContainsArrayError, match="is gone"):
        work()
    assert files(tmp_path / "t") == before
    z = zchunk.create(40, chunks=4, dtype="i4", store=tmp_path / "t", path="a")
    with pytest.raises(ContainsArrayError, match="is gone"):
        work()
    assert z[:].tolist() == [0] * 40


def test_a_worker_that_writes_is_waited_for(
    tmp_path: Path, source: zchunk.Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    with handing(source, tmp_path) as (call, work), stopping(work, tasks.Job, "_write") as worker:
        call.kill()
        monkeypatch.setattr(marks, "_PATIENCE", 0.0)
        with pytest.raises(BeingMadeError):
            zchunk.create(40, chunks=4, dtype="i4", store=tmp_path / "t", path="a")
        assert worker.go_on() == "None"
        z = zchunk.create(40, chunks=4, dtype="i4", store=tmp_path / "t", path="a")
    assert z[:].tolist() == [0] * 40


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("chunks", [4, 5])
def test_the_second_of_two_calls_is_told_and_touches_nothing(
    tmp_path: Path, source: zchunk.Array, chunks: int, overwrite: bool
) -> None:
    def rechunk(chunks: int, **kwargs: Any) -> None:
        zchunk.rechunk(source, chunks, tmp_path / "t", path="a", **kwargs)

    with stopping(lambda: rechunk(4), tasks.Job, "run") as first:
        before = files(tmp_path)
        with pytest.raises(BeingMadeError, match=rf"process {first.pid} of this machine\. Wait until"):
            rechunk(chunks, overwrite=overwrite)
        assert files(tmp_path) == before
        assert first.go_on() == "None"
    assert zchunk.open_array(tmp_path / "t", "r", path="a")[:].tolist() == [1] * 40


def test_of_two_calls_that_have_seen_nothing_one_goes_on(tmp_path: Path, source: zchunk.Array) -> None:
    def rechunk() -> None:
        zchunk.rechunk(source, 4, tmp_path / "t", path="a")

    with stopping(rechunk, nodes.Placement, "prepare") as late, stopping(rechunk, tasks.Job, "run") as first:
        assert "BeingMadeError" in late.go_on()
        assert first.go_on() == "None"
    assert zchunk.open_array(tmp_path / "t", "r", path="a")[:].tolist() == [1] * 40
    assert not (tmp_path / "t.rechunk").exists()
