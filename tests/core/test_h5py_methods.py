"""h5py's methods of arrays, beside h5py itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk

ITEMS = np.arange(60).reshape(6, 10)


def test_parent() -> None:
    g = zchunk.group()
    z = g.zeros("a/b", shape=3)
    assert z.parent == g["a"]
    assert z.parent.parent == g
    assert g.zeros("c", shape=3).parent == g
    with pytest.raises(zchunk.errors.GroupNotFoundError, match="no group is above it"):
        _ = zchunk.zeros(3).parent


def both(tmp_path: Path, items: Any, **kwargs: Any) -> tuple[Any, Any]:
    h5py = pytest.importorskip("h5py")
    file = h5py.File(tmp_path / "a.h5", "w")
    return zchunk.array(items, **kwargs), file.create_dataset("a", data=items, **kwargs)


@pytest.mark.parametrize(
    ("here", "there"),
    [(None, None), (np.s_[1:3, ::2], np.s_[2:4, :5]), (np.s_[2], np.s_[0]), (np.s_[:, 3], np.s_[:, 9])],
)
def test_direct(here: Any, there: Any, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, ITEMS, chunks=(4, 3))
    found, expected = np.zeros((6, 10), "f4"), np.zeros((6, 10), "f4")
    ours.read_direct(found, here, there)
    theirs.read_direct(expected, here, there)
    assert found.any()
    np.testing.assert_array_equal(found, expected)
    ours.write_direct(-ITEMS, here, there)
    theirs.write_direct(-ITEMS, here, there)
    np.testing.assert_array_equal(ours[:], theirs[:])


@pytest.mark.parametrize("sel", [None, np.s_[1:5, 2:7], np.s_[2:3], np.s_[0:0, :], (), np.s_[-3:, :-1]])
def test_chunks(sel: Any, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, ITEMS, chunks=(4, 3))
    found = list(ours.iter_chunks(sel))
    # h5py wants a slice for every axis, has negative ones otherwise, and yields empty ones.
    if isinstance(sel, tuple) and len(sel) == 2 and sel[0].start is not None and sel[0].start > 0:
        assert found == list(theirs.iter_chunks(sel))
    covered = np.zeros(ITEMS.shape, int)
    for chunk in found:
        covered[chunk] += 1
    expected = np.zeros(ITEMS.shape, int)
    expected[... if sel is None else sel] = 1
    np.testing.assert_array_equal(covered, expected)


def test_chunks_of_shards_and_scalars() -> None:
    z = zchunk.zeros(10, chunks=2, shards=4, zarr_format=3)
    assert [s[0].stop for s in z.iter_chunks()] == [4, 8, 10]
    assert list(zchunk.zeros(()).iter_chunks()) == [()]


@pytest.mark.parametrize("sel", [np.s_[::2], 3, np.s_[:, :, :], "a"])
def test_selections_that_have_no_chunks(sel: Any) -> None:
    with pytest.raises(ValueError, match="a slice with a step of 1"):
        zchunk.array(ITEMS).iter_chunks(sel)


def test_fields(tmp_path: Path) -> None:
    items = np.array([(1, 2.5, 7), (3, 4.5, 8)], [("a", "i4"), ("b", "f8"), ("c", "u1")])
    ours, theirs = both(tmp_path, items)
    for names in ("b", ["a", "c"]):
        np.testing.assert_array_equal(ours.fields(names)[:], theirs.fields(names)[:])
        np.testing.assert_array_equal(ours.fields(names)[1], theirs.fields(names)[1])
    np.testing.assert_array_equal(np.asarray(ours.fields("b")), items["b"])
    assert len(ours.fields("b")) == 2
    assert repr(ours.fields("b")) == f"<{ours!r}, converted when read>"
    with pytest.raises(ValueError, match="always a copy"):
        np.array(ours.fields("b"), copy=False)


@pytest.mark.parametrize(
    "z",
    [
        zchunk.array(np.array(["Zürich".encode(), b"b"])),
        zchunk.array(["Zürich", "b"]),
        zchunk.array(["Zürich", "b"], dtype=str),
        zchunk.array(np.array(["Zürich".encode(), b"b"], object), dtype=bytes),
    ],
    ids=repr,
)
def test_text(z: zchunk.Array) -> None:
    assert z.asstr()[:].tolist() == ["Zürich", "b"]
    assert z.asstr()[0] == "Zürich"
    assert isinstance(z.asstr()[0], str)


def test_what_is_no_text() -> None:
    with pytest.raises(TypeError, match="int64 are no text"):
        zchunk.array(ITEMS).asstr()
    with pytest.raises(UnicodeDecodeError):
        zchunk.array([b"\xff"]).asstr()[:]
    assert zchunk.array([b"\xff"]).asstr(errors="replace")[0] == "\ufffd"
