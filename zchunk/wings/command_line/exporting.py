"""`zchunk export`: an array or a group as a file of NumPy, CSV, NetCDF or HDF5, written piece by piece."""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zchunk.convenience.copying import copy, copy_all
from zchunk.core.array import Array
from zchunk.core.lazy_views import LazyItems
from zchunk.runtime.progress import reporting_progress
from zchunk.wings.command_line import netcdf
from zchunk.wings.command_line.arguments import Parser, UsageError, selection
from zchunk.wings.command_line.commands import Command
from zchunk.wings.command_line.files import new_file
from zchunk.wings.command_line.places import as_array, node_at
from zchunk.wings.command_line.regions import MOST, regions

if TYPE_CHECKING:
    from zchunk.hierarchy.groups import Group

# What is exported: of a selection a view.
_Source: TypeAlias = "Array | LazyItems | Group"


def _arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument("file", help="what to write; the ending says how: .npy, .csv, .nc, .h5")
    parser.add_argument(
        "-s", "--select", type=selection, metavar="SELECTION", help="only these values: '[0, :, ::2]'"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file")
    parser.add_progress()
    parser.add_options()


def _run(args: argparse.Namespace) -> int:
    ending = os.path.splitext(args.file)[1].lower()
    if ending not in _WRITERS:
        raise UsageError(
            f"the ending of {args.file!r} is none of {', '.join(_WRITERS)}; zchunk copy makes arrays of Zarr"
        )
    with node_at(args, args.path) as node:
        source: _Source = node
        if args.select is not None:
            source = as_array(node, args.path).lazy[args.select]
        elif ending in (".npy", ".csv"):
            source = as_array(node, args.path)
        name = node.path.rpartition("/")[2] or os.path.basename(args.path.rstrip("/")).partition(".")[0]
        with new_file(args.file, args.overwrite) as draft:
            _WRITERS[ending](source, draft, name or "data", args.progress)
    return 0


def _pieces(source: Any, progress: bool) -> Iterator[tuple[tuple[slice, ...], Any]]:
    nbytes = source.size * source.dtype.itemsize
    with reporting_progress(progress, lambda: nbytes, "B") as advance:
        for region in regions(source):
            values = np.asarray(source[region])
            yield region, values
            advance(values.nbytes)


# ---- NumPy


def _write_npy(source: Any, path: str, name: str, progress: bool) -> None:
    if source.dtype.hasobject:
        raise UsageError(f"items of Python objects ({source.dtype}) make no .npy; export them to .h5 or .csv")
    if not source.size or not source.shape:
        with open(path, "wb") as file:
            np.save(file, np.asarray(source[...]))
        return
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=source.dtype, shape=source.shape)
    for region, values in _pieces(source, progress):
        mapped[region] = values
    mapped.flush()


# ---- CSV


def _write_csv(source: Any, path: str, name: str, progress: bool) -> None:
    fields = source.dtype.names
    if source.ndim > (1 if fields else 2):
        raise UsageError(
            f"an array of {source.ndim} axes{' and fields' if fields else ''} makes no table; select one, "
            "such as --select '[0]'"
        )
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fields:
            writer.writerow(fields)
        if not source.ndim:
            writer.writerow([_texts(np.asarray(source[...]))])
            return
        row = max(source.dtype.itemsize * source.size // max(len(source), 1), 1)
        step = max(MOST // row, 1)
        with reporting_progress(progress, lambda: len(source), "rows") as advance:
            for start in range(0, len(source), step):
                values = np.asarray(source[start : start + step])
                if fields:
                    writer.writerows(zip(*(_texts(values[field]) for field in fields), strict=True))
                else:
                    writer.writerows(_texts(values) if values.ndim == 2 else ([v] for v in _texts(values)))
                advance(len(values))


def _texts(values: np.ndarray[Any, Any]) -> Any:
    """Return items as text: numbers with as many digits as they need, and no more."""
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "backslashreplace")
    return values.tolist() if values.dtype.hasobject else values.astype(str).tolist()


# ---- HDF5


def _write_hdf5(source: Any, path: str, name: str, progress: bool) -> None:
    h5py = needed("h5py")
    with h5py.File(path, "w") as file:
        if isinstance(source, Array | LazyItems):
            copy(source, file, name, progress=progress)
        else:
            copy_all(source, file, progress=progress)


def _write_netcdf(source: Any, path: str, name: str, progress: bool) -> None:
    netcdf.write(needed("h5netcdf"), source, path, name, progress)


def needed(package: str) -> Any:
    """Return a package that not everybody has; `ImportError` that says how to get it."""
    try:
        return import_module(package)
    except ImportError as err:
        raise ImportError(
            f"{package} is needed for this and cannot be imported ({err}); python -m pip install {package}"
        ) from None


_Writer: TypeAlias = Callable[[Any, str, str, bool], None]
_WRITERS: dict[str, _Writer] = {
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".nc": _write_netcdf,
    ".nc4": _write_netcdf,
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
}

COMMANDS = {
    "export": Command(
        _arguments,
        _run,
        """
zchunk export run.zarr/u u.npy
zchunk export run.zarr/u plane.csv --select '[-1]'
zchunk export run.zarr run.nc
zchunk export s3://bucket/run.zarr run.h5 --progress
""",
    )
}
