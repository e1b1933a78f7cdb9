"""Decomposition: an array that several processes write, each its own part."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, SupportsIndex

from zchunk.core.selections import Selections
from zchunk.errors import SelectionError
from zchunk.indexing.plans import plan_basic
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.near_names import says_near_names

if TYPE_CHECKING:
    from zchunk.spec import decomposition
    from zchunk.spec.decomposition import Region
    from zchunk.spec.rectilinear_grid import Grid
    from zchunk.typing import BasicSelection
else:
    decomposition = LazyModule("zchunk.spec.decomposition")


class Decomposition(Selections):
    """An array that is divided among processes.

    They may write at the same time as long as no two write to one chunk or, where there are shards, to one
    **shard**: it is replaced as a whole, and what another process put there meanwhile is lost.
    """

    @says_near_names
    def partition(self, n: SupportsIndex) -> list[tuple[slice, ...]]:
        """Divide the array among `n` processes that can write, or read, at the same time.

        Parameters
        ----------
        n : int
            How many processes there are.

        Returns
        -------
        list of tuple of slice
            For every process a region of whole chunks, or of whole shards where there are shards. Together
            they are the array, and no two overlap. All have about as many chunks; if there are fewer chunks
            than processes, the last regions are empty.

        Raises
        ------
        ValueError
            `n` is below 1, or the array has no axes and `n` is above 1.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((100, 60), chunks=(10, 20), shards=(40, 20), zarr_format=3)
        >>> for region in z.partition(3):
        ...     print(region)
        (slice(0, 40, None), slice(0, 60, None))
        (slice(40, 80, None), slice(0, 60, None))
        (slice(80, 100, None), slice(0, 60, None))
        """
        return decomposition.partition(self._metadata.grid, operator.index(n))

    @says_near_names
    def write(self, selection: BasicSelection, value: object, *, aligned: bool = True) -> None:
        """Assign to a region as ``z[selection] = value`` does, unless it shares a chunk or shard with others.

        So a process that writes its part of an array finds out if it could destroy the part of another one.

        Parameters
        ----------
        selection : tuple or single entry
            Per axis an integer or a slice; an Ellipsis.
        value : array-like
            Broadcast to the selection and converted to the array's dtype.
        aligned : bool, default True
            Refuse a region that is not made of whole chunks or, where there are shards, of whole shards.

        Raises
        ------
        SelectionError
            It is not; the error names the nearest region that is. Nothing was written.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((100, 60), chunks=(10, 20), shards=(40, 20), zarr_format=3)
        >>> z.write((slice(40, 80), slice(0, 20)), 1)
        >>> try:
        ...     z.write(slice(30, 60), 1)
        ... except zchunk.errors.SelectionError as error:
        ...     print(str(error).split(";")[1])
         the nearest region of whole shards is [40:80, 0:60]
        """
        if aligned:
            self._check_aligned(selection)
        self[selection] = value

    def _check_aligned(self, selection: Any) -> None:
        array = self._current
        grid = array.metadata.grid
        plan = plan_basic(selection, grid)
        spans = [axis[:3] for axis in plan.axes]
        if plan.size and not all(_is_aligned(grid, axis, *span) for axis, span in enumerate(spans)):
            region = tuple([_ends(*span) for span in spans])
            raise _shared(array.name, grid, region, "shard" if self.shards else "chunk")


def _ends(start: int, step: int, count: int) -> slice:
    last = start + step * (count - 1)
    return slice(min(start, last), max(start, last) + 1)


def _is_aligned(grid: Grid, axis: int, start: int, step: int, count: int) -> bool:
    """Whether the chunks along an axis that a selection touches are selected as a whole."""
    ends, extent = _ends(start, step, count), grid.shape[axis]
    begins = grid.begin_of(axis, ends.start) == ends.start
    whole = begins and (ends.stop == extent or grid.begin_of(axis, ends.stop) == ends.stop)
    return grid.largest[axis] == 1 or (whole and (count == 1 or abs(step) == 1))


def _shared(name: str, grid: Grid, region: Region, what: str) -> SelectionError:
    nearest = decomposition.nearest_aligned(grid, region)
    if any(part.start == part.stop for part in nearest):
        whole = [
            slice(grid.begin_of(axis, r.start), min(grid.end_of(axis, r.stop - 1), n))
            for axis, (r, n) in enumerate(zip(region, grid.shape, strict=True))
        ]
        advice = f"the {what}s that it lies in are {_text(whole)}"
    else:
        advice = f"the nearest region of whole {what}s is {_text(nearest)}"
    return SelectionError(
        f"region {_text(region)} of array {name!r} shares {what}s with other regions: its bounds lie inside "
        f"{what}s of {grid.text}; {advice}; z.partition(n) divides the array among n processes"
    )


def _text(region: Any) -> str:
    return f"[{', '.join(f'{part.start}:{part.stop}' for part in region)}]"
