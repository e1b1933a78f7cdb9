"""Moving a node whose chunks are in another store, in a process that is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import zchunk
from tests.between_lines import interrupted
from zchunk.errors import NodeNotFoundError, PathNotFoundError
from zchunk.hierarchy import moving
from zchunk.storage import DirectoryStore, base
from zchunk.storage.base import Store

VALUES = [1, 2, 3, 4]


class Keys(DirectoryStore):
    """A store that is renamed key by key, as those in buckets are."""

    verbatim = True
    rename = Store.rename  # type: ignore[assignment]


def _group(folder: Path, chunks: type[DirectoryStore]) -> zchunk.Group:
    return zchunk.open_group(folder / "meta", chunk_store=chunks(folder / "chunks"))


def _look(group: zchunk.Group, path: str) -> Any:
    try:
        node = group[path]
    except (KeyError, NodeNotFoundError):
        return None
    return dict(node.attrs), node["b"][:].tolist(), dict(node["b"].attrs)


WHOLE = ({"title": "a"}, VALUES, {"units": "m"})


@pytest.mark.parametrize("chunks", [DirectoryStore, pytest.param(Keys, marks=pytest.mark.slow)])
def test_a_killed_move_is_finished_by_the_same_call(tmp_path: Path, chunks: type[DirectoryStore]) -> None:
    module = base if chunks is Keys else moving
    at = finished = 0
    while not finished:
        at += 1
        folder = tmp_path / str(at)
        group = _group(folder, chunks)
        group.create_group("a", attributes={"title": "a"})
        group.create("a/b", shape=4, chunks=1, dtype="i8")[:] = VALUES
        group["a/b"].attrs["units"] = "m"
        pid = os.fork()
        if not pid:
            with interrupted(module, lambda: os.kill(os.getpid(), signal.SIGKILL), at):
                group.move("a", "n/c")
            os._exit(0)
        finished = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        group = _group(folder, chunks)
        seen = [_look(group, path) for path in ("a", "n/c")]
        # Never half of it.
        assert [found for found in seen if found not in (None, WHOLE)] == [], at
        assert not finished or seen == [None, WHOLE]
        if not seen[1] or (folder / "meta/n/c/.moving").exists():
            group.move("a", "n/c")
        assert [_look(group, path) for path in ("a", "n/c")] == [None, WHOLE], at
        assert not list(folder.rglob(".moving"))
        assert sorted(key for key in group.chunk_store if "a/b" in key) == []
    assert at > 5


def test_a_move_that_lives_is_not_finished_by_others(tmp_path: Path) -> None:
    group = _group(tmp_path, DirectoryStore)
    group.create("a", shape=4, chunks=1)[:] = 1
    stopped = os.getpid()

    def look() -> None:
        pid = os.fork()
        if not pid:
            try:
                group.move("a", "b")
            except PathNotFoundError:
                os._exit(7)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert os.getpid() == stopped

    class Stopping(DirectoryStore):
        verbatim = True

        def rename(self, src_path: str, dst_path: str) -> None:
            look()
            super().rename(src_path, dst_path)

    zchunk.open_group(tmp_path / "meta", chunk_store=Stopping(tmp_path / "chunks")).move("a", "b")
    assert group["b"][:].tolist() == [1] * 4


def test_an_error_leaves_the_node_where_it_was(tmp_path: Path) -> None:
    class Full(DirectoryStore):
        verbatim = True

        def rename(self, src_path: str, dst_path: str) -> None:
            raise OSError("no space left")

    group = zchunk.open_group(tmp_path / "meta", chunk_store=Full(tmp_path / "chunks"))
    group.create("a", shape=4, chunks=1, attributes={"units": "m"})[:] = 1
    with pytest.raises(OSError, match="no space"):
        group.move("a", "b")
    assert group["a"][:].tolist() == [1] * 4
    assert dict(group["a"].attrs) == {"units": "m"}
    assert list(group) == ["a"]
