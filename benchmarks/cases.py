"""What is measured: the data sets, the sizes, and the cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Selection = tuple[slice | int, ...]


@dataclass(frozen=True)
class Layout:
    """An array as it is stored: shape, chunks and data type."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Size:
    """One size of the benchmark: a layout for each data set."""

    field: Layout
    tiny: Layout

    def layout(self, dataset: str) -> Layout:
        """Return the layout of a data set."""
        return {"field": self.field, "tiny": self.tiny}[dataset]


SIZES = {
    # 256 MiB in 256 chunks of 1 MiB; 10,000 chunks of 400 bytes
    "full": Size(
        Layout((512, 512, 256), (64, 64, 64), "<f4"),
        Layout((1000, 1000), (10, 10), "<i4"),
    ),
    # 16 MiB in 64 chunks of 256 KiB; 2,500 chunks of 400 bytes
    "quick": Size(
        Layout((160, 160, 160), (40, 40, 40), "<f4"),
        Layout((500, 500), (10, 10), "<i4"),
    ),
    # for the test of the harness
    "tiny": Size(
        Layout((40, 40, 20), (16, 16, 8), "<f4"),
        Layout((40, 40), (10, 10), "<i4"),
    ),
}


def make_field(layout: Layout) -> NDArray[np.generic]:
    """Return a temperature-like field: large smooth waves, and noise below them that no codec removes."""
    rng = np.random.default_rng(20261122)
    out = np.full(layout.shape, 280.0, dtype=np.float32)
    for axis, n in enumerate(layout.shape):
        x = np.linspace(0.0, 2.0 * np.pi, n, dtype=np.float32)
        wave = (12.0 / (axis + 1)) * np.sin((axis + 1) * x + axis)
        out += wave.reshape([-1 if i == axis else 1 for i in range(out.ndim)])
    for plane in out:
        plane += np.float32(0.05) * rng.standard_normal(plane.shape, dtype=np.float32)
    return out.astype(layout.dtype, copy=False)


def make_tiny(layout: Layout) -> NDArray[np.generic]:
    """Return small positive integers, as counts or categories are."""
    rng = np.random.default_rng(7)
    return rng.integers(0, 1000, layout.shape).astype(layout.dtype)


DATASETS: dict[str, Callable[[Layout], NDArray[np.generic]]] = {"field": make_field, "tiny": make_tiny}


def everything(layout: Layout) -> Selection:
    """Select the whole array."""
    return tuple(slice(0, n) for n in layout.shape)


def box(layout: Layout) -> Selection:
    """Select about two fifths of the shortest axis along every axis, with no edge on a chunk's edge."""
    side = 2 * min(layout.shape) // 5
    if min(layout.shape) > 250:
        side = 200
    return tuple(slice(c // 3 + 1, c // 3 + 1 + side) for c in layout.chunks)


def plane(axis: int) -> Callable[[Layout], Selection]:
    """Select one plane across an axis, inside a chunk."""

    def select(layout: Layout) -> Selection:
        index = layout.shape[axis] // 2 + layout.chunks[axis] // 3
        return tuple(index if i == axis else slice(0, n) for i, n in enumerate(layout.shape))

    return select


def point(layout: Layout) -> Selection:
    """Select one element in the middle of a chunk."""
    return tuple(n // 2 + c // 3 for n, c in zip(layout.shape, layout.chunks, strict=True))


@dataclass(frozen=True)
class Case:
    """One line of the table.

    ``write`` creates an array and fills it; ``read`` reads ``select(layout)`` of an array that is open;
    ``open`` opens an array.
    """

    name: str
    title: str
    action: Literal["write", "read", "open"]
    dataset: str = "field"
    select: Callable[[Layout], Selection] = everything


CASES = {
    case.name: case
    for case in (
        Case("write", "create and write all", "write"),
        Case("read", "read all", "read"),
        Case("box", "read an unaligned box", "read", select=box),
        Case("plane0", "read a plane `[k, :, :]`", "read", select=plane(0)),
        Case("plane1", "read a plane `[:, k, :]`", "read", select=plane(1)),
        Case("plane2", "read a plane `[:, :, k]`", "read", select=plane(2)),
        Case("point", "read one element", "read", select=point),
        Case("tiny-write", "tiny chunks: create and write all", "write", "tiny"),
        Case("tiny-read", "tiny chunks: read all", "read", "tiny"),
        Case("open", "open an array", "open"),
    )
}
