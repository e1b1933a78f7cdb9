"""Processes that create the same node at the same time: one creates it, the others open it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import ContainsNodeError
from zchunk.storage import DirectoryStore, marks

PROCESSES = 4
ROUNDS = 40

CREATE: dict[str, Callable[[Path, int], Any]] = {
    "open_group": lambda p, v: zchunk.open_group(p, zarr_format=v),
    "open_group_below": lambda p, v: zchunk.open_group(p, path="a/b", zarr_format=v),
    "group": lambda p, v: zchunk.group(p, zarr_format=v),
    "open_array": lambda p, v: zchunk.open_array(p, shape=(4, 4), chunks=2, zarr_format=v),
    "open_array_below": lambda p, v: zchunk.open_array(p, shape=(4, 4), path="a/b", zarr_format=v),
    "open": lambda p, v: zchunk.open(p, shape=(4, 4), zarr_format=v),
    "open_like": lambda p, v: zchunk.open_like(np.zeros((4, 4)), p, zarr_format=v),
    "require_group": lambda p, v: zchunk.open_group(p, zarr_format=v).require_group("a/b"),
    "require_dataset": lambda p, v: zchunk.open_group(p, zarr_format=v).require_dataset("a/b", (4, 4)),
}


def _create(name: str, folder: Path, version: int, number: int, barrier: Any, results: Any) -> None:
    for at in range(ROUNDS):
        barrier.wait(60)
        try:
            node = CREATE[name](folder / str(at), version)
            node.attrs[f"of {number}"] = number
            results.put((at, number, None))
        except Exception as error:
            results.put((at, number, repr(error)))


def _run(target: Callable[..., None], *args: Any) -> list[Any]:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    workers = [context.Process(target=target, args=(*args, n, barrier, results)) for n in range(PROCESSES)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=120) for _ in range(PROCESSES * ROUNDS)]
    for worker in workers:
        worker.join(60)
    return found


@pytest.mark.one_in(2)
@pytest.mark.each_value
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", CREATE)
def test_that_comes_second_opens(tmp_path: Path, name: str, version: int) -> None:
    found = _run(_create, name, tmp_path, version)
    assert [error for *_, error in found if error is not None] == []


def _create_and_keep(folder: Path, version: int, number: int, barrier: Any, results: Any) -> None:
    for at in range(ROUNDS):
        barrier.wait(60)
        try:
            zchunk.create(4, store=folder / str(at), attributes={"of": number}, zarr_format=version)
            results.put((at, number, None))
        except ContainsNodeError as error:
            results.put((at, number, repr(error)))


@pytest.mark.parametrize("version", [2, 3])
def test_one_creates(tmp_path: Path, version: int) -> None:
    found = _run(_create_and_keep, tmp_path, version)
    for at in range(ROUNDS):
        created = [number for round_, number, error in found if round_ == at and error is None]
        assert len(created) == 1
        # Nor did another one put its attributes there.
        assert dict(zchunk.open_array(tmp_path / str(at), "r").attrs) == {"of": created[0]}


def _exclusive(folder: Path, mode: str, number: int, barrier: Any, results: Any) -> None:
    for at in range(ROUNDS):
        barrier.wait(60)
        try:
            zchunk.open_group(folder / str(at), mode)
            results.put((at, number, None))
        except ContainsNodeError as error:
            results.put((at, number, repr(error)))


@pytest.mark.parametrize("mode", ["w-", "x"])
def test_one_opens_with_a_mode_that_creates(tmp_path: Path, mode: str) -> None:
    found = _run(_exclusive, tmp_path, mode)
    for at in range(ROUNDS):
        assert sum(round_ == at and error is None for round_, _, error in found) == 1


def _fill(folder: Path, version: int, number: int, barrier: Any, results: Any) -> None:
    for at in range(ROUNDS):
        barrier.wait(60)
        z = zchunk.open_array(folder / str(at), shape=(4, 4), chunks=(1, 4), zarr_format=version)
        z[number] = number + 1
        results.put((at, number, None))


@pytest.mark.parametrize("version", [2, 3])
def test_what_is_written_stays(tmp_path: Path, version: int) -> None:
    _run(_fill, tmp_path, version)
    wanted = np.repeat(np.arange(1.0, 5.0), 4).reshape(4, 4)
    for at in range(ROUNDS):
        np.testing.assert_array_equal(zchunk.open(tmp_path / str(at), "r")[:], wanted)


def _array_or_open(folder: Path, version: int, number: int, barrier: Any, results: Any) -> None:
    """Make an array of data, as one half of the processes, or open it, as the other half."""
    for at in range(ROUNDS):
        store = DirectoryStore(folder / str(at))
        if at % 2 and number == 0:
            # A process that is gone has begun to make it.
            store[".unfinished"] = _GONE
            store["9.9"] = b"its chunk"
        barrier.wait(60)
        try:
            if number % 2:
                zchunk.array(np.full(30, number), chunks=1, store=store, zarr_format=version)
            else:
                zchunk.open_array(store, shape=30, chunks=1, dtype="i8", zarr_format=version)
            results.put((at, number, None))
        except ContainsNodeError as error:
            results.put((at, number, repr(error)))


# Signed on another machine, long ago.
_GONE = b"%024x 1 1" % (1 << 90)


@pytest.mark.parametrize("version", [2, 3])
def test_no_chunk_is_of_another_maker(tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine a maker takes long.
    monkeypatch.setattr(marks, "_PATIENCE", 300.0)
    found = _run(_array_or_open, tmp_path, version)
    assert [error for _, number, error in found if error is not None and not number % 2] == []
    for at in range(ROUNDS):
        made = [n for round_, n, error in found if round_ == at and n % 2 and error is None]
        assert len(made) <= 1
        wanted = made[0] if made else 0
        assert zchunk.open_array(tmp_path / str(at), "r")[:].tolist() == [wanted] * 30
        assert not (tmp_path / str(at) / ".unfinished").exists()


STORES: dict[str, Callable[[str], Any]] = {
    "SQLite": lambda p: zchunk.SQLiteStore(p),
    "LMDB": lambda p: zchunk.LMDBStore(p),
    "N5": lambda p: zchunk.N5Store(p),
    "N5 by fsspec": lambda p: zchunk.N5FSStore(p),
    "nested": lambda p: zchunk.NestedDirectoryStore(p),
    "fsspec": lambda p: zchunk.FSStore(p),
    "behind a cache": lambda p: zchunk.LRUStoreCache(zchunk.DirectoryStore(p), None),
}


def _open_store(kind: str, folder: Path, number: int, barrier: Any, results: Any) -> None:
    for at in range(ROUNDS):
        barrier.wait(60)
        try:
            store = STORES[kind](str(folder / str(at)))
            zchunk.open_group(store)
            zchunk.open_array(store, path="a", shape=(4, 4), chunks=2)
            results.put((at, number, None))
        except Exception as error:
            results.put((at, number, repr(error)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORES)
def test_that_comes_second_opens_in_other_stores(tmp_path: Path, kind: str) -> None:
    _need(kind)
    found = _run(_open_store, kind, tmp_path)
    assert [error for *_, error in found if error is not None] == []


def _create_in_store(kind: str, folder: Path, number: int, barrier: Any, results: Any) -> None:
    for at in range(ROUNDS):
        barrier.wait(60)
        try:
            store = STORES[kind](str(folder / str(at)))
            zchunk.create(4, store=store, attributes={"of": number})
            results.put((at, number, None))
        except Exception as error:
            results.put((at, number, error if isinstance(error, ContainsNodeError) else repr(error)))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", STORES)
def test_one_creates_in_other_stores(tmp_path: Path, kind: str) -> None:
    _need(kind)
    found = _run(_create_in_store, kind, tmp_path)
    for at in range(ROUNDS):
        errors = {number: error for round_, number, error in found if round_ == at}
        (created,) = [number for number, error in errors.items() if error is None]
        assert [error for error in errors.values() if isinstance(error, str)] == []
        assert dict(zchunk.open_array(STORES[kind](str(tmp_path / str(at))), "r").attrs) == {"of": created}


def _need(kind: str) -> None:
    for word, package in (("LMDB", "lmdb"), ("fsspec", "fsspec")):
        if word in kind:
            pytest.importorskip(package)
