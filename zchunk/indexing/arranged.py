"""A plan whose result has its axes in another order, or new ones; where those are not, a `Plan` does alone.

It stands apart from `composition`, which plain selections never import: `core` asks of each plan which of the
two it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from zchunk._ext.selection.slices import Plan

Items: TypeAlias = np.ndarray[Any, Any]


class Arranged(NamedTuple):
    """A plan whose result has its axes in another order, and new ones.

    Parameters
    ----------
    plan : Plan
        Selects the items.
    order : tuple of int
        The axes of the plan's result, as they follow each other in the result.
    new : tuple of int
        Axes of the result that are added to them.
    lengths : tuple of int
        Of the new axes: the same items again, so many times.
    """

    plan: Plan
    order: tuple[int, ...]
    new: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def scalar(self) -> bool:
        """Whether the result is a scalar, which other plans may say."""
        return False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the result."""
        counts = self.plan.shape
        found = [counts[axis] for axis in self.order]
        for axis, length in zip(self.new, self.lengths, strict=True):
            found.insert(axis, length)
        return tuple(found)

    @property
    def repeats(self) -> bool:
        """Whether new axes are longer than 1, or empty."""
        return any(length != 1 for length in self.lengths)

    def result(self, items: Any) -> Items:
        """Return the plan's result as that of this plan, without a copy if nothing is repeated.

        Items that have axes, as fields of a structure may, keep them.
        """
        own = range(len(self.order), np.ndim(items))
        found = np.expand_dims(np.transpose(items, (*self.order, *own)), self.new)
        if self.repeats:
            found = np.broadcast_to(found, self.shape + found.shape[len(self.shape) :]).copy()
        return found

    def memory(self, items: Items) -> Items:
        """Return memory of this plan's shape as such of the plan's: of what is repeated the last place."""
        last = items[tuple([-1 if axis in self.new else slice(None) for axis in range(items.ndim)]) + (...,)]
        return last.transpose(np.argsort(self.order))

    def broadcast(self, items: Items) -> Items | None:
        """Return `items` as the plan takes them, or None if they do not fit the result in an assignment."""
        shape = self.shape
        more = items.ndim - len(shape)
        if more > 0 and items.shape[:more] == (1,) * more:
            items = items.reshape(items.shape[more:])
        try:
            items = np.broadcast_to(items, shape)
        except ValueError:
            return None
        # Without items there is nothing to bring in order, and a new axis may have no last place.
        return self.plan.broadcast(self.memory(items)) if items.size else items
