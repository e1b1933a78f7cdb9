"""The array that rechunking makes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.wings.rechunking.test_tasks import items_of, least, tall
from zchunk.errors import BeingMadeError, ContainsArrayError, ContainsGroupError, CopyError
from zchunk.wings.rechunking import target as making
from zchunk.wings.rechunking.tasks import Job


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


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_all_but_the_chunks_is_as_in_the_source(zarr_format: int, tmp_path: Path) -> None:
    z = tall(tmp_path / "z", zarr_format=zarr_format, order="F", fill_value=7, compressor=zchunk.Zstd(3))
    z.attrs["units"] = "m"
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target")
    assert isinstance(found, zchunk.Array)
    assert found.zarr_format == zarr_format
    assert (found.order, found.fill_value, found.compressor) == ("F", 7, zchunk.Zstd(3))
    assert (dict(found.attrs), found.dtype, found.chunks) == ({"units": "m"}, z.dtype, (64, 5))
    np.testing.assert_array_equal(found[...], z[...])


def test_what_is_said_otherwise() -> None:
    z = tall()
    kwargs = {"dtype": "f8", "compressor": None, "order": "F", "fill_value": 1, "attributes": {"a": 1}}
    found = zchunk.rechunk(z, (64, 5), **kwargs)
    assert (found.dtype, found.compressor, found.order, found.fill_value) == (np.float64, None, "F", 1)
    assert dict(found.attrs) == {"a": 1}
    np.testing.assert_array_equal(found[...], z[...])


def test_names_of_axes(tmp_path: Path) -> None:
    z = tall(zarr_format=3, dimension_names=("t", "x"))
    found = zchunk.rechunk(z, {"t": -1, "x": 5}, tmp_path, zarr_format=2)
    assert found.chunks == (64, 5)
    assert found.attrs["_ARRAY_DIMENSIONS"] == ["t", "x"]
    again = zchunk.rechunk(found, {"x": 6}, zarr_format=3)
    assert (again.chunks, again.dimension_names) == ((64, 6), ("t", "x"))
    with pytest.raises(ValueError, match="no axis is called: there are 't', 'x'"):
        zchunk.rechunk(z, {"y": 1})
    named = zchunk.zeros(4, zarr_format=3, dimension_names=["time"])
    with pytest.raises(ValueError, match=r"for \['tme'\], which no axis is called; did you mean 'time'\?"):
        zchunk.rechunk(named, {"tme": 1})
    with pytest.raises(ValueError, match="no axis has a name"):
        zchunk.rechunk(zchunk.zeros(4), {"tme": 1})


def test_lengths_of_all_chunks_by_names_of_axes() -> None:
    z = tall(zarr_format=3, dimension_names=("t", "x"))
    found = zchunk.rechunk(z, {"t": [40, 24], "x": 5})
    assert found.chunks == zchunk.rechunk(z, [[40, 24], 5]).chunks
    np.testing.assert_array_equal(found[...], z[...])
    # In a group, too; but lists under the name of an array are its chunks.
    g = zchunk.group(zarr_format=3)
    g.create_array("a", data=np.arange(6), chunks=2, dimension_names=["t"])
    assert zchunk.rechunk(g, {"t": [4, 2]})["a"].chunks == ((4, 2),)
    g.create_array("t", data=np.arange(6), chunks=2, dimension_names=["t"])
    again = zchunk.rechunk(g, {"t": [3]})
    assert (again["a"].chunks, again["t"].chunks) == ((2,), (3,))


def test_shards(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    kwargs = {"zarr_format": 3, "shards": (64, 8)}
    limit = least(z, (8, 4), target=tmp_path / "target", **kwargs)
    found = zchunk.rechunk(z, (8, 4), tmp_path / "target", limit, **kwargs)
    assert (found.shards, found.chunks) == ((64, 8), (8, 4))
    assert set(stages) == {0, 1}
    np.testing.assert_array_equal(found[...], z[...])
    # From shards; they are kept, as whole chunks.
    again = zchunk.rechunk(found, (16, 5), tmp_path / "again")
    assert (again.shards, again.chunks) == ((64, 10), (16, 5))
    np.testing.assert_array_equal(again[...], z[...])


def test_what_is_in_the_way(tmp_path: Path) -> None:
    z = tall(tmp_path / "z")
    zchunk.ones(5, store=tmp_path / "target")
    with pytest.raises(ContainsArrayError):
        zchunk.rechunk(z, 5, tmp_path / "target")
    assert zchunk.open(tmp_path / "target").shape == (5,)
    found = zchunk.rechunk(z, 5, tmp_path / "target", overwrite=True)
    np.testing.assert_array_equal(found[...], z[...])
    with pytest.raises(ContainsGroupError):
        zchunk.rechunk(z, 5, zchunk.group(tmp_path / "group").store)
    with pytest.raises(CopyError):
        zchunk.rechunk(z, 5, tmp_path / "z", overwrite=True)
    with pytest.raises(CopyError):
        zchunk.rechunk(z, 5, tmp_path, path="z/in", overwrite=True)
    with pytest.raises(CopyError):
        zchunk.rechunk(z, 5, tmp_path, overwrite=True)
    np.testing.assert_array_equal(z[...], items_of((64, 48)))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("named", ["folder", "dict", "zip"])
def test_a_path_in_the_target(named: str, zarr_format: Any, tmp_path: Path) -> None:
    target: Any = {"folder": tmp_path / "x.zarr", "dict": {}, "zip": tmp_path / "x.zip"}[named]
    z = zchunk.array(items_of((8, 6)), chunks=2)
    for path in ("re", "a/b"):
        with zchunk.open_group(target, zarr_format=zarr_format) as group:
            found = zchunk.rechunk(z, 3, group.store, path=path)
            assert (found.path, found.chunks, found.zarr_format) == (path, (3, 3), zarr_format)
            np.testing.assert_array_equal(group[path][:], z[:])
            assert not [key for key in group.store if "unfinished" in key or "rechunk" in key]
    source = zchunk.group()
    source["x"] = z
    zchunk.rechunk(source, 3, tmp_path / "g.zarr", path="g")
    np.testing.assert_array_equal(zchunk.load(tmp_path / "g.zarr", path="g/x"), z[:])


class _Meets(zchunk.DirectoryStore):
    """A store in which another maker completes an array after it was seen that nothing is there."""

    verbatim = True

    def foreign(self, path: str = "") -> list[str]:
        names = super().foreign(path)
        zchunk.array(np.arange(4), chunks=2, store=self.path, path=path)
        return names


def test_an_array_that_another_maker_completes_meanwhile_stays(tmp_path: Path) -> None:
    with pytest.raises(ContainsArrayError):
        zchunk.rechunk(tall(), (64, 5), _Meets(tmp_path / "s"), path="a")
    assert zchunk.open_array(tmp_path / "s", "r", path="a")[:].tolist() == [0, 1, 2, 3]


def test_another_thread_does_not_make_what_is_being_rechunked(tmp_path: Path) -> None:
    z, found = tall(), list[Any]()

    def make() -> None:
        for overwrite in (False, True):
            with pytest.raises(BeingMadeError):
                zchunk.create(3, store=tmp_path / "s", path="a", overwrite=overwrite)
            with pytest.raises(BeingMadeError):
                zchunk.rechunk(z, (64, 5), tmp_path / "s", path="a", overwrite=overwrite)
        found.append(True)

    def report(done: int, total: int) -> None:
        if not found:
            thread = threading.Thread(target=make)
            thread.start()
            thread.join()

    made = zchunk.rechunk(z, (64, 5), tmp_path / "s", path="a", progress=report)
    assert found
    np.testing.assert_array_equal(made[...], z[...])
