"""Changes of nodes, killed at every file-system call: what `test_kills` runs, with `kills.c` preloaded.

    python -m tests.promises.kill_cases LIBRARY FOLDER KIND CHANGE

Prints how many calls the change makes. Ends with an error if a kill leaves anything but whole nodes, old or
new, or if the change cannot be made afterwards.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import zchunk
from zchunk.storage import DirectoryStore, FSStore, N5Store, Store

KINDS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2},
    "v2_nested": {"zarr_format": 2, "dimension_separator": "/"},
    "v3": {"zarr_format": 3},
    "shards": {"zarr_format": 3, "shards": (6, 6)},
    "n5": {"zarr_format": 2, "dimension_separator": "."},
    "fsync": {"zarr_format": 3},
    "file_url": {"zarr_format": 2},
    "fsspec": {"zarr_format": 2},
}
OLD = np.arange(1, 73, dtype="i4").reshape(12, 6)
NEW = np.arange(1001, 1037, dtype="i4").reshape(6, 6)
# What is there only as a whole.
COPY = NEW + 1000
OLD_NODES = {"": "group", "a": OLD, "g": "group", "g/b": OLD, "g/h": "group", "g/h/c": OLD}


def store_of(kind: str, folder: Path) -> Store:
    if kind == "n5":
        return N5Store(folder)
    if kind == "fsspec":
        # The files of fsspec itself, not those of a `DirectoryStore`.
        import fsspec

        fs = fsspec.filesystem("dir", path=str(folder.parent), target_protocol="file")
        return FSStore(folder.name, fs=fs)
    if kind == "file_url":
        return zchunk.storage.normalize_store_arg(folder.as_uri(), mode="a")
    return DirectoryStore(folder, durability="fsync" if kind == "fsync" else "atomic")


def array(store: Store, kind: str, path: str, items: np.ndarray, **kwargs: Any) -> None:
    made = zchunk.create(
        items.shape, chunks=(3, 3), dtype="i4", store=store, path=path, **{**KINDS[kind], **kwargs}
    )
    made[:] = items


def group(store: Store, kind: str, path: str, **kwargs: Any) -> None:
    kwargs["attributes"] = {"rows": kwargs.get("attributes", {}).get("rows", 0)}
    zchunk.open_group(store, path=path, zarr_format=KINDS[kind]["zarr_format"], **kwargs)


def make_old(store: Store, kind: str) -> None:
    for path, what in OLD_NODES.items():
        if isinstance(what, str):
            group(store, kind, path)
        else:
            array(store, kind, path, what, attributes={"rows": len(what)})


def make_old_at_root(store: Store, kind: str) -> None:
    array(store, kind, "", OLD, attributes={"rows": len(OLD)})


def _root(store: Store) -> zchunk.Group:
    return zchunk.open_group(store, "r+")


def _copied() -> zchunk.Array:
    return zchunk.array(COPY, chunks=(2, 2), path="c", attributes={"rows": len(COPY)})


_SHARDS = {"shards": {"chunks": (3, 3), "shards": (6, 6)}}

Change = Callable[[Store, str], None]
# By name: what is there before, the change, and what may be there after it besides what was there before.
CHANGES: dict[str, tuple[Callable[[Store, str], None], Change, dict[str, Any]]] = {
    "delete_array": (make_old, lambda s, kind: _root(s).__delitem__("a"), {}),
    "delete_group": (make_old, lambda s, kind: _root(s).__delitem__("g"), {}),
    "move_array": (make_old, lambda s, kind: _root(s).move("a", "n/m"), {"n": "group", "n/m": OLD}),
    "move_group": (
        make_old,
        lambda s, kind: _root(s).move("g", "n"),
        {"n": "group", "n/b": OLD, "n/h": "group", "n/h/c": OLD},
    ),
    "replace_array": (
        make_old,
        lambda s, kind: array(s, kind, "a", NEW, overwrite=True, attributes={"rows": len(NEW)}),
        {"a": NEW},
    ),
    "replace_group_by_array": (
        make_old,
        lambda s, kind: array(s, kind, "g", NEW, overwrite=True, attributes={"rows": len(NEW)}),
        {"g": NEW},
    ),
    "replace_array_above": (
        make_old,
        lambda s, kind: array(s, kind, "a/x", NEW, overwrite=True, attributes={"rows": len(NEW)}),
        {"a": "group", "a/x": NEW},
    ),
    "replace_root": (
        make_old,
        lambda s, kind: group(s, kind, "", mode="w", attributes={"rows": 1}),
        {"": "new group"},
    ),
    "replace_root_array": (
        make_old_at_root,
        lambda s, kind: array(s, kind, "", NEW, overwrite=True, attributes={"rows": len(NEW)}),
        {"": NEW},
    ),
    "rmdir": (make_old, lambda s, kind: zchunk.storage.rmdir(s, "g"), {}),
    "rmdir_root": (make_old, lambda s, kind: zchunk.storage.rmdir(s), {}),
    "clear_root_array": (make_old_at_root, lambda s, kind: s.clear(), {}),
    "create": (
        lambda s, kind: None,
        lambda s, kind: array(s, kind, "a", NEW, attributes={"rows": len(NEW)}),
        {"": "group", "a": NEW},
    ),
    "copy": (
        make_old,
        lambda s, kind: zchunk.copy(_copied(), _root(s), "c", if_exists="replace", **_SHARDS.get(kind, {})),
        {"c": COPY},
    ),
    "rechunk": (
        make_old,
        lambda s, kind: zchunk.rechunk(_copied(), (3, 3), s, path="c", overwrite=True),
        {"c": COPY},
    ),
}


def check(store: Store, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Look at every node that there may be: it is absent, or as before, or as after."""
    for path in {*before, *after}:
        try:
            node = zchunk.open(store, "r", path=path)
        except FileNotFoundError:
            continue
        except zchunk.errors.MetadataError:
            # fsspec's local files are written in place.
            assert isinstance(store, FSStore)
            continue
        rows = node.attrs.get("rows")
        if isinstance(node, zchunk.Group):
            # In N5 what has attributes is a group, and they come before the array.
            is_group = any(isinstance(nodes.get(path), str) for nodes in (before, after))
            assert is_group or isinstance(store, N5Store), f"{path!r} is a group"
            continue
        items = node[:]
        for what in (before.get(path), after.get(path)):
            if isinstance(what, np.ndarray) and what.shape == items.shape:
                assert rows == len(what), (
                    f"{path!r} has {len(what)} rows, and the attributes {dict(node.attrs)}"
                )
                # What is written after a node was made is not part of making it.
                written = items != 0 if what is NEW else np.ones_like(items, bool)
                assert (items[written] == what[written]).all(), f"{path!r} lacks chunks:\n{items}"
                assert what is not NEW or not (items[written] < 1000).any(), f"{path!r} has old chunks"
                break
        else:
            raise AssertionError(f"{path!r} has the shape {items.shape}")


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def main() -> None:
    library, folder, kind, change = ctypes.CDLL(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
    make, apply, new = CHANGES[change]
    start, copy = folder / "start", folder / "copy"
    start.mkdir()
    make(store_of(kind, start), kind)
    before = {} if change == "create" else {"": OLD} if make is make_old_at_root else OLD_NODES

    def run(at: int) -> int:
        """Make the change in a copy, in a process that is killed at a call; return how it ended."""
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(start, copy)
        pid = os.fork()
        if not pid:
            try:
                store = store_of(kind, copy)
                library.kill_at(at)
                apply(store, kind)
                library.kill_at(-1)
                os._exit(0)
            finally:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert run(-1) == 0
    wanted = files(copy)
    at = 0
    while True:
        at += 1
        code = run(at)
        if code == 0:
            break
        assert code == -signal.SIGKILL, f"ended with {code} when killed at {at}"
        try:
            store = store_of(kind, copy)
            check(store, before, new)
            again(store, kind, change, apply, before, new)
            if isinstance(store, DirectoryStore):
                store.remove_leftovers()
                assert files(copy) == wanted, sorted(files(copy) ^ wanted)
        except Exception as error:
            raise SystemExit(f"killed at call {at}: {type(error).__name__}: {error}") from error
    print(at - 1)


def again(store: Store, kind: str, change: str, apply: Change, before: Any, new: Any) -> None:
    """Make the change again, unless it was done."""
    try:
        apply(store, kind)
    except (KeyError, FileNotFoundError):
        assert change.startswith(("delete", "move"))
    except (zchunk.errors.ContainsArrayError, zchunk.errors.ContainsGroupError):
        assert change == "create"
        array(store, kind, "a", NEW, overwrite=True, attributes={"rows": len(NEW)})
    check(store, before, new)


if __name__ == "__main__":
    main()
