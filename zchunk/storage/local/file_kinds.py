"""What a file is that was given as a store, and which library reads it: for the error."""

from __future__ import annotations

_ADVICE = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file (NetCDF 4 files are, too): open it with h5py, then zchunk.copy_all",
    b"CDF\x01": "a NetCDF 3 file: open it with xarray, then zchunk.xarray.to_zarr",
    b"CDF\x02": "a NetCDF 3 file: open it with xarray, then zchunk.xarray.to_zarr",
    b"CDF\x05": "a NetCDF 3 file: open it with xarray, then zchunk.xarray.to_zarr",
    b"II*\0": "a TIFF file: read it with tifffile, then zchunk.save_array",
    b"MM\0*": "a TIFF file: read it with tifffile, then zchunk.save_array",
    b"II+\0": "a TIFF file: read it with tifffile, then zchunk.save_array",
    b"MM\0+": "a TIFF file: read it with tifffile, then zchunk.save_array",
    b"PK\x03\x04": "a zip file: open it with zchunk.ZipStore",
    b"\x93NUMPY": "a NumPy file: read it with numpy.load, then zchunk.save_array",
    b"SQLite format 3\0": "a SQLite database: open it with zchunk.SQLiteStore",
}
_MOST = max(map(len, _ADVICE))


def kind_of_file(path: str) -> str:
    """Return what the file at a path is, in words, by its first bytes."""
    try:
        with open(path, "rb") as file:
            start = file.read(_MOST)
    except OSError:
        start = b""
    found = (advice for magic, advice in _ADVICE.items() if start.startswith(magic))
    return next(found, "a file, not a folder")
