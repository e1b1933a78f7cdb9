"""Operations that change a store: what is there before, the change, and what a fault may leave of it.

All that is not said in `Allowed` holds for all: every chunk is old or new, every node is old, new, or absent
where either is, and metadata and attributes are whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import zchunk
from tests.faults import pictures
from tests.faults.pictures import Allowed, Picture
from tests.faults.places import Place
from zchunk.wings.verification.report import Report

OLD = np.arange(1, 73, dtype="i4").reshape(12, 6)
NEW = OLD + 1000
# Nothing but what is said of each operation.
STRICT = Allowed()


class World:
    """A store in a folder, and how things are made in it.

    Parameters
    ----------
    place : Place
        The kind of the store.
    folder : Path
        Where it is.
    """

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.folder = folder
        self.store = place.open(folder)

    @property
    def root(self) -> zchunk.Group:
        return zchunk.open_group(self.store, "r+")

    def at(self, path: str) -> Any:
        """Open a node for changes."""
        return zchunk.open(self.store, "r+", path=path)

    def array(self, path: str, items: Any, chunks: Any = (3, 3), **parameters: Any) -> zchunk.Array:
        """Make an array with data, at once."""
        parameters = self.place.create(chunks=chunks, attributes={"rows": len(items)}) | parameters
        return zchunk.array(items, store=self.store, path=path, **parameters)

    def create(self, path: str, shape: Any = (12, 6), **parameters: Any) -> zchunk.Array:
        """Make an array without chunks."""
        parameters = self.place.create(chunks=(3, 3), dtype="i4") | parameters
        return zchunk.create(shape, store=self.store, path=path, **parameters)

    def group(self, path: str = "", mode: Any = "a", **attributes: Any) -> zchunk.Group:
        """Make a group."""
        return zchunk.open_group(
            self.store, mode, path=path, zarr_format=self.place.zarr_format, attributes=attributes or None
        )

    def look(self) -> Picture:
        return pictures.take(self.store)


Change = Callable[[World], object]


class Operation(NamedTuple):
    """An operation.

    Parameters
    ----------
    change : callable
        Does it.
    start : callable
        Makes what is there before.
    allowed : Allowed
        What a fault may leave besides old and new.
    again : callable, optional
        Does it once more after a fault: `change`, by default.
    once : bool
        Whether doing it twice is not the same as doing it once.
    look : callable
        Returns what is there.
    folder : str
        What `verify` looks at instead of the store.
    erases : bool
        Whether it only erases, and does so when called again.
    places : tuple of str
        Kinds of stores that it is for; all by default.
    but : tuple of str
        Kinds of stores that it is not for.
    clear : callable, optional
        What a program does next, which deletes what a fault has left.
    """

    change: Change
    start: Change
    allowed: Allowed = STRICT
    again: Change | None = None
    once: bool = False
    look: Callable[[World], Picture] = World.look
    folder: str = ""
    erases: bool = False
    places: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    clear: Change | None = None

    def verify(self, world: World) -> Report:
        """Verify what the operation has changed."""
        return zchunk.verify(self.stored(world))

    def verify_cleared(self, world: World) -> Report:
        """Do what a program does next, and verify then; before, only what it will delete may be amiss."""
        if self.clear is not None:
            left = [
                finding
                for finding in self.verify(world).findings
                # One that could not be removed is that of a process that lives.
                if not finding.key.startswith(".tmp/") and finding.kind != "in-progress"
            ]
            assert not left, f"before it is cleared, verify finds {left}"
            self.clear(world)
        return self.verify(world)

    def stored(self, world: World) -> Any:
        """Return the store that the operation changes."""
        return zchunk.DirectoryStore(world.folder / self.folder) if self.folder else world.store

    def is_for(self, place: Place) -> bool:
        if place.erases_only and not self.erases:
            return False
        return (not self.places or place.name in self.places) and place.name not in self.but


def _some(world: World) -> None:
    """A hierarchy: arrays at two levels, one of them half empty."""
    world.group(title="old")
    world.array("a", OLD)
    world.group("g", rows=0)
    world.array("g/b", OLD)
    world.array("g/h/c", OLD)
    world.create("sparse")[:3, :3] = 5


def _one(world: World) -> None:
    """An array at the root."""
    world.array("", OLD)


def _nothing(world: World) -> None:
    """An empty store."""


def _consolidated(world: World) -> None:
    _some(world)
    zchunk.consolidate_metadata(world.store)


def _texts(world: World) -> None:
    texts = np.array([f"text {i}" for i in range(12)], object)
    world.array("texts", texts, chunks=(4,), dtype=str)
    fields = np.zeros(12, [("x", "i4"), ("y", "f8")])
    world.array("fields", fields, chunks=(4,))


def _setting(path: str, selection: Any, items: Any) -> Change:
    return lambda w: w.at(path).__setitem__(selection, items)


def _write_points(world: World) -> None:
    world.at("a").set_coordinate_selection(([0, 4, 11, 7], [0, 2, 5, 3]), [901, 902, 903, 904])


def _write_mask(world: World) -> None:
    world.at("a").set_mask_selection(OLD % 5 == 0, 905)


def _write_crossing(world: World) -> None:
    world.at("a").oindex[[1, 8], [0, 5]] = [[906, 907], [908, 909]]


def _write_block(world: World) -> None:
    world.at("a").blocks[1, 0] = 910


def _write_texts(world: World) -> None:
    world.at("texts")[2:9] = np.array([f"new {i}" for i in range(7)], object)


def _write_field(world: World) -> None:
    world.at("fields")["y"] = np.arange(12.0)


def _write_many(world: World) -> None:
    world.at("a")[:6] = NEW[:6]
    world.at("g/b")[...] = NEW


def _shrink_first(world: World) -> None:
    # The chunks outside of the grid that a killed shrinking has left.
    world.at("a").resize(4, 6)
    world.at("a").resize(4, 9)


def _set_attributes(world: World) -> None:
    world.at("a").attrs["units"] = "m" * 3000
    world.root.attrs["title"] = "new"


def _create_tree(world: World) -> None:
    world.root.create_group("n/m").attrs["deep"] = True
    world.create("n/m/x")[...] = NEW


def _require(world: World) -> None:
    world.root.require_group("n/m")
    z = world.root.require_dataset("n/x", shape=(12, 6), dtype="i4", **world.place.create(chunks=(3, 3)))
    z[...] = NEW


def _replace_filled(world: World) -> None:
    world.create("a", overwrite=True, shape=(6, 6))[...] = NEW[:6]


def _copy_all(world: World) -> None:
    source = zchunk.group(store=zchunk.MemoryStore(), zarr_format=world.place.zarr_format)
    source.create("x", data=NEW, **world.place.create(chunks=(3, 3))).attrs["of"] = "x"
    source.create("n/y", data=NEW, **world.place.create(chunks=(3, 3)))
    zchunk.copy_all(source, world.root, if_exists="replace")


def _copy_group(world: World) -> None:
    zchunk.copy(world.root["g"], world.root, "copied", if_exists="replace")


def _copy_store(world: World) -> None:
    source = zchunk.MemoryStore()
    zchunk.open_group(source, zarr_format=world.place.zarr_format).create(
        "x", data=NEW, **world.place.create(chunks=(3, 3))
    )
    zchunk.copy_store(source, world.store, dest_path="copied", if_exists="replace")


def _copied_array() -> zchunk.Array:
    return zchunk.array(NEW, chunks=(4, 4), attributes={"rows": 12})


def _rechunk(world: World) -> None:
    zchunk.rechunk(
        _copied_array(), (3, 3), world.store, path="r", overwrite=True, zarr_format=world.place.zarr_format
    )


def _save(world: World) -> None:
    zchunk.save(world.store, x=NEW, y=OLD, zarr_format=world.place.zarr_format)


def _save_array(world: World) -> None:
    zchunk.save_array(world.store, NEW, path="saved", zarr_format=world.place.zarr_format)


def _save_group(world: World) -> None:
    zchunk.save_group(world.store, x=NEW, path="saved", zarr_format=world.place.zarr_format)


def _dask_new(world: World) -> None:
    import dask.array as da

    import zchunk.dask

    source, here = da.from_array(NEW, chunks=(6, 6)), {"scheduler": "synchronous"}
    options = world.place.create(chunks=(3, 3))
    zchunk.dask.store(source, world.store, path="d", overwrite=True, compute_kws=here, **options)


def _dask_region(world: World) -> None:
    import dask.array as da

    import zchunk.dask

    source = da.from_array(NEW[:6], chunks=(6, 6))
    region = (slice(0, 6), slice(None))
    zchunk.dask.store(source, world.at("a"), region, compute_kws={"scheduler": "synchronous"})


def _dataset(values: Any, start: int = 0) -> Any:
    import xarray as xr

    times = np.arange(start, start + len(values))
    return xr.Dataset({"u": (("t", "x"), values)}, {"t": times, "x": np.arange(6.0)}, {"title": "set"})


def _encoding(world: World) -> dict[str, Any]:
    return {"u": {"chunks": (3, 3)}}


def _to_zarr(mode: str) -> Change:
    def change(world: World) -> None:
        import zchunk.xarray

        zchunk.xarray.to_zarr(
            _dataset(NEW), world.store, mode, "set", _encoding(world), zarr_format=world.place.zarr_format
        )

    return change


def _with_dataset(world: World) -> None:
    import zchunk.xarray

    world.group()
    zchunk.xarray.to_zarr(
        _dataset(OLD), world.store, "w", "set", _encoding(world), zarr_format=world.place.zarr_format
    )


def _to_zarr_append(world: World) -> None:
    import zchunk.xarray

    zchunk.xarray.to_zarr(_dataset(NEW[:3], 12), world.store, group="set", append_dim="t")


def _to_zarr_append_again(world: World) -> None:
    # What was appended to some of the variables is taken back.
    for name in ("u", "t"):
        world.at(f"set/{name}").resize(12, *world.at(f"set/{name}").shape[1:])
    _to_zarr_append(world)


def _to_zarr_region(world: World) -> None:
    import zchunk.xarray

    part = _dataset(NEW[3:6], 3).drop_vars("x")
    zchunk.xarray.to_zarr(part, world.store, group="set", region={"t": slice(3, 6), "x": slice(None)})


def _orphans(world: World) -> None:
    _some(world)
    for name in ("zarr.json",) if world.place.zarr_format == 3 else (".zarray", ".zattrs"):
        del world.store[f"a/{name}"]


def _repair(world: World) -> None:
    asked = {"orphans": "erase", "leftovers": "erase", "consolidated": "rebuild"}
    found = zchunk.repair(world.store, **asked, dry_run=False)  # type: ignore[call-overload]
    # It raises nothing: what could not be read or done is in the report.
    failed = [finding.detail for finding in found.report.of("unreadable")]
    failed += [action.detail for action in found.actions if not action.done]
    if failed:
        raise OSError(failed[0])


def _hierarchy(world: World) -> None:
    like = zchunk.zeros((4, 4), chunks=(2, 2), dtype="i4", zarr_format=3)
    for _ in zchunk.create_hierarchy(store=world.store, nodes={"h/x": like, "h/y": like}, overwrite=True):
        pass


# ---- checkpoints, which have places of their own


def _manager(world: World) -> Any:
    from zchunk.checkpoint import CheckpointManager

    durability = "fsync" if world.place.durability == "fsync" else "atomic"
    return CheckpointManager(
        world.folder / "run", max_to_keep=2, async_save=False, threads=1, durability=durability
    )


def _save_step(step: int) -> Change:
    def change(world: World) -> None:
        with _manager(world) as manager:
            state = {"u": np.arange(40.0) + step, "g": {"v": np.full(3, step)}, "k": step}
            manager.save(step, state, static={"mask": np.arange(5)})

    return change


def _steps(world: World) -> None:
    _save_step(1)(world)
    _save_step(2)(world)


def _look_at_steps(world: World) -> Picture:
    with _manager(world) as manager:
        found = manager.restore(verify="full")
        if found is None:
            return {}
        items = {name: pictures.Node({}, found.read(name), (40,)) for name in ("u", "g/v")}
        return {"": pictures.Node({"step": found.step, "k": found["k"]}), **items}


def _series(world: World, length: int) -> None:
    from zchunk.checkpoint import Series

    durability = "fsync" if world.place.durability == "fsync" else "atomic"
    with Series(world.folder / "series", durability=durability) as series:
        series.truncate(length)
        series.append(length, length / 2, {"w": np.full(2, length)})


def _look_at_series(world: World) -> Picture:
    from zchunk.checkpoint import Series

    with Series(world.folder / "series", durability="atomic") as series:
        length = len(series)
    if not length:
        return {}
    node = zchunk.open_group(world.folder / "series", mode="r")["w"]
    # What was acknowledged is the first part; more of it is written by the next program.
    return {"": pictures.Node({}, np.asarray(node[:length]), (1, 1))}


_CHECKPOINTS = ("v3", "v3-fsync")
# A step is there or not, and a folder that is being deleted is no part of it.
_WHOLE = Allowed(whole=True, stale=True)
_XARRAY_BUT = ("n5", "fsspec", "shards", "shards-fsync", "shards-none")
_EMPTY = Allowed(empty=True)
_EMPTY_BARE = Allowed(empty=True, bare=True)
_NOT_N5 = ("n5",)


def _replacing(path: str, empty: bool = False, bare: bool = False) -> Allowed:
    return Allowed(absent=(path,), empty=empty, bare=bare)


def _saving(step: int, start: Change) -> Operation:
    """Return the operation that saves a step of a checkpoint; the next save clears up."""
    return Operation(
        _save_step(step), start, _WHOLE, once=True, look=_look_at_steps, folder="run", places=_CHECKPOINTS,
        clear=_save_step(step + 1),
    )  # fmt: skip


OPERATIONS: dict[str, Operation] = {
    # Chunks.
    "write chunk": Operation(_setting("a", np.s_[:3, :3], NEW[:3, :3]), _some),
    "write item": Operation(_setting("a", (4, 4), 777), _some),
    "write row": Operation(_setting("a", 4, NEW[4]), _some),
    "write all": Operation(_setting("a", ..., NEW), _some),
    "write steps": Operation(_setting("a", np.s_[::2, ::3], NEW[::2, ::3]), _some),
    "write points": Operation(_write_points, _some),
    "write mask": Operation(_write_mask, _some),
    "write crossing": Operation(_write_crossing, _some),
    "write block": Operation(_write_block, _some),
    "write new chunk": Operation(_setting("sparse", np.s_[6:9, 3:], 8), _some),
    "write part of new chunk": Operation(_setting("sparse", (7, 4), 8), _some),
    "write fill values": Operation(_setting("a", np.s_[:5], 0), _some),
    "write two arrays": Operation(_write_many, _some),
    "write texts": Operation(_write_texts, _texts, but=_NOT_N5),
    "write a field": Operation(_write_field, _texts, but=_NOT_N5),
    # Shapes.
    "append rows": Operation(lambda w: w.at("a").append(NEW[:3]), _some, once=True),
    "append part of a chunk": Operation(lambda w: w.at("a").append(NEW[:2]), _some, once=True),
    "append columns": Operation(lambda w: w.at("a").append(NEW[:, :4], axis=1), _some, once=True),
    "grow": Operation(lambda w: w.at("a").resize(14, 9), _some),
    "shrink": Operation(lambda w: w.at("a").resize(4, 6), _some),
    "shrink to nothing": Operation(lambda w: w.at("a").resize(0, 6), _some),
    "shrink and grow": Operation(
        lambda w: w.at("a").resize(4, 9), _some, Allowed(between=((4, 6),)), again=_shrink_first
    ),
    # Attributes.
    "set attribute": Operation(lambda w: w.at("a").attrs.__setitem__("units", "m"), _some),
    "update attributes": Operation(lambda w: w.at("a").attrs.update(rows=13, x=[1, 2]), _some),
    "put attributes": Operation(lambda w: w.at("a").attrs.put({"y": None}), _some),
    "delete attribute": Operation(lambda w: w.at("a").attrs.__delitem__("rows"), _some, once=True),
    "set attributes of two": Operation(_set_attributes, _some),
    "attributes of a group": Operation(lambda w: w.at("g").attrs.update(rows=5), _some),
    # Making.
    "create": Operation(lambda w: w.create("n", overwrite=True), _some),
    "create with attributes": Operation(lambda w: w.create("n", overwrite=True, attributes={"x": 1}), _some),
    "create at root": Operation(lambda w: w.create("", overwrite=True), _nothing),
    "create and fill": Operation(
        lambda w: w.create("n", overwrite=True).__setitem__(..., NEW), _some, _replacing("n", empty=True)
    ),
    "create with data": Operation(lambda w: w.array("n", NEW, overwrite=True), _some),
    "create below": Operation(lambda w: w.array("n/m/x", NEW, overwrite=True), _some),
    "create a tree": Operation(_create_tree, _some, _EMPTY_BARE, again=lambda w: _recreate_tree(w)),
    "create group": Operation(lambda w: w.group("n/m", rows=3), _some, _EMPTY_BARE),
    "create hierarchy": Operation(
        _hierarchy, _some, places=("v3", "v3-fsync", "zip", "sqlite", "sqlite-fsync", "lmdb")
    ),
    "require": Operation(_require, _some, _EMPTY),
    "full": Operation(
        lambda w: zchunk.full(
            (12, 6), 7, store=w.store, path="n", overwrite=True, **w.place.create(chunks=(3, 3))
        ),
        _some,
        but=_NOT_N5,
    ),
    # Replacing.
    "replace array": Operation(lambda w: w.create("a", (6, 6), overwrite=True), _some, _replacing("a")),
    "replace array by data": Operation(
        lambda w: w.array("a", NEW[:6], overwrite=True), _some, _replacing("a")
    ),
    "replace and fill": Operation(_replace_filled, _some, _replacing("a", empty=True)),
    "replace group by array": Operation(lambda w: w.array("g", NEW, overwrite=True), _some, _replacing("g")),
    "replace array by group": Operation(
        lambda w: w.group("a", "w", rows=1), _some, _replacing("a", bare=True)
    ),
    "replace group": Operation(lambda w: w.group("g", "w", rows=1), _some, _replacing("g", bare=True)),
    "replace array above": Operation(
        lambda w: w.array("a/x", NEW, overwrite=True), _some, _replacing("a"), but=_NOT_N5
    ),
    "replace root": Operation(lambda w: w.group("", "w", title="new"), _some, _replacing("", bare=True)),
    "replace root array": Operation(lambda w: w.array("", NEW[:6], overwrite=True), _one, _replacing("")),
    # Moving, deleting.
    "move array": Operation(lambda w: w.root.move("a", "n/m"), _some, once=True),
    "move group": Operation(lambda w: w.root.move("g", "n"), _some, once=True),
    "rename": Operation(
        lambda w: zchunk.storage.rename(w.store, "g", "n"), _some, once=True, but=("zip", "zip-fsync")
    ),
    "delete array": Operation(lambda w: w.root.__delitem__("a"), _some, once=True),
    "delete group": Operation(lambda w: w.root.__delitem__("g"), _some, once=True),
    "rmdir": Operation(lambda w: zchunk.storage.rmdir(w.store, "g"), _some, erases=True),
    "rmdir root": Operation(lambda w: zchunk.storage.rmdir(w.store), _some, erases=True),
    "clear": Operation(lambda w: w.store.clear(), _one, erases=True),
    # Whole hierarchies.
    "consolidate": Operation(lambda w: zchunk.consolidate_metadata(w.store), _some, but=_NOT_N5),
    "consolidate again": Operation(
        lambda w: (w.array("n", NEW, overwrite=True), zchunk.consolidate_metadata(w.store)),
        _consolidated,
        Allowed(stale=True),
        but=_NOT_N5,
    ),
    "copy array": Operation(
        lambda w: zchunk.copy(w.root["a"], w.root, "copied", if_exists="replace"), _some
    ),
    "copy replacing": Operation(
        lambda w: zchunk.copy(
            _copied_array(), w.root, "a", if_exists="replace", **w.place.create(chunks=(3, 3))
        ),
        _some,
        _replacing("a"),
    ),
    "copy group": Operation(_copy_group, _some, Allowed(bare=True)),
    "copy all": Operation(_copy_all, _some, Allowed(bare=True)),
    # Keys are copied as they are, and those of a nested store are others.
    "copy store": Operation(_copy_store, _some, _EMPTY, but=("n5", "nested")),
    "save": Operation(_save, _some, _replacing("")),
    "save array": Operation(_save_array, _some),
    "save group": Operation(_save_group, _some),
    "rechunk": Operation(_rechunk, _some, _EMPTY),
    "repair": Operation(_repair, _orphans, but=_NOT_N5),
    # The wings.
    "dask store": Operation(_dask_new, _some, _EMPTY, but=_NOT_N5),
    "dask store region": Operation(_dask_region, _some),
    "to_zarr": Operation(_to_zarr("w"), lambda w: w.group(), _EMPTY_BARE, but=_XARRAY_BUT),
    "to_zarr replacing": Operation(
        _to_zarr("w"),
        _with_dataset,
        Allowed(absent=("set",), empty=True, bare=True, stale=True),
        but=_XARRAY_BUT,
    ),
    "to_zarr append": Operation(
        _to_zarr_append, _with_dataset, Allowed(stale=True), _to_zarr_append_again, but=_XARRAY_BUT
    ),
    "to_zarr region": Operation(_to_zarr_region, _with_dataset, Allowed(stale=True), but=_XARRAY_BUT),
    "checkpoint": _saving(3, _steps),
    "first checkpoint": _saving(1, _nothing),
    "series": Operation(
        lambda w: _series(w, 1),
        lambda w: _series(w, 0),
        Allowed(stale=True),
        look=_look_at_series,
        folder="series",
        places=_CHECKPOINTS,
    ),
}


def _recreate_tree(world: World) -> None:
    world.root.require_group("n/m").attrs["deep"] = True
    world.create("n/m/x", overwrite=True)[...] = NEW


def started(operation: Operation, place: Place, folder: Path) -> None:
    """Make in a folder what is there before an operation."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    world = World(place, folder)
    operation.start(world)
    if hasattr(world.store, "close"):
        world.store.close()
