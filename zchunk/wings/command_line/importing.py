"""`zchunk import`: an array or a group made of a file of HDF5, NetCDF 4, NumPy, or a zip file of such."""

from __future__ import annotations

import argparse
import os
import zipfile
from typing import Any

import numpy as np

from zchunk.hierarchy.groups import open_group
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.keys import join
from zchunk.storage import Store
from zchunk.wings.command_line import hdf5
from zchunk.wings.command_line.arguments import Parser, UsageError, encoding
from zchunk.wings.command_line.commands import Command, find_command, parser_of
from zchunk.wings.command_line.copying import check_new
from zchunk.wings.command_line.exporting import needed
from zchunk.wings.command_line.places import store_at
from zchunk.wings.command_line.storing import store_items

_HDF5, _NPY, _ZIP, _NETCDF3 = b"\x89HDF\r\n\x1a\n", b"\x93NUMPY", b"PK\x03\x04", b"CDF"


def _arguments(parser: Parser) -> None:
    parser.add_argument("file", help="of HDF5, NetCDF 4, NumPy (.npy, .npz), or a zip file with Zarr in it")
    parser.add_place("dest", "where the array or group is to be: a path or URL")
    parser.add_encoding()
    parser.add_argument("--only", metavar="NAME", help="of HDF5 and NetCDF: this dataset or group")
    parser.add_argument("--skip", action="append", default=[], metavar="NAME", help="leave this dataset out")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_progress()
    parser.add_options()


def _run(args: argparse.Namespace) -> int:
    if os.path.isdir(args.file):
        raise UsageError(f"{args.file!r} is a folder; zchunk copy copies what is Zarr")
    with open(args.file, "rb") as file:
        magic = file.read(8)
    if magic.startswith(_NETCDF3):
        raise UsageError(
            f"{args.file!r} is classic NetCDF; convert it first: nccopy -k netCDF-4 {args.file} new.nc"
        )
    if magic == _HDF5:
        check_new(args, args.dest)
        with store_at(args, args.dest, "a") as (store, path):
            hdf5.read(needed("h5py"), args, store, path, encoding(args))
    elif magic.startswith(_NPY):
        check_new(args, args.dest)
        _read_npy(args)
    elif magic.startswith(_ZIP):
        return _read_zip(args)
    else:
        raise UsageError(f"{args.file!r} is no file of HDF5, NetCDF 4, NumPy or zip")
    return 0


def _read_npy(args: argparse.Namespace) -> None:
    try:
        data = np.load(args.file, mmap_mode="r")
    except ValueError as err:
        raise UsageError(f"{args.file!r} cannot be imported: {err}") from None
    with store_at(args, args.dest, "a") as (store, path):
        _store(args, data, store, path)


def _read_zip(args: argparse.Namespace) -> int:
    with zipfile.ZipFile(args.file) as archive:
        names = archive.namelist()
    if not names or not all(name.endswith(".npy") for name in names):
        # Zarr in a zip file.
        copying = ["--overwrite"] if args.overwrite else []
        parsed = parser_of("copy").parse_args([args.file, args.dest, *copying])
        for name in ("format", "chunks", "shards", "compressor", "progress", "options"):
            if hasattr(args, name):
                setattr(parsed, name, getattr(args, name))
        return find_command("copy").run(parsed)
    check_new(args, args.dest)
    with np.load(args.file) as arrays, store_at(args, args.dest, "a") as (store, path):
        open_group(store, "w" if args.overwrite else "a", path=path, zarr_format=args.format)
        for name in arrays.files:
            _store(args, arrays[name], store, join(path, name))
    return 0


def _store(args: argparse.Namespace, data: Any, store: Store, path: str) -> None:
    if data.dtype.hasobject:
        raise UsageError(f"{args.file!r} holds Python objects, which are not imported")
    given = encoding(args)
    with reporting_progress(args.progress, lambda: data.nbytes, "B") as advance:
        store_items(
            data, advance, dtype=data.dtype, store=store, path=path, overwrite=args.overwrite, **given
        )


COMMANDS = {
    "import": Command(
        _arguments,
        _run,
        """
zchunk import data.h5 data.zarr
zchunk import sst.nc sst.zarr --format 3 --compressor zstd:5
zchunk import data.h5 u.zarr --only /run/u --chunks=1,-1,-1
zchunk import u.npy u.zarr --chunks 4MB
""",
    )
}
