"""The part of the arrays in the store that a data set is written to: xarray's ``region``."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from xarray import Dataset, Variable

# A slice for every axis that is not written whole.
Region = dict[Hashable, slice]
# The same as callers give it; "auto" finds a slice by the coordinates.
RegionLike: TypeAlias = Mapping[Any, slice | Literal["auto"]] | Literal["auto"]


def find_region(
    dataset: Dataset, region: RegionLike, mode: str, stored: Callable[[Hashable], Variable]
) -> Region:
    """Return a slice for every axis that the caller's `region` names.

    Parameters
    ----------
    dataset : Dataset
        The data set that is written.
    region : mapping or "auto"
        A slice or ``"auto"`` by the name of the axis; ``"auto"`` alone applies to all axes.
    mode : str
        The mode of `to_zarr`.
    stored : callable
        Function that returns the stored coordinate of an axis, decoded and in memory.

    Raises
    ------
    KeyError
        The values of a coordinate are not all in the store.
    TypeError
        `region` is no mapping, or has values other than slices.
    ValueError
        There is no such axis, a slice has a step, values lie apart in the store, or a variable has none of
        the axes.
    """
    given = dict.fromkeys(dataset.dims, "auto") if isinstance(region, str) and region == "auto" else region
    if not isinstance(given, Mapping):
        raise TypeError(f"``region`` must be a dict, got {type(given)}: a slice or 'auto' for every axis")
    found: Region = {}
    wanted: Any
    for dim, wanted in given.items():
        if not isinstance(wanted, str) or wanted != "auto":
            found[dim] = wanted
        elif mode in ("r+", "a"):
            found[dim] = _where(dataset, dim, stored)
        else:
            raise ValueError(f"``mode`` must be 'r+' or 'a' when using ``region='auto'``, got {mode!r}")
    _check(dataset, found)
    return found


def _where(dataset: Dataset, dim: Hashable, stored: Callable[[Hashable], Variable]) -> slice:
    """Return the slice that the coordinate of an axis has in the store; without one, it starts at 0."""
    if dim not in dataset.variables:
        # `_check` refuses a name that is no axis.
        return slice(0, dataset.sizes.get(dim, 0))
    index = pd.Index(stored(dim).data)
    positions = index.get_indexer(pd.Index(dataset[dim].data))
    if not len(positions):
        return slice(0, 0)
    if (positions == -1).any():
        raise KeyError(
            f"Not all values of coordinate '{dim}' in the new array were found in the original store: a "
            "region can only be written where the store has it"
        )
    if (np.diff(positions) != 1).any():
        raise ValueError(
            f"The auto-detected region of coordinate '{dim}' has non-contiguous indices in the store: the "
            "values must follow each other there as they do here"
        )
    return slice(int(positions[0]), int(positions[-1]) + 1)


def _check(dataset: Dataset, region: Region) -> None:
    for dim, wanted in region.items():
        if dim not in dataset.dims:
            raise ValueError(
                f"all keys in ``region`` are not in Dataset dimensions, got {list(region)} and "
                f"{list(dataset.dims)}"
            )
        if not isinstance(wanted, slice):
            raise TypeError(f"all values in ``region`` must be slice objects, got region={region}")
        if wanted.step not in (1, None):
            raise ValueError(f"step on all slices in ``region`` must be 1 or None, got region={region}")
    apart = [name for name, v in dataset.variables.items() if not set(region).intersection(v.dims)]
    if region and apart:
        raise ValueError(
            "when setting `region` explicitly in to_zarr(), all variables in the dataset to write must have "
            f"at least one dimension in common with the region's dimensions {list(region)}, but that is not "
            f"the case for some variables here; leave them out with .drop_vars({apart!r})"
        )
