"""`ZchunkCodecPipeline`: what zarr-python calls to read and write the chunks of a selection.

All of a selection is one call of the engine, outside of zarr-python's event loop. Whatever is not for the
engine goes to the pipeline that zarr-python would have used, and so does what went wrong: its results and its
errors are those that programs expect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Self, cast, overload

import numpy as np
from zarr.abc.codec import CodecPipeline
from zarr.core import sync
from zarr.core.array import create_codec_pipeline
from zarr.core.buffer import cpu
from zarr.core.config import config
from zarr.registry import register_pipeline

from zchunk._ext.memory.results import is_replaceable
from zchunk._ext.selection.slices import Plan
from zchunk.engine import execute
from zchunk.engine.array import ChunkedArray
from zchunk.errors import ZchunkError
from zchunk.storage.base import Store
from zchunk.wings.zarr_pipeline.arrays import Source, find_source, items_of
from zchunk.wings.zarr_pipeline.batches import find_selection
from zchunk.wings.zarr_pipeline.stores import is_near
from zchunk.wings.zarr_pipeline.versions import DEFAULT_PATH, check_known

Items = np.ndarray[Any, Any]

# The setting of zarr-python that names the pipeline for what zchunk leaves to it.
FALLBACK_KEY = "codec_pipeline.fallback"
# What may go wrong in the engine: the rest, such as Ctrl-C, is not to be tried again.
FAILURES = (ZchunkError, OSError, ValueError, TypeError, IndexError, OverflowError)
# Work that is done at once in zarr-python's own event loop: to hand one chunk to a thread takes longer.
_AT_ONCE_ITEMS, _AT_ONCE_CHUNK = 1 << 16, 1 << 20

# How often zchunk read and wrote, and how often zarr-python did: threads may miss a count.
calls = dict.fromkeys(("native_reads", "native_writes", "other_reads", "other_writes"), 0)


class ZchunkCodecPipeline(CodecPipeline):  # type: ignore[misc]
    """A codec pipeline of zarr-python that reads and writes by zchunk's engine.

    Arrays are read and written natively if their items have a fixed size, and zchunk has their codecs and
    reaches what is in their store. For all others zarr-python does what it does without this class, by the
    pipeline that its setting ``codec_pipeline.fallback`` names, or its default one.

    Examples
    --------
    >>> import zarr
    >>> import zchunk.zarr_pipeline
    >>> with zarr.config.set({"codec_pipeline.path": "zchunk.zarr_pipeline.ZchunkCodecPipeline"}):
    ...     z = zarr.create_array("run.zarr", shape=(4, 4), chunks=(2, 2), dtype="i4")
    >>> before = zchunk.zarr_pipeline.calls["native_writes"]
    >>> z[...] = 7
    >>> zchunk.zarr_pipeline.calls["native_writes"] - before
    1
    >>> int(z[3, 3])
    7
    """

    # By which zarr-python's settings and pickles know it.
    __module__ = "zchunk.zarr_pipeline"

    def __init__(self, metadata: Any, store: Any) -> None:
        self._metadata = metadata
        self._store = store
        # Made now, for it warns of what is wrong with codecs. It comes from `from_codecs` below.
        self._own = create_codec_pipeline(metadata)
        self._found: Source | None = None
        self._looked = False

    @property
    def source(self) -> Source | None:
        """The array as zchunk has it; None if it is not for zchunk."""
        if not self._looked:
            self._found = find_source(self._metadata, self._store)
            self._looked = True
        return self._found

    def __getstate__(self) -> dict[str, Any]:
        return {"_metadata": self._metadata, "_store": self._store, "_own": self._own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _found=None, _looked=False)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._own == other._own

    def __hash__(self) -> int:
        return hash(self._own)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} before {self._own!r}>"

    # ---- what zarr-python makes of it

    @classmethod
    def from_array_metadata_and_store(cls, array_metadata: Any, store: Any) -> Self:
        """Return the pipeline of an array.

        Parameters
        ----------
        array_metadata : ArrayV2Metadata or ArrayV3Metadata
            Of zarr-python.
        store : zarr.abc.store.Store
            Of the array.

        Raises
        ------
        NotImplementedError
            This version of zarr-python is not known; then it goes on without.
        """
        if not check_known():
            raise NotImplementedError
        return cls(array_metadata, store)

    @classmethod
    def from_codecs(cls, codecs: Iterable[Any]) -> Any:
        """Return zarr-python's own pipeline: these are codecs within a shard, or of an unknown version.

        Parameters
        ----------
        codecs : iterable of zarr.abc.codec.Codec
            In the order of encoding.
        """
        return _own_class().from_codecs(codecs)

    def evolve_from_array_spec(self, array_spec: Any) -> Self:
        """Return this pipeline, which knows its array.

        Parameters
        ----------
        array_spec : ArraySpec
            Of zarr-python.
        """
        return self

    # ---- what is zarr-python's in any case

    def __iter__(self) -> Iterator[Any]:
        return iter(self._own)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._own, name)

    @property
    def supports_partial_decode(self) -> bool:
        """Whether zarr-python's pipeline decodes parts of chunks."""
        return bool(self._own.supports_partial_decode)

    @property
    def supports_partial_encode(self) -> bool:
        """Whether zarr-python's pipeline encodes parts of chunks."""
        return bool(self._own.supports_partial_encode)

    def validate(self, **facts: Any) -> None:
        """Raise what zarr-python's pipeline raises for an array that its codecs cannot have.

        Parameters
        ----------
        **facts
            Shape, dtype and chunk grid.
        """
        self._own.validate(**facts)

    def compute_encoded_size(self, byte_length: int, array_spec: Any) -> int:
        """Return how many bytes zarr-python makes of so many.

        Parameters
        ----------
        byte_length : int
            Of a chunk.
        array_spec : ArraySpec
            Of zarr-python.
        """
        return int(self._own.compute_encoded_size(byte_length, array_spec))

    async def decode(self, chunk_bytes_and_specs: Iterable[Any]) -> Iterable[Any]:
        """Return decoded chunks, by zarr-python.

        Parameters
        ----------
        chunk_bytes_and_specs : iterable of tuple
            Buffers, or None, and what chunks they are of.
        """
        found: Iterable[Any] = await self._own.decode(chunk_bytes_and_specs)
        return found

    async def encode(self, chunk_arrays_and_specs: Iterable[Any]) -> Iterable[Any]:
        """Return encoded chunks, by zarr-python.

        Parameters
        ----------
        chunk_arrays_and_specs : iterable of tuple
            Arrays, or None, and what chunks they are.
        """
        found: Iterable[Any] = await self._own.encode(chunk_arrays_and_specs)
        return found

    # ---- reading and writing

    async def read(
        self, batch_info: Iterable[Any], out: Any, drop_axes: tuple[int, ...] = ()
    ) -> Sequence[Any] | None:
        """Read what a batch selects.

        Parameters
        ----------
        batch_info : iterable of tuple
            Per chunk its place, what it is, what is selected of it, where that goes, and whether it is all.
        out : NDBuffer
            Of zarr-python, filled with the items.
        drop_axes : tuple of int, optional
            Axes that the result does not have.

        Returns
        -------
        sequence of dict
            Per chunk a ``"status"``, ``"present"`` or ``"missing"``. None from versions that have none.
        """
        batch = batch_info if isinstance(batch_info, list) else list(batch_info)
        # First, while nothing here refers to the items.
        fresh = type(out) is cpu.NDBuffer and is_replaceable(out, "_data")
        items = items_of(out)
        if batch and items is not None and self.source is not None:
            work = partial(self._read_native, batch, out, items, fresh, drop_axes)
            found = await self._do(work, len(batch), items.nbytes)
            if found is not None:
                calls["native_reads"] += 1
                return cast("Sequence[Any]", found)
        calls["other_reads"] += 1
        return cast("Sequence[Any] | None", await self._own.read(batch, out, drop_axes))

    async def write(self, batch_info: Iterable[Any], value: Any, drop_axes: tuple[int, ...] = ()) -> None:
        """Write what a batch selects.

        Parameters
        ----------
        batch_info : iterable of tuple
            As for `read`.
        value : NDBuffer
            Of zarr-python: the items, or one for all.
        drop_axes : tuple of int, optional
            Axes that the value does not have.
        """
        batch = batch_info if isinstance(batch_info, list) else list(batch_info)
        items = items_of(value)
        if batch and items is not None and self.source is not None and self.source.is_writable:
            work = partial(self._write_native, batch, items, drop_axes)
            if await self._do(work, len(batch), items.nbytes):
                calls["native_writes"] += 1
                return
        calls["other_writes"] += 1
        await self._own.write(batch, value, drop_axes)

    async def _do(self, work: Callable[[], Any], chunks: int, nbytes: int) -> Any:
        """Work in a thread, so that the loop goes on; small work in zarr-python's own loop at once."""
        assert self._found is not None
        small = chunks == 1 and nbytes <= _AT_ONCE_ITEMS and is_near(self._store)
        if small and self._found.model.innermost.chunk_nbytes <= _AT_ONCE_CHUNK and _is_own_loop():
            return work()
        return await asyncio.to_thread(work)

    def _read_native(
        self, batch: list[Any], out: Any, items: Items, fresh: bool, drop_axes: tuple[int, ...]
    ) -> Sequence[Any] | None:
        assert self._found is not None
        try:
            found = find_selection(self._found, batch, drop_axes)
            if found is None or found.plan.shape != items.shape:
                return None
            array = self._found.array(found.path, batch[0][1].config)
            target = _as_kept(found.plan, items) if fresh else items
            if array is None or not read_into(array, found.plan, target):
                return None
        except FAILURES:
            return None
        if fresh:
            out._data = target
        return ({"status": "present"},) * len(batch) if array.missing_fails else _Statuses(array.store, batch)

    def _write_native(self, batch: list[Any], items: Items, drop_axes: tuple[int, ...]) -> bool:
        assert self._found is not None
        try:
            found = find_selection(self._found, batch, drop_axes)
            array = None if found is None else self._found.array(found.path, batch[0][1].config)
            if found is None or array is None:
                return False
            return write_from(self._found, array, found.plan, items)
        except FAILURES:
            return False


register_pipeline(ZchunkCodecPipeline)


def read_into(array: ChunkedArray, plan: Plan, items: Items) -> bool:
    """Read what a plan selects; False if the memory is not what the engine fills."""
    # Two dtypes are equal only if their byte order is.
    if items.dtype != array.metadata.dtype or not items.flags.writeable:
        return False
    execute.read(array, plan, items)
    return True


def _as_kept(plan: Plan, items: Items) -> Items:
    """Return an array like one that is not filled yet, in memory that serves the next result, too.

    NumPy's goes back to the system, which clears it for the next: half of the time of a bulk read.
    """
    flags = items.flags
    kept = plan.empty(items.dtype, "F" if flags.f_contiguous and not flags.c_contiguous else "C")
    return kept if kept.shape == items.shape else items


def write_from(source: Source, array: ChunkedArray, plan: Plan, items: Items) -> bool:
    """Write items to what a plan selects; False if they are not what the engine writes."""
    dtype = array.metadata.dtype
    if items.dtype != dtype:
        if items.dtype.newbyteorder("=") != dtype.newbyteorder("="):
            return False
        items = items.astype(dtype)
    if not array.write_empty_chunks and source.differs_from_fill(items):
        return False
    if items.shape != plan.shape:
        if items.shape:
            return False
        items = np.broadcast_to(items, plan.shape)
    execute.write(array, plan, items)
    return True


# ---- zarr-python's own


def _own_class() -> Any:
    """Return the class of pipelines that zarr-python uses for what is not for zchunk."""
    path = config.get(FALLBACK_KEY, default=None) or DEFAULT_PATH
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name)
    if found is ZchunkCodecPipeline:
        raise ValueError(f"{FALLBACK_KEY} is {path!r}: zchunk's pipeline cannot stand in for itself")
    return found


def _is_own_loop() -> bool:
    """Whether this runs in the event loop that zarr-python has for its synchronous functions."""
    return asyncio.get_running_loop() is sync.loop[0]


# ---- statuses


class _Statuses(Sequence[Any]):
    """Per chunk of a batch whether it is there: looked up when it is asked for, which nobody does as a rule.

    An array whose missing chunks are errors is not read this way.
    """

    def __init__(self, store: Store, batch: list[Any]) -> None:
        self._store = store
        self._batch = batch

    def __len__(self) -> int:
        return len(self._batch)

    @overload
    def __getitem__(self, index: int) -> dict[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[dict[str, str]]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple([self[k] for k in range(*index.indices(len(self)))])
        key = self._batch[index][0].path
        return {"status": "present" if key in self._store else "missing"}
