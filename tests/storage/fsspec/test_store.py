"""`FSStore`, and URLs as stores."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import numpy as np
import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.implementations.tar import TarFileSystem
from fsspec.implementations.zip import ZipFileSystem

import zchunk
from tests.store_conformance import StoreConformance
from zchunk.errors import InvalidKeyError, ReadOnlyError
from zchunk.storage import FSStore, KVStore, Store, open_store

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def no_files_in_memory() -> Iterator[None]:
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


class TestFSStoreLocal(StoreConformance):
    def make(self, path: Path) -> Store:
        return FSStore(f"file://{path}")


class TestFSStoreMemory(StoreConformance):
    def make(self, path: Path) -> Store:
        return FSStore(f"memory://{next(_numbers)}{path}")


class Plain(LocalFileSystem):
    """Local files, of which the store knows nothing."""

    protocol = "plain"


class TestFSStoreFolders(StoreConformance):
    # Files are written in place.
    atomic = False

    def make(self, path: Path) -> Store:
        return FSStore(str(path), fs=Plain())

    def test_threads_write_what_others_erase(self, store: Store) -> None:
        pytest.skip("fsspec's local files do not survive that")


class Bucket(AsyncFileSystem):
    """An object store in memory: no folders, no order, many requests at a time, none after a fork."""

    protocol = "bucket"
    cachable = False
    objects: ClassVar[dict[str, bytes]] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.under_way = self.most = 0

    async def _info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        if path in self.objects:
            return {"name": path, "size": len(self.objects[path]), "type": "file"}
        if any(name.startswith(f"{path}/") for name in list(self.objects)):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    async def _ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        path = self._strip_protocol(path)
        prefix = f"{path}/"
        names = {prefix + n[len(prefix) :].split("/")[0] for n in list(self.objects) if n.startswith(prefix)}
        if not names:
            if path not in self.objects:
                raise FileNotFoundError(path)
            names = {path}
        infos = [await self._info(name) for name in names]
        return infos if detail else [info["name"] for info in infos]

    async def _find(self, path: str, *args: Any, **kwargs: Any) -> list[str]:
        prefix = self._strip_protocol(path)
        return sorted(n for n in list(self.objects) if n == prefix or n.startswith(f"{prefix}/"))

    async def _cat_file(self, path: str, start: Any = None, end: Any = None, **kwargs: Any) -> bytes:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.001)
            if path.endswith("broken"):
                raise OSError(5, "the network is down")
            if path not in self.objects:
                raise FileNotFoundError(path)
            if start is not None and start >= len(self.objects[path]):
                raise OSError(22, "range not satisfiable")
            return self.objects[path][start:end]
        finally:
            self.under_way -= 1

    async def _pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        self.objects[path] = value

    async def _rm_file(self, path: str, **kwargs: Any) -> None:
        self.objects.pop(path, None)

    async def _rm(self, path: Any, recursive: bool = False, **kwargs: Any) -> None:
        for name in await self._expand_path(path, recursive=recursive):
            await self._rm_file(name)


class TestFSStoreObjects(StoreConformance):
    folders = False

    def make(self, path: Path) -> Store:
        Bucket.objects = {}
        return FSStore(f"bucket{path}", fs=Bucket())


def test_read_only() -> None:
    store = FSStore("memory://r", mode="r")
    changes = [
        lambda: store.__setitem__("k", b"v"),
        lambda: store.__delitem__("k"),
        lambda: store.set_many({"k": b"v"}),
        lambda: store.erase_many(["k"]),
        lambda: store.erase_prefix("k"),
        lambda: store.rename("k", "l"),
        store.clear,
        lambda: store.setitems({"k": b"v"}),
        lambda: store.delitems(["k"]),
        lambda: store.update(k=b"v"),
    ]
    for change in changes:
        with pytest.raises(ReadOnlyError, match="mode 'r'"):
            change()
    with pytest.raises(InvalidKeyError):
        store["../k"] = b"v"


def test_attributes_and_parameters(tmp_path: Path) -> None:
    store = FSStore(str(tmp_path), key_separator="/", normalize_keys=True)
    assert (store.key_separator, store._dimension_separator, store.mode) == ("/", "/", "w")
    assert store.path == str(tmp_path)
    assert type(store.fs) is LocalFileSystem
    store["A/B"] = b"v"
    assert store.map["a/b"] == b"v"
    assert store.dir_path("A") == f"{tmp_path}/a"
    assert "a/b" in store
    assert store.get_many(["A/b"]) == {"A/b": b"v"}
    assert FSStore(str(tmp_path)).key_separator == "."
    assert FSStore(str(tmp_path))._dimension_separator is None
    assert FSStore(str(tmp_path), auto_mkdir=False).fs.auto_mkdir is False
    FSStore(str(tmp_path / "new"), create=True, check=True)
    assert os.listdir(tmp_path / "new") == []
    with pytest.raises(ValueError, match="leave one out"):
        FSStore(str(tmp_path), fs=LocalFileSystem(), auto_mkdir=True)
    with pytest.raises(ValueError, match="dimension_separator"):
        FSStore(str(tmp_path), dimension_separator="-")
    z = zchunk.array(np.eye(4), chunks=2, store=FSStore(str(tmp_path / "z"), dimension_separator="/"))
    assert sorted(z.store) == [".zarray", "0/0", "0/1", "1/0", "1/1"]
    assert z.store.listdir() == [".zarray", "0/0", "0/1", "1/0", "1/1"]
    assert z.store.list_dir() == [".zarray", "0", "1"]


def test_local_files_are_written_by_the_native_engine(tmp_path: Path) -> None:
    store = FSStore(f"file://{tmp_path}")
    assert store.root == str(tmp_path)
    assert FSStore(f"file://{tmp_path}", mode="r").root is None
    assert FSStore(str(tmp_path), fs=Plain()).root is None

    class Mine(FSStore):
        def __getitem__(self, key: str) -> bytes:
            return super().__getitem__(key)[::-1]

    assert Mine(str(tmp_path)).root is None


def test_pickle_keeps_everything() -> None:
    store = FSStore("memory://p", mode="r", dimension_separator="/", exceptions=[KeyError])
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert (copy.mode, copy.key_separator, copy.exceptions) == ("r", "/", (KeyError,))
    assert FSStore("memory://p") != store


def test_killed_while_writing(tmp_path: Path) -> None:
    code = (
        "import sys, zchunk\nstore = zchunk.FSStore('file://' + sys.argv[1])\ni = 0\n"
        "while True:\n    i += 1; store['k'] = bytes([i % 256]) * 5_000_000\n    if i == 1: print(flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    process.stdout.readline()  # type: ignore[union-attr]
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()  # type: ignore[union-attr]
    value = FSStore(f"file://{tmp_path}")["k"]
    assert value == value[:1] * 5_000_000


# --- open_store


def test_open_store(tmp_path: Path) -> None:
    with open_store("memory://m/x", "r") as store:
        assert isinstance(store, FSStore)
        assert (store.mode, store.path) == ("r", "/m/x")
    chain = open_store(
        f"simplecache::file://{tmp_path}/c",
        storage_options={"simplecache": {"cache_storage": str(tmp_path / "cache"), "same_names": True}},
    )
    chain["k"] = b"v"
    assert (tmp_path / "c" / "k").read_bytes() == b"v"
    assert chain["k"] == b"v"
    assert os.listdir(tmp_path / "cache") == ["k"]
    mapper = fsspec.get_mapper("memory://mapper")
    store = open_store(mapper, "r")
    assert isinstance(store, FSStore)
    assert (store.mode, store.path) == ("r", "/mapper")
    assert type(open_store({}, storage_options={"a": 1})) is KVStore
    for path in (tmp_path, str(tmp_path), tmp_path / "x.zip"):
        with pytest.raises(ValueError, match="storage_options"):
            open_store(path, storage_options={"a": 1})


def test_api_with_urls() -> None:
    options = {"storage_options": {"global_store": True}}
    root = zchunk.open_group("memory://api", mode="w", **options)
    chunks = "memory://chunks"
    z = zchunk.open_array("memory://api", mode="w", path="z", shape=4, chunk_store=chunks, **options)
    z[:] = [1, 2, 3, 4]
    root.attrs["a"] = 1
    assert sorted(MemoryFileSystem.store) == ["/api/.zattrs", "/api/.zgroup", "/api/z/.zarray", "/chunks/z/0"]
    again = zchunk.open("memory://api", "r", path="z", chunk_store=chunks, **options)
    assert again[...].tolist() == [1, 2, 3, 4]
    zchunk.consolidate_metadata("memory://api")
    assert zchunk.open_consolidated("memory://api", **options).attrs["a"] == 1
    zchunk.save("memory://saved", np.arange(3))
    assert zchunk.load("memory://saved").tolist() == [0, 1, 2]
    with pytest.raises(ReadOnlyError):
        zchunk.open("memory://saved", "r")[:] = 1


def test_files_with_a_percent_sign(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/a%20b"
    zchunk.ones(3, store=url)
    assert os.listdir(tmp_path) == ["a b"]
    # As zarr 2 would have written it.
    zchunk.zeros(3, store=FSStore(url))
    assert sorted(os.listdir(tmp_path)) == ["a b", "a%20b"]
    assert zchunk.open(url, "r")[:].tolist() == [0, 0, 0]
    assert zchunk.open(tmp_path / "a b", "r")[:].tolist() == [1, 1, 1]


def test_without_fsspec(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fsspec'] = None\n"
        "import zchunk; from zchunk.storage import open_store\n"
        "try: open_store('ftp://host/x')\n"
        "except ImportError as e: print(e)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "ftp://host/x" in out
    assert "pip install fsspec" in out


def test_paths_in_their_normal_form(tmp_path: Path) -> None:
    store = FSStore(str(tmp_path), normalize_keys=True)
    store["a/b"] = b"v"
    assert [store._normalize_key(path) for path in ("/A//b/", "a", None)] == ["a/b", "a", ""]
    assert store.getsize("/A/") == 1


# ---- at the root of a file system


class TestFSStoreRootOfFolder(StoreConformance):
    # Files are written in place.
    atomic = False

    def make(self, path: Path) -> Store:
        return FSStore("", fs=DirFileSystem(str(path), Plain(auto_mkdir=True)))

    def test_threads_write_what_others_erase(self, store: Store) -> None:
        pytest.skip("fsspec's local files do not survive that")


class TestFSStoreRootOfMemory(StoreConformance):
    def make(self, path: Path) -> Store:
        MemoryFileSystem.store.clear()
        return FSStore("memory://")


def hierarchy(folder: Path) -> Path:
    """A group with an array in a group, and attributes."""
    root = folder / "data"
    group = zchunk.open_group(root, mode="w")
    group.attrs["x"] = 1
    group.zeros("a/z", shape=6, chunks=2, dtype="i4")[:] = range(6)
    return root


def archived(folder: Path, kind: str) -> str:
    root = hierarchy(folder)
    return shutil.make_archive(str(folder / "data"), kind, root)


def references(folder: Path) -> str:
    """The files of a hierarchy as kerchunk and tifffile refer to them."""
    root = hierarchy(folder)
    refs: dict[str, Any] = {}
    for path in filter(Path.is_file, root.rglob("*")):
        key = path.relative_to(root).as_posix()
        refs[key] = path.read_text() if path.name.startswith(".") else [str(path), 0, path.stat().st_size]
    (folder / "refs.json").write_text(json.dumps({"version": 1, "refs": refs}))
    return str(folder / "refs.json")


def in_zip(folder: Path) -> Any:
    return ZipFileSystem(archived(folder, "zip"))


def in_tar(folder: Path) -> Any:
    path = archived(folder, "tar")
    # Without the "./" that make_archive puts before names.
    with tarfile.open(path, "w") as archive:
        for member in (folder / "data").iterdir():
            archive.add(member, member.name)
    return TarFileSystem(path)


ROOTS: dict[str, Any] = {
    "zip": in_zip,
    "tar": in_tar,
    "folder": lambda folder: DirFileSystem(str(hierarchy(folder)), fsspec.filesystem("file")),
    "references": lambda folder: fsspec.filesystem("reference", fo=references(folder)),
    "zip://": lambda folder: f"zip://::{archived(folder, 'zip')}",
    "zip::": lambda folder: f"zip::{archived(folder, 'zip')}",
    "simplecache::zip::": lambda folder: f"simplecache::zip::{archived(folder, 'zip')}",
    "simplecache::zip://": lambda folder: f"simplecache::zip://::file://{archived(folder, 'zip')}",
    "filecache::zip://": lambda folder: f"filecache::zip://::{archived(folder, 'zip')}",
    "a folder in a zip": lambda folder: f"zip://a::{archived(folder, 'zip')}",
    "reference://": lambda folder: f"reference://::{references(folder)}",
    "reference://file": lambda folder: f"reference://{references(folder)}",
    "references as a dictionary": lambda folder: json.loads(Path(references(folder)).read_text()),
}


@pytest.mark.format2
@pytest.mark.parametrize("kind", ROOTS)
def test_at_the_root(kind: str, tmp_path: Path) -> None:
    where = ROOTS[kind](tmp_path)
    store = open_store(where, "r")
    path = "" if kind == "a folder in a zip" else "a"
    keys = {f"{path}/{name}".strip("/") for name in (".zgroup", "z/.zarray", "z/0", "z/1", "z/2")}
    assert keys <= set(store)
    assert not [key for key in store if key.startswith("/")]
    assert store.list_dir(path) == [".zgroup", "z"]
    assert store.list_dir() == [".zgroup", "z"] if not path else [".zattrs", ".zgroup", "a"]
    assert not store.is_empty()
    assert not store.is_empty(f"{path}/z".strip("/"))
    assert store.is_empty("nothing")
    group = zchunk.open_group(where, mode="r")
    assert [name for name, _ in (group[path] if path else group).arrays()] == ["z"]
    assert zchunk.open_array(where, mode="r", path=f"{path}/z")[:].tolist() == list(range(6))
    assert "z" in str(group.tree())
    copy: dict[str, bytes] = {}
    zchunk.copy_store(store, copy)
    assert set(copy) == set(store)
    zchunk.consolidate_metadata(copy)
    assert zchunk.open_consolidated(copy)[f"{path}/z".strip("/")][1:3].tolist() == [1, 2]
    with pytest.raises(zchunk.errors.ReadOnlyError):
        zchunk.open_group(where, mode="r").create_group("b")


def test_consolidating_at_the_root(tmp_path: Path) -> None:
    root = hierarchy(tmp_path)
    store = FSStore("", fs=DirFileSystem(str(root), fsspec.filesystem("file")))
    assert zchunk.consolidate_metadata(store)["a/z"][:].tolist() == list(range(6))
    assert len(json.loads((root / ".zmetadata").read_text())["metadata"]) == 4


# ---- as dask up to 2024 and ome-zarr call it


def test_a_store_of_a_store(tmp_path: Path) -> None:
    outer = FSStore(f"memory://{next(_numbers)}", dimension_separator="/")
    outer["k"] = b"v"
    for store in (FSStore(outer), FSStore(outer, chunks=(1, 2)), FSStore(outer, mode="r")):
        assert store["k"] == b"v"
        assert store.path == outer.path
        assert store._dimension_separator == "/"
    assert FSStore(FSStore(outer, mode="r")).mode == "r"
    local = FSStore(str(tmp_path))
    again = FSStore(local, **{"auto_mkdir": True, "dimension_separator": "."})
    again["a/b"] = b"v"
    assert local["a/b"] == b"v"
    assert again.root == local.root == str(tmp_path)
    assert again._dimension_separator == "."
    folder = FSStore("", fs=DirFileSystem(str(tmp_path), fsspec.filesystem("file")))
    assert FSStore(folder, something=1)["a/b"] == b"v"
