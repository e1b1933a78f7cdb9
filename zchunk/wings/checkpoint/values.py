"""What a state holds that is more than its value: `Block`, a part of a distributed array, and `PerRank`."""

from __future__ import annotations

import operator
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from zchunk.wings.checkpoint.boxes import Box


def as_plain(value: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return a value as an array.

    Raises
    ------
    TypeError
        It is masked, and its mask would be lost.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            "a masked array cannot be stored as one array; give its data and its mask, or filled(...)"
        )
    return np.asarray(value)


class Growing(ABC):
    """What grows beside checkpoints: a `Series`. A checkpoint has its length, to which `restore` cuts it."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def flush(self) -> int:
        """Write what is in memory, and return the length. Collective."""

    @abstractmethod
    def _check_length(self, length: SupportsIndex) -> None:
        """Raise an error unless `truncate` can cut to a length. Collective."""

    @abstractmethod
    def truncate(self, length: SupportsIndex) -> None:
        """Take away what lies after a length. Collective."""


class LazyArray(NamedTuple):
    """A dask array in a state, which workers of dask write, and the names of its axes if it has some."""

    array: Any
    dimension_names: tuple[str, ...] | None = None


def as_lazy(value: Any) -> LazyArray | None:
    """Return a dask array, or one that is in an array of xarray, as a `LazyArray`; None for all else.

    A program that has one has imported dask, or xarray.
    """
    names: tuple[str, ...] | None = None
    xarray, dask = sys.modules.get("xarray"), sys.modules.get("dask.array")
    if dask is None:
        return None
    if xarray is not None and isinstance(value, xarray.DataArray | xarray.Variable):
        if value.chunks is None:
            # Its data may be values that are not loaded yet.
            return None
        names, value = tuple(map(str, value.dims)), value.data
    return LazyArray(value, names) if isinstance(value, dask.Array) else None


class Block:
    """The part that this process has of an array which is distributed over processes.

    Parameters
    ----------
    array : array-like
        The part, without halo. A process that has nothing gives an array with a length of 0.
    offset : sequence of int
        Where the part begins in the global array.
    global_shape : sequence of int
        Shape of the global array.
    dimension_names : sequence of str, optional
        Names of the axes, for xarray.

    Raises
    ------
    ValueError
        The part does not lie in the global array.
    TypeError
        The part is a masked array.

    Examples
    --------
    >>> import numpy as np
    >>> from zchunk.checkpoint import Block
    >>> Block(np.zeros((2, 4)), offset=(2, 0), global_shape=(4, 4))
    Block([2:4, 0:4] of (4, 4), float64)
    """

    def __init__(
        self,
        array: npt.ArrayLike,
        offset: Sequence[SupportsIndex],
        global_shape: Sequence[SupportsIndex],
        dimension_names: Sequence[str] | None = None,
    ) -> None:
        self.array: npt.NDArray[Any] = as_plain(array)
        self.global_shape = tuple(map(operator.index, global_shape))
        self.dimension_names = None if dimension_names is None else tuple(dimension_names)
        start, shape = tuple(map(operator.index, offset)), self.array.shape
        if not len(start) == len(shape) == len(self.global_shape):
            raise ValueError(
                f"a block of {len(shape)} axes at offset {start} is no part of an array of shape "
                f"{self.global_shape}: give as many numbers as there are axes"
            )
        if self.dimension_names is not None and len(self.dimension_names) != len(shape):
            raise ValueError(f"{self.dimension_names} are not the names of {len(shape)} axes")
        self.box = Box(start, shape)
        ends = zip(start, self.box.stop, self.global_shape, strict=True)
        # Where a process has nothing it may give any offset.
        if self.array.size and any(first < 0 or last > length for first, last, length in ends):
            raise ValueError(
                f"a block of shape {shape} at offset {start} reaches outside the array of shape "
                f"{self.global_shape}"
            )

    @property
    def offset(self) -> tuple[int, ...]:
        """Where the part begins in the global array."""
        return self.box.start

    def __repr__(self) -> str:
        bounds = zip(self.box.start, self.box.stop, strict=True)
        part = ", ".join([f"{first}:{last}" for first, last in bounds])
        return f"{type(self).__name__}([{part}] of {self.global_shape}, {self.array.dtype})"


class PerRank:
    """A value that every process has one of, such as its random numbers.

    After a restart each process gets back its own, provided that there are as many processes as there were.

    Parameters
    ----------
    value : scalar, array, Generator, or a tree of them
        The one of this process.
    on_resize : callable, optional
        For `like` of `restore`, if there are as many processes no more: called with the list of all values,
        the rank and the number of processes, it returns the value of this process.

    Examples
    --------
    >>> from zchunk.checkpoint import CheckpointManager, PerRank
    >>> with CheckpointManager("run.ckpt") as manager:
    ...     _ = manager.save(1, {"seed": PerRank(7)})
    ...     manager.restore()["seed"]
    7
    """

    def __init__(self, value: Any, on_resize: Callable[[list[Any], int, int], Any] | None = None) -> None:
        self.value = value
        self.on_resize = on_resize

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r:.80})"
