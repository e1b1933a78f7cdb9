"""What random programs are made of: values, selections of every kind, and the shapes of what they select."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import zchunk

RECORD = [("n", "<i4"), ("x", ">f8"), ("s", "|S2")]
WORDS = ["", "a", "zarr", "äöü", "x" * 30]


def values(draw: st.DrawFn, dtype: str, shape: tuple[int, ...]) -> Any:
    n = int(np.prod(shape))
    if dtype == "O":
        flat = np.empty(n, object)
        flat[:] = draw(st.lists(st.sampled_from(WORDS), min_size=n, max_size=n))
        return flat.reshape(shape)
    raw = np.array(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), "i8").reshape(shape)
    if dtype == "record":
        items = np.zeros(shape, RECORD)
        items["n"], items["x"], items["s"] = raw, raw / 2, raw.astype("S2")
        return items
    return raw.astype(dtype)


def positions(draw: st.DrawFn, n: int) -> np.ndarray:
    return np.array(draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=6)), int)


def axis_slice(draw: st.DrawFn, n: int) -> slice:
    bound = st.none() | st.integers(-n - 1, n + 1)
    return slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 4)))


def selection(draw: st.DrawFn, shape: tuple[int, ...], chunks: tuple[int, ...]) -> tuple[str, Any]:
    kind = draw(st.sampled_from(["item", "basic", "basic", "orthogonal", "coordinate", "mask", "block"]))
    if kind == "coordinate":
        count = draw(st.integers(1, 6))
        return kind, tuple(
            np.array(draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count)), int)
            for n in shape
        )
    if kind == "mask":
        n = int(np.prod(shape))
        return kind, np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool).reshape(shape)
    entries: list[Any] = []
    for n, c in zip(shape, chunks, strict=True):
        if kind == "block":
            blocks = -(-n // c)
            first = draw(st.integers(0, blocks - 1))
            entries.append(draw(st.sampled_from([first, slice(first, draw(st.integers(first + 1, blocks)))])))
            continue
        choices = ["slice", "slice", "integer"] + (["list", "mask"] if kind == "orthogonal" else [])
        match draw(st.sampled_from(choices)):
            case "slice":
                entries.append(axis_slice(draw, n))
            case "integer":
                entries.append(draw(st.integers(-n, n - 1)))
            case "list":
                entries.append(positions(draw, n))
            case "mask":
                entries.append(np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool))
    if kind == "item" and entries and draw(st.booleans()):
        at = draw(st.integers(0, len(entries) - 1))
        entries[at] = positions(draw, shape[at]).tolist()
        if any(isinstance(e, int) for e in entries) and any(isinstance(e, slice) for e in entries):
            entries = [slice(None) if isinstance(e, int) else e for e in entries]
    return kind, tuple(entries)


def selected(shape: tuple[int, ...], chunks: tuple[int, ...], kind: str, chosen: Any) -> tuple[int, ...]:
    """The shape of what is selected, as NumPy has it."""
    like = np.empty(shape, "u1")
    if kind in ("coordinate", "mask", "basic"):
        return like[chosen].shape
    if kind == "block":
        items = [
            slice(b * c, (b + 1) * c) if isinstance(b, int) else slice(b.start * c, b.stop * c)
            for b, c in zip(chosen, chunks, strict=True)
        ]
        return like[tuple(items)].shape
    if kind == "item" and not any(isinstance(e, slice) for e in chosen):
        return like[chosen].shape
    return np.asarray(zchunk.indexing.oindex(like, chosen)).shape


def repeats(chosen: Any, shape: tuple[int, ...]) -> bool:
    """Whether a point is chosen twice."""
    columns = [np.asarray(c) % n for c, n in zip(chosen, shape, strict=True)]
    return len(set(zip(*columns, strict=True))) < len(columns[0])


def changed(
    draw: st.DrawFn, change: str, name: str, made: dict[str, dict[str, Any]], chunks: tuple[int, ...]
) -> list[tuple[Any, ...]]:
    """Return the step that makes an array larger or smaller, or deletes it; `made` has it as it is then."""
    if change == "delete":
        del made[name]
        return [("delete", name)]
    shape = made[name]["shape"]
    if change == "append":
        axis = draw(st.integers(0, len(shape) - 1))
        more = tuple(draw(st.integers(1, 3)) if i == axis else n for i, n in enumerate(shape))
        made[name]["shape"] = tuple(n + more[i] if i == axis else n for i, n in enumerate(shape))
        return [("append", name, values(draw, made[name]["dtype"], more), axis)]
    if change == "grow":
        shape = tuple(n + draw(st.integers(0, 4)) for n in shape)
    else:
        # To whole chunks: what else is left of the others zarr shows again after growing.
        whole = [[k * c for k in range(1, n // c + 1)] or [n] for n, c in zip(shape, chunks, strict=True)]
        shape = tuple(draw(st.sampled_from(lengths)) for lengths in whole)
    made[name]["shape"] = shape
    return [("resize", name, shape)]
