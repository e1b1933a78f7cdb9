"""Series: they grow, are cut to what a checkpoint says, and are whole whenever a program is killed."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zchunk
from tests import choice
from tests.choice import rounds
from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import Block, CheckpointManager, PerRank, Series, partition
from zchunk.errors import CheckpointError

SHAPE = (7, 4)


def field(step: int) -> Any:
    return np.arange(28.0).reshape(SHAPE) + 100 * step


def append(series: Series, steps: range, comm: Any = 1) -> None:
    rank = getattr(comm, "rank", 0)
    part = partition(SHAPE, comm, rank=rank)
    for step in steps:
        u = Block(field(step)[part.interior], part.offset, SHAPE, ("y", "x"))
        series.append(step, step / 2, {"u": u, "energy": 10.0 * step, "profile": np.arange(3) + step})


def check(path: Path, steps: list[int], opened: Any = zchunk.open_group) -> None:
    group = opened(path, mode="r")
    assert group["step"][:].tolist() == steps
    assert group["time"][:].tolist() == [step / 2 for step in steps]
    assert group["energy"][:].tolist() == [10.0 * step for step in steps]
    np.testing.assert_array_equal(group["u"][...], np.array([field(s) for s in steps]).reshape(-1, *SHAPE))
    np.testing.assert_array_equal(group["profile"][:, 1], np.array(steps) + 1)


@pytest.mark.parametrize("steps_per_file", [1, 3])
def test_steps_are_there_when_they_are_written(tmp_path: Path, steps_per_file: int) -> None:
    with Series(tmp_path, steps_per_file=steps_per_file, attrs={"title": "test"}) as series:
        assert (len(series), series.last_step) == (0, None)
        append(series, range(7))
        assert (len(series), series.last_step) == (7, 6)
        written = 7 // steps_per_file * steps_per_file
        check(tmp_path, list(range(written)))
        assert series.flush() == 7
        check(tmp_path, list(range(7)))
        append(series, range(7, 8))
    check(tmp_path, list(range(8)))
    group = zchunk.open_group(tmp_path, mode="r")
    assert group.attrs["title"] == "test"
    assert group["u"].dimension_names == ("time", "y", "x")
    assert group["time"].dimension_names == ("time",)
    files = list((tmp_path / "u" / "c").iterdir())
    assert len(files) == -(-8 // steps_per_file)


@settings(max_examples=rounds(30))
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6), st.booleans(), st.integers(0, 9)), max_size=4),
)
def test_a_restarted_program_has_every_step_once(
    tmp_path_factory: pytest.TempPathFactory, steps_per_file: int, runs: list[tuple[int, int, bool, int]]
) -> None:
    path = tmp_path_factory.mktemp("series") / "s"
    length = 0

    def run(comm: Any, size: int, count: int, flush: bool, kept: int) -> int:
        series = Series(path, comm, steps_per_file=steps_per_file, durability="atomic")
        series.truncate(min(kept, len(series)))
        first = len(series)
        assert series.last_step == (None if first == 0 else first - 1)
        append(series, range(first, first + count), comm)
        # Without it the program is killed here.
        return series.flush() if flush else series._length

    for size, count, flush, kept in runs:
        lengths = checked(on_ranks(size, lambda comm: run(comm, size, count, flush, kept)))  # noqa: B023
        assert len(set(lengths)) == 1
        length = lengths[0]
        if length:
            check(path, list(range(length)))
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("steps_per_file", [2, 3])
@pytest.mark.parametrize(
    "cuts",
    [
        [[(0, 4), (4, 8)], [(4, 8), (0, 4)]],
        [[(0, 2), (2, 4), (4, 6), (6, 8)], [(0, 3), (3, 5), (5, 7), (7, 8)]],
    ],
    ids=["swapped", "balanced"],
)
def test_parts_move_between_processes_inside_a_file(tmp_path: Path, steps_per_file: int, cuts: Any) -> None:
    values = np.arange(8.0)

    def work(comm: Any) -> None:
        with Series(tmp_path / "s", comm, steps_per_file=steps_per_file, durability="atomic") as series:
            for step in range(5):
                start, stop = cuts[step % 2][comm.rank]
                series.append(step, step, {"u": Block(values[start:stop] + 100 * step, (start,), (8,))})

    checked(on_ranks(len(cuts[0]), work))
    found = zchunk.open_group(tmp_path / "s", mode="r")["u"][...]
    np.testing.assert_array_equal(found, values + 100 * np.arange(5)[:, np.newaxis])


def test_a_checkpoint_says_how_long_a_series_is(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path / "run.ckpt", async_save=False) as manager:
        series = Series(tmp_path / "out.zarr", steps_per_file=4)
        append(series, range(6))
        manager.save(5, {"series": series.flush()})
        append(series, range(6, 10))  # and it is killed

        again = Series(tmp_path / "out.zarr")
        assert len(again) == 8
        checkpoint = manager.restore()
        assert checkpoint is not None
        again.truncate(checkpoint["series"])
        assert again.last_step == 5
        append(again, range(6, 9))
        again.close()
    check(tmp_path / "out.zarr", list(range(9)))


def test_files_of_steps_that_are_taken_away_are_deleted(tmp_path: Path) -> None:
    with Series(tmp_path, steps_per_file=2) as series:
        append(series, range(7))
        series.truncate(3)
        append(series, range(3, 4))
        assert sorted(os.listdir(tmp_path / "u" / "c")) == ["0", "1"]
        series.truncate(0)
        assert sorted(os.listdir(tmp_path)) == ["zarr.json"]
        # Nothing is left that says what the fields are.
        series.append(0, 0.0, {"other": np.zeros(2)})
    assert zchunk.open_group(tmp_path, mode="r")["other"].shape == (1, 2)


def test_times_and_steps_go_up(tmp_path: Path) -> None:
    series = Series(tmp_path)
    series.append(3, 1.0, {"e": 1})
    for step, time, said in [(3, 2.0, "step 3"), (4, 1.0, "time 1.0"), (4, float("nan"), "nan")]:
        with pytest.raises(ValueError, match=said):
            series.append(step, time, {"e": 1})
    again = Series(tmp_path)
    with pytest.raises(ValueError, match=r"step 3 is not after step 3"):
        again.append(3, 2.0, {"e": 1})
    again.append(4, 1.5, {"e": 2})
    assert again.last_step == 4


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"u": np.zeros(3), "w": 1}, "has the fields"),
        ({"u": np.zeros(4)}, "is float64"),
        ({"u": np.zeros(3, "f4")}, "now float32"),
        ({}, "at least one"),
        ({"time": np.zeros(3)}, "cannot have the name"),
        ({"a/b": np.zeros(3)}, "cannot have the name"),
    ],
)
def test_fields_stay_what_they_are(tmp_path: Path, fields: Any, said: str) -> None:
    series = Series(tmp_path)
    series.append(0, 0.0, {"u": np.zeros(3)})
    with pytest.raises(ValueError, match=said):
        series.append(1, 1.0, fields)
    series.append(1, 1.0, {"u": np.zeros(3)})
    assert len(series) == 2


def test_other_nodes_are_left_alone(tmp_path: Path) -> None:
    zchunk.open_group(tmp_path / "g", mode="w", zarr_format=3)
    with pytest.raises(CheckpointError, match="no series"):
        Series(tmp_path / "g")
    Series(tmp_path / "s", steps_per_file=2)
    with pytest.raises(ValueError, match="hold 2 steps"):
        Series(tmp_path / "s", steps_per_file=3)
    with pytest.raises(CheckpointError, match="cannot be cut to 5"):
        Series(tmp_path / "s").truncate(5)
    series = Series(tmp_path / "s")
    series.close()
    with pytest.raises(ValueError, match="closed"):
        series.append(0, 0.0, {"u": 1})


def test_an_error_on_one_rank_is_one_on_all(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        series = Series(tmp_path / "s", comm)
        append(series, range(1), comm)
        series.append(1, 0.5 + comm.rank, {"u": 1})

    for error in on_ranks(2, work):
        assert isinstance(error, CheckpointError)
        assert "different times" in str(error)


def test_xarray_opens_a_series(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    with Series(tmp_path / "s") as series:
        append(series, range(3))
    with xarray.open_dataset(tmp_path / "s", engine="zchunk") as ds:
        assert ds.sizes["time"] == 3
        assert ds.u.dims == ("time", "y", "x")
        assert ds.u.sel(time=1.0)[2, 1] == field(2)[2, 1]


def test_metadata_of_an_array_that_were_lost_come_back(tmp_path: Path) -> None:
    with Series(tmp_path) as series:
        append(series, range(2))
    # As a power cut may leave what is not synced.
    (tmp_path / "u" / "zarr.json").write_bytes(b"")
    check(tmp_path, [0, 1], zchunk.open_consolidated)
    Series(tmp_path)
    check(tmp_path, [0, 1])


def test_restore_cuts_a_series_to_what_the_checkpoint_says(tmp_path: Path) -> None:
    """A program that is killed after any step and restarted has every step once, without a line for that."""

    def run(comm: Any, first: int, last: int, killed: bool) -> list[int]:
        manager = CheckpointManager(tmp_path / "run", comm)
        with Series(tmp_path / "out", comm, steps_per_file=3) as series:
            found = manager.restore(like={"out": [series]})
            start = 0 if found is None else found.step + 1
            assert start == first == len(series)
            for step in range(start, last):
                append(series, range(step, step + 1), comm)
                if step in (3, 7):
                    manager.save(step, {"out": [series], "n": step})
            manager.wait_until_finished()
            if killed:
                series._closed = True
        return manager.all_steps()

    for number, (size, first, last) in enumerate([(2, 0, 3), (1, 0, 6), (3, 4, 9), (2, 8, 10)]):
        warned = pytest.warns(
            RuntimeWarning, match=r"there is no step in .*: 3 steps of 'out/0' are taken away"
        )
        with warned if number == 1 else contextlib.nullcontext():
            checked(on_ranks(size, lambda comm: run(comm, first, last, killed=number < 3)))  # noqa: B023
    check(tmp_path / "out", list(range(10)))
    checkpoint = CheckpointManager(tmp_path / "run").restore(3)
    assert checkpoint is not None
    assert checkpoint["out"] == [4]
    # What `flush` has returned is as good.
    with CheckpointManager(tmp_path / "other") as manager, Series(tmp_path / "out") as series:
        manager.save(1, {"out": 2, "x": {"y": series}})
        checkpoint = manager.restore(like={"out": series})
        assert checkpoint is not None
        assert (len(series), checkpoint.state) == (2, {"out": series})
        with pytest.raises(CheckpointError, match=r"has 2 steps and cannot be cut to 10"):
            checkpoint.fill({"x": {"y": series}})
        with pytest.raises(TypeError, match=r"'out' is a PerRank with .* a Series"):
            manager.save(2, {"out": PerRank(series)})


def test_a_damaged_step_cuts_nothing(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path / "run") as manager, Series(tmp_path / "out") as series:
        for step in range(4):
            append(series, range(step, step + 1))
            manager.save(step, {"out": series, "u": np.arange(5.0)})
        manager.wait_until_finished()
        (tmp_path / "run" / "00000003" / "u" / "c" / "0").unlink()
        for how in ("quick", "none"):
            with (
                pytest.warns(RuntimeWarning, match="step 2 is restored")
                if how == "quick"
                else (pytest.raises(KeyError))
            ):
                like = {"out": series, "u": np.zeros(5)} | ({} if how == "quick" else {"missing": 1})
                manager.restore(like=like, verify="quick" if how == "quick" else "none")
            assert len(series) == 3


def steps_with_series(root: Path, count: int) -> None:
    with (
        CheckpointManager(root / "run", async_save=False, max_to_keep=None) as manager,
        Series(root / "out") as series,
    ):
        for step in range(count):
            append(series, range(step, step + 1))
            manager.save(step, {"out": series, "n": step})


@pytest.mark.parametrize("by", ["restore", "fill"])
@pytest.mark.parametrize("size", [1, 2])
def test_after_going_back_a_plain_restart_fits_the_series(tmp_path: Path, size: int, by: str) -> None:
    """However the program ends before its next save: no step is left that is longer than the series."""
    steps_with_series(tmp_path, 6)

    def back(comm: Any) -> None:
        series = Series(tmp_path / "out", comm)
        manager = CheckpointManager(tmp_path / "run", comm)
        like = {"out": series, "n": None}
        if by == "restore":
            manager.restore(2, like=like)
        else:
            found = manager.restore(2)
            assert found is not None
            assert manager.all_steps() == [0, 1, 2, 3, 4, 5]
            assert pickle.loads(pickle.dumps(found))["n"] == 2
            found.fill(like)
        assert len(series) == 3
        assert manager.all_steps() == [0, 1, 2]

    checked(on_ranks(size, back))
    assert not (tmp_path / "run" / ".tmp").exists()
    series = Series(tmp_path / "out")
    found = CheckpointManager(tmp_path / "run").restore(like={"out": series})
    assert found is not None
    assert (found.step, len(series)) == (2, 3)


def test_going_back_with_a_series_may_be_refused(tmp_path: Path) -> None:
    steps_with_series(tmp_path, 4)
    series = Series(tmp_path / "out")
    manager = CheckpointManager(tmp_path / "run", on_rewind="error")
    with pytest.raises(CheckpointError, match=r"step 1 was restored, and steps \[2, 3\] of .* are after it"):
        manager.restore(1, like={"out": series})
    assert len(series) == 4
    assert manager.all_steps() == [0, 1, 2, 3]


def test_a_step_with_a_series_of_its_length_takes_nothing_away(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path / "run", async_save=False) as manager, Series(tmp_path / "out") as series:
        append(series, range(1))
        for step in range(2):
            manager.save(step, {"out": series})
        manager.restore(0, like={"out": series})
        assert manager.all_steps() == [0, 1]


def test_of_several_series_all_are_cut_or_none(tmp_path: Path) -> None:
    def both() -> dict[str, Any]:
        return {name: Series(tmp_path / name) for name in ("a", "b")}

    with CheckpointManager(tmp_path / "run", async_save=False) as manager:
        state = both()
        for step in range(4):
            for series in state.values():
                append(series, range(step, step + 1))
            if step < 3:
                manager.save(step, state)
        shutil.rmtree(tmp_path / "b")
        for step in (None, 1):
            state = both()
            with pytest.raises(CheckpointError, match=r"b' has 0 steps and cannot be cut to"):
                manager.restore(step, like=state)
            assert len(state["a"]) == 4
            assert manager.all_steps() == [0, 1, 2]


def test_ranks_with_series_of_different_lengths(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        series = Series(tmp_path / f"out{comm.rank}")
        append(series, range(comm.rank))
        CheckpointManager(tmp_path / "run", comm).save(1, {"out": series})

    for error in on_ranks(2, work):
        assert isinstance(error, CheckpointError)
        assert "rank 0 has Series of lengths {'out': 0}, rank 1 {'out': 1}" in str(error)


def test_a_series_that_has_lost_its_document_is_not_a_new_one(tmp_path: Path) -> None:
    with Series(tmp_path / "out") as series:
        append(series, range(3))
    document = tmp_path / "out" / "zarr.json"
    raw = document.read_bytes()
    document.unlink()
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(
        CheckpointError, match=r"out' has no zarr\.json, but energy, .*Put its zarr\.json back"
    ):
        Series(tmp_path / "out")
    # Nothing is touched, so it can be put back.
    assert sorted(path for path in tmp_path.rglob("*")) == before
    document.write_bytes(raw)
    with Series(tmp_path / "out") as series:
        append(series, range(3, 4))
    check(tmp_path / "out", [0, 1, 2, 3])


@pytest.mark.parametrize("empty", [False, True])
def test_a_new_series_in_a_folder_that_is_there(tmp_path: Path, empty: bool) -> None:
    if not empty:
        (tmp_path / "notes.txt").write_text("foreign")
        with pytest.raises(CheckpointError, match=r"notes\.txt.*use another folder"):
            Series(tmp_path)
        return
    with Series(tmp_path) as series:
        append(series, range(2))
    check(tmp_path, [0, 1])


def test_a_kill_leaves_whole_steps(tmp_path: Path) -> None:
    """A child is killed at every write of a file, in a run that is the same each time."""
    killed = 0
    for number in range(1, 100, 1 if choice.everything else 4):
        path = tmp_path / str(number)
        with Series(path, steps_per_file=2, durability="atomic") as series:
            append(series, range(3))
        pid = os.fork()
        if pid == 0:
            try:
                _kill_at(number)
                series = Series(path, durability="atomic")
                series.truncate(2)
                append(series, range(2, 5))
                series.flush()
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        length = len(zchunk.open_consolidated(path)["step"])
        assert 2 <= length <= 5
        check(path, list(range(length)), zchunk.open_consolidated)
        series = Series(path, durability="atomic")
        assert (len(series), series.last_step) == (length, length - 1)
        check(path, list(range(length)))
        series.truncate(2)
        append(series, range(2, 6))
        series.close()
        check(path, list(range(6)))
        if not os.WIFSIGNALED(status):
            break
        killed += 1
    assert killed > 5


def _kill_at(number: int) -> None:
    """Kill this process before the file of a key is written for the given time."""
    left = [number]

    def count(self: Any, path: str) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    from zchunk.storage.local.directory import DirectoryStore

    DirectoryStore.tidy = count  # type: ignore[method-assign]
    old = DirectoryStore.__setitem__

    def put(self: Any, key: str, value: Any) -> None:
        count(self, key)
        old(self, key, value)

    DirectoryStore.__setitem__ = put  # type: ignore[method-assign]


def test_fields_have_attributes(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    attrs = {"u": {"units": "m s-1"}, "time": {"units": "days since 2000-01-01", "calendar": "standard"}}

    def work(comm: Any) -> None:
        # Those of the first process count.
        mine = attrs if comm.rank == 0 else None
        with Series(tmp_path / "s", comm, attrs={"title": "a run"}, field_attrs=mine) as series:
            for step in range(2):
                series.append(step, float(step), {"u": np.full(3, step), "v": step})
            # Without a step nothing is fixed, but what the program has said.
            series.truncate(0)
            series.append(5, 1.0, {"u": np.full(3, 5), "v": 0})

    checked(on_ranks(2, work))
    with Series(tmp_path / "s", field_attrs={"u": {"units": "other"}}) as series:
        series.append(6, 2.0, {"u": np.full(3, 6), "v": 0})
    group = zchunk.open_group(tmp_path / "s", mode="r")
    assert {name: dict(group[name].attrs) for name in ("u", "v", "step", "time")} == {
        "v": {}, "step": {}, **attrs,
    }  # fmt: skip
    with xarray.open_dataset(tmp_path / "s", engine="zchunk") as data:
        assert data["u"].attrs == {"units": "m s-1"}
        assert [str(moment)[:10] for moment in data["time"].to_numpy()] == ["2000-01-02", "2000-01-03"]


def test_attributes_that_no_field_has(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"NaN|nan|finite|JSON"):
        Series(tmp_path / "s", field_attrs={"u": {"limit": float("nan")}})
    assert list(tmp_path.iterdir()) == []
    series = Series(tmp_path / "s", field_attrs={"w": {"units": "K"}})
    with pytest.raises(ValueError, match=r"field_attrs has \['w'\]; the step has \['u'\]"):
        series.append(1, 1.0, {"u": 1})
