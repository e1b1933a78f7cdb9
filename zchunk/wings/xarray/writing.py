"""`to_zarr`: data sets and trees of xarray, written by zchunk."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, Unpack, overload

import xarray as xr
from xarray import Dataset, DataTree

from zchunk.runtime.progress import Advance, reporting_progress
from zchunk.wings.xarray import xarray_internals
from zchunk.wings.xarray.overlap import Part, check_sources
from zchunk.wings.xarray.regions import RegionLike
from zchunk.wings.xarray.store import open_group
from zchunk.wings.xarray.writable import WritableStore

if TYPE_CHECKING:
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import ProgressLike, StorageOptions, StoreLike, Synchronizer, ZarrFormat

Mode: TypeAlias = Literal["w", "w-", "a", "a-", "r+"]


class Writing(TypedDict, total=False):
    """Parameters of `to_zarr` by name, for signatures that pass them on."""

    consolidated: bool | None
    append_dim: Hashable | None
    region: RegionLike | None
    safe_chunks: bool
    align_chunks: bool
    storage_options: StorageOptions | None
    zarr_format: ZarrFormat | None
    write_empty_chunks: bool | None
    write_inherited_coords: bool
    synchronizer: Synchronizer | None
    chunkmanager_store_kwargs: dict[str, Any] | None
    progress: ProgressLike


class WritingAll(Writing, total=False):
    """Parameters of the accessors' `to_zarr` but the first ones."""

    encoding: Mapping[Any, Any] | None
    compute: bool


@overload
def to_zarr(
    data: Dataset | DataTree,
    store: StoreLike | Group = None,
    mode: Mode | None = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    *,
    compute: Literal[True] = True,
    **kwargs: Unpack[Writing],
) -> WritableStore: ...
@overload
def to_zarr(
    data: Dataset | DataTree,
    store: StoreLike | Group = None,
    mode: Mode | None = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    *,
    compute: bool,
    **kwargs: Unpack[Writing],
) -> Any: ...
def to_zarr(
    data: Dataset | DataTree,
    store: StoreLike | Group = None,
    mode: Mode | None = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    *,
    consolidated: bool | None = None,
    append_dim: Hashable | None = None,
    region: RegionLike | None = None,
    safe_chunks: bool = True,
    align_chunks: bool = False,
    compute: bool = True,
    storage_options: StorageOptions | None = None,
    zarr_format: ZarrFormat | None = None,
    write_empty_chunks: bool | None = None,
    write_inherited_coords: bool = False,
    synchronizer: Synchronizer | None = None,
    chunkmanager_store_kwargs: dict[str, Any] | None = None,
    progress: ProgressLike = None,
) -> Any:
    """Write a data set, or a tree of them, to a Zarr hierarchy.

    It does what xarray's `Dataset.to_zarr` and `DataTree.to_zarr` do, with zchunk in place of zarr.

    Parameters
    ----------
    data : Dataset or DataTree
        The data to write.
    store : path, URL, MutableMapping or Group, optional
        As for `zchunk.open_group`; memory by default.
    mode : {"w", "w-", "a", "a-", "r+"}, optional
        ``w`` replaces the group; ``w-`` fails if there is one; ``a`` replaces the values of variables that
        exist and adds others; ``a-`` with `append_dim` leaves variables without that axis alone; ``r+``
        writes values of arrays that exist. The default is ``a`` with `append_dim`, ``r+`` with `region`, else
        ``w-``.
    group : str, optional
        Path of the group below the root.
    encoding : mapping, optional
        How each variable is stored, by name: ``chunks``, ``shards``, ``compressors``, ``filters``,
        ``serializer``, ``chunk_key_encoding``, ``write_empty_chunks``, ``checksum`` and, in format 3,
        ``fill_value`` as `zchunk.create` takes them, and CF's ``dtype``, ``scale_factor``, ``add_offset``,
        ``_FillValue``, ``units``, ``calendar``. For a tree, one such mapping for each group, by path.
    consolidated : bool, optional
        Consolidate the metadata of the hierarchy, once, before the values are written, which is the default.
        With ``r+``, use consolidated metadata instead; by default it does so if there are some.
    append_dim : hashable, optional
        Name of an axis: variables that have it are appended to the arrays.
    region : mapping or "auto", optional
        The part of the arrays that is written: a slice or ``"auto"`` for some axes. ``"auto"`` finds it by
        the coordinates.
    safe_chunks : bool, optional
        Raise `ValueError` if two dask chunks lie in one stored chunk (in one shard, if there are shards),
        which processes would write at the same time. Threads of one process lose nothing either way.
    align_chunks : bool, optional
        Rechunk dask arrays so that no two of their chunks lie in one stored chunk.
    compute : bool, optional
        Write everything now. Otherwise metadata and all data but dask arrays are written now, and dask
        arrays when the result is computed.
    storage_options : dict, optional
        Options of the file system, for a URL.
    zarr_format : {2, 3}, optional
        Format of a new group. The default is the format of the groups above, or else 2.
    write_empty_chunks : bool, optional
        Store chunks that hold nothing but the fill value; the default is not to.
    write_inherited_coords : bool, optional
        For a tree, write coordinates again in all groups that inherit them.
    synchronizer : mapping of keys to locks, optional
        The lock of a chunk key is held while the chunk changes. With a `zchunk.ProcessSynchronizer`,
        processes may write regions that share chunks.
    chunkmanager_store_kwargs : dict, optional
        Further parameters for dask's `store`.
    progress : bool or callable, optional
        True shows a bar; a function is called with items done and items in total. Items that other processes
        write are counted at the end.

    Returns
    -------
    WritableStore or dask.delayed.Delayed
        A store with the group as its attribute ``group``; if `compute` is false, an object to compute.

    Raises
    ------
    ContainsGroupError, ContainsArrayError
        The mode is ``w-``, and a group or an array exists.
    GroupNotFoundError
        The mode is ``r+``, and there is no group.
    CopyError
        The data are read from arrays that would be replaced, or changed before all of them is read.
    KeyError, TypeError, ValueError
        In the cases in which xarray's methods raise them.

    Examples
    --------
    >>> import xarray as xr
    >>> import zchunk
    >>> import zchunk.xarray
    >>> store = zchunk.MemoryStore()
    >>> ds = xr.Dataset({"a": ("t", [1, 2, 3])})
    >>> _ = zchunk.xarray.to_zarr(ds, store)
    >>> _ = ds.zchunk.to_zarr(store, append_dim="t")
    >>> xr.open_dataset(store, engine="zchunk")["a"].values
    array([1, 2, 3, 1, 2, 3])
    """
    if progress and not compute:
        raise ValueError("with compute=False nothing is written yet of which progress could be shown")
    delayed = None if compute else _dask_delayed()
    encoding = {} if encoding is None else encoding
    parts = _parts_of(data, append_dim, write_inherited_coords, encoding)
    chosen = xarray_internals.choose_mode(mode=mode, append_dim=append_dim, region=region)
    check_sources(parts, chosen, append_dim, store, group, storage_options)
    top = WritableStore(
        open_group(
            xarray_internals.normalize_path(store),
            "a" if chosen == "a-" else chosen,
            group,
            consolidated if chosen == "r+" else False,
            storage_options,
            zarr_format,
            synchronizer,
        ),
        chosen,
        append_dim,
        region,
        safe_chunks,
        align_chunks,
        write_empty_chunks,
        synchronizer,
        isinstance(store, str | os.PathLike),
    )
    writer = xarray_internals.ArrayWriter()
    done = False
    try:
        with reporting_progress(progress, lambda: _items(parts), "items") as advance:
            counter = _Counter(advance)
            # Without `compute`, another process may write, and could not report its progress.
            top.advance = counter if compute else None
            _prepare(top, parts, writer)
            if chosen != "r+" and consolidated is not False:
                top.consolidate()
            writes = writer.sync(compute=compute, chunkmanager_store_kwargs=chunkmanager_store_kwargs)
            rest = _items(parts) - counter.done
            if compute and rest:
                counter(rest)
        done = True
    finally:
        if compute or not done:
            top.finish()
    return top if delayed is None else delayed(_finish, pure=False)(writes, top)


def _prepare(top: WritableStore, parts: list[Part], writer: object) -> None:
    """Make arrays and groups, and hand the items of the variables to `writer`."""
    for path, dataset, wanted in parts:
        at = top.child(path) if path else top
        xarray_internals.dump_to_store(at.prepare(dataset, wanted), at, writer, encoding=wanted)


def _parts_of(
    data: Dataset | DataTree, append_dim: Hashable | None, inherit: bool, encoding: Mapping[Any, Any]
) -> list[Part]:
    """Return the data sets that are written: one, or all of a tree."""
    if not isinstance(data, DataTree):
        parts = [Part("", data, encoding)]
    elif append_dim is None:
        parts = _parts_of_tree(data, inherit, encoding)
    else:
        raise NotImplementedError("a tree has no append_dim: write its data sets one by one")
    for part in parts:
        xarray_internals.check_names(part.dataset)
    return parts


def _parts_of_tree(tree: DataTree, inherit: bool, encoding: Mapping[Any, Any]) -> list[Part]:
    """Return the data sets of a tree, parents first; `encoding` is by path from the root of the tree."""
    unknown = set(encoding) - set(tree.groups)
    if unknown:
        raise ValueError(f"unexpected encoding group name(s) provided: {unknown}")
    return [
        Part(
            "" if node is tree else path,
            node.to_dataset(inherit=inherit or node is tree),
            encoding.get(node.path) or {},
        )
        for path, node in tree.subtree_with_keys
    ]


def _items(parts: list[Part]) -> int:
    return sum(v.size for part in parts for v in part.dataset.variables.values())


class _Counter:
    """Adds up the amounts that threads report, and passes them on one at a time."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._lock = threading.Lock()
        self.done = 0

    def __call__(self, amount: int) -> None:
        with self._lock:
            self.done += amount
            self._advance(amount)


def _dask_delayed() -> Any:
    # xarray does not need dask.
    try:
        from dask.delayed import delayed
    except ImportError:
        raise ImportError("compute=False needs dask; install it with: pip install dask") from None
    return delayed


def _finish(writes: object, store: WritableStore) -> None:
    store.finish()


class _Accessor:
    def __init__(self, data: Dataset | DataTree) -> None:
        self._data = data

    def to_zarr(
        self,
        store: StoreLike | Group = None,
        mode: Mode | None = None,
        group: str | None = None,
        **kwargs: Unpack[WritingAll],
    ) -> Any:
        """Write to a Zarr hierarchy; the parameters are those of `zchunk.xarray.to_zarr`."""
        given: dict[str, Any] = {**kwargs}
        return to_zarr(self._data, store, mode, group, **given)


@xr.register_dataset_accessor("zchunk")
class DatasetAccessor(_Accessor):
    """``ds.zchunk``: what zchunk adds to a data set."""


@xr.register_datatree_accessor("zchunk")
class DataTreeAccessor(_Accessor):
    """``tree.zchunk``: what zchunk adds to a tree of data sets."""
