"""What users call: creation, modes, save and load, consolidated metadata; the bytes that zarr 2.18 writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.variants import NO_ARRAYS, Variant
from zchunk.errors import (
    ContainsArrayError,
    ContainsGroupError,
)

pytestmark = pytest.mark.usefixtures("variant")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_modes_for_an_array(variant: Variant, tmp_path: Path) -> None:
    zchunk.save(tmp_path, np.arange(3))
    before = files(tmp_path)
    assert zchunk.open(tmp_path, "r").read_only
    assert not zchunk.open(tmp_path, "r+").read_only
    assert zchunk.open(tmp_path, shape=9).shape == (3,)
    for mode in ("w-", "x"):
        with pytest.raises(ContainsArrayError):
            zchunk.open(tmp_path, mode, shape=3)
        with pytest.raises(ContainsArrayError):
            zchunk.open_group(tmp_path, mode)
    for mode in ("r", "r+", "a"):
        with pytest.raises(ContainsArrayError):
            zchunk.open_group(tmp_path, mode)
    with pytest.raises(ContainsArrayError):
        zchunk.create(3, store=tmp_path)
    with pytest.raises(ContainsArrayError, match="'/'"):
        zchunk.create(3, store=tmp_path, path="a/b")
    assert files(tmp_path) == before
    assert zchunk.open(tmp_path, "w", shape=2)[...].tolist() == [0, 0]
    assert list(files(tmp_path)) == [variant.array_key]


def test_modes_for_a_group(tmp_path: Path) -> None:
    zchunk.open_group(tmp_path)["a"] = [1, 2]
    before = files(tmp_path)
    assert zchunk.open(tmp_path, "r").read_only
    for mode in ("r", "r+", "a"):
        assert zchunk.open(tmp_path, mode)["a"].shape == (2,)
        with pytest.raises(ContainsGroupError):
            zchunk.open_array(tmp_path, mode)
    for mode in ("w-", "x"):
        with pytest.raises(ContainsGroupError):
            zchunk.open_group(tmp_path, mode)
        with pytest.raises(ContainsGroupError):
            zchunk.open_array(tmp_path, mode, shape=3)
    assert zchunk.group(tmp_path)["a"].shape == (2,)
    assert files(tmp_path) == before
    assert len(zchunk.open_group(tmp_path, "w")) == 0
    assert len(zchunk.group(tmp_path, overwrite=True)) == 0


@NO_ARRAYS
@pytest.mark.parametrize("mode", ["q", "", None, "rw"])
def test_no_such_mode(mode: Any, tmp_path: Path) -> None:
    for call in (zchunk.open, zchunk.open_array, zchunk.open_group):
        with pytest.raises(ValueError, match="mode"):
            call(tmp_path, mode)


@NO_ARRAYS
def test_stores_that_are_none() -> None:
    for store in (3, [], object(), b"x"):
        with pytest.raises((TypeError, ValueError)):
            zchunk.open(store)


def test_chunk_store(variant: Variant, tmp_path: Path) -> None:
    meta, chunks = tmp_path / "meta", tmp_path / "chunks"
    z = zchunk.open_array(meta, "w", shape=4, chunks=2, chunk_store=chunks)
    z[...] = 1
    assert (set(files(meta)), set(files(chunks))) == ({variant.array_key}, set(variant.keys(2)))
    assert zchunk.open_array(meta, "r", chunk_store=chunks)[...].tolist() == [1] * 4
    assert zchunk.open(meta, "r")[...].tolist() == [0] * 4
    assert z.nbytes_stored == sum(map(len, [*files(meta).values(), *files(chunks).values()]))
    zchunk.open_array(meta, "w", shape=4, chunks=2, chunk_store=chunks)
    assert not files(chunks)
