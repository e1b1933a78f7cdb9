"""Files of marks: locks among processes, and removing what kills left."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tests.store_conformance import in_child
from zchunk.runtime.owners import signature
from zchunk.storage.local import mark_files
from zchunk.storage.local.mark_files import ABANDONED, STAYS, lock_mark, may_be_left, remove_left_mark


@pytest.fixture
def mark(tmp_path: Path) -> str:
    (tmp_path / ".unfinished").write_bytes(b"value")
    return str(tmp_path / ".unfinished")


def is_locked(path: str, shared: bool) -> bool:
    """Whether another process would not get the lock."""
    return bool(in_child(lambda: lock_mark(path, shared) is None))


def test_workers_share_a_lock_and_keep_away_what_replaces_the_mark(mark: str) -> None:
    first = lock_mark(mark, shared=True)
    assert first is not None
    assert first.value == b"value"
    assert (is_locked(mark, shared=True), is_locked(mark, shared=False)) == (False, True)
    with first:
        assert is_locked(mark, shared=False)
    alone = lock_mark(mark, shared=False)
    assert alone is not None
    assert (is_locked(mark, shared=True), is_locked(mark, shared=False)) == (True, True)
    alone.release()
    assert not is_locked(mark, shared=False)


def test_a_child_that_has_the_descriptor_keeps_no_lock(mark: str) -> None:
    locked = lock_mark(mark, shared=False)
    assert locked is not None
    go, told = os.pipe()
    child = os.fork()
    if not child:
        os.close(told)
        os.read(go, 1)
        os._exit(0)
    try:
        locked.release()
        assert not is_locked(mark, shared=False)
    finally:
        os.close(told)
        os.close(go)
        os.waitpid(child, 0)


def test_what_is_not_there_or_was_replaced_is_not_locked(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lock_mark(str(tmp_path / "nothing"), shared=True) is None
    assert lock_mark(f"{mark}/below", shared=True) is None
    flock = fcntl.flock

    def replaced(fd: int, how: int) -> None:
        (tmp_path / "new").write_bytes(b"new")
        os.replace(tmp_path / "new", mark)
        flock(fd, how)

    monkeypatch.setattr(mark_files.fcntl, "flock", replaced)
    assert lock_mark(mark, shared=False) is None


def test_a_file_system_without_locks(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(mark_files.fcntl, "flock", none)
    locked = lock_mark(mark, shared=False)
    assert locked is not None
    locked.release()


@pytest.mark.parametrize(
    ("content", "goes"), [(b"", True), (b"\n{}", True), (b"\n" + STAYS, False), (b"\n!{}", False)]
)
def test_a_mark_goes_if_its_process_is_gone_and_all_is_there(mark: str, content: bytes, goes: bool) -> None:
    value = in_child(signature) + content
    assert may_be_left(value) == goes
    for found in (signature(), value):
        Path(mark).write_bytes(found)
        # No node is there.
        assert not remove_left_mark(mark)
    Path(mark).with_name(".zgroup").touch()
    assert remove_left_mark(mark) == goes
    assert os.path.exists(mark) != goes
    Path(mark).write_bytes(signature())
    assert not remove_left_mark(mark)
    os.unlink(mark)
    assert not remove_left_mark(mark)


def test_what_was_given_up_stays_until_it_is_cleared_away() -> None:
    assert not may_be_left(ABANDONED)
