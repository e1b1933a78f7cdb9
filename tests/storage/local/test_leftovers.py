"""Temporary files of writers that were killed: the next writer removes them, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.store_conformance import in_child
from zchunk.runtime import owners
from zchunk.storage import DirectoryStore, N5Store, ZipStore
from zchunk.storage.local import leftovers

WRITER = """
import sys, zchunk
store = zchunk.DirectoryStore(sys.argv[1])
print("ready", flush=True)
while True:
    store[sys.argv[2]] = bytes(1 << 24)
"""


@contextmanager
def stopped_writer(folder: Path, key: str) -> Iterator[Path]:
    """A process that stands still while it writes a value; its temporary file."""
    with subprocess.Popen([sys.executable, "-c", WRITER, folder, key], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            while True:
                found = list((folder / key).parent.glob("*.partial"))
                if found:
                    writer.send_signal(signal.SIGSTOP)
                    os.waitpid(writer.pid, os.WUNTRACED)
                    if found[0].exists():
                        break
                    writer.send_signal(signal.SIGCONT)
            yield found[0]
        finally:
            writer.kill()


def dead_name(path: Path) -> Path:
    """Make a temporary file by a process that has ended."""

    def make() -> None:
        Path(leftovers.partial_path(str(path))).write_bytes(b"half")

    path.parent.mkdir(parents=True, exist_ok=True)
    before = set(path.parent.iterdir())
    in_child(make)
    (found,) = set(path.parent.iterdir()) - before
    return found


@pytest.fixture(autouse=True)
def new_process() -> None:
    """As if this process had not looked anywhere yet."""
    leftovers.tidy.folders.clear()


def test_files_of_a_writer_that_lives_stay(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    with stopped_writer(tmp_path, "a/0") as left:
        store["a/1"] = b"v"
        assert store.remove_leftovers() == []
        assert left.exists()
    # Killed.
    assert left.exists()
    assert sorted(store) == ["a/0", "a/1"] or sorted(store) == ["a/1"]
    assert store.remove_leftovers("b") == []
    assert zchunk.storage.remove_leftovers(tmp_path, "a") == [str(left)]
    assert not left.exists()


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("shards", [None, 4])
def test_the_next_writer_removes_what_was_left(tmp_path: Path, version: int, shards: int | None) -> None:
    if version == 2 and shards:
        pytest.skip("format 3 has shards")
    options = {"shards": shards} if shards else {}
    z = zchunk.create(8, chunks=2, dtype="i4", store=tmp_path / "z", zarr_format=version, **options)
    z[:] = 1
    left = dead_name(tmp_path / "z" / ("0" if version == 2 else "c/0"))
    assert left.exists()
    leftovers.tidy.folders.clear()
    assert (zchunk.open_array(tmp_path / "z", mode="r+")[:] == 1).all()
    assert left.exists()
    z[0] = 2
    assert not left.exists()
    assert np.array_equal(z[:], [2] + 7 * [1])


def test_once_in_a_process_and_folder(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store["a/0"] = b"v"
    left = dead_name(tmp_path / "a" / "0")
    store["a/0"] = b"w"
    assert left.exists()
    other = dead_name(tmp_path / "b" / "0")
    store["b/0"] = b"w"
    assert not other.exists()


def test_what_is_no_temporary_file_stays(tmp_path: Path) -> None:
    names = ["notes.partial", "0.partial", "0.0123456789ABCDEF.partial", "0.0123456789abcdef.partial.txt"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "0123456789abcdef.partial").mkdir()
    (tmp_path / "1.0123456789abcdef.partial").symlink_to(tmp_path / "notes.partial")
    before = sorted(tmp_path.iterdir())
    DirectoryStore(tmp_path).remove_leftovers()
    assert sorted(tmp_path.iterdir()) == before


def test_downloads_of_other_programs_stay(tmp_path: Path) -> None:
    # Never a name of a temporary file, which has a period before the digits; old enough to be left over.
    names = ["507f1f77bcf86cd799439011.partial", "0123456789abcdef.partial"]
    left = tmp_path / ".507f1f77bcf86cd799439011.partial"
    for path in [*(tmp_path / name for name in names), left]:
        path.write_bytes(b"half")
        os.utime(path, (1, 1))
    assert DirectoryStore(tmp_path).remove_leftovers() == [str(left)]
    zchunk.array([1, 2], store=tmp_path / "a.zarr")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "a.zarr"])


def test_those_of_other_machines_stay_for_a_day(tmp_path: Path) -> None:
    number = leftovers.temp_number() ^ 1 << 50
    left = tmp_path / f"0.{number:024x}.partial"
    left.write_bytes(b"")
    store = DirectoryStore(tmp_path)
    assert store.remove_leftovers() == []
    os.utime(left, (time.time() - 23 * 3600,) * 2)
    assert store.remove_leftovers() == []
    os.utime(left, (time.time() - 25 * 3600,) * 2)
    assert store.remove_leftovers() == [str(left)]


def test_those_of_names_made_before_stay_for_an_hour(tmp_path: Path) -> None:
    # Two machines may have the same 18 bits, which is all that such a name says.
    whole = dead_name(tmp_path / "0")
    digits = whole.name[2:-8]
    assert len(digits) == 24
    left = whole.rename(tmp_path / f"0.{digits[8:]}.partial")
    folder = tmp_path / f"erased.{digits[8:]}.partial"
    folder.mkdir()
    (folder / "0").write_bytes(b"")
    store = DirectoryStore(tmp_path)
    assert list(store) == []
    assert store.remove_leftovers() == []
    for path in (left, folder):
        os.utime(path, (time.time() - 3500,) * 2)
    assert store.remove_leftovers() == []
    for path in (left, folder):
        os.utime(path, (time.time() - 3700,) * 2)
    assert sorted(store.remove_leftovers()) == [str(left), str(folder)]


def test_a_machine_with_the_same_lower_bits_is_another_one(tmp_path: Path) -> None:
    digits = dead_name(tmp_path / "0").name[2:-8]
    other = f"{int(digits, 16) ^ 1 << 70:024x}"
    left = (tmp_path / f"0.{digits}.partial").rename(tmp_path / f"0.{other}.partial")
    store = DirectoryStore(tmp_path)
    os.utime(left, (time.time() - 23 * 3600,) * 2)
    assert store.remove_leftovers() == []
    os.utime(left, (time.time() - 25 * 3600,) * 2)
    assert store.remove_leftovers() == [str(left)]


def test_where_machines_may_look_alike_a_file_stays_for_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where there is no /proc.
    monkeypatch.setattr(owners, "IDENTITY", (str(tmp_path / "nothing"),))
    left = dead_name(tmp_path / "0")
    store = DirectoryStore(tmp_path)
    assert store.remove_leftovers() == []
    os.utime(left, (time.time() - 3700,) * 2)
    assert store.remove_leftovers() == [str(left)]


def test_what_was_being_erased_by_names_made_before(tmp_path: Path) -> None:
    digits = dead_name(tmp_path / "0").name[2:-8]
    mark = tmp_path / f"erasing.{digits[8:]}.partial"
    mark.mkdir()
    assert not DirectoryStore(tmp_path).unfinished()
    os.utime(mark, (time.time() - 3700,) * 2)
    assert DirectoryStore(tmp_path).unfinished()


def test_in_a_large_folder_no_writer_looks_at_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_LOOKED_AT", 10)
    for i in range(50):
        dead_name(tmp_path / str(i)) if i < 15 else (tmp_path / str(i)).write_bytes(b"")
    store = DirectoryStore(tmp_path)
    store["new"] = b"v"
    left = list(tmp_path.glob("*.partial"))
    assert len(left) >= 5
    for _ in range(8):
        store["new"] = b"v"
    assert list(tmp_path.glob("*.partial")) == left
    # The tenth.
    store["new"] = b"v"
    assert not list(tmp_path.glob("*.partial"))


def test_all_of_a_large_folder_is_looked_at_by_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_LOOKED_AT", 10)
    left = [dead_name(tmp_path / "a" / str(i)) for i in range(30)]
    assert sorted(zchunk.storage.remove_leftovers(tmp_path)) == sorted(map(str, left))


def test_a_group_is_moved_over_what_was_left(tmp_path: Path) -> None:
    group = zchunk.open_group(tmp_path, mode="w")
    group.zeros("a", shape=4)[:] = 1
    left = dead_name(tmp_path / "b" / "0")
    group.move("a", "b")
    assert not left.exists()
    assert (group["b"][:] == 1).all()
    with stopped_writer(tmp_path, "c/0") as left:
        for path in (tmp_path / "c").iterdir():
            if path != left:
                path.unlink()
        with pytest.raises(zchunk.errors.StoreError, match="holds files"):
            group.move("b", "c")
        assert left.exists()


def test_n5(tmp_path: Path) -> None:
    store = N5Store(tmp_path)
    left = dead_name(tmp_path / "a" / "attributes.json")
    zchunk.group(store, path="a")
    assert not left.exists()


def test_of_a_zip_archive_that_was_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    others = dead_name(tmp_path / "b.zip")
    left = dead_name(path)
    with ZipStore(path) as store:
        store["k"] = b"v"
    assert not left.exists()
    assert others.exists()


def test_the_number_tells_machine_and_process(tmp_path: Path) -> None:
    code = "from zchunk._ext.io.files import temp_number as n; import os; print(n(), n(), os.getpid())"
    first, second, pid = map(int, subprocess.check_output([sys.executable, "-c", code]).split())
    own = leftovers.temp_number()
    # Each comes once in 2^24 calls.
    assert (second - first) % 2**24 == 1
    assert first >> 46 == second >> 46 == own >> 46
    assert first >> 24 & 0x3FFFFF == second >> 24 & 0x3FFFFF == pid
    assert own >> 24 & 0x3FFFFF == os.getpid()


def test_a_process_makes_each_number_once() -> None:
    """Names of attempts rely on it, and of the folders that workers of dask write to."""
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: [leftovers.temp_number() for _ in range(50_000)], range(4)))
    assert len({number for numbers in made for number in numbers}) == 200_000


def test_a_forked_child_makes_other_numbers() -> None:
    code = (
        "import os; from zchunk._ext.io.files import temp_number as n; print(n(), n(), flush=True)\n"
        "child = os.fork()\nif child: os.waitpid(child, 0)\nprint(n(), n(), flush=True)"
    )
    numbers = subprocess.check_output([sys.executable, "-c", code]).split()
    assert len(set(numbers)) == 6
