"""Drafts: arrays that are written before their metadata are stored."""

from __future__ import annotations

import pickle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.creation.drafts import Draft, draft_array, started
from zchunk.errors import ArrayNotFoundError, ContainsArrayError, StoreError
from zchunk.storage import DirectoryStore, MemoryStore, N5Store

SHARDED: dict[str, Any] = {
    "shape": (6, 8),
    "chunks": (1, 4),
    "shards": (2, 8),
    "dtype": "f8",
    "zarr_format": 3,
    "dimension_names": ("y", "x"),
    "attributes": {"units": "m"},
}
PARAMETERS: list[dict[str, Any]] = [
    {"shape": (6, 8), "chunks": (2, 8), "dtype": "f8", "attributes": {"units": "m"}},
    SHARDED,
    {"shape": (), "dtype": "f8", "zarr_format": 3},
]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_a_draft_becomes_the_array_that_create_would_have_made(
    tmp_path: Path, parameters: dict[str, Any]
) -> None:
    items = np.arange(np.prod(parameters["shape"]), dtype="f8").reshape(parameters["shape"])
    made = zchunk.create(store=tmp_path / "made", path="a", **parameters)
    made[...] = items

    draft = draft_array(store=tmp_path / "draft", path="a", **parameters)
    assert not (tmp_path / "draft").exists()
    draft.prepare()
    draft.array[...] = items
    np.testing.assert_array_equal(draft.array[...], items)
    with pytest.raises(ArrayNotFoundError):
        zchunk.open_array(tmp_path / "draft", path="a", mode="r")
    published = draft.publish()
    assert published.metadata == made.metadata
    assert dict(published.attrs) == dict(made.attrs)
    assert contents(tmp_path / "draft") == contents(tmp_path / "made")


def test_documents_are_what_publish_stores() -> None:
    store = MemoryStore()
    draft = draft_array(store=store, path="g/a", **SHARDED)
    assert list(draft.documents) == ["g/a/zarr.json"]
    assert not store
    draft.publish()
    assert dict(store) == draft.documents


def test_what_is_wrong_is_an_error_before_anything_is_touched(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whole chunks"):
        draft_array(store=tmp_path / "a", **SHARDED | {"chunks": (4, 4)})
    with pytest.raises(TypeError, match="chunk_shape"):
        draft_array(store=tmp_path / "a", **SHARDED | {"chunk_shape": (4, 4)})
    assert not (tmp_path / "a").exists()


def test_a_draft_replaces_what_is_there_only_if_it_is_told_to(tmp_path: Path) -> None:
    zchunk.array(np.ones((6, 8)), store=tmp_path, path="a", zarr_format=3)
    draft = draft_array(store=tmp_path, path="a", **SHARDED)
    with pytest.raises(ContainsArrayError):
        draft.prepare()
    draft.prepare(overwrite=True)
    assert not draft.publish()[...].any()


class Own(MemoryStore):
    """A store of which zchunk does not know what it does to values."""


def test_a_store_that_may_change_metadata_has_no_drafts() -> None:
    draft = draft_array(store=Own(), path="a", shape=4, dtype="i4", zarr_format=2)
    with pytest.raises(StoreError, match="create the array first"):
        _ = draft.array
    draft.prepare()
    assert draft.publish().shape == (4,)


def test_a_store_that_says_how_it_changes_them_has_drafts(tmp_path: Path) -> None:
    store = N5Store(tmp_path / "a.n5")
    draft = draft_array(store=store, path="a", shape=4, chunks=2, dtype="i4", zarr_format=2)
    draft.prepare()
    draft.array[...] = [1, 2, 3, 4]
    z = draft.publish()
    assert z[...].tolist() == [1, 2, 3, 4]


def _write(draft: Draft, rows: slice) -> None:
    draft.array[rows] = rows.start


def test_one_process_makes_a_draft_and_others_write_to_it(tmp_path: Path) -> None:
    draft = draft_array(store=DirectoryStore(tmp_path), path="a", **SHARDED)
    copy = pickle.loads(pickle.dumps(draft))
    assert copy.documents == draft.documents
    draft.prepare()
    context = get_context("spawn")
    writers = [context.Process(target=_write, args=(draft, slice(k, k + 2))) for k in (0, 4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    z = draft.publish()
    np.testing.assert_array_equal(z[:, 0], [0, 0, 0, 0, 4, 4])


def test_an_array_that_one_process_creates_goes_to_others_by_pickle(tmp_path: Path) -> None:
    z = pickle.loads(pickle.dumps(zchunk.create(store=tmp_path, path="a", **SHARDED)))
    z[:2] = 1
    assert zchunk.open_array(tmp_path, path="a", mode="r")[1, 7] == 1


def test_what_another_process_has_published_is_not_discarded(tmp_path: Path) -> None:
    form = {"shape": 4, "chunks": 1, "store": tmp_path / "x"}
    new = started(**form)
    new.array[:] = 1
    # By a program that knows no marks.
    zchunk.array(np.full(4, 7), chunks=1, store=tmp_path / "other")
    for name, value in contents(tmp_path / "other").items():
        (tmp_path / "x" / name).write_bytes(value)
    new.discard()
    other = zchunk.open_array(tmp_path / "x", "r+")
    assert other[:].tolist() == [7] * 4
    other.store.clear()
    new = started(**form)
    new.array[:] = 1
    new.discard()
    assert list(zchunk.DirectoryStore(tmp_path / "x")) == []


class _Fails(dict[str, bytes]):
    """A mapping that can be written, but whose metadata cannot be read."""

    broken = True

    def __getitem__(self, key: str) -> bytes:
        if self.broken and key in self and key.endswith((".zarray", "zarr.json")):
            raise OSError("broken")
        return super().__getitem__(key)


@pytest.mark.parametrize("version", [2, 3])
def test_what_fails_right_after_its_metadata_is_not_there(version: int) -> None:
    """A mapping of another kind says what its metadata are, so that they come first."""
    store = _Fails()
    with pytest.raises(OSError, match="broken"):
        zchunk.array([1, 2], store=store, zarr_format=version)
    store.broken = False
    assert not zchunk.storage.contains_array(store)
    assert zchunk.array([1, 2], store=store, zarr_format=version)[:].tolist() == [1, 2]
