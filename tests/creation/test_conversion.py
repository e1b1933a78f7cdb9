"""Copies between formats, and how far they are: attributes, names of axes, codecs, fill values, shards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import CopyError, PathNotFoundError
from zchunk.runtime.progress import reporting_progress

DIMENSIONS = "_ARRAY_DIMENSIONS"


def group(version: int, store: Any = None) -> zchunk.Group:
    return zchunk.group(store, zarr_format=version)


@pytest.mark.parametrize(("old", "new"), [(2, 2), (2, 3), (3, 2), (3, 3)])
@pytest.mark.parametrize("dtype", ["<i4", ">f8", "S3", "U2", "M8[s]", "c8", "bool"])
@pytest.mark.parametrize("order", "CF")
def test_arrays_become_those_of_the_other_format(old: int, new: int, dtype: str, order: str) -> None:
    values = np.arange(20).reshape(4, 5).astype("i8" if dtype == "M8[s]" else dtype).astype(dtype)
    source, dest = group(old), group(new)
    z = source.array(
        "a", values, chunks=(2, 3), order=order, fill_value=values[0, 1], compressor=zchunk.Zstd(2)
    )
    z.attrs["x"] = [1, None]
    assert zchunk.copy(z, dest) == (1, 0, values.nbytes)
    found = dest["a"]
    np.testing.assert_array_equal(found[...], values)
    assert (found.zarr_format, found.chunks, found.compressor) == (new, (2, 3), zchunk.Zstd(2))
    assert found.fill_value == z.fill_value
    assert found.attrs.asdict() == {"x": [1, None]}
    if (old, new) == (3, 2) and order == "C":
        assert found.dtype == np.dtype(dtype)
    # And back, where it is what it was.
    back = group(old)
    zchunk.copy(found, back)
    if order == "C":
        assert back["a"].metadata.dtype == z.metadata.dtype
        assert back["a"].serializer == z.serializer
    np.testing.assert_array_equal(back["a"][...], values)


def test_names_of_axes_go_both_ways() -> None:
    source, two = group(3), group(2)
    source.zeros("a", shape=(2, 3), dimension_names=["y", "x"], attributes={"u": 1})
    source.zeros("b", shape=(2, 3), dimension_names=[None, "x"])
    source.zeros("c", shape=(2, 3), dimension_names=[None, None])
    zchunk.copy_all(source, two)
    assert two["a"].attrs.asdict() == {"u": 1, DIMENSIONS: ["y", "x"]}
    assert two["b"].attrs.asdict() == {DIMENSIONS: ["dim_0", "x"]}
    assert two["c"].attrs.asdict() == {}
    two.zeros("odd", shape=3, attributes={DIMENSIONS: ["a", "b"]})
    three = group(3)
    zchunk.copy_all(two, three)
    assert (three["a"].dimension_names, three["a"].attrs.asdict()) == (("y", "x"), {"u": 1})
    assert (three["odd"].dimension_names, three["odd"].attrs.asdict()) == (None, {DIMENSIONS: ["a", "b"]})


def test_stored_chunks_are_copied_as_they_are_where_they_can_be(tmp_path: Path) -> None:
    for old, new in ((2, 3), (3, 2)):
        source, dest = group(old, tmp_path / f"{old}"), group(new, tmp_path / f"{old}to")
        z = source.zeros("a", shape=(5, 5), chunks=2, dtype="i2")
        z[0, 0] = z[4, 4] = 7
        zchunk.copy(z, dest)
        assert dest["a"].nchunks_initialized == 2
        np.testing.assert_array_equal(dest["a"][...], z[...])


def test_sharded_or_not() -> None:
    source = group(2)
    z = source.array("a", np.arange(64).reshape(8, 8), chunks=2)
    three = group(3)
    zchunk.copy(z, three, "s", shards=(4, 8))
    assert (three["s"].shards, three["s"].chunks) == ((4, 8), (2, 2))
    zchunk.copy(three["s"], three, "same")
    assert three["same"].shards == (4, 8)
    zchunk.copy(three["s"], three, "plain", shards=None, chunks=(8, 4))
    assert (three["plain"].shards, three["plain"].chunks) == (None, (8, 4))
    two = group(2)
    zchunk.copy_all(three, two)
    for name in ("s", "same", "plain"):
        np.testing.assert_array_equal(three[name][...], z[...])
        np.testing.assert_array_equal(two[name][...], z[...])
    assert two["s"].chunks == (2, 2)
    with pytest.raises(ValueError, match="add zarr_format=3"):
        zchunk.copy(z, two, "x", shards=4)


def test_codecs_that_one_format_has_not() -> None:
    source = group(3)
    checked = source.array("a", [1, 2], compressors=[zchunk.Zstd(1), {"name": "crc32c"}])
    two = group(2)
    zchunk.copy(checked, two)
    assert two["a"].compressor == zchunk.Zstd(1)
    turned = source.array(
        "t", np.ones((2, 3, 4)), filters=[{"name": "transpose", "configuration": {"order": [1, 0, 2]}}]
    )
    zchunk.copy(turned, two)
    assert two["t"].filters is None
    numcodecs = pytest.importorskip("numcodecs")
    odd = two.array("odd", [1, 2], filters=[numcodecs.Base64()], compressor=None)
    with pytest.warns(UserWarning, match="not all of the codecs"):
        zchunk.copy(odd, source)
    assert source["odd"][:].tolist() == [1, 2]
    texts = two.array("texts", ["a", "bc"], dtype=str)
    zchunk.copy(texts, source)
    assert source["texts"][:].tolist() == ["a", "bc"]


def test_groups_with_all_that_is_below(tmp_path: Path) -> None:
    source = group(2, tmp_path / "a")
    source.attrs["top"] = 1
    source.create_group("g/h", attributes={"x": 1})
    source["g/h/i"] = np.arange(5)
    seen: list[tuple[int, int]] = []
    dest = group(3, tmp_path / "b")
    zchunk.copy_all(source, dest, progress=lambda done, total: seen.append((done, total)))
    assert (dest.attrs.asdict(), dest["g/h"].attrs.asdict()) == ({"top": 1}, {"x": 1})
    assert dest["g/h/i"][:].tolist() == [0, 1, 2, 3, 4]
    assert seen[0] == (0, 40)
    assert seen[-1] == (40, 40)


@pytest.mark.parametrize(("old", "new"), [(2, 3), (3, 2)])
def test_copy_store_converts(old: int, new: int, tmp_path: Path) -> None:
    source = zchunk.DirectoryStore(tmp_path / "a")
    g = group(old, source)
    g.array("x/y", np.arange(6), attributes={"k": 1})
    g.attrs["top"] = 2
    dest = zchunk.DirectoryStore(tmp_path / "b")
    assert zchunk.copy_store(source, dest, zarr_format=new, dry_run=True)[0] == 2
    assert list(dest) == []
    seen: list[tuple[int, int]] = []
    kwargs: Any = {"create_kws": {"chunks": 2, "fill_value": 9}}
    zchunk.copy_store(source, dest, zarr_format=new, progress=lambda *a: seen.append(a), **kwargs)
    found = zchunk.open_group(dest)
    assert (found.zarr_format, found.attrs.asdict()) == (new, {"top": 2})
    assert (found["x/y"].chunks, found["x/y"].fill_value, found["x/y"].attrs["k"]) == ((2,), 9, 1)
    assert seen[-1] == (48, 48)
    with pytest.raises(CopyError):
        zchunk.copy_store(source, dest, zarr_format=new)
    assert zchunk.copy_store(source, dest, zarr_format=new, if_exists="skip")[1] == 1
    zchunk.copy_store(source, dest, "x/y", "only/z", zarr_format=new)
    assert zchunk.open(dest, path="only/z")[:].tolist() == [0, 1, 2, 3, 4, 5]
    for wrong, error in (
        ({"source_path": "nope"}, PathNotFoundError), ({"source_path": "x/y"}, ValueError),
        ({"excludes": "x"}, ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            zchunk.copy_store(source, dest, zarr_format=new, **wrong)
    with pytest.raises(ValueError, match="create_kws"):
        zchunk.copy_store(source, {}, create_kws={"chunks": 2})


def test_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    zchunk.copy_store({"a": b"1", "b": b"2"}, {}, progress=lambda *a: seen.append(a))
    assert seen == [(0, 2), (1, 2), (2, 2)]
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with reporting_progress(True, lambda: 2000, "B") as advance:
        advance(1000)
        advance(1000)
    assert capsys.readouterr().err == "\r  0 % of 2,000 B\r100 % of 2,000 B\n"
    with pytest.raises(TypeError, match="progress"):
        zchunk.copy_all(group(2), group(3), progress=3)
    for nobody in (None, False):
        with reporting_progress(nobody, lambda: 1 // 0, "B") as advance:
            advance(1)
