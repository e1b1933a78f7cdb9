"""How an array shows itself in a notebook: a table, and a drawing of its chunk grid.

The drawing is of the last three axes at most. Chunks that are stored are shaded, if listing them costs
little: a face of the drawing has the share of stored chunks behind each of its cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zchunk.core.info import escape, human_size
from zchunk.engine import listing
from zchunk.storage.memory import MemoryStore

if TYPE_CHECKING:
    from zchunk.core.array import Array
    from zchunk.engine.array import ChunkedArray
    from zchunk.spec.rectilinear_grid import Grid

# Cells along an axis: more lines would be a blot. Chunks that are listed at most.
_CELLS = 32
_LISTED = 4096
# Pixels of the longest axis, of the shortest, and around the drawing.
_LONG, _SHORT, _MARGIN = 170, 14, 44
# How far the depth axis goes to the right and down, for each pixel of it.
_RIGHT, _DOWN = 0.5, 0.32


class Axis(NamedTuple):
    """An axis of the drawing.

    Parameters
    ----------
    length : int
        Items along it.
    lines : list of float
        Where chunks begin and end, as parts of the axis from 0 to 1.
    thick : list of float
        Where shards begin and end.
    """

    length: int
    lines: list[float]
    thick: list[float]


def array_html(array: Array) -> str:
    """Return a table of an array's properties beside a drawing of its chunk grid.

    Examples
    --------
    >>> import zchunk
    >>> html = array_html(zchunk.zeros((4, 6), chunks=(2, 3)))
    >>> "<table" in html, "<svg" in html
    (True, True)
    """
    found = shares(array._current)
    left = 'style="text-align: left; vertical-align: top"'
    cells = "".join(
        f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(value)}</td></tr>"
        for name, value in _rows(array, found)
    )
    picture = drawing(array._metadata, None if found is None else found.shares)
    return (
        f'<div class="zchunk-array"><code>{escape(repr(array))}</code><table><tr>'
        f"<td {left}><table>{cells}</table></td><td {left}>{picture}</td></tr></table></div>"
    )


def _rows(array: Array, found: Stored | None) -> list[tuple[str, str]]:
    metadata = array._metadata
    rows = [
        ("Shape", str(array.shape)),
        ("Data type", str(array.dtype)),
        ("Chunks", metadata.grid_of_chunks.text),
        *([] if metadata.shards is None else [("Shards", metadata.grid.text)]),
    ]
    names = array.dimension_names or array.attrs.get("_ARRAY_DIMENSIONS")
    if isinstance(names, list | tuple):
        rows.insert(1, ("Dimensions", ", ".join(map(str, names))))
    what = "chunks" if metadata.shards is None else "shards"
    count = f"{metadata.grid.nchunks:,} {what}"
    rows.append(("Stored as", count if found is None else f"{count}, {found.number:,} stored"))
    codecs = [type(codec).__name__ for codec in (*(array.filters or ()), *array.compressors)]
    rows += [
        ("Bytes", human_size(array.nbytes)),
        ("Codecs", ", ".join(codecs) or "none"),
        ("Zarr format", str(array.zarr_format)),
    ]
    return rows


# ---- what is stored


class Stored(NamedTuple):
    """What is stored of an array.

    Parameters
    ----------
    number : int
        Chunks, or shards where there are some.
    shares : numpy.ndarray
        How many of those in each cell of the drawing are stored, from 0 to 1.
    """

    number: int
    shares: np.ndarray[Any, Any]


def shares(array: ChunkedArray) -> Stored | None:
    """Return what is stored; None if it would take long to know."""
    grid, store = array.metadata.grid, array.store
    cheap = store.root is not None or isinstance(store, MemoryStore)
    if not cheap or not 0 < grid.nchunks <= _LISTED:
        return None
    counts = grid.cdata_shape
    pools = [math.ceil(n / _CELLS) for n in counts]
    cells = np.zeros([math.ceil(n / pool) for n, pool in zip(counts, pools, strict=True)])
    whole, stored = np.zeros_like(cells), 0
    for coords in np.ndindex(*counts):
        whole[tuple([c // pool for c, pool in zip(coords, pools, strict=True)])] += 1
    for _, coords in listing.listed(array):
        if all(c < n for c, n in zip(coords, counts, strict=True)):
            cells[tuple([c // pool for c, pool in zip(coords, pools, strict=True)])] += 1
            stored += 1
    return Stored(stored, cells / whole)


# ---- the drawing


def drawing(metadata: Any, stored: np.ndarray[Any, Any] | None) -> str:
    """Return an SVG of a chunk grid; nothing for arrays without axes or items.

    Examples
    --------
    >>> import zchunk
    >>> svg = drawing(zchunk.zeros((9, 9, 9), chunks=3).metadata, None)
    >>> svg.startswith("<svg"), svg.count("<polygon")
    (True, 3)
    """
    ndim = metadata.ndim
    if not ndim or not metadata.size:
        return ""
    axes = [_axis(metadata, axis) for axis in range(max(ndim - 3, 0), ndim)]
    if stored is not None and ndim > 3:
        stored = stored.mean(axis=tuple(range(ndim - 3)))
    if len(axes) == 1:
        # A band.
        axes.insert(0, Axis(0, [0.0, 1.0], []))
        stored = None if stored is None else stored[None]
    sizes = _pixels([axis.length for axis in axes])
    faces = _faces(axes, sizes, stored)
    width = sizes[-1] + (sizes[0] * _RIGHT if len(axes) == 3 else 0)
    height = sizes[-2] + (sizes[0] * _DOWN if len(axes) == 3 else 0)
    body = "".join(faces) + _labels(axes, sizes) + _note(metadata, height)
    full = (round(width + 2 * _MARGIN), round(height + 2 * _MARGIN))
    return (
        f'<svg width="{full[0]}" height="{full[1]}" viewBox="{-_MARGIN} {-_MARGIN // 2} {full[0]} {full[1]}" '
        'xmlns="http://www.w3.org/2000/svg" style="color: inherit" '
        f'stroke="currentColor" font-size="11" font-family="sans-serif">{body}</svg>'
    )


def _axis(metadata: Any, axis: int) -> Axis:
    grid, inner = metadata.grid, metadata.grid_of_chunks
    thick = _bounds(grid, axis) if metadata.shards is not None else []
    fine = inner if inner.cdata_shape[axis] <= _CELLS else grid
    return Axis(metadata.shape[axis], _bounds(fine, axis), thick)


def _bounds(grid: Grid, axis: int) -> list[float]:
    """Return where chunks begin and end: of many, where so many of them do."""
    count, length = grid.cdata_shape[axis], grid.shape[axis]
    step = math.ceil(count / _CELLS)
    return [*(grid.span(axis, i, i + 1).start / length for i in range(0, count, step)), 1.0]


def _pixels(lengths: Sequence[int]) -> list[float]:
    """Return the sizes of axes in the drawing: the root of their length, so that short ones can be seen."""
    largest = math.sqrt(max(lengths))
    return [max(_LONG * math.sqrt(n) / largest, _SHORT) for n in lengths]


def _faces(axes: list[Axis], sizes: list[float], stored: np.ndarray[Any, Any] | None) -> list[str]:
    """Return the faces that can be seen: of two axes one, of three the front, the top and the side."""
    across, down = (1.0, 0.0), (0.0, 1.0)
    if len(axes) == 2:
        return [_face((0, 0), (axes[0], sizes[0], down), (axes[1], sizes[1], across), stored)]
    # The first axis goes to the back: up, and to the left.
    deep = (-_RIGHT, -_DOWN)
    corner = (sizes[0] * _RIGHT, sizes[0] * _DOWN)
    rows, columns, back = (axes[1], sizes[1], down), (axes[2], sizes[2], across), (axes[0], sizes[0], deep)
    front, top, side = (None if stored is None else stored.mean(axis=axis) for axis in (0, 1, 2))
    return [
        _face(corner, back, columns, top),
        _face(corner, back, rows, side),
        _face(corner, rows, columns, front),
    ]


_Edge = tuple[Axis, float, tuple[float, float]]


def _face(corner: tuple[float, float], first: _Edge, second: _Edge, stored: Any) -> str:
    """Return a face: its cells, shaded by what is stored of them, then the lines between them."""

    def point(a: float, b: float) -> tuple[float, float]:
        (_, n, (x1, y1)), (_, m, (x2, y2)) = first, second
        return corner[0] + a * n * x1 + b * m * x2, corner[1] + a * n * y1 + b * m * y2

    def shape(a: float, b: float, c: float, d: float, more: str) -> str:
        corners = (point(a, c), point(a, d), point(b, d), point(b, c))
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        return f'<polygon points="{text}" {more}/>'

    parts = [shape(0, 1, 0, 1, 'fill="#9aa7b4" fill-opacity="0.12" stroke-width="1.2"')]
    if stored is not None:
        edges = [_spread(axis, n) for (axis, _, _), n in zip((first, second), stored.shape, strict=True)]
        for i, j in np.argwhere(stored > 0).tolist():
            strength = f'fill="#2f7ebc" fill-opacity="{0.15 + 0.55 * stored[i, j]:.2f}" stroke="none"'
            (a, b), (c, d) = edges[0][i : i + 2], edges[1][j : j + 2]
            parts.append(shape(a, b, c, d, strength))
    for name, width in (("lines", 0.4), ("thick", 1.2)):
        path = []
        for at in getattr(first[0], name)[1:-1]:
            path.append((point(at, 0), point(at, 1)))
        for at in getattr(second[0], name)[1:-1]:
            path.append((point(0, at), point(1, at)))
        if path:
            text = "".join(f"M{a:.1f},{b:.1f}L{c:.1f},{d:.1f}" for (a, b), (c, d) in path)
            parts.append(f'<path d="{text}" stroke-width="{width}" fill="none"/>')
    return "".join(parts)


def _spread(axis: Axis, cells: int) -> list[float]:
    """Return where the cells of what is stored begin and end: at the lines, where these are as many."""
    for lines in (axis.thick, axis.lines):
        if len(lines) == cells + 1:
            return lines
    return [i / cells for i in range(cells + 1)]


def _labels(axes: list[Axis], sizes: list[float]) -> str:
    x, y = (sizes[0] * _RIGHT, sizes[0] * _DOWN) if len(axes) == 3 else (0.0, 0.0)
    width, height = sizes[-1], sizes[-2]
    texts = [(x + width / 2, y + height + 15, axes[-1].length, "middle")]
    if axes[-2].length:
        texts.append((x + width + 6, y + height / 2 + 4, axes[-2].length, "start"))
    if len(axes) == 3:
        texts.append((x / 2 - 4, height + y / 2 + 15, axes[0].length, "end"))
    return "".join(
        f'<text x="{a:.1f}" y="{b:.1f}" text-anchor="{anchor}" fill="currentColor" stroke="none">{n}</text>'
        for a, b, n, anchor in texts
    )


def _note(metadata: Any, height: float) -> str:
    """Return a line about the axes that are not drawn."""
    hidden = metadata.shape[:-3]
    if not hidden:
        return ""
    text = f"{' × '.join(map(str, hidden))} of these"
    return f'<text x="0" y="{height + 30:.1f}" fill="currentColor" stroke="none">{text}</text>'
