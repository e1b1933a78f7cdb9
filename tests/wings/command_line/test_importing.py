from __future__ import annotations

from pathlib import Path

import numpy as np

import zchunk
from tests.wings.command_line.conftest import Run


def test_npy(here: Path, run: Run) -> None:
    values = np.random.default_rng(2).random((5, 6))
    np.save("a.npy", values)
    done = run("import", "a.npy", "a.zarr", "--chunks", "2,-1", "--format", 3, "--compressor", "none")
    assert done.code == 0
    z = zchunk.open("a.zarr", mode="r")
    assert (z.chunks, z.zarr_format, z.compressors) == ((2, 6), 3, ())
    assert np.array_equal(z[...], values)
    assert run("import", "a.npy", "a.zarr").code == 2
    assert run("import", "a.npy", "a.zarr", "--overwrite").code == 0


def test_npz(here: Path, run: Run) -> None:
    np.savez("all.npz", a=np.arange(3), b=np.eye(2))
    assert run("import", "all.npz", "all.zarr").code == 0
    group = zchunk.open("all.zarr", mode="r")
    assert sorted(group) == ["a", "b"]
    assert np.array_equal(group["b"][...], np.eye(2))


def test_zarr_in_a_zip_file(here: Path, run: Run) -> None:
    zchunk.copy_all("run.zarr", "run.zip")
    assert run("import", "run.zip", "new.zarr", "--format", 3).code == 0
    assert run("diff", "run.zarr", "new.zarr").code == 0
    assert zchunk.open("new.zarr", mode="r").zarr_format == 3


def test_objects_are_refused_and_nothing_is_left(here: Path, run: Run) -> None:
    np.save("o.npy", np.array([{}, 1], object), allow_pickle=True)
    np.savez("o.npz", allow_pickle=True, a=np.array([{}, 1], object))
    for name in ("o.npy", "o.npz"):
        done = run("import", name, "o.zarr")
        assert done.code == 2
        assert len(done.err.splitlines()) == 1
