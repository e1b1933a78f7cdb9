"""Files that are given as stores: the error says which library reads them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

import zchunk
from zchunk.errors import FSPathExistNotDir


def hdf5(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    h5py.File(path, "w").close()


def netcdf3(path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    scipy_io.netcdf_file(path, "w").close()


def zip_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a", b"")


def numpy_file(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (hdf5, "an HDF5 file .*h5py, then zchunk.copy_all"),
        (netcdf3, "a NetCDF 3 file: .*xarray"),
        (lambda path: path.write_bytes(b"II*\0\x08\0\0\0"), "a TIFF file: .*tifffile"),
        (zip_file, "a zip file: .*ZipStore"),
        (numpy_file, "a NumPy file: .*numpy.load"),
        (lambda path: path.write_bytes(b""), "a file, not a folder"),
    ],
)
@pytest.mark.parametrize("open_", [zchunk.open, zchunk.open_array, zchunk.open_group, zchunk.load])
def test_what_a_file_is(make, advice, open_, tmp_path) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "file")
    with pytest.raises(FSPathExistNotDir, match=advice):
        open_(tmp_path / "file")
