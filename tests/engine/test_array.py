"""What the engine knows of an array: it never changes."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk


def test_attributes_cannot_be_assigned_or_deleted(tmp_path: Path) -> None:
    array = zchunk.zeros(4, store=tmp_path)._current
    for name in ("metadata", "store", "source", "layout", "anything"):
        with pytest.raises(AttributeError, match=f"immutable: '{name}'"):
            setattr(array, name, None)
    with pytest.raises(AttributeError, match="immutable: 'path'"):
        del array.path
    assert (array.path, array.source) == ("", None)


def test_other_arrays_leave_it_as_it_is(tmp_path: Path) -> None:
    z = zchunk.create((8, 8), chunks=2, shards=4, store=tmp_path, zarr_format=3)
    array = z._current
    # What is kept is made first.
    assert array.index.shape == (2, 2)
    before = dict(vars(array))
    longer = array.with_shape((9, 8))
    converting = array.converting(longer)
    elsewhere = array.in_store(zchunk.MemoryStore())
    assert (longer.metadata.shape, converting.source, elsewhere.folder) == ((9, 8), longer, None)
    assert elsewhere.where == array.where
    assert {name: value for name, value in vars(array).items() if name in before} == before
    assert array.metadata.shape == (8, 8)
