"""What is in a hierarchy at a moment, and whether a fault may leave that: of everything old or new."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

import zchunk
from zchunk.spec.keys import METADATA_KEYS

Items: TypeAlias = npt.NDArray[Any]


class Node(NamedTuple):
    """An array or a group. A group has no items."""

    attributes: dict[str, Any]
    items: Items | None = None
    chunks: tuple[int, ...] = ()
    fill: Any = None

    @property
    def kind(self) -> str:
        return "group" if self.items is None else f"array of shape {self.items.shape}"

    def is_like(self, other: Node | None) -> bool:
        """Whether the metadata are the same, but for attributes."""
        if other is None or (self.items is None) != (other.items is None):
            return False
        if self.items is None or other.items is None:
            return True
        own, its = (self.items.shape, self.items.dtype), (other.items.shape, other.items.dtype)
        return own == its and self.chunks == other.chunks


Picture: TypeAlias = dict[str, Node]


class Allowed(NamedTuple):
    """What a fault may leave besides old and new; what each operation may, docs/stores.md says.

    Parameters
    ----------
    absent : tuple of str
        Paths at and below which nodes may be gone: they are erased before they are made anew.
    empty : bool
        Whether chunks of new arrays may be missing: making an array and filling it are two steps.
    whole : bool
        Whether there is nothing in between: all is old, or all is new.
    bare : bool
        Whether new nodes may have no attributes yet.
    stale : bool
        Whether consolidated metadata may be those from before.
    torn : bool
        Whether one chunk may be missing: ``durability="none"`` writes in place, and what was cut was deleted.
    between : tuple of tuple of int
        Shapes that an array may have that is between old and new.
    """

    absent: tuple[str, ...] = ()
    empty: bool = False
    whole: bool = False
    bare: bool = False
    stale: bool = False
    torn: bool = False
    between: tuple[tuple[int, ...], ...] = ()


def take(store: Any) -> Picture:
    """Look at all nodes in a store."""
    found: Picture = {}
    for path in sorted({_folder(key) for key in store if key.rpartition("/")[2] in METADATA_KEYS}):
        try:
            node = zchunk.open(store, "r", path=path)
        except FileNotFoundError:
            # What is being erased is gone.
            continue
        found[path] = picture_of(node)
    return found


def picture_of(node: zchunk.Array | zchunk.Group) -> Node:
    """Look at one node."""
    attributes = dict(node.attrs)
    if isinstance(node, zchunk.Group):
        return Node(attributes)
    return Node(attributes, np.asarray(node[...]), node.chunks, node.fill_value)


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def difference(now: Picture, then: Picture) -> str | None:
    """Return what is not as it should be, None if all is."""
    for path in sorted({*now, *then}):
        if path not in now:
            return f"{path!r} is not there"
        if path not in then:
            return f"{path!r} is there: {now[path].kind}"
        own, its = now[path], then[path]
        if not own.is_like(its):
            return f"{path!r} is {own.kind}, not {its.kind}"
        if own.attributes != its.attributes:
            return f"{path!r} has the attributes {own.attributes}, not {its.attributes}"
        if own.items is not None and its.items is not None and not are_equal(own.items, its.items):
            return f"{path!r} has other items:\n{own.items}\nnot\n{its.items}"
    return None


def check(now: Picture, before: Picture, after: Picture, allowed: Allowed) -> None:
    """Raise an error unless everything is old or new, or what is allowed besides."""
    if allowed.whole:
        old, new = difference(now, before), difference(now, after)
        assert old is None or new is None, f"neither old ({old}) nor new ({new})"
        return
    for path in sorted({*now, *before, *after}):
        node, old, new = now.get(path), before.get(path), after.get(path)
        replaced = any(not top or path == top or path.startswith(f"{top}/") for top in allowed.absent)
        if node is None:
            assert old is None or new is None or replaced, f"{path!r} is gone"
            continue
        if replaced and old is not None and is_same(node, old):
            continue
        kept = None if replaced else old
        _check_node(path, node, old, new, kept, allowed)


def _check_node(
    path: str, node: Node, old: Node | None, new: Node | None, kept: Node | None, allowed: Allowed
) -> None:
    """Check one node, whose chunks may be those of `kept` if its metadata are new."""
    assert old is not None or new is not None, f"{path!r} is there: {node.kind}"
    between = node.items is not None and node.items.shape in allowed.between
    if not (node.is_like(old) or node.is_like(new) or between):
        raise AssertionError(f"{path!r} is {node.kind}, neither {old and old.kind} nor {new and new.kind}")
    attributes = [one.attributes for one in (old, new) if one is not None]
    bare = allowed.bare and not node.attributes
    is_one = bare or node.attributes in attributes
    assert is_one, f"{path!r} has attributes {node.attributes}, not of {attributes}"
    if node.items is None:
        return
    if node.is_like(new):
        sources = [new, kept]
        blank = (allowed.empty and kept is None) or allowed.torn
    else:
        # Chunks of an array that is not published yet may be there.
        sources, blank = [old, new if kept is not None else None], allowed.torn
    assert matches(node, [source for source in sources if source is not None], blank), (
        f"{path!r} has chunks that are neither old nor new:\n{node.items}\n"
        f"old: {old and old.items}\nnew: {new and new.items}"
    )


def is_same(node: Node, old: Node) -> bool:
    """Whether a node is as it was."""
    alike = node.is_like(old) and node.attributes == old.attributes
    return alike and (node.items is None or matches(node, [old]))


def matches(node: Node, sources: list[Node], blank: bool = False) -> bool:
    """Whether each chunk of an array is that of one of others, or has fill values if it may be `blank`."""
    assert node.items is not None
    for region in regions(node.items.shape, node.chunks):
        items = node.items[region]
        candidates = [_cut(source, node, region) for source in sources if source.items is not None]
        if blank:
            candidates.append(_filled(items, node.fill))
        if not any(are_equal(items, candidate) for candidate in candidates):
            return False
    return True


def are_equal(one: Items, other: Items) -> bool:
    """Whether items are the same; NaN is NaN."""
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f" and other.dtype.kind == "f")


def regions(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield the places of chunks."""
    axes = [[slice(at, at + n) for at in range(0, size, n)] for size, n in zip(shape, chunks, strict=True)]
    yield from itertools.product(*axes)


def _filled(items: Items, fill: Any) -> Items:
    blank = np.zeros_like(items)
    if items.dtype.kind in "OT":
        # zarr 2 has 0 in the metadata.
        blank[...] = fill or ""
    elif fill is not None:
        blank[...] = fill
    return blank


def _cut(source: Node, node: Node, region: tuple[slice, ...]) -> Items:
    """Return the items of another array in a region, fill values where it has none."""
    assert node.items is not None
    assert source.items is not None
    found = _filled(node.items[region], node.fill)
    if source.items.ndim != node.items.ndim:
        return found
    there = np.asarray(source.items[region])
    if there.dtype.kind not in "OT":
        there = there.astype(found.dtype)
    found[tuple(slice(0, n) for n in there.shape)] = there[tuple(slice(0, n) for n in found.shape)]
    return found


def values(picture: Mapping[str, Node]) -> dict[str, Items]:
    """Return the items of all arrays."""
    return {path: node.items for path, node in picture.items() if node.items is not None}
