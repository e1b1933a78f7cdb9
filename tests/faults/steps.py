"""Steps of a random program that works on a hierarchy, and what is there after each, by NumPy and dicts.

A step can be done in another process, so what it does is a function of this module with its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import zchunk
from tests.faults.operations import STRICT, World
from tests.faults.pictures import Allowed, Node, Picture
from zchunk.errors import ContainsNodeError, CopyError, InvalidKeyError, NodeNotFoundError

PATHS = ("a", "b", "g", "g/a", "g/h", "g/h/b", "n")
# What N5 can hold is a part of it.
TYPES = ("i4", "f8", "u1", "?", "c8", "S3")
N5_TYPES = ("i4", "f8", "u1")
_LONGEST = 7
_DEEPEST = 3

Draw = Callable[[st.SearchStrategy[Any]], Any]


class Step(NamedTuple):
    """One step.

    Parameters
    ----------
    change : callable
        Does it.
    after : Picture
        What is there when it has been done.
    allowed : Allowed
        What a fault may leave besides old and new.
    refused : tuple of type
        The errors of which it must raise one; none if it must not.
    """

    change: partial[object]
    after: Picture
    allowed: Allowed = STRICT
    refused: tuple[type[Exception], ...] = ()

    def __str__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.change.keywords.items()]
        given = ", ".join([*map(repr, self.change.args), *named])
        return f"{self.change.func.__name__}({given})" + " which is refused" * bool(self.refused)


def do(step: Step, world: World) -> None:
    """Do a step, which may have to be refused."""
    try:
        step.change(world)
    except step.refused:
        return
    if step.refused:
        raise AssertionError(f"not refused: {step}")


# ---- what is there


def arrays(model: Picture) -> list[str]:
    return [path for path, node in model.items() if node.items is not None]


def _above(path: str) -> list[str]:
    """The paths above, from the root down."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(len(parts))] if path else []


def _is_below(path: str, top: str) -> bool:
    return not top or path == top or path.startswith(f"{top}/")


def _is_free(model: Picture, path: str) -> bool:
    """Whether nothing is there, and no array above."""
    return path not in model and all(
        above not in model or model[above].items is None for above in _above(path)
    )


def _without(model: Picture, path: str) -> Picture:
    return {name: node for name, node in model.items() if not _is_below(name, path)}


def _with(model: Picture, path: str, node: Node) -> Picture:
    """Put a node somewhere, in place of whatever is there and of arrays above; groups above are made."""
    model = _without(model, path)
    for above in _above(path):
        if above not in model or model[above].items is not None:
            model = {**_without(model, above), above: Node({})}
    return {**model, path: node}


def _changed(model: Picture, path: str, items: Any) -> Picture:
    return {**model, path: model[path]._replace(items=items)}


# ---- what is drawn

ATTRIBUTES = st.dictionaries(
    st.sampled_from(["x", "y", "units", "ä b"]),
    st.one_of(st.integers(-5, 5), st.text("aé", max_size=3), st.none(), st.lists(st.booleans(), max_size=2)),
    max_size=3,
)


def _items(draw: Draw, shape: Sequence[int], dtype: Any, fill: Any) -> Any:
    """Items of which some are the fill value, a whole chunk of them sometimes."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    items = rng.integers(0, 3 if dtype.kind == "b" else 100, shape).astype(dtype)
    blank = rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    return np.where(blank, np.array(fill, dtype), items).astype(dtype)


def _shape(draw: Draw) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(0, _LONGEST), min_size=0, max_size=2)))


def _selection(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    found = []
    for n in shape:
        if n and draw(st.booleans()):
            found.append(draw(st.integers(-n, n - 1)))
            continue
        start, stop = sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n))))
        found.append(slice(start, stop, draw(st.sampled_from([None, 1, 2, 3]))))
    return tuple(found)


def _one(draw: Draw, of: Iterable[str]) -> str:
    path: str = draw(st.sampled_from(list(of)))
    return path


# ---- steps


def set_items(world: World, path: str, selection: Any, items: Any) -> None:
    world.at(path)[selection] = items


def write(draw: Draw, model: Picture) -> Step:
    """Set a region."""
    path = _one(draw, arrays(model))
    node = model[path]
    assert node.items is not None
    selection = _selection(draw, node.items.shape)
    new = node.items.copy()
    shape = new[selection].shape
    if draw(st.booleans()):
        items = _items(draw, shape, new.dtype, node.fill)
    else:
        items = draw(st.sampled_from([node.fill, _items(draw, (), new.dtype, node.fill)[()]]))
    new[selection] = items
    return Step(partial(set_items, path=path, selection=selection, items=items), _changed(model, path, new))


def set_points(world: World, path: str, where: Any, items: Any) -> None:
    world.at(path).vindex[where] = items


def set_crossing(world: World, path: str, where: Any, items: Any) -> None:
    world.at(path).oindex[where] = items


def set_masked(world: World, path: str, where: Any, items: Any) -> None:
    world.at(path).set_mask_selection(where, items)


def write_some(draw: Draw, model: Picture) -> Step | None:
    """Set points, a crossing of lists, or what a mask selects."""
    path = _one(draw, arrays(model))
    node = model[path]
    assert node.items is not None
    new = node.items.copy()
    if not new.size or not new.ndim:
        return None
    lists = [draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True)) for n in new.shape]
    item = _items(draw, (), new.dtype, node.fill)[()]
    how = draw(st.sampled_from([set_points, set_crossing, set_masked]))
    if how is set_points:
        shortest = min(map(len, lists))
        where: Any = tuple(one[:shortest] for one in lists)
        new[where] = item
    elif how is set_crossing:
        where = tuple(lists)
        new[np.ix_(*lists)] = item
    else:
        where = np.random.default_rng(len(lists[0])).random(new.shape) < 0.5
        new[where] = item
    return Step(partial(how, path=path, where=where, items=item), _changed(model, path, new))


def make_array(world: World, path: str, items: Any, options: dict[str, Any]) -> None:
    zchunk.array(items, store=world.store, path=path, **world.place.create(**options))


def make_empty(world: World, path: str, shape: Any, options: dict[str, Any]) -> None:
    zchunk.create(shape, store=world.store, path=path, **world.place.create(**options))


def new_array(draw: Draw, model: Picture, is_n5: bool) -> Step:
    """Make an array, with data or without, where nothing is or in place of what is there."""
    path = draw(st.sampled_from(PATHS))
    dtype = np.dtype(draw(st.sampled_from(N5_TYPES if is_n5 else TYPES)))
    shape = _shape(draw)
    chunks = tuple(draw(st.integers(1, 4)) for _ in shape)
    fill = dtype.type(0) if is_n5 else _items(draw, (), dtype, b"" if dtype.kind == "S" else 0)[()]
    overwrite = draw(st.booleans())
    attributes = draw(ATTRIBUTES)
    options = {"chunks": chunks, "overwrite": overwrite, "attributes": attributes, "fill_value": fill}
    if draw(st.booleans()):
        items = _items(draw, shape, dtype, fill)
        change: Any = partial(make_array, path=path, items=items, options=options)
    else:
        items = np.full(shape, fill, dtype)
        change = partial(make_empty, path=path, shape=shape, options={**options, "dtype": dtype})
    if not overwrite and not _is_free(model, path):
        return Step(change, model, refused=(ContainsNodeError,))
    after = _with(model, path, Node(attributes, items, chunks, fill))
    return Step(change, after, _replaced(model, after))


def _replaced(model: Picture, after: Picture) -> Allowed:
    """What may be gone for a moment: the nodes that are replaced."""
    gone = tuple(path for path in model if after.get(path) is not model[path])
    return Allowed(absent=gone, bare=True)


def make_group(world: World, path: str, mode: Any, attributes: Any) -> None:
    world.group(path, mode, **attributes)


def new_group(draw: Draw, model: Picture) -> Step:
    """Make a group, or open one, or replace what is there."""
    path = draw(st.sampled_from(PATHS))
    mode = draw(st.sampled_from(["a", "w", "w-"]))
    attributes = draw(ATTRIBUTES)
    change = partial(make_group, path=path, mode=mode, attributes=attributes)
    if mode != "w" and not _is_free(model, path):
        if mode == "a" and path in model and model[path].items is None:
            return Step(change, model)
        return Step(change, model, refused=(ContainsNodeError,))
    after = _with(model, path, Node(attributes))
    return Step(change, after, _replaced(model, after))


def resize_to(world: World, path: str, shape: Any) -> None:
    world.at(path).resize(shape)


def resize(draw: Draw, model: Picture) -> Step | None:
    """Change a shape."""
    path = _one(draw, arrays(model))
    node = model[path]
    assert node.items is not None
    if not node.items.ndim:
        return None
    shape = tuple(draw(st.integers(0, _LONGEST + 2)) for _ in node.items.shape)
    low = tuple(map(min, shape, node.items.shape))
    new = np.full(shape, node.fill, node.items.dtype)
    kept = tuple(map(slice, low))
    new[kept] = node.items[kept]
    return Step(
        partial(resize_to, path=path, shape=shape), _changed(model, path, new), Allowed(between=(low,))
    )


def append_items(world: World, path: str, items: Any, axis: int) -> None:
    world.at(path).append(items, axis)


def append(draw: Draw, model: Picture) -> Step | None:
    """Append to an array."""
    path = _one(draw, arrays(model))
    node = model[path]
    assert node.items is not None
    shape = list(node.items.shape)
    if not shape:
        return None
    axis = draw(st.integers(0, len(shape) - 1))
    if shape[axis] > 2 * _LONGEST:
        return None
    shape[axis] = draw(st.integers(0, 4))
    items = _items(draw, shape, node.items.dtype, node.fill)
    new = np.concatenate([node.items, items], axis)
    return Step(partial(append_items, path=path, items=items, axis=axis), _changed(model, path, new))


def change_attributes(world: World, path: str, how: str, attributes: Any) -> None:
    attrs = world.at(path).attrs
    if how == "set":
        for name, value in attributes.items():
            attrs[name] = value
    elif how == "delete":
        for name in attributes:
            del attrs[name]
    else:
        getattr(attrs, how)(attributes)


def set_attributes(draw: Draw, model: Picture) -> Step:
    """Change attributes of an array or a group."""
    path = _one(draw, model)
    old = model[path].attributes
    how = draw(st.sampled_from(["set", "update", "put", "delete"]))
    new = draw(ATTRIBUTES)
    if how == "set":
        new = dict(list(new.items())[:1])
    elif how == "delete":
        new = dict(list(old.items())[:1])
    change = partial(change_attributes, path=path, how=how, attributes=new)
    if how == "delete":
        after = {name: value for name, value in old.items() if name not in new}
    else:
        after = new if how == "put" else {**old, **new}
    return Step(change, {**model, path: model[path]._replace(attributes=after)})


def delete_member(world: World, path: str) -> None:
    del world.root[path]


def delete(draw: Draw, model: Picture) -> Step:
    """Delete a node."""
    path = draw(st.sampled_from(PATHS))
    change = partial(delete_member, path=path)
    if path not in model:
        return Step(change, model, refused=(KeyError,))
    return Step(change, _without(model, path))


def move_member(world: World, source: str, dest: str) -> None:
    world.root.move(source, dest)


def move(draw: Draw, model: Picture) -> Step:
    """Move a node."""
    source, dest = draw(st.sampled_from(PATHS)), draw(st.sampled_from(PATHS))
    change = partial(move_member, source=source, dest=dest)
    if _is_below(source, dest) or _is_below(dest, source):
        return Step(change, model, refused=(InvalidKeyError, ContainsNodeError, NodeNotFoundError))
    if source not in model:
        return Step(change, model, refused=(NodeNotFoundError,))
    if not _is_free(model, dest):
        return Step(change, model, refused=(ContainsNodeError,))
    return Step(change, _put_tree(_without(model, source), model, source, dest))


def _put_tree(model: Picture, origin: Picture, source: str, dest: str) -> Picture:
    """Put what `origin` has at and below one path at another path."""
    for path in sorted(path for path in origin if _is_below(path, source)):
        model = _with(model, dest + path[len(source) :], origin[path])
    return model


def copy_member(world: World, source: str, dest: str, if_exists: Any) -> None:
    zchunk.copy(world.root[source], world.root, dest, if_exists=if_exists)


def copy(draw: Draw, model: Picture) -> Step | None:
    """Copy a node to where nothing is, or an array over what is there."""
    source = _one(draw, model)
    dest = draw(st.sampled_from(PATHS))
    if not source or _is_below(source, dest) or _is_below(dest, source):
        return None
    if_exists = draw(st.sampled_from(["raise", "replace", "skip"]))
    change = partial(copy_member, source=source, dest=dest, if_exists=if_exists)
    after = _put_tree(model, model, source, dest)
    if _is_free(model, dest):
        return Step(change, after, Allowed(bare=True))
    if dest not in model or model[source].items is None:
        return None
    if if_exists == "replace":
        return Step(change, after, _replaced(model, after))
    return Step(change, model, refused=(CopyError,) if if_exists == "raise" else ())
