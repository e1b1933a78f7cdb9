"""netCDF-C by way of netCDF4, which reads format 2 and writes it as NCZarr."""

from __future__ import annotations

from typing import Any

import netCDF4
import numpy as np


def _open(store: str, mode: str) -> Any:
    dataset = netCDF4.Dataset(f"file://{store}#mode=zarr,file", mode)
    dataset.set_auto_maskandscale(False)
    return dataset


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the groups, dimensions and the variable, and assign all items."""
    with _open(store, "w") as dataset:
        *parents, name = case.path.split("/")
        group = dataset.createGroup("/".join(parents)) if parents else dataset
        names = tuple(f"d{i}" for i in range(len(case.shape)))
        for dimension, size in zip(names, case.shape, strict=True):
            group.createDimension(dimension, size)
        variable = group.createVariable(
            name,
            case.dtype.newbyteorder(">" if case.endian == "big" else "<"),
            names,
            compression="zlib" if case.codec == "zlib" else None,
            complevel=1,
            shuffle=case.filter == "shuffle",
            fletcher32=case.filter == "fletcher32",
            chunksizes=case.chunks or None,
            fill_value=False if case.fill == "null" else case.fill_item,
            endian=case.endian,
        )
        variable.set_auto_maskandscale(False)
        variable[...] = items


def read(store: str, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box."""
    with _open(store, "r") as dataset:
        return np.asarray(dataset[case.path][... if box is None else box])


def attributes(store: str, case: Any) -> tuple[Any, Any]:
    """None: those of netCDF have types, and names that it gives a meaning to."""
    return None, None
