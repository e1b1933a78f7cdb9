"""Rechunking: what arrives, from and to any store, in how much memory, and after a kill."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zchunk
from tests.choice import rounds
from zchunk.errors import ContainsArrayError, CopyError
from zchunk.wings.rechunking import target as making
from zchunk.wings.rechunking.tasks import Job


def items_of(shape: tuple[int, ...], dtype: Any = "i4") -> np.ndarray[Any, Any]:
    return (np.arange(int(np.prod(shape))) % 251 + 1).astype(dtype).reshape(shape)


def tall(store: Any = None, shape: tuple[int, int] = (64, 48), **kwargs: Any) -> zchunk.Array:
    """An array whose rows are chunks; to columns it passes an intermediate copy if little memory is given."""
    z = zchunk.create(shape, chunks=(1, shape[1]), dtype="i4", store=store, **kwargs)
    z[...] = items_of(shape)
    return z


def least(z: Any, chunks: Any, **kwargs: Any) -> int:
    """The least max_memory that will do."""
    with pytest.raises(ValueError, match="max_memory") as caught:
        zchunk.rechunk(z, chunks, max_memory=1, **kwargs)
    return int(re.search(r"takes (\d+) bytes", str(caught.value))[1])  # type: ignore[index]


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stages of the tasks that are done, as they are done. Chunks are read once only."""
    done: list[int] = []
    run = Job.run

    def counted(self: Job, stage: int, number: int, memory: Any) -> None:
        run(self, stage, number, memory)
        done.append(stage)

    monkeypatch.setattr(Job, "run", counted)
    monkeypatch.setattr(making, "_READS", 1)
    return done


# ---- what arrives


@st.composite
def rechunkings(draw: st.DrawFn) -> Any:
    shape = tuple(draw(st.lists(st.integers(0, 9), min_size=0, max_size=3)))
    chunks = st.tuples(*(st.integers(1, 10) for _ in shape))
    return shape, draw(chunks), draw(chunks)


@settings(max_examples=rounds(100))
@given(
    rechunkings(),
    st.integers(0, 500),
    st.tuples(*[st.sampled_from([2, 3])] * 2),
    st.tuples(*[st.sampled_from("CF")] * 2),
    st.sampled_from([zchunk.Blosc(), None]),
    st.sampled_from(["<i4", ">f8", "M8[s]", "S3"]),
    st.integers(0, 9),
)
def test_items_are_the_same(
    case: Any, more: int, formats: Any, orders: Any, compressor: Any, dtype: str, stored: int
) -> None:
    shape, chunks, wanted = case
    z = zchunk.create(
        shape, chunks, dtype, compressor, order=orders[0], zarr_format=formats[0], write_empty_chunks=False
    )
    # Some chunks are not stored.
    selection = (slice(stored), ...) if shape else ()
    z[selection] = items_of(shape, dtype)[selection]
    expected = z[...]
    kwargs = {"zarr_format": formats[1], "order": orders[1]}
    found = zchunk.rechunk(z, wanted, max_memory=least(z, wanted, **kwargs) + more, **kwargs)
    assert (found.shape, found.chunks, found.zarr_format) == (shape, wanted, formats[1])
    assert found.dtype.newbyteorder("=") == z.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found[...], expected)


@settings(max_examples=rounds(60))
@given(
    rechunkings(), st.integers(0, 500), st.booleans(), st.integers(0, 9), st.floats(1, 4), st.integers(1, 40)
)
def test_items_of_files_are_the_same(
    case: Any, more: int, raw: bool, stored: int, reads: float, run: int
) -> None:
    shape, chunks, wanted = case
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(making, "_READS", reads)
        patch.setattr(making, "_RUN", run)
        kwargs = {"compressor": None} if raw else {}
        z = zchunk.create(shape, chunks, "i4", fill_value=3, store=f"{folder}/z", **kwargs)
        selection = (slice(stored), ...) if shape else ()
        z[selection] = items_of(shape)[selection]
        limit = least(z, wanted, target=f"{folder}/target") + more
        found = zchunk.rechunk(z, wanted, f"{folder}/target", limit)
        np.testing.assert_array_equal(found[...], z[...])
        assert sorted(os.listdir(folder)) == ["target", "z"]


def test_each_chunk_is_written_once(stages: list[int]) -> None:
    class Store(zchunk.MemoryStore):
        def __setitem__(self, key: str, value: Any) -> None:
            written.append(key)
            super().__setitem__(key, value)

        def __getitem__(self, key: str) -> bytes:
            read.append(key)
            return super().__getitem__(key)

    written: list[str] = []
    read: list[str] = []
    source, target, temp = Store(), Store(), Store()
    z = tall(source)
    limit = least(z, (64, 5))
    written.clear()
    read.clear()
    zchunk.rechunk(z, (64, 5), target, limit, temp)
    assert set(stages) == {0, 1}
    chunks = [key for key in written if re.fullmatch(r"\d+\.\d+", key)]
    assert sorted(chunks) == sorted(f"0.{x}" for x in range(10))
    chunks = [key for key in read if re.fullmatch(r"\d+\.\d+", key)]
    assert sorted(chunks) == sorted(f"{y}.0" for y in range(64))
    assert list(temp) == []


def test_chunks_that_are_missing_stay_missing(stages: list[int]) -> None:
    z = zchunk.create((40, 40), chunks=(1, 40), dtype="i4", fill_value=9)
    z[3] = 1
    z[12] = 9
    limit = least(z, (5, 4))
    found = zchunk.rechunk(z, (5, 4), max_memory=limit)
    assert 0 in stages
    rows = {key.split(".")[0] for key in found.store if key[0].isdigit()}
    # Stored chunks that are empty are written, unless the caller excludes them.
    assert rows == {"0", "2"}
    np.testing.assert_array_equal(found[...], z[...])
    found = zchunk.rechunk(z, (5, 4), max_memory=limit, write_empty_chunks=False)
    assert {key.split(".")[0] for key in found.store if key[0].isdigit()} == {"0"}
    # Of another fill value they would be other items.
    found = zchunk.rechunk(z, (5, 4), max_memory=limit, fill_value=0)
    assert found.nchunks_initialized == found.nchunks
    np.testing.assert_array_equal(found[...], z[...])


def test_objects() -> None:
    g = zchunk.group()
    z = g.create("z", shape=(20, 3), chunks=(4, 3), dtype=str)
    z[...] = [[f"{i}{j}" for j in range(3)] for i in range(20)]
    found = zchunk.rechunk(z, (20, 1))
    assert found.chunks == (20, 1)
    np.testing.assert_array_equal(found[...], z[...])


def test_a_rectilinear_grid() -> None:
    store: dict[str, bytes] = {}
    z = zchunk.create((6, 4), chunks=(3, 4), dtype="i4", zarr_format=3, store=store, compressors=None)
    z[...] = items_of((6, 4))
    grid = {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[3, 3], [4]]}}
    text = store["zarr.json"].decode()
    old = re.search(r'"chunk_grid": \{.*?\{.*?\}\s*\}', text, re.DOTALL)
    assert old is not None
    store["zarr.json"] = text.replace(old[0], f'"chunk_grid": {str(grid).replace(chr(39), chr(34))}').encode()
    z = zchunk.open(store, "r")
    assert z.metadata.edges is not None
    found = zchunk.rechunk(z, (6, 1))
    assert found.chunks == (6, 1)
    np.testing.assert_array_equal(found[...], items_of((6, 4)))


# ---- groups


def hierarchy(store: Any, **kwargs: Any) -> zchunk.Group:
    g = zchunk.open_group(store, "w", attributes={"title": "x"}, **kwargs)
    g.create_group("empty").attrs["n"] = 1
    for path, shape in {"a": (30, 20), "sub/b": (10, 20), "t": (30,)}.items():
        z = g.create(path, shape=shape, chunks=(1,) + shape[1:], dtype="i4")
        z[...] = items_of(shape)
        z.attrs["_ARRAY_DIMENSIONS"] = ["t", "x"][: len(shape)]
    return g


def check_hierarchy(found: Any, chunks: dict[str, tuple[int, ...]]) -> None:
    assert isinstance(found, zchunk.Group)
    assert (dict(found.attrs), dict(found["empty"].attrs)) == ({"title": "x"}, {"n": 1})
    for path, wanted in chunks.items():
        assert found[path].chunks == wanted
        np.testing.assert_array_equal(found[path][...], items_of(found[path].shape))


def test_a_group(tmp_path: Path) -> None:
    g = hierarchy(tmp_path / "g")
    # By the names of axes, everywhere.
    found = zchunk.rechunk(g, {"t": 10, "x": 7}, tmp_path / "1")
    check_hierarchy(found, {"a": (10, 7), "sub/b": (10, 7), "t": (10,)})
    # By path, from a path to a path in a store, in the other format.
    chunks = {"a": (-1, 5), "sub/b": {"x": 4}}
    found = zchunk.rechunk(tmp_path / "g", chunks, tmp_path / "1", path="more/g", zarr_format=2)
    check_hierarchy(found, {"a": (30, 5), "sub/b": (1, 4), "t": (1,)})
    found = zchunk.rechunk(found, (5,), zarr_format=3)
    check_hierarchy(found, {"a": (5, 20), "sub/b": (5, 20), "t": (5,)})
    assert found["a"].dimension_names == ("t", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "g"]
    with pytest.raises(ValueError, match="no array in the group is called: there are 'a', 'sub/b', 't'"):
        zchunk.rechunk(g, {"c": (1,)})


# ---- stores


def test_to_and_from_a_zip_file(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z.zip")
    limit = least(z, (64, 5))
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target.zip", limit)
    assert set(stages) == {0, 1}
    found.store.close()
    with zchunk.ZipStore(tmp_path / "target.zip", mode="r") as store:
        np.testing.assert_array_equal(zchunk.open(store, "r")[...], z[...])
    assert len(list(tmp_path.iterdir())) == 2


def test_temp_is_given(tmp_path: Path, stages: list[int]) -> None:
    z = tall()
    temp: dict[str, bytes] = {"mine": b""}
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target", least(z, (64, 5)), temp)
    assert set(stages) == {0, 1}
    np.testing.assert_array_equal(found[...], z[...])
    assert temp == {"mine": b""}
    assert len(list(tmp_path.iterdir())) == 1


# ---- lazy views


@pytest.mark.parametrize("dtype", ["i4", "M8[s]", [("a", "u1"), ("b", "f8")]])
def test_a_lazy_view(dtype: Any, tmp_path: Path, stages: list[int]) -> None:
    items = items_of((64, 48)).astype(dtype)
    named: dict[str, Any] = {"zarr_format": 3, "dimension_names": ("t", "x")}
    z = zchunk.array(items, chunks=(1, 48), store=tmp_path / "z", **named)
    view = z.lazy[4:, ::-2].T
    limit = least(view, {"t": -1, "x": 5}, target=tmp_path / "a")
    found = zchunk.rechunk(view, {"t": -1, "x": 5}, tmp_path / "a", limit)
    assert isinstance(found, zchunk.Array)
    assert (found.chunks, found.dimension_names) == ((5, 60), ("x", "t"))
    np.testing.assert_array_equal(found[...], items[4:, ::-2].T)
    assert set(stages) == {0, 1}
    del stages[:]
    found = zchunk.rechunk(view, None, tmp_path / "b")
    assert set(stages) == {0}
    np.testing.assert_array_equal(found[...], items[4:, ::-2].T)


def test_arrays_side_by_side(tmp_path: Path) -> None:
    parts = [tall(tmp_path / str(i)) for i in range(3)]
    wanted = np.concatenate([z[...] for z in parts])
    view = zchunk.concat(parts)
    found = zchunk.rechunk(view, (wanted.shape[0], 2), tmp_path / "target")
    assert isinstance(found, zchunk.Array)
    np.testing.assert_array_equal(found[...], wanted)
    with pytest.raises(CopyError, match=r"in or instead of its source .*; give another target"):
        zchunk.rechunk(view, 5, tmp_path / "1", overwrite=True)
    with pytest.raises(ContainsArrayError):
        zchunk.rechunk(view, 5, tmp_path / "target")
    point = zchunk.rechunk(parts[0].lazy[0, 0], None)
    assert isinstance(point, zchunk.Array)
    assert point[()] == wanted[0, 0]
