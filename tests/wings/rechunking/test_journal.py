"""Going on after a kill."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.wings.rechunking.test_tasks import items_of, least, tall
from zchunk.errors import ContainsArrayError, PathNotFoundError, StoreError
from zchunk.runtime import threads as pool
from zchunk.wings.rechunking import target as making
from zchunk.wings.rechunking.tasks import Job


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stages of the tasks that are done, as they are done. Chunks are read once only."""
    done: list[int] = []
    run = Job.run

    def counted(self: Job, stage: int, number: int, memory: Any) -> None:
        run(self, stage, number, memory)
        done.append(stage)

    monkeypatch.setattr(Job, "run", counted)
    monkeypatch.setattr(making, "_READS", 1)
    return done


# Arguments: folder, which call of which method is the last, bytes of memory, what is selected of the source.
# Memory is for some tasks in two stages.
KILLED = """
import os, signal, sys
import zchunk
from zchunk.wings.rechunking import journal, tasks
from zchunk.wings.rechunking import target as making

making._READS = 1
folder, name, calls, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
cls = tasks.Job if hasattr(tasks.Job, name) else journal.Journal
method = getattr(cls, name)

def last(*args):
    global calls
    calls -= 1
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return method(*args)

setattr(cls, name, last)
zchunk.set_threads(2)
source = folder + "/z"
if sys.argv[5]:
    source = eval(sys.argv[5], {"z": zchunk.open(source)})
zchunk.rechunk(source, eval(sys.argv[6]), folder + "/target", limit)
"""


def kill(
    folder: Path, limit: int, name: str, calls: int, source: str = "", chunks: tuple[int, int] = (64, 5)
) -> None:
    args = [sys.executable, "-c", KILLED, str(folder), name, str(calls), str(limit), source, str(chunks)]
    assert subprocess.run(args, timeout=60, check=False).returncode == -signal.SIGKILL
    assert (folder / "target.rechunk").exists()


@pytest.mark.parametrize(
    ("name", "calls"),
    [("add_made", 1), ("_cut", 5), ("add", 3), ("_put", 9), ("_write", 3), ("add", 7), ("erase", 2)],
)
def test_a_call_goes_on_where_one_was_killed(
    name: str, calls: int, tmp_path: Path, stages: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    z = tall(tmp_path / "z", write_empty_chunks=False)
    monkeypatch.setattr(pool, "_threads", 2)
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    zchunk.rechunk(z, (64, 5), tmp_path / "whole", limit)
    tasks = len(stages)
    assert (stages[0], stages[-1]) == (0, 1)
    stages.clear()
    kill(tmp_path, limit, name, calls)
    done = len(list((tmp_path / "target.rechunk").rglob("done/[01]/*")))
    seen: list[tuple[int, int]] = []
    found = zchunk.rechunk(
        tmp_path / "z", (64, 5), tmp_path / "target", limit, progress=lambda *now: seen.append(now)
    )
    np.testing.assert_array_equal(found[...], z[...])
    assert seen[-1] == (2 * z.nbytes, 2 * z.nbytes)
    # Nothing was done again but what was under way.
    assert len(stages) == tasks - done
    assert sorted(p.name for p in tmp_path.iterdir()) == ["target", "whole", "z"]


@pytest.mark.parametrize(("name", "calls"), [("add", 3), ("_put", 5)])
def test_a_lazy_view_goes_on_too(name: str, calls: int, tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    view, chunks = z.lazy[4:, ::-2].T, (5, 60)
    limit = least(view, chunks, target=tmp_path / "target") + 3000
    kill(tmp_path, limit, name, calls, "z.lazy[4:, ::-2].T", chunks)
    done = len(list((tmp_path / "target.rechunk").rglob("done/[01]/*")))
    # Another view of the same array is another source.
    with pytest.raises(StoreError, match="other parameters"):
        zchunk.rechunk(z.lazy[:60, ::-2].T, chunks, tmp_path / "target", limit)
    assert stages == []
    found = zchunk.rechunk(view, chunks, tmp_path / "target", limit)
    np.testing.assert_array_equal(found[...], z[4:, ::-2].T)
    assert len(stages) > 0
    again = len(stages)
    stages.clear()
    zchunk.rechunk(view, chunks, tmp_path / "whole", limit)
    assert again == len(stages) - done
    assert sorted(p.name for p in tmp_path.iterdir()) == ["target", "whole", "z"]


@pytest.mark.parametrize("kind", ["dict", "zip", "fsspec"])
def test_an_error_and_the_call_again(
    kind: str, tmp_path: Path, stages: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "fsspec":
        pytest.importorskip("fsspec")
    place: Any = {"dict": {}, "zip": tmp_path / "z.zip", "fsspec": f"memory://{tmp_path}/z"}[kind]
    z = tall(place)
    z.store.close()
    temp: dict[str, bytes] = {}
    target = {} if kind == "dict" else tmp_path / "target"
    limit = least(place, (64, 5), target=target)
    cut = Job._cut

    def failing(self: Job, read: int, *args: Any) -> None:
        if read == 1:
            raise OSError("no space left")
        cut(self, read, *args)

    monkeypatch.setattr(Job, "_cut", failing)
    with pytest.raises(OSError, match="no space"):
        zchunk.rechunk(place, (64, 5), target, limit, temp)
    assert 0 in stages
    done = len(stages)
    monkeypatch.setattr(Job, "_cut", cut)
    with pytest.raises(StoreError, match="other parameters"):
        zchunk.rechunk(place, (64, 4), target, limit, temp)
    found = zchunk.rechunk(place, (64, 5), target, limit, temp)
    np.testing.assert_array_equal(found[...], items_of((64, 48)))
    assert temp == {}
    assert done > 0


def test_a_call_with_other_parameters_begins_anew_or_not_at_all(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    kill(tmp_path, limit, "_put", 9)
    for chunks, kwargs in (((64, 4), {}), ((64, 5), {"compressor": None}), ((64, 5), {"fill_value": 1})):
        with pytest.raises(StoreError, match="other parameters"):
            zchunk.rechunk(z, chunks, tmp_path / "target", limit, **kwargs)
    # Another source of the same name and kind is not found out; one at another place is.
    with pytest.raises(StoreError, match="other parameters"):
        zchunk.rechunk(tall(tmp_path / "other"), (64, 5), tmp_path / "target", limit)
    found = zchunk.rechunk(z, (64, 4), tmp_path / "target", limit, overwrite=True)
    assert found.chunks == (64, 4)
    np.testing.assert_array_equal(found[...], z[...])
    assert not (tmp_path / "target.rechunk").exists()


def test_a_target_that_was_replaced_meanwhile(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    kill(tmp_path, limit, "_put", 9)
    zchunk.ones(5, store=tmp_path / "target", overwrite=True)
    with pytest.raises(ContainsArrayError):
        zchunk.rechunk(z, (64, 5), tmp_path / "target", limit)
    assert zchunk.open(tmp_path / "target").shape == (5,)
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target", limit, overwrite=True)
    np.testing.assert_array_equal(found[...], z[...])


def test_a_part_of_the_intermediate_copy_that_is_lost(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    for damage in (Path.unlink, lambda path: path.write_bytes(b"short")):
        kill(tmp_path, limit, "_put", 1)
        for piece in (tmp_path / "target.rechunk").rglob("pieces/*/*"):
            damage(piece)
        with pytest.raises(StoreError, match=r"is not in|has 5 bytes"):
            zchunk.rechunk(z, (64, 5), tmp_path / "target", limit)
        zchunk.rechunk(z, (64, 4), tmp_path / "target", overwrite=True)
        (tmp_path / "target").rename(tmp_path / str(len(list(tmp_path.iterdir()))))


@pytest.mark.parametrize(("name", "calls"), [("add_made", 1), ("_cut", 5), ("_put", 9), ("_write", 7)])
def test_what_a_killed_call_leaves_is_no_array(
    name: str, calls: int, tmp_path: Path, stages: list[int]
) -> None:
    z = tall(tmp_path / "z")
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    kill(tmp_path, limit, name, calls)
    with pytest.raises(PathNotFoundError):
        zchunk.open(tmp_path / "target", "r")
    # If it is deleted, nothing of it counts as done.
    shutil.rmtree(tmp_path / "target")
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target", limit)
    np.testing.assert_array_equal(found[...], z[...])


class _Stopped(Exception):
    pass


class _Stops(zchunk.MemoryStore):
    """A store of an intermediate copy whose user is stopped at some deletion."""

    left: int | None = None

    def _count(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise _Stopped

    def erase_many(self, keys: Any) -> None:
        for key in [key for key in keys if key in self]:
            self._count()
            super().erase_many([key])

    def erase_prefix(self, path: str = "") -> None:
        for key in [key for key in self if key.startswith(path)]:
            self._count()
            super().erase_many([key])


def test_a_call_that_stops_while_it_clears_up(tmp_path: Path) -> None:
    z = tall(tmp_path / "z")
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    deletions = 0
    while True:
        temp = _Stops()
        # Nothing is deleted before the end.
        temp.left = deletions
        target = tmp_path / str(deletions)
        try:
            zchunk.rechunk(z, (64, 5), target, limit, temp)
        except _Stopped:
            temp.left = None
            np.testing.assert_array_equal(zchunk.load(target), z[...])
            # As if it had ended, or goes on to the end.
            try:
                zchunk.rechunk(z, (64, 5), target, limit, temp)
            except ContainsArrayError:
                zchunk.rechunk(z, (64, 5), target, limit, temp, overwrite=True)
            np.testing.assert_array_equal(zchunk.load(target), z[...])
            assert not temp
            deletions += 1 + deletions // 4
        else:
            break
    assert deletions > 5
