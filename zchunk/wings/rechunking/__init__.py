"""`rechunk`: write an array or group again with other chunks, out of core, within a bound of memory.

`plan` divides an array into regions that fit, `memory` says what they take, `tasks` reads and writes them,
`executors` runs tasks, `target` is one array of them, and `journal` lets a call resume after a kill.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Literal, Unpack

from zchunk.convenience.opening import open as open_node
from zchunk.convenience.overlap import check_apart
from zchunk.core.array import Array
from zchunk.core.lazy_views import LazyItems
from zchunk.creation.nodes import format_for
from zchunk.hierarchy.groups import Group, open_group
from zchunk.metadata.formats import find
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.keys import join, normalize_path, parents
from zchunk.storage import DirectoryStore, MemoryStore, Store, TempStore, open_store
from zchunk.wings.rechunking.executors import check_shared, make_executor
from zchunk.wings.rechunking.memory import parse_bytes
from zchunk.wings.rechunking.target import Making, chunks_of_all

if TYPE_CHECKING:
    from zchunk.creation.keywords import Rechunked
    from zchunk.typing import ChunksLike, ProgressLike, StorageOptions, StoreLike, TaskExecutor, ZarrFormat

__all__ = ["rechunk"]


def rechunk(
    source: Array | LazyItems | Group | StoreLike,
    chunks: ChunksLike | Mapping[str, ChunksLike | Mapping[str, ChunksLike]] = None,
    target: StoreLike = None,
    max_memory: int | str = "512MB",
    temp: StoreLike = None,
    *,
    path: str | None = None,
    executor: Literal["threads", "dask"] | TaskExecutor = "threads",
    progress: ProgressLike = None,
    overwrite: bool = False,
    zarr_format: ZarrFormat | None = None,
    storage_options: StorageOptions | None = None,
    **create_kws: Unpack[Rechunked],
) -> Array | Group:
    """Write an array, or all arrays of a group, again with other chunks.

    Memory has a bound, whatever the size of the array: tasks read regions of whole source chunks, and write
    regions of whole target chunks. If no region can be both within `max_memory`, the items pass through one
    intermediate copy. Either way each source chunk is read once, and each target chunk is written once.

    A call that was killed resumes where it stopped when it is repeated with the same arguments, provided that
    the target is a local folder or `temp` is given. The source must not change in the meantime.

    Parameters
    ----------
    source : Array, LazyView, Group, path or store
        The array or group to rechunk. Of a view the items are stored with other chunks.
    chunks : int, sequence of int, bool, "auto" or mapping, optional
        Chunks of the target, as for `create`; by default those of the source. A mapping of names of axes to
        lengths (-1 is the whole axis; a list: those of all chunks) leaves the other axes as they are. For a
        group also a mapping of paths of arrays to their chunks; arrays that are not named keep theirs.
    target : path, MutableMapping or None, optional
        The store to write to, as `store` for `create`.
    max_memory : int or str, optional
        Most bytes that all tasks take together at any time, in addition to what the process already uses;
        text may have a unit: ``"512MB"``, ``"2GiB"``. For a client of dask.distributed it applies to each
        worker. Arrays of Python objects, whose size is not known, may take more.
    temp : path or MutableMapping, optional
        Holds the intermediate copy, and a record of the tasks that are done; it is deleted at the end. By
        default, if the target is a local folder, the folder beside it with ``.rechunk`` added to the name;
        else a temporary folder.
    path : str, optional
        Path of the array or group in the target.
    executor : "threads", "dask", Client or Executor, optional
        What runs the tasks: this process; dask, with the client of dask.distributed that the program has made
        if there is one; such a client; an executor of `concurrent.futures`.
    progress : bool or callable, optional
        True: show a bar, by tqdm if that is installed. A function is called with the bytes of items that are
        done, and with their total; bytes that pass through an intermediate copy count twice.
    overwrite : bool, optional
        Replace existing arrays, and start over if a call with other parameters was not finished. Existing
        groups stay.
    zarr_format : {None, 2, 3}, optional
        Version of the format; by default that of the groups above, or else of the source.
    storage_options : dict, optional
        Options of the file system, if `target` is a URL.
    **create_kws
        Other parameters of `create`, such as `shards` (then each shard is written once), `compressor` or
        `dtype`. By default everything is as in the source: data type, codecs, order, fill value, attributes,
        names of axes, and if it has shards, shards of about that shape. For a group they apply to every
        array.

    Returns
    -------
    Array or Group
        The target.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        Something is already at the target, and `overwrite` is false.
    CopyError
        Source and target are the same, or one of them is inside the other.
    ImportError
        `executor` is ``"dask"``, and dask is not installed.
    StoreError
        A call with other parameters was not finished, and `overwrite` is false; or a part of the intermediate
        copy is lost.
    ValueError
        A parameter has no valid value; one chunk of source and target is more than `max_memory`; or the
        executor uses other processes, and a store is in the memory of this one.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.ones((1000, 1000), chunks=(1000, 10), dtype="i4")
    >>> rows = zchunk.rechunk(z, (10, 1000), max_memory="100MiB")
    >>> rows.chunks, int(rows[5].sum())
    ((10, 1000), 1000)
    """
    node = source if isinstance(source, Array | LazyItems | Group) else open_node(source, "r")
    store, top = open_store(target, "a", storage_options), normalize_path(path)
    below: tuple[Any, ...] = node.arrays if isinstance(node, LazyItems) else (node,)
    check_apart(below, store, top, "; give another target")
    version = zarr_format
    if version is None and all(find(store, above) is None for above in parents(top)):
        version = below[0].zarr_format
    fmt = format_for(store, top, version)
    limit = parse_bytes(max_memory)
    arrays, groups = _members(node)
    wanted = chunks_of_all(chunks, arrays)
    makings = [
        Making(array, store, join(top, name) if name else top, fmt, {**create_kws, "chunks": wanted[name]})
        for name, array in arrays.items()
    ]
    for making in makings:
        making.choose(make_executor(executor, making.native), limit)
    for name, group in groups.items():
        at = join(top, name) if name else top
        found = open_group(store, "a", path=at, zarr_format=fmt.version)
        found.attrs.update(group.attrs)
    with _temporary(temp, store, any(not making.plan.direct for making in makings)) as kept:
        if any(making.executor.processes for making in makings):
            for read in below:
                check_shared(read.store, False)
            for written in (store, kept):
                check_shared(written, True)
        try:
            _make(makings, kept, overwrite, progress)
        finally:
            for making in makings:
                making.leave()
    if isinstance(node, Group):
        return open_group(store, "r+", path=top, zarr_format=fmt.version)
    return makings[0].target


def _make(makings: list[Making], temp: Store, overwrite: bool, progress: ProgressLike) -> None:
    for making in makings:
        making.begin(temp, overwrite)
    lock = threading.Lock()
    with reporting_progress(progress, lambda: sum(m.nbytes for m in makings), "B") as advance:

        def report(amount: int) -> None:
            with lock:
                advance(amount)

        for making in makings:
            making.run(report)
    for making in makings:
        making.publish()
    for making in makings:
        making.end()


def _members(
    node: Array | LazyItems | Group,
) -> tuple[dict[str, Array | LazyItems], dict[str, Group]]:
    """Return the arrays and groups in a node, including itself, by their path in it."""
    if not isinstance(node, Group):
        return {"": node}, {}
    arrays: dict[str, Array | LazyItems] = {}
    groups: dict[str, Group] = {"": node}

    def visit(name: str, member: Any) -> None:
        if isinstance(member, Array):
            arrays[name] = member
        else:
            groups[name] = member

    node.visititems(visit)
    return arrays, groups


@contextmanager
def _temporary(temp: Any, target: Store, large: bool) -> Iterator[Store]:
    """Yield the store of intermediate copies and records; delete it if no later call could find it."""
    if temp is not None:
        yield open_store(temp)
    elif target.root is not None:
        # It is as durable as the target.
        synced = getattr(target, "durability", "") == "fsync"
        kept = DirectoryStore(f"{target.root}.rechunk", durability="fsync" if synced else "atomic")
        yield kept
        # A call that was killed while it deleted what it had kept.
        kept.remove_leftovers()
        for folder, _, _ in os.walk(kept.path, topdown=False):
            # A folder that is not empty belongs to another call.
            with suppress(OSError):
                os.rmdir(folder)
    elif large:
        made = TempStore(prefix="rechunk")
        try:
            yield made
        finally:
            rmtree(made.path, ignore_errors=True)
    else:
        yield MemoryStore()
