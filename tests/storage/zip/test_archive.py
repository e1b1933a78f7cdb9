"""Archives that are damaged, lie, or are not ours."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.between_lines import interrupted
from zchunk.errors import ChangeInProgressError, StoreError
from zchunk.storage import ZipStore
from zchunk.storage.zip import archive

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def test_zip_store_foreign_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as theirs:
        theirs.comment = b"comment"
        theirs.writestr("folder/", b"")
        for name in ("../evil", "/abs", "a//b", "a\\b", "ok"):
            theirs.writestr(name, name)
        with pytest.warns(UserWarning, match="Duplicate"):
            theirs.writestr("ok", "last wins")
    path.write_bytes(b"#!prefix\n" + path.read_bytes())
    with ZipStore(path) as store:
        assert dict(store) == {"ok": b"last wins"}
        assert store.list_dir() == ["ok"]
        store["k"] = b"v"
        store["bulk"] = bytes(100_000)
        del store["bulk"]
    with zipfile.ZipFile(path) as theirs:
        assert theirs.comment == b"comment"
        assert sorted(theirs.namelist()) == sorted(["folder/", "../evil", "/abs", "a//b", "a\\b", "ok", "k"])
        assert theirs.testzip() is None
    assert os.listdir(tmp_path) == ["a.zip"]


def make_zip(path: Path, method: int, value: bytes) -> bytearray:
    with zipfile.ZipFile(path, "w", compression=method) as theirs:
        theirs.writestr("k", value)
    return bytearray(path.read_bytes())


def store_reads(store: ZipStore, value: bytes) -> bool:
    try:
        return store["k"] == value
    except StoreError:
        return False


@pytest.mark.parametrize("method", METHODS)
def test_zip_store_damaged_entry(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    value = bytes(range(200))
    raw = make_zip(path, method, value)
    for position in range(31, 31 + 100, 3):
        damaged = bytearray(raw)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        with ZipStore(path, mode="r") as store:
            # Some bytes of an LZMA header mean nothing.
            if method == zipfile.ZIP_LZMA and position < 40 and store_reads(store, value):
                continue
            with pytest.raises(StoreError, match="entry 'k'"):
                store["k"]


@pytest.mark.parametrize("method", METHODS)
def test_zip_store_random_damage_never_crashes(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    raw = make_zip(path, method, b"abc" * 50)
    random = np.random.default_rng(0)
    for _ in range(1500):
        damaged = bytearray(raw)
        for position in random.integers(0, len(raw), random.integers(1, 5)):
            damaged[position] = random.integers(0, 256)
        path.write_bytes(damaged[: random.integers(1, len(raw) + 1)] if random.random() < 0.2 else damaged)
        try:
            with ZipStore(path, mode="r") as store:
                for key in store:
                    assert store[key] == b"abc" * 50
        except StoreError:
            continue


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("claim", [10, 0, 1 << 31])
@pytest.mark.each_value
def test_zip_store_bomb(tmp_path: Path, method: int, claim: int) -> None:
    path = tmp_path / "a.zip"
    raw = make_zip(path, method, bytes(100_000_000))
    central = raw.rindex(b"PK\1\2")
    struct.pack_into("<I", raw, central + 24, claim)
    path.write_bytes(raw)
    reset_peak_memory()
    before = peak_memory()
    with ZipStore(path, mode="r") as store, pytest.raises(StoreError, match="entry 'k'"):
        store["k"]
    if claim < 1000:
        assert peak_memory() - before < 50 << 20


def reset_peak_memory() -> None:
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    # `ru_maxrss` cannot be reset; VmHWM can, and says the same.
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def test_zip_store_stored_entry_claims_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    raw = make_zip(path, zipfile.ZIP_STORED, b"v" * 100)
    central = raw.rindex(b"PK\1\2")
    struct.pack_into("<II", raw, central + 20, 1 << 31, 1 << 31)
    path.write_bytes(raw)
    with ZipStore(path, mode="r") as store:
        for operation in (lambda: store["k"], lambda: store.get_range("k", 5, 10)):
            with pytest.raises(StoreError, match="entry 'k'"):
                operation()


def test_zip_store_encrypted_entry(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    raw = make_zip(path, zipfile.ZIP_STORED, b"v" * 100)
    raw[raw.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(raw)
    with ZipStore(path, mode="r") as store, pytest.raises(StoreError, match="encrypted"):
        store["k"]


def test_signal_handlers_change_what_is_being_changed(tmp_path: Path) -> None:
    """Before each line in turn: their change is made or refused, and the archive is whole."""
    last, refused, handled = 0, 0, True

    def handle() -> None:
        nonlocal refused
        assert store["a"] == b"v"
        try:
            store["l"] = b"w"
            wanted["l"] = b"w"
        except ChangeInProgressError:
            refused += 1

    while handled:
        path, wanted = tmp_path / f"{last}.zip", {"a": b"v", "k": b"x"}
        last += 1
        store = ZipStore(path)
        store["a"] = b"v"
        with interrupted(archive, handle, last) as lines:
            store["k"] = b"x"
        handled = lines.handled == 1
        store.close()
        assert dict(ZipStore(path, mode="r")) == wanted
    assert 5 < refused < last


def test_a_move_or_an_erasing_that_fails_changes_nothing(tmp_path: Path, with_calls: Any) -> None:
    code = """
from zchunk.storage import ZipStore
def made(number):
    store = ZipStore(folder / f"{number}.zip")
    store.update({"a/x": b"value", "a/y": b"other", "b": b"v"})
    return store
for number, (change, kept) in enumerate([
    (lambda store: store.rename("a", "n"), {"n/x": b"value", "n/y": b"other", "b": b"v"}),
    (lambda store: store.erase_prefix("a"), {"b": b"v"}),
]):
    for kinds in (Calls.WRITE, Calls.STAT):
        at, failed = 1, True
        while failed:
            store = made(f"{number}-{int(kinds)}-{at}")
            before = dict(store)
            library.watch(folder, kinds)
            library.strike(Strike(at, How.FAIL, error=errno.ENOSPC))
            try:
                change(store)
            except OSError:
                pass
            failed = library.end() >= at
            assert dict(store) == (before if failed else kept)
            if failed:
                change(store)
            store.close()
            assert dict(ZipStore(store.path, mode="r")) == kept
            at += 1
        assert at > 2 or (kinds is Calls.WRITE and number == 1)
"""
    with_calls(tmp_path, code)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_entries_that_are_moved_are_those_of_other_readers(tmp_path: Path, compression: int) -> None:
    path, values = tmp_path / "a.zip", {f"a/{number}": os.urandom(number) * 9 for number in range(50)}
    with zipfile.ZipFile(path, "w", compression) as other, other.open("a/streamed", "w") as entry:
        # With its sizes behind it.
        entry.write(b"streamed" * 100)
    with ZipStore(path, compression=compression, mode="a") as store:
        store.update(values)
        store["\u00e9"] = b"value"
        store.rename("a", "\u00fc")
        store.rename("\u00e9", "b/c")
    wanted = {f"\u00fc/{number}": values[f"a/{number}"] for number in range(50)}
    wanted |= {"\u00fc/streamed": b"streamed" * 100, "b/c": b"value"}
    with zipfile.ZipFile(path) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == wanted
    with ZipStore(path, mode="r") as store:
        assert dict(store) == wanted
