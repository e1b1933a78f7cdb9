"""Files of HDF5 and NetCDF 4, read by h5py: chunks, attributes, dimensions and fill values are kept.

All of a file is looked at before anything is written: what Zarr does not have is an error then.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np

from zchunk.creation.nodes import format_for
from zchunk.hierarchy.groups import open_group
from zchunk.runtime.near_names import near
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.keys import DIMENSIONS, join
from zchunk.storage import Store
from zchunk.wings.command_line import missing_values, output
from zchunk.wings.command_line.arguments import UsageError
from zchunk.wings.command_line.storing import store_items

# Attributes by which HDF5 and NetCDF keep dimensions and other facts of their own.
_INTERNAL = {
    "CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS",
    "_Netcdf4Dimid", "_Netcdf4Coordinates", "_nc3_strict", "_NCProperties",
}  # fmt: skip
_DIMENSION_ALONE = b"This is a netCDF dimension but not a netCDF variable"


def read(h5py: Any, args: argparse.Namespace, store: Store, path: str, given: dict[str, Any]) -> None:
    """Make an array or a group of a file.

    Parameters
    ----------
    h5py : module
        The package.
    args : Namespace
        Of the command: `file`, `only`, `skip`, `overwrite`, `progress`.
    store : Store
        Gets it.
    path : str
        Where it is to be in the store.
    given : dict
        Parameters of `create`.

    Raises
    ------
    UsageError
        Zarr does not have what is in the file, or it has no such name.
    """
    with suppress(ImportError):
        # Other codecs than HDF5's own.
        import_module("hdf5plugin")
    with h5py.File(args.file, "r") as file:
        source = file
        if args.only is not None:
            if args.only not in file:
                raise UsageError(f"{args.file!r} has no {args.only!r}{near(args.only, _names(h5py, file))}")
            source = file[args.only]
        contents = Contents(h5py, file, source, {name.strip("/") for name in args.skip})
        contents.write(store, path, given, args)


def _names(h5py: Any, file: Any) -> list[str]:
    found: list[str] = []
    file.visit(found.append)
    return [*found, *(f"/{name}" for name in found)]


class Contents:
    """What is to be made of a file: groups and datasets, by their path below the one that is read."""

    def __init__(self, h5py: Any, file: Any, source: Any, skip: set[str]) -> None:
        self.h5py = h5py
        self.groups: dict[str, Any] = {}
        self.datasets: dict[str, Any] = {}
        self._scales: dict[int, str] = {}
        self._netcdf = "_NCProperties" in file.attrs
        file.visititems(self._look_for_scale)
        self._collect(source, skip)

    def _look_for_scale(self, name: str, node: Any) -> None:
        if isinstance(node, self.h5py.Dataset) and node.is_scale:
            number = node.attrs.get("_Netcdf4Dimid")
            if number is not None:
                self._netcdf = True
                self._scales[int(np.ravel(number)[0])] = name.rpartition("/")[2]

    def _collect(self, source: Any, skip: set[str]) -> None:
        # Links may make a circle: each object is taken once.
        seen, todo = set(), [("", source)]
        while todo:
            path, node = todo.pop()
            token = self.h5py.h5o.get_info(node.id).addr
            if token in seen or (path and path in skip):
                continue
            seen.add(token)
            if isinstance(node, self.h5py.Dataset):
                if not bytes(np.bytes_(node.attrs.get("NAME", b""))).startswith(_DIMENSION_ALONE):
                    self._check(path, node)
                    self.datasets[path] = node
            elif isinstance(node, self.h5py.Group):
                self.groups[path] = node
                for name in reversed([*node]):
                    # What a link leads to by a path is there by that path, or in another file.
                    if isinstance(node.get(name, getlink=True), self.h5py.HardLink):
                        todo.append((f"{path}/{name}".strip("/"), node[name]))

    def _check(self, path: str, dataset: Any) -> None:
        problem = ""
        if dataset.shape is None:
            problem = "has no items"
        elif any(self._is_odd(dtype) for dtype in _parts(dataset.dtype)):
            problem = f"has items of {dataset.dtype}, references or lists, which cannot be imported"
        if problem:
            raise UsageError(f"dataset {path!r} {problem}; --skip {path} leaves it out")

    def _is_odd(self, dtype: np.dtype[Any]) -> bool:
        h5py = self.h5py
        return bool(h5py.check_ref_dtype(dtype) or (dtype.hasobject and not h5py.check_string_dtype(dtype)))

    def write(self, store: Store, path: str, given: dict[str, Any], args: argparse.Namespace) -> None:
        """Write all of it: an array at the path, or a group."""
        version = format_for(store, path, given.get("zarr_format")).version
        how = given | {"store": store, "zarr_format": version, "overwrite": args.overwrite}
        total = sum(dataset.size * dataset.dtype.itemsize for dataset in self.datasets.values())
        with reporting_progress(args.progress, lambda: total, "B") as advance:
            if "" not in self.datasets:
                # First what is above, so that no array is ever without its group.
                root = open_group(store, "w" if args.overwrite else "a", path=path, zarr_format=version)
                for name, group in self.groups.items():
                    target = root.require_group(name) if name else root
                    target.attrs.update(self.attributes(group))
            for name, dataset in self.datasets.items():
                data = dataset.asstr() if dataset.dtype.hasobject else dataset
                own = self.parameters(dataset, version) | how
                store_items(data, advance, path=join(path, name) if name else path, **own)

    def parameters(self, dataset: Any, version: int) -> dict[str, Any]:
        """Return the parameters of `create` that keep what the dataset is, and not only its items."""
        attributes, names = self.attributes(dataset), self.dimensions(dataset)
        texts = dataset.dtype.hasobject
        found: dict[str, Any] = {
            "attributes": attributes,
            "dtype": str if texts else dataset.dtype,
            "chunks": dataset.chunks or True,
        }
        missing = None if texts else attributes.pop("_FillValue", None)
        if missing is not None:
            found["fill_value"] = np.dtype(dataset.dtype).type(missing)
            if version == 3:
                attributes["_FillValue"] = missing_values.encode(found["fill_value"])
        elif not texts:
            # Of NetCDF in format 2, a fill value would say that items are missing.
            found["fill_value"] = None if self._netcdf and version == 2 else dataset.fillvalue
        if version == 3:
            if any(names):
                found["dimension_names"] = names
        elif all(names) and (names or self._netcdf):
            attributes[DIMENSIONS] = names
        return found

    def dimensions(self, dataset: Any) -> list[str | None]:
        """Return the names of a dataset's axes: of its scales, or its labels."""
        numbers = dataset.attrs.get("_Netcdf4Coordinates")
        if numbers is not None and len(numbers) == dataset.ndim:
            return [self._scales.get(int(number)) for number in numbers]
        if dataset.is_scale and dataset.ndim == 1:
            return [dataset.name.rpartition("/")[2]]
        found: list[str | None] = []
        for dimension in dataset.dims:
            scales = [scale.name for scale in dimension.values()]
            found.append(scales[0].rpartition("/")[2] if scales and scales[0] else dimension.label or None)
        # An axis of Zarr has a name of its own.
        return [name if found.count(name) == 1 or self._netcdf else None for name in found]

    def attributes(self, node: Any) -> dict[str, Any]:
        """Return the attributes that JSON has, without those of HDF5's own."""
        found = {}
        for key in node.attrs:
            if key in _INTERNAL:
                continue
            value = node.attrs[key]
            if isinstance(value, self.h5py.Empty):
                value = ""
            if isinstance(value, self.h5py.Reference | self.h5py.RegionReference):
                continue
            if isinstance(value, np.ndarray):
                if self.h5py.check_ref_dtype(value.dtype):
                    continue
                # NetCDF has numbers as lists of one.
                value = value[0] if self._netcdf and value.shape == (1,) else value
            found[key] = _text_or_number(value)
        return found


def _parts(dtype: np.dtype[Any]) -> list[np.dtype[Any]]:
    if dtype.names is None:
        return [dtype]
    return [part for name in dtype.names for part in _parts(dtype[name])]


def _text_or_number(value: Any) -> Any:
    if isinstance(value, bytes | np.bytes_):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
        return [_text_or_number(item) for item in value.tolist()]
    # Python's numbers, NaN among them, which attributes may have.
    if isinstance(value, np.generic | np.ndarray) and value.dtype.names is None:
        return value.tolist()
    return output.as_json(value)
