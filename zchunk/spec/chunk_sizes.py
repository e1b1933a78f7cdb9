"""Chunks by what they are to hold: ``"100MB"``, and by the names of axes: ``{"time": 1, "x": 512}``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

# As dask has them, which programs share such texts with: decimal units, and binary ones with an "i".
_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{letter}{b}": 1000 ** (n + 1) for n, letter in enumerate("kmgtp") for b in ("", "b")}
_UNITS |= {f"{letter}i{b}": 1024 ** (n + 1) for n, letter in enumerate("kmgtp") for b in ("", "b")}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-z]*)")


def parse_bytes(text: str, what: str = "chunks") -> int:
    """Return how many bytes a text such as ``"100MB"``, ``"1.5 GiB"`` or ``"4096"`` means.

    Raises
    ------
    ValueError
        It is no size above 0; `what` is the parameter that the error names.
    """
    found = _SIZE.fullmatch(text.replace(" ", "").lower())
    unit = None if found is None else _UNITS.get(found[2])
    size = 0 if found is None or unit is None else int(float(found[1]) * unit)
    if not 0 < size < 2**63:
        raise ValueError(f"{what} is {text!r:.80}, not 'auto' or a size such as '100MB' or '64MiB'")
    return size


def chunks_of_size(nbytes: int, shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return the shape of chunks of at most `nbytes`, about as long along every axis, and of one size.

    A chunk has at least one item.
    """
    lengths = [max(n, 1) for n in shape]
    most = max(nbytes // max(itemsize, 1), 1)
    if math.prod(lengths) <= most:
        return tuple(lengths)
    # The longest side of a chunk that is a cube, but where the array is thinner.
    low, high = 1, max(lengths)
    while low < high:
        side = (low + high + 1) // 2
        if math.prod(min(n, side) for n in lengths) <= most:
            low = side
        else:
            high = side - 1
    chunk = [_even(n, min(n, low)) for n in lengths]
    # What is left over, for the last axis first: items that are side by side are read together.
    for axis in reversed(range(len(chunk))):
        others = math.prod(chunk) // chunk[axis]
        chunk[axis] = _even(lengths[axis], min(lengths[axis], most // others))
    return tuple(chunk)


def _even(length: int, most: int) -> int:
    """Return the length of as few pieces as there can be, without a thin one at the end."""
    return -(-length // -(-length // most))


def lengths_by_name(lengths: Mapping[Any, Any], names: Sequence[object] | None, what: str) -> tuple[Any, ...]:
    """Return the lengths that are given by names of axes as one for every axis; None for those left out.

    Raises
    ------
    ValueError
        The axes have no names, or others.
    """
    if names is None:
        raise ValueError(f"{what} by name, {dict(lengths)!r:.80}, need dimension_names")
    if unknown := [name for name in lengths if name not in names]:
        raise ValueError(f"{what} has {unknown[0]!r:.80}, but the axes are called {list(names)!r:.200}")
    return tuple(None if name is None else lengths.get(name) for name in names)
