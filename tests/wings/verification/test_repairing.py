"""`repair`: it does what is asked for, says so, and loses nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.store_conformance import in_child
from tests.wings.verification import archives
from tests.wings.verification.archives import flipped, kinds
from zchunk.errors import ReadOnlyError
from zchunk.storage.local import leftovers
from zchunk.storage.marks import set_mark
from zchunk.storage.traces import trace_of
from zchunk.wings.verification import repairing

ALL = {"orphans": "erase", "leftovers": "erase", "consolidated": "rebuild", "bad_chunks": "quarantine"}


def damaged(store: Any, zarr_format: int = 2) -> dict[str, bytes]:
    """Fill a store with an archive that has damage of every kind; return what was stored of bad chunks."""
    archives.make(store, zarr_format, "checked", "raw")
    zchunk.consolidate_metadata(store)
    keys = archives.chunk_keys(store, "checked")
    store[keys[0]] = flipped(store[keys[0]], 100)
    outside = "checked/9.9" if zarr_format == 2 else "checked/c/9/9"
    store[outside] = store["gone/0.0"] = b"orphan"
    store["README"] = b"text"
    zchunk.open_group(store, "r+")["below/raw"].attrs["units"] = "km"
    return {keys[0]: store[keys[0]]}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_dry_run_changes_nothing(zarr_format: int) -> None:
    store = zchunk.MemoryStore()
    damaged(store, zarr_format)
    before = dict(store)
    report = zchunk.repair(store, **ALL)  # type: ignore[arg-type]
    assert dict(store) == before
    assert sorted(action.action for action in report.actions) == ["erase", "erase", "quarantine", "rebuild"]
    assert not any(action.done for action in report.actions)
    assert "would be done" in str(report)
    assert report.to_json()["dry_run"] is True


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_nothing_is_done_unasked(zarr_format: int) -> None:
    store = zchunk.MemoryStore()
    damaged(store, zarr_format)
    before = dict(store)
    report = zchunk.repair(store, dry_run=False)
    assert report.actions == []
    assert dict(store) == before


@pytest.mark.parametrize("kind", ["memory", "folder", "zip"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_all_of_it(kind: str, zarr_format: int, tmp_path: Path) -> None:
    places = {"memory": zchunk.MemoryStore(), "folder": tmp_path / "a.zarr", "zip": tmp_path / "a.zip"}
    place: Any = places[kind]
    store = zchunk.storage.open_store(place, "w")
    bad = damaged(store, zarr_format)
    good = {key: value for key, value in dict(store).items() if key.startswith("below/")}
    if kind == "zip":
        store.close()
    report = zchunk.repair(place, **ALL, dry_run=False)  # type: ignore[arg-type]
    assert all(action.done for action in report.actions), str(report)
    assert len(report.actions) == 4
    assert [finding.kind for finding in report.left] == ["foreign-key"]
    store = zchunk.storage.open_store(place, "r")
    assert kinds(zchunk.verify(place)) == {"README": ["foreign-key"]}
    for key, value in bad.items():
        assert key not in store
        assert store[f".quarantine/{key}"] == value
    assert {key: store[key] for key in good} == good
    expected = archives.values(zchunk.open_group(place, "r")["checked"])
    expected[:4, :5] = 0
    np.testing.assert_array_equal(zchunk.open_group(place, "r")["checked"][...], expected)
    again = zchunk.repair(place, **ALL, dry_run=False)  # type: ignore[arg-type]
    assert again.actions == []


@pytest.mark.parametrize("how", ["erase", "quarantine"])
def test_one_chunk_is_taken_out_of_a_shard(how: Any) -> None:
    store = zchunk.MemoryStore()
    group = archives.make(store, 3, "checked_shards")
    z = group["checked_shards"]
    expected = z[...]
    key = "checked_shards/c/0/0"
    store[key] = flipped(store[key], 3)
    (finding,) = zchunk.verify(store).findings
    before = store[key]
    report = zchunk.repair(store, bad_chunks=how, dry_run=False)
    assert [action.done for action in report.actions] == [True]
    assert zchunk.verify(store)
    first = [n * c for n, c in zip(finding.inner or (), z.chunks, strict=True)]
    expected[first[0] : first[0] + 2, first[1] : first[1] + 3] = 0
    np.testing.assert_array_equal(z[...], expected)
    kept = [name for name in store if name.startswith(".quarantine/")]
    inner = ".".join(map(str, finding.inner or ()))
    assert kept == ([f".quarantine/{key}.chunk.{inner}"] if how == "quarantine" else [])
    if kept:
        assert store[kept[0]] == before[: len(store[kept[0]])]


def test_a_shard_whose_index_is_damaged() -> None:
    store = zchunk.MemoryStore()
    archives.make(store, 3, "checked_shards")
    key = "checked_shards/c/1/1"
    store[key] = bad = flipped(store[key], 8 * len(store[key]) - 1)
    assert kinds(zchunk.verify(store)) == {key: ["shard-index"]}
    zchunk.repair(store, bad_chunks="quarantine", dry_run=False)
    assert key not in store
    assert store[f".quarantine/{key}"] == bad


def test_the_same_chunk_twice() -> None:
    store = zchunk.MemoryStore()
    archives.make(store, 2, "checked")
    for value in (b"first", b"second", b"first"):
        store["checked/0.0"] = value
        zchunk.repair(store, bad_chunks="quarantine", dry_run=False)
    kept = {key: store[key] for key in store if key.startswith(".quarantine/")}
    assert kept == {".quarantine/checked/0.0": b"first", ".quarantine/checked/0.0.1": b"second"}


def test_a_chunk_that_was_written_again_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    store = zchunk.MemoryStore()
    group = archives.make(store, 2, "checked")
    store["checked/0.0"] = b"damaged"
    done = repairing._done

    def write_before(*args: Any) -> Any:
        group["checked"][:4, :5] = 7
        return done(*args)

    monkeypatch.setattr(repairing, "_done", write_before)
    report = zchunk.repair(store, bad_chunks="erase", dry_run=False)
    assert report.actions[0].detail.startswith("nothing")
    assert (group["checked"][:4, :5] == 7).all()


def test_what_dead_processes_have_left(tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    store = zchunk.DirectoryStore(folder)
    archives.make(store, 2, "blosc")
    living = Path(leftovers.partial_path(f"{folder}/blosc/0.1"))
    living.write_bytes(b"half")

    def die() -> None:
        Path(leftovers.partial_path(f"{folder}/blosc/0.0")).write_bytes(b"half")
        set_mark(zchunk.DirectoryStore(folder), "new")

    in_child(die)
    report = zchunk.repair(store, leftovers="erase", dry_run=False)
    assert all(action.done for action in report.actions), str(report)
    assert sorted(action.finding.kind for action in report.actions) == ["leftover", "unfinished"]
    assert kinds(zchunk.verify(store)) == {str(living): ["in-progress"]}


def test_an_erasing_is_finished(tmp_path: Path) -> None:
    store = zchunk.SQLiteStore(tmp_path / "a.sqlite")
    archives.make(store, 2, "blosc")
    store["x/0"], store["x/new"] = b"old", b"new"
    store["x/erasing.partial"] = trace_of(["x/0"])
    zchunk.repair(store, leftovers="erase", dry_run=False)
    values = {key: store[key] for key in store if key.startswith("x/")}
    assert values == {"x/new": b"new"}


def test_what_cannot_be_done_is_said_and_the_rest_is_done() -> None:
    class Guarded(zchunk.MemoryStore):
        def __delitem__(self, key: str) -> None:
            if key == "gone/0.0":
                raise PermissionError("not yours")
            super().__delitem__(key)

        def erase_many(self, keys: Any) -> None:
            for key in keys:
                del self[key]

    store = Guarded()
    archives.make(store, 2, "blosc")
    store["gone/0.0"] = store["gone/0.1"] = b"orphan"
    report = zchunk.repair(store, orphans="erase", dry_run=False)
    assert [(a.finding.key, a.done) for a in report.actions] == [("gone/0.0", False), ("gone/0.1", True)]
    assert "not yours" in str(report)
    assert [finding.key for finding in report.left] == ["gone/0.0"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata_below_the_root(zarr_format: int) -> None:
    inner: dict[str, bytes] = {}
    archives.make(inner, zarr_format, "blosc")
    zchunk.consolidate_metadata(inner)
    store = zchunk.MemoryStore()
    zchunk.open_group(store, "w", zarr_format=zarr_format)  # type: ignore[arg-type]
    store.set_many({f"a/{key}": value for key, value in inner.items()})
    zchunk.open_group(store, "r+")["a/blosc"].attrs["units"] = "km"
    key = "a/.zmetadata" if zarr_format == 2 else "a/zarr.json"
    before = dict(store)
    assert kinds(zchunk.verify(store)) == {key: ["consolidated-stale"]}
    report = zchunk.repair(store, consolidated="rebuild", dry_run=False)
    assert [action.done for action in report.actions] == [True]
    assert zchunk.verify(store), str(zchunk.verify(store))
    assert {name for name in before if store[name] != before[name]} == {key}
    inner = {name.removeprefix("a/"): store[name] for name in store if name.startswith("a/")}
    assert zchunk.open_consolidated(inner)["blosc"].attrs["units"] == "km"


def test_refused_before_anything_is_touched(tmp_path: Path) -> None:
    store = zchunk.MemoryStore()
    archives.make(store, 2, "blosc")
    with pytest.raises(ReadOnlyError):
        zchunk.repair(zchunk.open_group(store, "r"), dry_run=False)
    for name in ALL:
        with pytest.raises(ValueError, match=f"{name} is 'all'"):
            zchunk.repair(store, **{name: "all"})  # type: ignore[arg-type]
