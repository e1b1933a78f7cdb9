"""The chunk grids of Zarr v3: ``regular``, and ``rectilinear`` of the registry of extensions.

The second is written as zarr 3 writes it: equal lengths in a row are a pair of length and count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zchunk.errors import CodecError, MetadataError
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.v3.codecs import parse_lengths
from zchunk.metadata.v3.extension import Extension, check_members, parse_extension, render_extension
from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    from zchunk.spec import rectilinear_grid
    from zchunk.spec.rectilinear_grid import Edges
else:
    # Few arrays have such a grid.
    rectilinear_grid = LazyModule("zchunk.spec.rectilinear_grid")


def parse_grid(obj: object, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[Edges, ...] | None]:
    """Return `chunk_shape` and `edges` of the model for a chunk grid, as JSON, of an array of `shape`.

    Raises
    ------
    MetadataError
        It is not known, or none of such an array.
    """
    grid = parse_extension(obj, "chunk_grid")
    match grid.name:
        case "regular":
            check_members(grid, "chunk_grid", {"chunk_shape"})
            chunk_shape = parse_lengths(grid.configuration["chunk_shape"], "chunk_grid: chunk_shape", 1)
            if len(chunk_shape) != len(shape):
                raise MetadataError(f"shape has {len(shape)} axes, chunk_shape has {len(chunk_shape)}")
            return chunk_shape, None
        case "rectilinear":
            edges = _parse_edges(grid)
            if len(edges) != len(shape):
                raise MetadataError(f"shape has {len(shape)} axes, chunk_shapes has {len(edges)}")
            return rectilinear_grid.whole(shape), edges
    raise MetadataError(f"chunk_grid {grid.name!r:.80} is not known; 'regular' and 'rectilinear' are")


def _parse_edges(grid: Extension) -> tuple[Edges, ...]:
    check_members(grid, "chunk_grid", {"kind", "chunk_shapes"})
    kind, axes = grid.configuration["kind"], grid.configuration["chunk_shapes"]
    if kind != "inline":
        raise MetadataError(f"chunk_grid: kind is {kind!r:.80}, not 'inline'")
    if not isinstance(axes, list):
        raise MetadataError(f"chunk_grid: chunk_shapes is {axes!r:.80}, not a list")
    return tuple([tuple(map(_parse_edge, axis)) if isinstance(axis, list) else _count(axis) for axis in axes])


def _parse_edge(edge: object) -> int | tuple[int, int]:
    if not isinstance(edge, list):
        return _count(edge)
    if len(edge) != 2:
        raise MetadataError(f"chunk_grid: chunk_shapes has {edge!r:.80}, not a length and a count")
    return _count(edge[0]), _count(edge[1])


def _count(value: object) -> int:
    # bool is an int, but no length.
    if type(value) is not int or not 1 <= value < 2**63:
        raise MetadataError(f"chunk_grid: chunk_shapes has {value!r:.80}, not an integer from 1 to 2**63 - 1")
    return value


def largest_chunk(shape: tuple[int, ...], chunk_shape: tuple[int, ...], edges: Any) -> tuple[int, ...]:
    """Return the shape of the largest chunk of a grid."""
    return chunk_shape if edges is None else rectilinear_grid.RectilinearGrid(shape, edges).largest


def check_shards(meta: ArrayMetadata) -> None:
    """Raise `CodecError` unless each shard of a rectilinear grid can be cut into inner chunks."""
    if meta.edges is None or meta.shards is None:
        return
    grid: Any = meta.grid
    for axis, inner in enumerate(meta.shards.inner.chunk_shape):
        for n in grid.lengths(axis):
            if n % inner:
                raise CodecError(
                    f"codec 'sharding_indexed': inner chunks of {inner} along axis {axis} do not divide a "
                    f"shard of {n}"
                )


def render_grid(meta: ArrayMetadata) -> dict[str, Any]:
    """Return the JSON of the grid of an array."""
    if meta.edges is None:
        return render_extension("regular", {"chunk_shape": list(meta.chunk_shape)})
    return render_edges(meta.edges)


def render_edges(edges: tuple[Edges, ...]) -> dict[str, Any]:
    """Return the JSON of a rectilinear grid."""
    axes = [
        axis if isinstance(axis, int) else [e if isinstance(e, int) else list(e) for e in axis]
        for axis in edges
    ]
    return render_extension("rectilinear", {"kind": "inline", "chunk_shapes": axes})
