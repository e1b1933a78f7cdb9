"""zarr-python and TensorStore read what a fault has left, where they are installed and know the format."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from tests.faults.campaign import Case
from tests.faults.pictures import Picture, values

_FOLDERS = ("v2", "nested", "v3", "shards")


def compare(case: Case, folder: Path, now: Picture) -> int:
    """Compare the items of all arrays; return how many comparisons that were."""
    if case.place.name.partition("-")[0] not in _FOLDERS or case.operation.folder:
        return 0
    done = 0
    for path, items in values(now).items():
        if items.dtype.kind not in "iuf":
            continue
        for read in (_by_zarr, _by_tensorstore):
            found = read(folder / "store", path, case.place.zarr_format)
            if found is not None:
                np.testing.assert_array_equal(found, items, f"{path!r} {read.__name__}")
                done += 1
    return done


def _by_zarr(folder: Path, path: str, zarr_format: int) -> object:
    if importlib.util.find_spec("zarr") is None:
        return None
    import zarr

    if int(zarr.__version__.partition(".")[0]) < 3:
        return None
    return zarr.open_array(str(folder), path=path, mode="r", zarr_format=zarr_format)[...]


def _by_tensorstore(folder: Path, path: str, zarr_format: int) -> object:
    if importlib.util.find_spec("tensorstore") is None:
        return None
    import tensorstore as ts

    spec = {
        "driver": "zarr" if zarr_format == 2 else "zarr3",
        "kvstore": {"driver": "file", "path": f"{folder / path}/"},
    }
    return ts.open(spec, open=True).result().read().result()
