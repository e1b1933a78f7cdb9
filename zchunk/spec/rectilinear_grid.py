"""The rectilinear chunk grid: chunks whose lengths along an axis are listed one by one.

Lengths that follow each other and are equal are a run. Where the runs of all axes cross is a block of chunks
of one shape, and these are chunks of a regular array too: a chunk has the same coordinates, and so the same
key, in the regular grid of chunks of its shape. Only its items are at other positions there. So a selection
is split into one of a regular array for each block, for reading and for writing, and nothing is ever listed
chunk by chunk.
"""

from __future__ import annotations

import itertools
import math
import operator
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from zchunk.errors import MetadataError

if TYPE_CHECKING:
    from zchunk.spec.regular_grid import RegularGrid

# Of an axis, as in the metadata: the length of all chunks, or lengths and pairs of a length and how many
# chunks in a row have it.
Edges: TypeAlias = int | tuple[int | tuple[int, int], ...]

# More chunks along an axis are not listed.
_LISTED = 1 << 20
# Of so many runs and axes a text tells.
_TOLD = 8
# So many lengths are tried, of which all multiples may be bounds of chunks.
_TRIED = 4096


class Block(NamedTuple):
    """What a selection selects of a block of chunks, as a selection of a regular array.

    Parameters
    ----------
    chunk_shape : tuple of int
        Of the regular array.
    inner : tuple
        The selection: slices, or arrays of positions.
    outer : tuple
        Where its items go in the result, as an index of NumPy.
    """

    chunk_shape: tuple[int, ...]
    inner: tuple[Any, ...]
    outer: tuple[Any, ...]


# Of an axis: the run, what is selected of it as positions in the regular array, places in the result.
_Piece: TypeAlias = tuple[int, Any, Any]


class _Axis:
    """The runs of an axis, as far as it reaches."""

    def __init__(self, edges: Edges, length: int) -> None:
        self.length = length
        # Of every run: length of its chunks, where it begins, and which chunk that is.
        self.lengths: list[int] = []
        self.starts: list[int] = []
        self.firsts: list[int] = []
        self.count = position = 0
        for edge in ((edges, length),) if isinstance(edges, int) else edges:
            if position >= length:
                break
            n, count = (edge, 1) if isinstance(edge, int) else edge
            count = min(count, -(-(length - position) // n))
            if not self.lengths or self.lengths[-1] != n:
                self.lengths.append(n)
                self.starts.append(position)
                self.firsts.append(self.count)
            position += n * count
            self.count += count
            if self.count * n >= 2**63:
                raise MetadataError(f"the lengths of {self.count} chunks, one of them {n}, cannot be counted")
        if position < length:
            raise MetadataError(f"the chunks of an axis of length {length} have the length {position} in all")
        self.largest = max(self.lengths, default=_first(edges))
        self._begin = np.array(self.starts, np.int64)

    def run_at(self, position: int) -> int:
        return bisect_right(self.starts, position) - 1

    def run_of(self, chunk: int) -> int:
        return bisect_right(self.firsts, chunk) - 1

    def stop(self, run: int) -> int:
        return self.starts[run + 1] if run + 1 < len(self.starts) else self.length

    def shift(self, run: int) -> int:
        """What is added to positions in a run for those in the regular array."""
        return self.firsts[run] * self.lengths[run] - self.starts[run]

    def start_of(self, chunk: int) -> int:
        """Position where a chunk begins; the length of the axis if it is behind the last."""
        if chunk >= self.count:
            return self.length
        run = self.run_of(chunk)
        return chunk * self.lengths[run] - self.shift(run)

    def runs(self) -> Iterator[tuple[int, int]]:
        """Yield lengths, and how many chunks have them; the last chunk ends where the axis does."""
        for run, n in enumerate(self.lengths):
            whole, rest = divmod(self.stop(run) - self.starts[run], n)
            if whole:
                yield n, whole
            if rest:
                yield rest, 1

    def pieces(self, inner: Any, outer: Any) -> list[_Piece]:
        """Split a selection: a slice that goes forwards, or positions that ascend."""
        if isinstance(inner, slice):
            return list(self._split_slice(inner, outer.start))
        if len(self.starts) == 1:
            return [(0, inner, outer)]
        # Where in the positions each run begins.
        at = np.searchsorted(inner, self._begin).tolist()
        ends = [*at[1:], len(inner)]
        return [
            (run, inner[a:b] + self.shift(run), outer[a:b])
            for run, (a, b) in enumerate(zip(at, ends, strict=True))
            if a < b
        ]

    def _split_slice(self, inner: slice, place: int) -> Iterator[_Piece]:
        position, step = inner.start, inner.step
        while position < inner.stop:
            run = self.run_at(position)
            count = -(-(min(self.stop(run), inner.stop) - position) // step)
            last, shift = position + (count - 1) * step, self.shift(run)
            yield run, slice(position + shift, last + shift + 1, step), slice(place, place + count)
            position, place = last + step, place + count

    def runs_at(self, positions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.searchsorted(self._begin, positions, side="right") - 1

    def extent(self, n: int) -> int:
        """Length of the axis of the regular array whose chunks have the length `n`."""
        if self.lengths and self.lengths[-1] == n:
            # Its last chunk ends where this axis does.
            return self.length + self.shift(len(self.lengths) - 1)
        return min(self.count * n, 2**63 - 1)

    def step(self) -> int:
        """Return the least length, as far as that is quickly found, all multiples of which are bounds."""
        whole = max(self.length, 1)
        if len(self.lengths) == 1:
            return min(self.lengths[0], whole)
        if self.count > _LISTED:
            return whole
        lengths = [n for n, count in self.runs() for _ in range(count)]
        ends = np.cumsum(lengths)
        # A chunk lies between two multiples, so there are no more of these than chunks.
        for step in ends[ends >= max(lengths, default=0)][:_TRIED].tolist():
            multiples = np.arange(step, self.length, step)
            if np.array_equal(ends[np.searchsorted(ends, multiples)], multiples):
                return int(step)
        return whole


class RectilinearGrid:
    """Chunks that cover an array from its origin, by their lengths along every axis.

    Parameters
    ----------
    shape : tuple of int
        Length of every axis.
    edges : tuple of Edges
        The lengths of chunks along every axis. The last may reach beyond the array, and more may follow.

    Raises
    ------
    MetadataError
        They do not cover the array, or are more or longer than can be counted.
    """

    def __init__(self, shape: tuple[int, ...], edges: tuple[Edges, ...]) -> None:
        self.shape = shape
        self._axes = [_Axis(e, n) for e, n in zip(edges, shape, strict=True)]

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """All of the array: a selection is planned as if it were one chunk, and split then."""
        return whole(self.shape)

    @property
    def cdata_shape(self) -> tuple[int, ...]:
        """Number of chunks along every axis."""
        return tuple([axis.count for axis in self._axes])

    @property
    def nchunks(self) -> int:
        """Number of chunks; 1 for a 0-d array."""
        return math.prod(self.cdata_shape)

    @property
    def largest(self) -> tuple[int, ...]:
        """The greatest length of a chunk along every axis."""
        return tuple([axis.largest for axis in self._axes])

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Length of every chunk along every axis, as dask has it: together as long as the axis."""
        if any(axis.count > _LISTED for axis in self._axes):
            raise MetadataError(f"there are {self.cdata_shape} chunks, too many to list along an axis")
        return tuple(
            tuple(itertools.chain.from_iterable(itertools.repeat(*run) for run in axis.runs()))
            for axis in self._axes
        )

    @property
    def text(self) -> str:
        """`chunks` for people: ``((5*3, 2), (4,))``, equal lengths as a product."""
        axes = []
        for axis in self._axes:
            runs = list(itertools.islice(axis.runs(), _TOLD + 1))
            told = [str(n) if count == 1 else f"{n}*{count}" for n, count in runs[:_TOLD]]
            told += ["..."] if len(runs) > _TOLD else []
            axes.append(f"({told[0]},)" if len(told) == 1 else f"({', '.join(told)})")
        return f"({axes[0]},)" if len(axes) == 1 else f"({', '.join(axes)})"

    def lengths(self, axis: int) -> set[int]:
        """Return the lengths that chunks have along an axis."""
        return set(self._axes[axis].lengths)

    def shape_of(self, coords: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of a chunk, with what of it lies beyond the array."""
        return tuple(a.lengths[a.run_of(c)] for a, c in zip(self._axes, coords, strict=True))

    def span(self, axis: int, first: int, stop: int) -> slice:
        """Return the positions along an axis of the chunks from `first` to before `stop`."""
        return slice(self._axes[axis].start_of(first), self._axes[axis].start_of(stop))

    def begin_of(self, axis: int, position: int) -> int:
        """Return where along an axis the chunk with a position begins."""
        found = self._axes[axis]
        if not found.starts:
            return position
        run = found.run_at(position)
        return position - (position - found.starts[run]) % found.lengths[run]

    def end_of(self, axis: int, position: int) -> int:
        """Return where along an axis the chunk with a position ends, which may be beyond the array."""
        found = self._axes[axis]
        run = found.run_at(position)
        return position + found.lengths[run] - (position - found.starts[run]) % found.lengths[run]

    @property
    def steps(self) -> tuple[int, ...]:
        """Lengths along every axis, all multiples of which, within the array, are bounds of chunks."""
        return tuple([axis.step() for axis in self._axes])

    def extents(self, chunk_shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the regular array that has the chunks of one shape, up to where this ends."""
        return tuple([axis.extent(n) for axis, n in zip(self._axes, chunk_shape, strict=True)])

    # ---- selections

    def split(
        self, inner: tuple[Any, ...], outer: tuple[Any, ...], ranges: tuple[int, ...] | None = None
    ) -> tuple[int, Iterator[Block]]:
        """Split a part of a plan, whose one chunk is the array.

        Parameters
        ----------
        inner, outer : tuple
            Those of a `ChunkPart`.
        ranges : tuple of int, optional
            If points are selected, the axes along which there are ranges instead.

        Returns
        -------
        count : int
            Number of blocks.
        blocks : iterator of Block
        """
        if ranges is not None:
            return self._split_points(inner, outer, ranges)
        meshed = any(not isinstance(entry, slice) for entry in outer)
        if meshed:
            inner, outer = (tuple([e.reshape(-1) for e in entries]) for entries in (inner, outer))
        pieces = [axis.pieces(i, o) for axis, i, o in zip(self._axes, inner, outer, strict=True)]
        return math.prod(map(len, pieces)), self._products(pieces, meshed)

    def _products(self, pieces: list[list[_Piece]], meshed: bool) -> Iterator[Block]:
        for product in itertools.product(*pieces):
            runs, inner, outer = zip(*product, strict=True) if product else ((), (), ())
            yield self._block(runs, inner, _mesh(outer) if meshed else outer)

    def _split_points(
        self, inner: tuple[Any, ...], outer: tuple[Any, ...], ranges: tuple[int, ...]
    ) -> tuple[int, Iterator[Block]]:
        places, *along = [entry.reshape(-1) for entry in outer]
        index = [entry.reshape(-1) for entry in inner]
        pointed = [axis for axis in range(len(index)) if axis not in ranges]
        runs = [self._axes[axis].runs_at(index[axis]) for axis in pointed]
        # Equal where all runs are; below the number of points after each axis, so that it can be counted.
        key = np.zeros(len(places), np.int64)
        for axis, run in zip(pointed, runs, strict=True):
            key = np.unique(key * len(self._axes[axis].starts) + run, return_inverse=True)[1].reshape(-1)
        order = np.argsort(key, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(key[order])) + 1)
        pieces = [self._axes[axis].pieces(index[axis], o) for axis, o in zip(ranges, along, strict=True)]

        def blocks() -> Iterator[Block]:
            for group in groups:
                found: dict[int, tuple[int, Any]] = {}
                for axis, run in zip(pointed, runs, strict=True):
                    number = int(run[group[0]])
                    found[axis] = number, index[axis][group] + self._axes[axis].shift(number)
                for product in itertools.product(*pieces):
                    found |= {axis: (run, i) for axis, (run, i, _) in zip(ranges, product, strict=True)}
                    numbers, selected = zip(*[found[axis] for axis in range(len(index))], strict=True)
                    into = [slice(int(o[0]), int(o[-1]) + 1) for _, _, o in product]
                    yield self._block(numbers, selected, (places[group], *into))

        return len(groups) * math.prod(map(len, pieces)), blocks()

    def _block(self, runs: Sequence[int], inner: tuple[Any, ...], outer: tuple[Any, ...]) -> Block:
        lengths = tuple([axis.lengths[run] for axis, run in zip(self._axes, runs, strict=True)])
        return Block(lengths, inner, outer)


def _first(edges: Edges) -> int:
    if isinstance(edges, int):
        return edges
    return 1 if not edges else edges[0] if isinstance(edges[0], int) else edges[0][0]


def whole(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the one chunk that an array of `shape` would be."""
    return tuple([max(n, 1) for n in shape])


# ---- edges


class ChunkShapes:
    """The chunks of an array with a rectilinear grid, for one that is to have the same.

    Parameters
    ----------
    chunk_shapes : tuple of Edges
        Lengths as the metadata have them: they may reach beyond the array. (The name is zarr 3's.)
    largest : tuple of int
        The greatest length along every axis, for arrays of another shape.
    """

    def __init__(self, chunk_shapes: tuple[Edges, ...], largest: tuple[int, ...]) -> None:
        self.chunk_shapes = chunk_shapes
        self.largest = largest

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.chunk_shapes!r:.200})"


def normalize_edges(
    chunks: Any, shape: tuple[int, ...], unit: tuple[int, ...] | None = None, what: str = "chunks"
) -> tuple[Edges, ...]:
    """Return a user's `chunks`, which list lengths along an axis, as the metadata have them.

    Parameters
    ----------
    chunks : sequence or object
        Per axis the lengths of all chunks, as long together as the axis, if that has items; or one length for
        all; None or -1 is the axis' length. Axes beyond its end are not cut. Or an object of zarr 3, or of
        `ChunkShapes`, which has what the metadata of another array have.
    shape : tuple of int
        The array's shape.
    unit : tuple of int, optional
        What the length of a whole axis is rounded up to: chunks, for shards.
    what : str, optional
        The parameter that errors name.

    Examples
    --------
    >>> normalize_edges([[10, 10, 30], 5, -1], (50, 60, 7))
    (((10, 2), 30), 5, 7)
    """
    if hasattr(chunks, "chunk_shapes"):
        return tuple([e if isinstance(e, int) else _in_runs(e) for e in chunks.chunk_shapes])
    entries = [*chunks]
    if len(entries) > len(shape):
        raise ValueError(f"{what} {chunks!r:.80} has more entries than shape {shape} has axes")
    entries += [None] * (len(shape) - len(entries))
    found: list[Edges] = []
    for axis, (entry, length, n) in enumerate(zip(entries, shape, unit or (1,) * len(shape), strict=True)):
        if entry is None or (_is_number(entry) and entry == -1):
            found.append(max(-(-length // n), 1) * n)
        elif isinstance(entry, Iterable) and not isinstance(entry, str | bytes) and not _is_number(entry):
            found.append(_listed(entry, length, f"{what} along axis {axis}"))
        else:
            found.append(_length(entry, f"{what} along axis {axis}"))
    return tuple(found)


def lengths_of(edges: Edges) -> set[int]:
    """Return the lengths that chunks have along an axis, also those beyond the array."""
    return {edges} if isinstance(edges, int) else {e if isinstance(e, int) else e[0] for e in edges}


def _is_number(entry: Any) -> bool:
    # An array of NumPy can be an index, if it has no axes.
    return hasattr(entry, "__index__") and not isinstance(entry, bool | np.bool_) and np.ndim(entry) == 0


def _listed(entries: Iterable[Any], length: int, what: str) -> Edges:
    lengths = [_length(n, what) for n in entries]
    if not lengths:
        raise ValueError(f"{what} lists no lengths")
    total = sum(lengths)
    # Without items they say what the axis grows into.
    if total != length and length:
        raise ValueError(f"{what} lists {lengths!r:.80}, {total} items in all, and the axis has {length}")
    return _in_runs(lengths)


def _length(value: Any, what: str) -> int:
    number = operator.index(value) if _is_number(value) else -1
    if not 1 <= number < 2**63:
        raise ValueError(f"{what} has {value!r:.80}, not an integer from 1 to 2**63 - 1")
    return number


def _in_runs(edges: Iterable[int | tuple[int, int]]) -> tuple[int | tuple[int, int], ...]:
    """Return lengths as zarr 3 writes them: those that follow each other and are equal are counted."""
    found: list[tuple[int, int]] = []
    for edge in edges:
        n, count = edge if isinstance(edge, tuple | list) else (edge, 1)
        if found and found[-1][0] == n:
            count += found.pop()[1]
        found.append((operator.index(n), operator.index(count)))
    return tuple([n if count == 1 else (n, count) for n, count in found])


def resized(edges: tuple[Edges, ...], shape: tuple[int, ...], unit: tuple[int, ...]) -> tuple[Edges, ...]:
    """Return the edges of an array that becomes another shape, as in zarr 3.

    All that are there stay. Where an axis reaches beyond them, one chunk is added for the rest, which is
    rounded up to whole `unit`: chunks, for shards.

    Examples
    --------
    >>> resized(((10, 20), 5), (50, 50), (1, 1))
    ((10, (20, 2)), 5)
    """
    return tuple([_extended(*each) for each in zip(edges, shape, unit, strict=True)])


def _extended(edges: Edges, length: int, unit: int) -> Edges:
    if isinstance(edges, int):
        return edges
    missing = length - sum([e if isinstance(e, int) else e[0] * e[1] for e in edges])
    return _in_runs([*edges, -(-missing // unit) * unit]) if missing > 0 else edges


def _mesh(outer: tuple[np.ndarray[Any, Any], ...]) -> tuple[Any, ...]:
    """Return an index of the product of places: slices, which copy nothing, if the places ascend by one."""
    ascending = [len(o) == o[-1] - o[0] + 1 and (np.diff(o) == 1).all() for o in outer]
    if all(ascending):
        return tuple([slice(int(o[0]), int(o[-1]) + 1) for o in outer])
    return np.ix_(*outer)


if TYPE_CHECKING:
    Grid: TypeAlias = RegularGrid | RectilinearGrid
