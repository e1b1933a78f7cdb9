"""What is asked of the file system: parts of files, and folders with what is strange in them."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

import zchunk
from zchunk.engine import listing
from zchunk.errors import StoreError
from zchunk.storage.local import files


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/b/c", "a/d", "e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_parts_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The system gives less at a time than is asked for.
    monkeypatch.setattr(files, "_CALL_MAX", 3)
    (tmp_path / "f").write_bytes(bytes(range(20)))
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    try:
        assert files.read_fd(fd, 10) == bytes(range(10))
        assert files.read_fd(fd, 99) == bytes(range(10, 20))
        assert files.read_fd(fd, 99) == b""
        assert files.read_at(fd, 15, 4) == bytes(range(15, 19))
        assert files.read_at(fd, 15, 99) == bytes(range(15, 20))
        assert files.read_at(fd, 99, 1) == b""
    finally:
        os.close(fd)


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_is_written_where_none_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool) -> None:
    # The system takes less at a time than it is given.
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    files.write_new(f"{tmp_path}/f", bytes(range(20)), sync)
    assert (tmp_path / "f").read_bytes() == bytes(range(20))
    with pytest.raises(FileExistsError):
        files.write_new(f"{tmp_path}/f", b"other")
    with pytest.raises(FileNotFoundError):
        files.write_new(f"{tmp_path}/gone/f", b"")
    assert (tmp_path / "f").read_bytes() == bytes(range(20))


def test_walking(tree: Path) -> None:
    (tree / "a" / "circle").symlink_to(tree / "a", target_is_directory=True)
    (tree / "link").symlink_to(tree / "a" / "b", target_is_directory=True)
    found = {
        folder[len(str(tree)) :]: (sorted(folders), sorted(names))
        for folder, folders, names in files.walk(str(tree))
    }
    assert found == {
        "": (["a", "link"], ["e"]),
        "/a": (["b"], ["d"]),
        "/a/b": ([], ["c"]),
        "/link": ([], ["c"]),
    }
    assert files.is_cycle(str(tree / "a" / "circle"))
    assert not files.is_cycle(str(tree / "link"))


def test_scanning_what_is_not_there(tree: Path) -> None:
    assert files.scan(str(tree / "nothing")) == []
    assert files.scan(str(tree / "e")) == []
    assert sorted(entry.name for entry in files.scan(str(tree))) == ["a", "e"]


def test_what_means_absent() -> None:
    assert files.is_absence(OSError(errno.ENOENT, ""))
    assert files.is_absence(OSError(errno.ENAMETOOLONG, ""))
    assert not files.is_absence(OSError(errno.EACCES, ""))


def test_only_folders_without_files_are_empty(tree: Path) -> None:
    (tree / "x" / "y" / "z").mkdir(parents=True)
    files.remove_empty(str(tree / "x"))
    assert not (tree / "x").exists()
    with pytest.raises(StoreError, match="holds files"):
        files.remove_empty(str(tree / "a"))
    assert (tree / "a" / "b" / "c").read_bytes() == b"a/b/c"


@pytest.mark.skipif(sys.platform != "darwin", reason="F_FULLFSYNC is macOS's")
def test_the_disk_has_written_what_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    fcntl = files.fcntl  # type: ignore[attr-defined]
    monkeypatch.setattr(files, "fcntl", lambda fd, what: (asked.append(what), fcntl(fd, what))[1])
    files.write_new(f"{tmp_path}/f", b"v", sync=True)
    assert asked == [files.F_FULLFSYNC]  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [(), (7,), (3, 12), (2, 3, 2)])
@pytest.mark.parametrize(("zarr_format", "separator"), [(2, "."), (2, "/"), (3, "."), (3, "/")])
def test_chunks_are_counted_as_they_are_listed(
    tmp_path: Path, shape: tuple[int, ...], zarr_format: Literal[2, 3], separator: Literal[".", "/"]
) -> None:
    how: dict[str, Any] = {"dimension_separator": separator}
    if zarr_format == 3:
        how = {"chunk_key_encoding": {"name": "default", "separator": separator}}
    chunks = (1,) * len(shape)
    z = zchunk.create(shape, chunks=chunks, store=tmp_path, path="a", zarr_format=zarr_format, **how)
    z[...] = 1
    keys = [key for key in z.store if "z" not in key]
    stored = zchunk.open_array(tmp_path, path="a")
    assert len(keys) == stored.nchunks_initialized == stored.nchunks
    del z.store[keys[0]]
    for key in keys[-1:]:
        # Names that are almost those of chunks, and folders that have such names
        above, _, name = key.rpartition("/")
        for other in (f"{name}x", f"0{name}", f"{name}{separator}0", f"x{name}", f"{name[:-1]}99", "٣"):
            if "/" not in other:
                (tmp_path / above / other).touch()
        (tmp_path / above / f"{name[:-1]}0").unlink(missing_ok=True)
        (tmp_path / above / f"{name[:-1]}0").mkdir()
    assert stored.nchunks_initialized == sum(1 for _ in listing.inside(stored._current))
    assert listing.initialized(stored._current) < len(keys) + 1
