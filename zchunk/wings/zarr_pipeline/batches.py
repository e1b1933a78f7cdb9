"""What zarr-python selects: one plan of zchunk for the tuples that it hands to a codec pipeline.

Selections by integers and slices are recovered by `_ext.selection.batch`. Those by positions are put together
here, from the positions that the tuples have for each chunk.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from zarr.storage import StorePath

from zchunk._ext.selection.batch import plan_batch
from zchunk._ext.selection.positions import plan_orthogonal, plan_points
from zchunk._ext.selection.slices import Plan
from zchunk.wings.zarr_pipeline.arrays import Source

Indexes = np.ndarray[Any, np.dtype[np.int64]]
# Per chunk: its place, what it is, what is selected of it, where that is in the result, whether it is all.
Batch = list[tuple[Any, Any, Any, Any, bool]]


class Selected(NamedTuple):
    """What a batch selects: of the array at a path, by a plan."""

    path: str
    plan: Plan


def find_selection(source: Source, batch: Batch, drop_axes: tuple[int, ...]) -> Selected | None:
    """Return what a batch of zarr-python selects; None if that cannot be told."""
    if not batch or any(type(item) is not tuple or len(item) != 5 for item in (batch[0], batch[-1])):
        return None
    if type(batch[0][0]) is not StorePath or type(batch[-1][0]) is not StorePath:
        return None
    first, last = source.split(batch[0][0].path), source.split(batch[-1][0].path)
    if first is None or last is None or first[0] != last[0]:
        return None
    prefix, path, coords = first
    plan = None
    if not drop_axes and not _has_positions(batch[0]):
        store, edges = source.store, source.model.shards is None
        plan = plan_batch(
            batch, store, StorePath, prefix, source.separator, source.chunks, coords, last[2], edges
        )
    elif _has_positions(batch[0]):
        plan = _plan_positions(source, batch, prefix, drop_axes)
    return None if plan is None else Selected(path, plan)


def _has_positions(item: tuple[Any, ...]) -> bool:
    return any(isinstance(entry, np.ndarray) for entry in item[2])


# ---- by positions


def _plan_positions(source: Source, batch: Batch, prefix: str, drop_axes: tuple[int, ...]) -> Plan | None:
    coords = []
    for place, *_ in batch:
        found = source.split(place.path)
        if type(place) is not StorePath or place.store is not source.store or found is None:
            return None
        if found[0] != prefix:
            return None
        coords.append(found[2])
    if isinstance(batch[0][3], tuple):
        return _plan_mesh(source, batch, coords, drop_axes)
    return None if drop_axes else _plan_points(source, batch, coords)


def _plan_points(source: Source, batch: Batch, coords: list[tuple[int, ...]]) -> Plan | None:
    """Plan points, which zarr-python has sorted by chunk; the result has them in one axis."""
    ndim, chunks = len(source.chunks), source.chunks
    for _, _, inner, _, _ in batch:
        if len(inner) != ndim or any(e.ndim != 1 or e.shape != inner[0].shape for e in inner):
            return None
    places = np.concatenate([_places(outer) for _, _, _, outer, _ in batch])
    entries = []
    for d in range(ndim):
        positions = [item[2][d] + at[d] * chunks[d] for item, at in zip(batch, coords, strict=True)]
        entries.append(_arranged(positions, places))
    if any(entry is None for entry in entries):
        return None
    return plan_points(tuple(entries), _shape(chunks, coords), chunks, source.model.innermost.order)


def _plan_mesh(
    source: Source, batch: Batch, coords: list[tuple[int, ...]], drop_axes: tuple[int, ...]
) -> Plan | None:
    """Plan the product of what is selected along every axis, which every tuple has for one chunk."""
    ndim, chunks = len(source.chunks), source.chunks
    kept = [d for d in range(ndim) if d not in drop_axes]
    # Per axis what is selected of the chunks at an index, and where it is in the result.
    axes: list[dict[int, tuple[Indexes, Indexes]]] = [{} for _ in range(ndim)]
    for (_, _, inner, outer, _), at in zip(batch, coords, strict=True):
        if len(inner) != ndim or len(outer) != len(kept):
            return None
        for d in range(ndim):
            there = _places(inner[d])
            here = _places(outer[kept.index(d)]) if d in kept else np.zeros(1, np.int64)
            known = axes[d].setdefault(at[d], (there, here))
            if not np.array_equal(known[0], there) or not np.array_equal(known[1], here):
                return None
    if len(set(coords)) != len(batch) or math.prod(map(len, axes)) != len(batch):
        return None
    entries: list[Any] = []
    for d, found in enumerate(axes):
        positions = [there + index * chunks[d] for index, (there, _) in found.items()]
        entry = _arranged(positions, np.concatenate([here for _, here in found.values()]))
        if entry is None or (d in drop_axes and entry.size != 1):
            return None
        entries.append(int(entry[0]) if d in drop_axes else entry)
    return plan_orthogonal(tuple(entries), _shape(chunks, coords), chunks)


def _places(entry: Any) -> Indexes:
    """Return what selects along one axis as positions."""
    if isinstance(entry, slice):
        return np.arange(entry.start, entry.stop, entry.step or 1)
    found = np.asarray(entry)
    return np.flatnonzero(found) if found.dtype == bool else found.reshape(-1).astype(np.int64, copy=False)


def _arranged(positions: list[Indexes], places: Indexes) -> Indexes | None:
    """Return positions in the order of their places in the result; None if these are not all places there."""
    given = np.concatenate(positions)
    if given.shape != places.shape or (places < 0).any() or (places >= places.size).any():
        return None
    entry = np.full(places.shape, -1, np.int64)
    entry[places] = given
    return None if (entry < 0).any() else entry


def _shape(chunks: tuple[int, ...], coords: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape of an array that ends with the last of the chunks."""
    return tuple([(max(at) + 1) * n for at, n in zip(zip(*coords, strict=True), chunks, strict=True)])
