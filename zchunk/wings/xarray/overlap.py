"""Overlap: refuse to write data to the arrays that they are read from, before anything is touched."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from xarray import Dataset

from zchunk.convenience.overlap import check_apart, place, places
from zchunk.core.array import Array
from zchunk.errors import CopyError, PathNotFoundError
from zchunk.hierarchy.groups import Group
from zchunk.spec.keys import join, normalize_path
from zchunk.storage import Store
from zchunk.storage.resolve import using_store
from zchunk.wings.lazy_sources import arrays_in
from zchunk.wings.xarray import xarray_internals

if TYPE_CHECKING:
    from zchunk.typing import StorageOptions, StoreLike

_ADVICE = "; load() the data first, or write elsewhere"


class Part(NamedTuple):
    """A data set, its path below the group, and its encoding."""

    path: str
    dataset: Dataset
    encoding: Mapping[Any, Any]


class _Read(NamedTuple):
    """An array that a variable is read from, and the path below the group that the variable is written to."""

    array: Array
    path: str
    # Whether the variable is read as a whole before it is written.
    whole: bool


def check_sources(
    parts: list[Part],
    mode: str,
    append_dim: Hashable | None,
    store: StoreLike | Group,
    group: str | None,
    storage_options: StorageOptions | None,
) -> None:
    """Raise `CopyError` if writing would replace or change arrays before the data are read from them.

    Parameters
    ----------
    parts : list of Part
        The data sets that are written.
    mode, append_dim, store, group, storage_options
        As for `to_zarr`; `mode` is not None.
    """
    if store is None:
        return
    reads = [read for part in parts for read in _reads(part)]
    if not reads:
        return
    if isinstance(store, Group):
        _check(reads, parts, mode, append_dim, store.store, store.path, group)
        return
    try:
        with using_store(xarray_internals.normalize_path(store), "r", storage_options) as target:
            _check(reads, parts, mode, append_dim, target, "", group)
    except PathNotFoundError:
        # A zip file that is not made yet.
        return


def _reads(part: Part) -> Iterator[_Read]:
    for name, variable in part.dataset.variables.items():
        lazy = variable.chunks is not None
        data: Any = variable._data
        for array in arrays_in(data.dask if lazy and hasattr(data, "dask") else data):
            yield _Read(array, join(part.path, xarray_internals.stored_name(name)).strip("/"), not lazy)


def _check(
    reads: list[_Read],
    parts: list[Part],
    mode: str,
    append_dim: Hashable | None,
    store: Store,
    base: str,
    group: str | None,
) -> None:
    top = normalize_path(f"{base}/{group or ''}")
    if mode == "w":
        check_apart([read.array for read in reads], store, top, _ADVICE)
        return
    written = {
        place(store, normalize_path(f"{top}/{part.path}/{xarray_internals.stored_name(name)}"))
        for part in parts
        for name, variable in part.dataset.variables.items()
        # Appending does not change the items that the array has.
        if append_dim is None or append_dim not in variable.dims
    }
    for array, path, whole in reads:
        own = place(store, normalize_path(f"{top}/{path}"))
        if (places(array) & written) - ({own} if whole else set()):
            raise CopyError(f"{'/' + path!r} would be read from {array!r} while that is written to{_ADVICE}")
