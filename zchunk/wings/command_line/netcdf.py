"""Groups and arrays as NetCDF 4, by h5netcdf: variables, dimensions, attributes and chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.core.array import Array
from zchunk.core.lazy_views import LazyItems
from zchunk.creation.conversion import attributes_of
from zchunk.creation.likeness import chunks_of
from zchunk.runtime.progress import Advance, reporting_progress
from zchunk.spec.keys import DIMENSIONS
from zchunk.wings.command_line import missing_values
from zchunk.wings.command_line.arguments import UsageError
from zchunk.wings.command_line.regions import regions

if TYPE_CHECKING:
    from zchunk.hierarchy.groups import Group


def write(h5netcdf: Any, source: Array | LazyItems | Group, path: str, name: str, progress: bool) -> None:
    """Write a file.

    Parameters
    ----------
    h5netcdf : module
        The package.
    source : Array, LazyView or Group
        What to write; groups below it are groups in the file.
    path : str
        Of the file.
    name : str
        Of the variable, if it is an array.
    progress : bool
        Show how far it is.

    Raises
    ------
    UsageError
        NetCDF has no such items, or a dimension has several lengths.
    """
    groups = [("", {name: source}, {})] if isinstance(source, Array | LazyItems) else [*_groups(source)]
    for _, arrays, _ in groups:
        for key, array in arrays.items():
            _check(key, array)
    total = sum(a.size * a.dtype.itemsize for _, arrays, _ in groups for a in arrays.values())
    with h5netcdf.File(path, "w") as file, reporting_progress(progress, lambda: total, "B") as advance:
        for where, arrays, attributes in groups:
            target = file.create_group(where) if where else file
            names = {key: _dimensions(key, array) for key, array in arrays.items()}
            target.dimensions = _lengths(names, arrays)
            target.attrs.update(_attributes(attributes))
            for key, array in arrays.items():
                _write_variable(target, key, array, names[key], advance)


def _groups(top: Group) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the groups of a hierarchy with their arrays and attributes, those above first."""
    todo = [("", top)]
    while todo:
        where, group = todo.pop()
        yield where, dict(group.arrays()), group.attrs.asdict()
        todo += [(f"{where}/{name}".strip("/"), member) for name, member in group.groups()]


def _check(key: str, array: Any) -> None:
    dtype = array.dtype
    if dtype.kind not in "biufSUOT" or dtype.itemsize == 16:
        raise UsageError(f"{key!r} has items of {dtype}, which NetCDF does not have; export to .h5 or .npy")
    if dtype.kind == "O" and array.size and not isinstance(array[(0,) * array.ndim], str):
        raise UsageError(f"{key!r} has items that are Python objects, which NetCDF does not have")


def _dimensions(key: str, array: Any) -> tuple[str, ...]:
    """Return the names of all axes; those that have none get one of the array's."""
    found: Any = _attributes_of(array).get(DIMENSIONS)
    names = found if isinstance(found, list) and len(found) == array.ndim else [None] * array.ndim
    return tuple([name or f"{key}_dim_{axis}" for axis, name in enumerate(names)])


def _attributes_of(array: Any) -> dict[str, Any]:
    """Return the attributes of an array or view as in format 2: with names of axes, if all have one."""
    return attributes_of(array, 2)


def _lengths(names: dict[str, tuple[str, ...]], arrays: dict[str, Any]) -> dict[str, int]:
    lengths: dict[str, tuple[int, str]] = {}
    for key, array in arrays.items():
        for name, length in zip(names[key], array.shape, strict=True):
            known, other = lengths.setdefault(name, (length, key))
            if known != length:
                raise UsageError(
                    f"dimension {name!r} has length {known} in {other!r} and {length} in {key!r}; NetCDF has "
                    "one length for each"
                )
    return {name: length for name, (length, _) in lengths.items()}


def _write_variable(target: Any, key: str, array: Any, names: tuple[str, ...], advance: Advance) -> None:
    dtype, texts = array.dtype, array.dtype.kind in "SUOT"
    attributes = _attributes_of(array)
    attributes.pop(DIMENSIONS, None)
    fill = attributes.pop("_FillValue", None)
    if isinstance(array, Array) and array.zarr_format == 2:
        # It stands for missing items, as in NetCDF.
        fill = array.fill_value
    stored: Any = np.dtype("i1") if dtype.kind == "b" else dtype
    if texts:
        stored = import_module("h5py").string_dtype()
    chunks = tuple(map(min, chunks_of(array), array.shape)) if array.size and array.ndim else None
    missing = None if texts or fill is None else missing_values.decode(fill, stored)
    variable = target.create_variable(
        key, names, stored, fillvalue=missing, chunks=chunks,
        **({"compression": "gzip", "compression_opts": 1, "shuffle": True} if chunks and not texts else {}),
    )  # fmt: skip
    if dtype.kind == "b":
        attributes["dtype"] = "bool"  # as xarray writes it
    variable.attrs.update(_attributes(attributes))
    for region in regions(array):
        values = np.asarray(array[region])
        if dtype.kind == "S":
            values = np.char.decode(values, "utf-8")
        if texts:
            values = values.astype(object)
        variable[region if array.ndim else ...] = values.astype("i1") if dtype.kind == "b" else values
        advance(values.nbytes)


def _attributes(given: dict[str, Any]) -> dict[str, Any]:
    """Return attributes that NetCDF has: what is no number, text or list of them becomes JSON."""
    found = {}
    for key, value in given.items():
        items = value if isinstance(value, list) else [value]
        kinds = {type(item) for item in items}
        simple = bool(items) and (kinds <= {int, float} or kinds == {str})
        found[key] = value if simple else json.dumps(value)
    return found
