"""Make references of kerchunk and of VirtualiZarr to NetCDF files, and keep both: `make golden` does.

    build/virtual/bin/python tests/promises/interop/virtual.py

The program knows nothing of zchunk. The files are said to be at ``memory://virtual``.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from kerchunk.combine import MultiZarrToZarr
from kerchunk.df import refs_to_dataframe
from kerchunk.hdf import SingleHdf5ToZarr
from obspec_utils.registry import ObjectStoreRegistry
from obstore.store import LocalStore
from virtualizarr import open_virtual_dataset
from virtualizarr.parsers import HDFParser

ARCHIVE = Path(__file__).with_name("virtual.zip")
PLACE = "memory://virtual"
DAYS = ("day0.nc", "day1.nc")
EPOCH = (1980, 1, 1, 0, 0, 0)


def write_day(path: Path, number: int) -> None:
    """Four hours of packed temperatures."""
    rng = np.random.default_rng(number)
    with h5py.File(path, "w") as file:
        hours = file.create_dataset("time", data=np.arange(4) + 4 * number + 1, dtype="i4")
        hours.attrs["units"] = "hours since 2026-01-01"
        hours.make_scale("time")
        x = file.create_dataset("x", data=np.linspace(1, 2, 30))
        x.make_scale("x")
        packed = rng.integers(-3000, 3000, (4, 30)).astype("i2")
        air = file.create_dataset("air", data=packed, chunks=(1, 10), compression="gzip", shuffle=True)
        air.attrs["scale_factor"] = 0.01
        air.dims[0].attach_scale(hours)
        air.dims[1].attach_scale(x)


def kerchunked(path: Path) -> dict[str, Any]:
    """The references of kerchunk to one file."""
    with path.open("rb") as file:
        found: dict[str, Any] = SingleHdf5ToZarr(file, f"{PLACE}/{path.name}").translate()
    return found


def virtualized(path: Path, registry: ObjectStoreRegistry) -> Any:
    """One file as VirtualiZarr sees it."""
    found = open_virtual_dataset(
        url=f"file://{path}", registry=registry, parser=HDFParser(), loadable_variables=[], decode_times=False
    )
    return found.vz.rename_paths(lambda name: f"{PLACE}/{name.rpartition('/')[2]}")


def make(folder: Path) -> None:
    """Write files and references into a folder."""
    for number, name in enumerate(DAYS):
        write_day(folder / name, number)
    with h5py.File(folder / "deep.h5", "w") as file:
        file["a/b/c"] = np.arange(20.0).reshape(4, 5)
    (folder / "kerchunk-deep.json").write_text(json.dumps(kerchunked(folder / "deep.h5")))
    parts = [kerchunked(folder / name) for name in DAYS]
    both = MultiZarrToZarr(parts, concat_dims=["time"], identical_dims=["x"]).translate()
    (folder / "kerchunk.json").write_text(json.dumps(both))
    refs_to_dataframe(both, os.fspath(folder / "kerchunk.parquet"))
    registry = ObjectStoreRegistry({"file://": LocalStore()})
    days = xr.concat(
        [virtualized(folder / name, registry) for name in DAYS],
        "time",
        data_vars="minimal",
        coords="minimal",
        compat="override",
    )
    days.vz.to_kerchunk(os.fspath(folder / "virtualizarr.json"), format="json")
    days.vz.to_kerchunk(os.fspath(folder / "virtualizarr.parquet"), format="parquet")


def main() -> None:
    """Make the archive."""
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(ARCHIVE, "w") as out:
        make(Path(scratch))
        for path in sorted(path for path in Path(scratch).rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(os.fspath(path.relative_to(scratch)), EPOCH)
            out.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
