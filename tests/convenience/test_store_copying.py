"""`copy_store`: which keys go where, and what is in the way."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.convenience import store_copying
from zchunk.errors import CopyError, InvalidKeyError

SOURCE = {"foo": b"xxx", "bar/baz": b"yyy", "bar/qux": b"zzz", "barn": b"w"}


def copied(**kwargs: Any) -> dict[str, bytes]:
    dest: dict[str, bytes] = {}
    zchunk.copy_store(SOURCE, dest, **kwargs)
    return dest


def test_everything() -> None:
    dest: dict[str, bytes] = {}
    assert zchunk.copy_store(SOURCE, dest) == (4, 0, 10)
    assert dest == SOURCE


@pytest.mark.parametrize("slashes", ["{}", "/{}", "{}/", "/{}/"])
def test_paths(slashes: str) -> None:
    below, to = slashes.format("bar"), slashes.format("new")
    assert copied(source_path=below) == {"baz": b"yyy", "qux": b"zzz"}
    assert copied(dest_path=to) == {f"new/{key}": value for key, value in SOURCE.items()}
    assert copied(source_path=below, dest_path=to) == {"new/baz": b"yyy", "new/qux": b"zzz"}
    assert copied(source_path="nope") == {}


def test_what_is_left_out() -> None:
    assert set(copied(excludes="f.*")) == {"bar/baz", "bar/qux", "barn"}
    assert set(copied(excludes=["f.*", "z$"])) == {"bar/qux", "barn"}
    assert set(copied(excludes="bar", includes=".*z$")) == {"foo", "bar/baz"}
    assert set(copied(excludes="b.*", includes=[".*x", ".*n"])) == {"foo", "bar/qux", "barn"}
    assert set(copied(includes="nope")) == set(SOURCE)
    assert set(copied(excludes="FOO")) == set(SOURCE)
    assert set(copied(excludes="FOO", flags=re.IGNORECASE)) == set(SOURCE) - {"foo"}


def test_what_is_in_the_way() -> None:
    for kwargs in ({}, {"if_exists": "raise"}, {"dry_run": True}):
        dest = {"bar/baz": b"old"}
        with pytest.raises(CopyError, match="bar/baz"):
            zchunk.copy_store(SOURCE, dest, **kwargs)
        assert dest == {"bar/baz": b"old"}
    assert zchunk.copy_store(SOURCE, dest, if_exists="skip") == (3, 1, 7)
    assert dest == SOURCE | {"bar/baz": b"old"}
    assert zchunk.copy_store(SOURCE, dest, if_exists="replace") == (4, 0, 10)
    assert dest == SOURCE
    with pytest.raises(ValueError, match="foobar"):
        zchunk.copy_store(SOURCE, dest, if_exists="foobar")


def test_dry_run_and_log() -> None:
    lines: list[str] = []
    dest: dict[str, bytes] = {"new/qux": b""}
    kwargs: Any = {"source_path": "bar", "dest_path": "new", "if_exists": "skip", "log": lines.append}
    assert zchunk.copy_store(SOURCE, dest, dry_run=True, **kwargs) == (1, 1, 0)
    assert dest == {"new/qux": b""}
    keys = ["copy bar/baz -> new/baz", "skip bar/qux -> new/qux"]
    assert lines == [*keys, "dry run: 1 copied, 1 skipped"]
    lines.clear()
    zchunk.copy_store(SOURCE, dest, **kwargs)
    assert lines == [*keys, "all done: 1 copied, 1 skipped, 3 bytes copied"]
    lines.clear()
    zchunk.copy_store({"a": b""}, {}, log=lines.append)
    assert lines[0] == "copy a"


def test_within_one_store() -> None:
    store = dict(SOURCE)
    assert zchunk.copy_store(store, store, dest_path="bar/copy")[0] == 4
    assert store == SOURCE | {f"bar/copy/{key}": value for key, value in SOURCE.items()}


def test_between_stores_of_all_kinds(tmp_path: Path) -> None:
    g = zchunk.open_group(tmp_path / "a")
    g["x/y"] = [1, 2, 3]
    g["x"].attrs["a"] = 1
    with zchunk.ZipStore(tmp_path / "b.zip") as archive:
        zchunk.copy_store(g.store, archive)
    assert zchunk.open(tmp_path / "b.zip", "r")["x/y"][...].tolist() == [1, 2, 3]
    store = zchunk.MemoryStore()
    zchunk.copy_store(g.store, store, "x", "z")
    assert zchunk.open_array(store, "r", path="z/y")[...].tolist() == [1, 2, 3]
    assert store["z/.zattrs"] == g.store["x/.zattrs"]


@pytest.mark.parametrize("key", ["../x", "/x", "a//b", "a\\b"])
def test_keys_that_escape(key: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidKeyError):
        zchunk.copy_store({key: b"x"}, zchunk.DirectoryStore(tmp_path / "a" / "b"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_memory() -> None:
    class Source(Mapping[str, bytes]):
        def __iter__(self) -> Iterator[str]:
            return iter(map(str, range(100)))

        def __len__(self) -> int:
            return 100

        def __getitem__(self, key: str) -> bytes:
            return bytes(1 << 20)

    class Dest(dict[str, bytes]):
        def __setitem__(self, key: str, value: bytes) -> None:
            pass

    tracemalloc.start()
    try:
        assert zchunk.copy_store(Source(), Dest()) == (100, 0, 100 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


class _Stopped(Exception):
    pass


class _StopsAfter(dict[str, Any]):
    """A store whose writer is stopped after some changes."""

    def __init__(self, values: dict[str, Any], changes: int) -> None:
        super().__init__(values)
        self.left = changes

    def _change(self) -> None:
        if not self.left:
            raise _Stopped
        self.left -= 1

    def __setitem__(self, key: str, value: Any) -> None:
        self._change()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self._change()
        super().__delitem__(key)


def _hierarchy(zarr_format: Any, first: int) -> zchunk.MemoryStore:
    store = zchunk.MemoryStore()
    group = zchunk.open_group(store, "w", zarr_format=zarr_format)
    group.attrs["about"] = "it"
    for name in ("a", "b/c"):
        z = group.create(name, shape=4, chunks=1, dtype="i4", attributes={"unit": "m"})
        z[:] = np.arange(first, first + 4)
    return store


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.parametrize("replaced", [False, True])
def test_what_a_stopped_copy_leaves_does_not_look_complete(
    zarr_format: Any, consolidated: bool, replaced: bool
) -> None:
    source, old = _hierarchy(zarr_format, 1), _hierarchy(zarr_format, 100) if replaced else {}
    if consolidated:
        zchunk.consolidate_metadata(source)
    changes = 0
    while True:
        dest = _StopsAfter(dict(old), changes)
        try:
            zchunk.copy_store(source, dest, if_exists="replace")
        except _Stopped:
            changes += 1
        else:
            break
        for path in ("a", "b/c"):
            if zchunk.storage.contains_array(dest, path):
                z = zchunk.open_array(dest, "r", path=path)
                assert z.attrs.asdict() == {"unit": "m"}
                assert z[:].tolist() in ([1, 2, 3, 4], [100, 101, 102, 103])
        if not replaced and zchunk.storage.contains_group(dest):
            assert (len(dest), consolidated) == (len(source) - 1, True)
    assert changes > 10
    assert dest == dict(source)


def test_a_store_copied_onto_itself_keeps_its_arrays(tmp_path: Path) -> None:
    zchunk.save(tmp_path / "x", a=np.arange(3))
    zchunk.copy_store(tmp_path / "x", str(tmp_path / "x"), if_exists="replace")
    assert zchunk.open_group(tmp_path / "x", "r")["a"][:].tolist() == [0, 1, 2]


@pytest.mark.parametrize("zarr_format", [None, 2, 3])
def test_paths_and_groups(tmp_path: Path, zarr_format: Any) -> None:
    zchunk.save(tmp_path / "from.zarr", a=np.arange(3), path="g")
    group = zchunk.open_group(tmp_path / "from.zarr", "r", path="g")
    from_path = {"source_path": "g", "zarr_format": zarr_format}
    zchunk.copy_store(str(tmp_path / "from.zarr"), tmp_path / "path.zarr", **from_path)
    zchunk.copy_store(tmp_path / "from.zarr", tmp_path / "to.zip", **from_path)
    zchunk.copy_store(tmp_path / "from.zarr", tmp_path / "to.zarr", **from_path)
    zchunk.copy_store(group, tmp_path / "group.zarr", zarr_format=zarr_format)
    zchunk.copy_store(tmp_path / "to.zip", tmp_path / "unzipped.zarr", zarr_format=zarr_format)
    for name in ("path.zarr", "to.zip", "to.zarr", "group.zarr", "unzipped.zarr"):
        found = zchunk.open_group(tmp_path / name, "r")
        assert {key: z[:].tolist() for key, z in found.arrays()} == {"a": [0, 1, 2]}
        assert found.zarr_format == (zarr_format or 2)


def test_groups_of_others_hold_no_bytes() -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File("x", "w", driver="core", backing_store=False) as file:
        file["a"] = [1]
        dest: dict[str, Any] = {}
        with pytest.raises(TypeError, match="no store"):
            zchunk.copy_store(file, dest)
        assert not dest


def test_files_of_n5_come_with_their_metadata_last(tmp_path: Path) -> None:
    source = zchunk.open_group(tmp_path / "a.n5", "w")
    source.array("x", np.arange(4), chunks=2)
    source.array("z/y", np.arange(4), chunks=2, attributes={"n": 1})
    files: dict[str, bytes] = {}
    zchunk.copy_store(zchunk.DirectoryStore(tmp_path / "a.n5"), files)
    nodes = ["z/y/", "x/", "z/", ""]
    assert list(files)[-4:] == [f"{node}attributes.json" for node in nodes]
    # What is replaced goes before.
    source["x"].resize(2)
    zchunk.copy_store(zchunk.DirectoryStore(tmp_path / "a.n5"), files, if_exists="replace")
    assert list(files)[-2:] == ["z/y/attributes.json", "x/attributes.json"]


def test_keys_come_in_order_chunks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_copying, "_RUN", 3)
    chunks = [f"a/{n}" for n in range(20)] + ["ä/0", "b/c/0.0", "a/\0", "c/.unfinished"]
    metadata = ["b/c/.zattrs", "b/c/.zarray", "a/.zarray", "b/.zgroup", ".zattrs", ".zgroup"]
    keys = [*chunks, *metadata, "a/.unfinished"]
    selected = store_copying._Selected(keys[::2] + keys[1::2])
    assert list(selected) == [*sorted(chunks), *metadata]
    assert (len(selected), selected.metadata) == (len(chunks + metadata), metadata)
    assert list(store_copying._Selected([])) == []
