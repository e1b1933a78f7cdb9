"""dask arrays into stored arrays, so that no two processes write one stored chunk without a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, Unpack, overload

import dask.array as da
import numpy as np
from dask import local, threaded
from dask.base import get_scheduler
from dask.utils import SerializableLock, get_scheduler_lock

from zchunk.convenience.overlap import check_apart, check_not_read
from zchunk.core.array import Array
from zchunk.core.tokens import new_token
from zchunk.creation.arrays import create
from zchunk.creation.nodes import format_for
from zchunk.runtime.fork import PerProcess, is_shared
from zchunk.spec.keys import normalize_path
from zchunk.storage import MemoryStore, Store, open_store
from zchunk.sync import KeyLock, ProcessSynchronizer
from zchunk.wings.lazy_sources import arrays_in

if TYPE_CHECKING:
    from zchunk.creation.keywords import MadeForDask, StoredForDask
    from zchunk.spec.rectilinear_grid import Grid
    from zchunk.typing import StorageOptions, StoreLike

_ADVICE = "; write elsewhere, or compute it first"

# The identity of this process among all others, on other machines too.
_this_process = PerProcess(new_token)


@overload
def store(
    source: da.Array,
    target: Array | StoreLike,
    region: slice | tuple[slice, ...] | None = None,
    *,
    compute: Literal[True] = True,
    return_stored: Literal[False] = False,
    **kwargs: Unpack[StoredForDask],
) -> Array: ...
@overload
def store(
    source: da.Array,
    target: Array | StoreLike,
    region: slice | tuple[slice, ...] | None = None,
    *,
    compute: Literal[True] = True,
    return_stored: Literal[True],
    **kwargs: Unpack[StoredForDask],
) -> da.Array: ...
@overload
def store(
    source: da.Array,
    target: Array | StoreLike,
    region: slice | tuple[slice, ...] | None = None,
    *,
    compute: bool,
    return_stored: bool = False,
    **kwargs: Unpack[StoredForDask],
) -> Any: ...
def store(
    source: da.Array,
    target: Array | StoreLike,
    region: slice | tuple[slice, ...] | None = None,
    *,
    path: str | None = None,
    align: Literal["rechunk"] | None = None,
    lock: bool | AbstractContextManager[Any] | None = None,
    compute: bool = True,
    return_stored: bool = False,
    overwrite: bool = False,
    storage_options: StorageOptions | None = None,
    compute_kws: dict[str, Any] | None = None,
    **create_kws: Unpack[MadeForDask],
) -> Any:
    """Write a dask array into a stored array, which exists or is created for it.

    If two dask chunks lie in one stored chunk (in one shard, if there are shards), two tasks write it.
    Threads of one process lose nothing then. Other processes would, so that is refused unless they have a
    lock.

    Parameters
    ----------
    source : dask.array.Array
        The dask array to write.
    target : Array, path, URL or MutableMapping
        The array to write into, or the store to create one in, as for `zchunk.create`. `source` must not be
        read from that array: a chunk may be written before another task reads it, or read again after that.
    region : slice or tuple of slice, optional
        The part of `target` to write, with steps of 1; all of it by default.
    path : str, optional
        Path of the array that is created in the store.
    align : {None, "rechunk"}, optional
        ``"rechunk"``: rechunk `source` before, so that no two dask chunks lie in one stored chunk.
    lock : bool or lock, optional
        Held while a dask chunk is written. True: a lock for dask's scheduler. Locks for several processes are
        those of dask.distributed, of a manager of `multiprocessing`, or of a `zchunk.ProcessSynchronizer`. An
        array whose `synchronizer` is a `zchunk.ProcessSynchronizer` needs none.
    compute : bool, optional
        Write now; otherwise when the result is computed.
    return_stored : bool, optional
        Return a dask array of the stored data.
    overwrite : bool, optional
        Replace what is already at the place of the new array.
    storage_options : dict, optional
        Options of the file system, if `target` is a URL.
    compute_kws : dict, optional
        Parameters of dask's `compute`, as ``{"scheduler": "threads"}``.
    **create_kws
        Parameters of `zchunk.create` for a new array. Its shape is that of `source`; by default its dtype
        is too. Its chunks are by default the largest of the dask chunks along every axis; with
        ``shards=True`` its shards are.

    Returns
    -------
    Array
        The array that was written into.
    dask.array.Array
        With `return_stored`: the stored data.
    dask.delayed.Delayed or dask.array.Array
        With `compute` false: an object that writes when it is computed.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        Something is already at the place of the new array, and `overwrite` is false.
    CopyError
        `source` is read from what would be replaced or changed.
    ReadOnlyError
        `target` was opened for reading.
    TypeError
        `source` is not a dask array, or `target` is an array and parameters for creating one are given.
    ValueError
        `source` does not have the shape of `target`, or of the `region`, or dask does not know its shape;
        other processes would write into the memory of this one, or into one stored chunk without a lock.
        Nothing is written then, nor created. With `compute` false, the computation raises it if it runs in
        other processes.

    Examples
    --------
    >>> import dask.array as da
    >>> import zchunk
    >>> import zchunk.dask
    >>> x = da.arange(100, chunks=25)
    >>> z = zchunk.dask.store(x, zchunk.MemoryStore())
    >>> z.chunks, int(z[99])
    ((25,), 99)
    >>> zchunk.dask.store(-x[:50], z, slice(50, None))[50:53]
    array([ 0, -1, -2])
    """
    _check(source, align)
    given = {"path": path, "storage_options": storage_options}
    if isinstance(target, Array):
        place = _place_there(source, target, {**given, "overwrite": overwrite or None, **create_kws})
    elif region is not None:
        raise TypeError("a region is of an array that is there; make it with zchunk.create")
    else:
        place = _place_of_new(source, target, overwrite, {**given, **create_kws})
    array = place.like
    slices = _normalized(region, array, source.shape)
    starts = tuple(part.start for part in slices)
    grid = array.metadata.grid
    if align == "rechunk":
        source = source.rechunk(_aligned(source.chunks, starts, grid))
    scheduler = (compute_kws or {}).get("scheduler")
    if lock is True:
        lock = get_scheduler_lock(collection=source, scheduler=scheduler)
    safe = bool(
        _is_aligned(source.chunks, starts, grid)
        or (lock and not _is_of_threads(lock))
        or isinstance(array.synchronizer, ProcessSynchronizer)
    )
    if compute:
        _check_scheduler(source, scheduler, array, place.chunks, safe)
    array = place.make()
    if return_stored:
        source = source.astype(array.dtype)
    # To mypy one is no array and the other no lock, but they have all that dask needs.
    into: Any = Target(array, None if safe else _this_process())
    held: Any = lock or False
    written: Any = da.store(
        source,
        into,
        lock=held,
        regions=slices,
        compute=compute,
        return_stored=return_stored,
        **(compute_kws or {}),
    )
    if compute and not return_stored:
        return array
    # Older versions of dask return a tuple of one.
    return written[0] if isinstance(written, tuple) else written


class _Place(NamedTuple):
    """The array that a dask array is written to.

    `like` is that array, or an equal one in memory; `make` returns the array, and creates it if necessary.
    `chunks` is the store of the chunks.
    """

    chunks: Store
    like: Array
    make: Callable[[], Array]


def _place_there(source: da.Array, array: Array, given: dict[str, Any]) -> _Place:
    """Return an existing array, if no parameters for creating one are given."""
    if wrong := [name for name, value in given.items() if value is not None]:
        raise TypeError(f"{array!r} is there already: it takes no {', '.join(wrong)}")
    array._check_writable()
    check_not_read(arrays_in(source.dask), array, _ADVICE)
    return _Place(array.chunk_store, array, lambda: array)


def _place_of_new(source: da.Array, target: StoreLike, overwrite: bool, given: dict[str, Any]) -> _Place:
    """Return the place where an array can be created; what is there now stays until then."""
    options = given["storage_options"]
    store, path = open_store(target, "a", options), normalize_path(given["path"])
    check_apart(arrays_in(source.dask), store, path, _ADVICE)
    version = given.pop("zarr_version", None) or given.get("zarr_format")
    parameters = given | {"zarr_format": format_for(store, path, version).version, "shape": source.shape}
    _set_chunks(parameters, tuple(max(1, *sizes) for sizes in source.chunks))
    parameters.setdefault("dtype", source.dtype)
    chunks = open_store(parameters.get("chunk_store") or store, "a", options)
    like = create(**parameters | {"store": MemoryStore(), "chunk_store": None})
    make = partial(create, store=store, overwrite=overwrite, **parameters)
    return _Place(chunks, like, make)


class Target:
    """A stored array, as tasks write it.

    Parameters
    ----------
    array : Array
        The array.
    process : str, optional
        The only process whose tasks may write, if two of them may write one stored chunk.
    shared : bool, optional
        Whether other processes see the same chunks, if that is known.
    """

    def __init__(self, array: Array, process: str | None, shared: bool = False) -> None:
        self._array = array
        self._process = process
        self._shared = shared
        self._token = new_token()

    def __setitem__(self, selection: Any, items: Any) -> None:
        if self._process not in (None, _this_process()):
            raise _unsafe(self._array)
        self._array[selection] = items

    def __getitem__(self, selection: Any) -> Any:
        return self._array[selection]

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._shared:
            if not _takes_processes(self._array.chunk_store):
                raise _of_this_process(self._array.chunk_store)
            self._shared = True
        return type(self), (self._array, self._process, True)

    def __dask_tokenize__(self) -> str:
        # No task that writes equals an earlier one. The token of the array would look at all files.
        return self._token


def _check(source: object, align: str | None) -> None:
    if not isinstance(source, da.Array):
        raise TypeError(f"what is stored is a {type(source).__name__}, not a dask array")
    if np.isnan(source.shape).any():
        raise ValueError(f"dask does not know the shape of {source!r}: call its compute_chunk_sizes() before")
    if align not in (None, "rechunk"):
        raise ValueError(f"align is {align!r:.80}, not 'rechunk' or None")


def _is_of_threads(lock: object) -> bool:
    """Whether a lock is a different one in another process. (Locks of `threading` do not pickle.)"""
    return isinstance(lock, SerializableLock) or (isinstance(lock, KeyLock) and lock.file is None)


def _check_scheduler(source: object, scheduler: object, array: Array, holds: Store, safe: bool) -> None:
    """Raise `ValueError` if dask's scheduler would write in a place or in a way that loses data."""
    get = get_scheduler(collections=[source], scheduler=scheduler)
    if get in (threaded.get, local.get_sync):
        return
    if not _takes_processes(holds):
        raise _of_this_process(holds)
    if not safe and not _is_here(get):
        raise _unsafe(array)


def _takes_processes(store: Store) -> bool:
    return store.many_writers and is_shared(store)


def _is_here(get: object) -> bool:
    """Whether dask's scheduler is a client of workers that are threads of this process."""
    client = getattr(get, "__self__", None)
    nthreads = getattr(client, "nthreads", None)
    workers = nthreads() if callable(nthreads) else ()
    return bool(workers) and all(address.startswith("inproc://") for address in workers)


def _of_this_process(holds: Store) -> ValueError:
    return ValueError(
        f"dask's workers are, or may be, other processes, and {holds!r:.200} is written by one: "
        "write to a folder or URL, or with scheduler='threads'"
    )


def _unsafe(array: Array) -> ValueError:
    return ValueError(
        f"dask chunks share stored chunks of {array!r}, which are {array.metadata.grid.text}, and "
        "processes that write one at the same time lose items: use align='rechunk', lock=True, or a "
        "zchunk.ProcessSynchronizer as the array's synchronizer"
    )


# ---- chunks


def _set_chunks(create_kws: dict[str, Any], largest: tuple[int, ...]) -> None:
    """Set the chunks of a new array, as far as the user does not give them."""
    shards = create_kws.get("shards")
    if "chunks" not in create_kws and (shards is True or (isinstance(shards, str) and shards == "auto")):
        create_kws["shards"] = largest
    elif not shards:
        create_kws.setdefault("chunks", largest)


def _normalized(region: Any, array: Array, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return a user's `region` with a start and a stop for every axis, if an array of this shape fits it."""
    parts = list(region) if isinstance(region, tuple) else [] if region is None else [region]
    if not all(isinstance(part, slice) and part.step in (None, 1) for part in parts):
        raise ValueError(f"region is {region!r:.80}, not a slice, or a tuple of them, with steps of 1")
    if len(parts) > array.ndim:
        raise ValueError(f"region {region!r:.80} has {len(parts)} axes, and {array!r} has {array.ndim}")
    parts += [slice(None)] * (array.ndim - len(parts))
    bounds = [part.indices(length)[:2] for part, length in zip(parts, array.shape, strict=True)]
    found = tuple(slice(start, max(start, stop)) for start, stop in bounds)
    lengths = tuple(part.stop - part.start for part in found)
    if lengths != shape:
        raise ValueError(f"a dask array of shape {shape} does not fit the shape {lengths} in {array!r}")
    return found


# Lengths of the dask chunks, along every axis.
_Sizes: TypeAlias = tuple[tuple[int, ...], ...]


def _cuts(sizes: tuple[int, ...], start: int) -> Iterator[int]:
    """Yield the positions in the array at which dask chunks begin, along an axis."""
    return accumulate(sizes[:-1], initial=start)


def _is_aligned(chunks: _Sizes, starts: tuple[int, ...], grid: Grid) -> bool:
    """Whether no two dask chunks lie in one stored chunk."""
    return all(
        cut in (start, grid.begin_of(axis, cut))
        for axis, (sizes, start) in enumerate(zip(chunks, starts, strict=True))
        for cut in _cuts(sizes, start)
    )


def _aligned(chunks: _Sizes, starts: tuple[int, ...], grid: Grid) -> _Sizes:
    """Return lengths of dask chunks, close to the present ones, of which no two lie in one stored chunk."""
    result = []
    for axis, (sizes, start) in enumerate(zip(chunks, starts, strict=True)):
        cuts = {max(grid.begin_of(axis, cut), start) for cut in _cuts(sizes, start)}
        ends = [*sorted(cuts), start + sum(sizes)]
        result.append(tuple(stop - begin for begin, stop in pairwise(ends)))
    return tuple(result)
