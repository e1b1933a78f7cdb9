"""`Checkpoint`: what was saved, read by one process or many, whole or in parts."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import zchunk
from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import Block, Checkpoint, CheckpointManager, PerRank, partition
from zchunk.errors import CheckpointError, ChunkError

U = np.arange(35.0).reshape(7, 5)


def save(root: Path, comm: Any = None, step: int = 1, **state: Any) -> None:
    with CheckpointManager(root, comm, async_save=False) as manager:
        manager.save(step, state, time=0.5, attrs={"title": "test"})


def restore(root: Path, comm: Any = None, **kwargs: Any) -> Checkpoint:
    found = CheckpointManager(root, comm).restore(**kwargs)
    assert found is not None
    return found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    tree = {"w": [np.arange(3), (np.float32(2),)], "rng": rng}
    save(
        tmp_path / "run",
        u=Block(U, (0, 0), U.shape, ("y", "x")),
        k=np.arange(4),
        z=np.array(3),
        tree=tree,
        n=7,
    )
    return tmp_path / "run"


class Moments(NamedTuple):
    mu: Any
    count: Any


def test_namedtuples_of_optimisers_come_back(tmp_path: Path) -> None:
    """Those of optax, for instance: without `like` with the same fields, with it of the same class."""
    save(
        tmp_path, opt=(Moments({"w": np.arange(3.0)}, 7), np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])[0])
    )
    found = restore(tmp_path)["opt"]
    assert (found[0].mu["w"].tolist(), found[0].count, found[1]["b"], type(found[1])) == (
        [0, 1, 2],
        7,
        2.5,
        np.void,
    )
    like = {"opt": (Moments({"w": np.zeros(3)}, None), None)}
    state = restore(tmp_path, like=like).state
    assert state is not None
    assert (type(state["opt"][0]), state["opt"][0].count) == (Moments, 7)
    assert like["opt"][0].mu["w"].tolist() == [0, 1, 2]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="'opt/0' has 3 items; step 1 has 2"):
        restore(tmp_path, like={"opt": ((1, 2, 3), None)})


def test_a_checkpoint_is_a_mapping_of_its_state(run: Path) -> None:
    checkpoint = restore(run)
    assert (checkpoint.step, checkpoint.time, checkpoint.attrs) == (1, 0.5, {"title": "test"})
    assert checkpoint.ranks == 1
    assert list(checkpoint) == ["u", "k", "z", "tree", "n"]
    assert len(checkpoint) == 5
    assert checkpoint["n"] == 7
    assert isinstance(checkpoint["u"], zchunk.Array)
    assert checkpoint["u"].read_only
    assert (checkpoint["u"][2:4] == U[2:4]).all()
    assert checkpoint["k"].tolist() == [0, 1, 2, 3]
    assert checkpoint["z"] == 3
    assert checkpoint["tree"]["w"][1] == (np.float32(2),)
    assert checkpoint["tree/w/0"].tolist() == [0, 1, 2]
    assert checkpoint["tree"]["rng"].random() == np.random.default_rng(1).random()
    assert checkpoint.arrays == ["k", "tree/w/0", "u", "z"]
    assert repr(checkpoint) == "<Checkpoint step 1: u, k, z, tree, n>"
    with pytest.raises(KeyError, match="no 'x'"):
        checkpoint["x"]


def test_reading_parts(run: Path) -> None:
    checkpoint = restore(run)
    assert (checkpoint.read("u") == U).all()
    assert (checkpoint.read("u", (slice(1, 3), 2)) == U[1:3, 2]).all()
    out = np.zeros((2, 5))
    assert checkpoint.read("u", slice(1, 3), out) is out
    assert (out == U[1:3]).all()
    with pytest.raises(KeyError, match="'n' is no array of step 1 but 7"):
        checkpoint.read("n")


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_any_number_of_ranks_reads(run: Path, size: int) -> None:
    def work(comm: Any) -> None:
        part = partition(U.shape, comm)
        u, k = np.zeros(part.shape), np.zeros(4, int)
        checkpoint = restore(run, comm, like={"u": Block(u, part.offset, U.shape), "k": k})
        assert (u == U[part.interior]).all()
        assert k.tolist() == [0, 1, 2, 3]
        assert checkpoint.state is not None
        assert checkpoint.state["u"] is u

    checked(on_ranks(size, work))


def test_like_is_changed_in_place(run: Path) -> None:
    rng = np.random.default_rng(9)
    like = {
        "tree": {"w": [np.zeros(3, int), (None,)], "rng": rng},
        "n": None,
        "z": np.zeros((), "f8"),
        "u": np.zeros((7, 5), "c16"),
    }
    state = restore(run, like=like).state
    assert state is not None
    assert like["tree"]["w"][0].tolist() == [0, 1, 2]  # type: ignore[index]
    assert state["tree"]["w"][1] == (np.float32(2),)
    assert rng.random() == np.random.default_rng(1).random()
    assert state["n"] == 7
    assert state["z"] == 3
    # Another dtype is converted.
    assert (state["u"] == U).all()


@pytest.mark.parametrize(
    ("like", "error", "text"),
    [
        ({"x": 1}, KeyError, "no 'x'"),
        ({"u": np.zeros((7, 6))}, ValueError, r"'u' has shape \(7, 6\); in step 1 it has \(7, 5\)"),
        ({"u": Block(np.zeros(3), (0,), (9,))}, ValueError, r"'u' has shape \(9,\)"),
        ({"tree": {"w": [1]}}, ValueError, "'tree/w' has 1 items; step 1 has 2"),
    ],
)
def test_like_that_does_not_fit(run: Path, like: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        restore(run, like=like)


VALUES = {
    "i8": np.array([300, 2**40]),
    "u8": np.array([2**63 + 5, 0], "u8"),
    "f8": np.array([1e300, 1 / 3]),
    "block": Block(np.array([300, 70_000]), (0,), (2,)),
    "text": np.array(["long", "text"]),
}


@pytest.mark.parametrize(
    ("name", "stored", "dtype"),
    [
        ("i8", "int64", "i1"),
        ("i8", "int64", "i4"),
        ("i8", "int64", "u8"),
        ("i8", "int64", "f4"),
        ("u8", "uint64", "i8"),
        ("f8", "float64", "f4"),
        ("f8", "float64", "i8"),
        ("block", "int64", "i2"),
        ("text", "<U4", "U2"),
    ],
)
def test_values_are_never_cut_to_a_narrower_type(tmp_path: Path, name: str, stored: str, dtype: str) -> None:
    save(tmp_path, **VALUES)
    narrow = np.zeros(2, dtype)
    like = Block(narrow, (0,), (2,)) if name == "block" else narrow
    text = f"'{name}' is of {stored}, which {narrow.dtype} cannot hold: give an array of {stored}, or read it"
    with pytest.raises(TypeError, match=text):
        restore(tmp_path, like={name: like})
    with pytest.raises(TypeError, match=text):
        restore(tmp_path).read(name, out=narrow)
    assert not np.any(narrow != np.zeros(2, dtype))


def test_wider_types_hold_the_values(tmp_path: Path) -> None:
    save(tmp_path, k=np.arange(4))
    assert (restore(tmp_path).read("k", out=np.zeros(4)) == np.arange(4)).all()
    swapped = np.zeros(4, ">i8")
    restore(tmp_path, like={"k": swapped})
    assert swapped.tolist() == [0, 1, 2, 3]


def test_a_file_that_was_lost_is_an_error_and_not_zeros(tmp_path: Path) -> None:
    save(tmp_path, k=np.arange(1, 5))
    checkpoint = restore(tmp_path)
    (tmp_path / "00000001/k/c/0").unlink()
    k = np.ones(4, int)
    for read in (
        lambda: checkpoint.read("k"),
        lambda: checkpoint["k"],
        lambda: checkpoint.read("k", slice(2), np.ones(2, int)),
        lambda: checkpoint.fill({"k": k}),
        lambda: restore(tmp_path, verify="none").read("k"),
    ):
        with pytest.raises(ChunkError, match="k/c/0"):
            read()
    with pytest.raises(CheckpointError, match="k/c/0"):
        restore(tmp_path, verify="none", like={"k": k})
    assert k.tolist() == [1] * 4


def save_per_rank(root: Path, size: int) -> None:
    def work(comm: Any) -> None:
        save(root, comm, own=PerRank({"seed": comm.rank, "walk": np.full(comm.rank + 1, comm.rank)}))

    checked(on_ranks(size, work))


def test_each_rank_gets_its_own_value(tmp_path: Path) -> None:
    save_per_rank(tmp_path, 3)

    def work(comm: Any) -> Any:
        own = restore(tmp_path, comm)["own"]
        return own["seed"], own["walk"].tolist()

    assert checked(on_ranks(3, work)) == [(0, [0]), (1, [1, 1]), (2, [2, 2, 2])]


def test_with_other_ranks_the_caller_says_what_each_gets(tmp_path: Path) -> None:
    save_per_rank(tmp_path, 3)
    with pytest.raises(CheckpointError, match="'own' has values of 3 processes, and there are 1 now"):
        restore(tmp_path)["own"]

    def on_resize(values: list[Any], rank: int, size: int) -> Any:
        return [value["seed"] for value in values], rank, size

    def work(comm: Any) -> Any:
        state = restore(tmp_path, comm, like={"own": PerRank(None, on_resize)}).state
        assert state is not None
        return state["own"]

    assert checked(on_ranks(2, work)) == [([0, 1, 2], 0, 2), ([0, 1, 2], 1, 2)]


def test_what_each_rank_has_of_its_own_is_changed_in_place(tmp_path: Path) -> None:
    def own(seed: int, walk: Any) -> dict[str, Any]:
        return {"rng": np.random.default_rng(seed), "walk": walk, "pair": Moments(walk + 1, [walk + 2])}

    def work(comm: Any) -> None:
        values = own(comm.rank, np.arange(3) + comm.rank)
        save(tmp_path, comm, own=PerRank(values), rng=PerRank(values["rng"]))
        like, rng = own(9, np.zeros(3, int)), np.random.default_rng(9)
        state = restore(tmp_path, comm, like={"own": PerRank(like), "rng": PerRank(rng)}).state
        assert state is not None
        assert rng.random() == np.random.default_rng(comm.rank).random()
        assert like["rng"].random() == np.random.default_rng(comm.rank).random()
        assert like["walk"].tolist() == values["walk"].tolist()
        assert like["pair"].count[0].tolist() == (values["walk"] + 2).tolist()
        assert state["rng"] is rng
        assert state["own"]["walk"] is like["walk"]
        assert state["own"]["pair"].mu is like["pair"].mu
        # What does not fit is in the result alone.
        other = {"walk": np.zeros(5, int)}
        state = restore(tmp_path, comm, like={"own": PerRank(other)}).state
        assert state is not None
        assert state["own"]["walk"].tolist() == values["walk"].tolist()
        assert not other["walk"].any()

    checked(on_ranks(2, work))


def test_what_is_deleted_while_it_is_read_is_an_error_and_not_fill_values(run: Path) -> None:
    checkpoint = restore(run)
    (run / "00000001").rename(run / "elsewhere")
    with pytest.raises((CheckpointError, FileNotFoundError)):
        checkpoint.read("u")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("back", [False, True], ids=["deleted", "set back"])
def test_a_number_that_is_used_again_is_another_step(tmp_path: Path, back: bool) -> None:
    """The values of the new step are never given for those of the old one, equal as all else may be."""

    def state(value: int) -> dict[str, Any]:
        return {"u": np.full(8, value), "v": Block(np.full(8, value), (0,), (8,)), "dt": 0.5}

    with CheckpointManager(tmp_path, async_save=False) as manager:
        for step in (1, 2):
            manager.save(step, state(step), attrs={"wall": 0})
        old = manager.restore(2)
        assert old is not None
        array, pickled = old["v"], pickle.dumps(old["v"])
        if back:
            manager.restore(1)
        else:
            manager.delete(2)
        manager.save(2, state(3), attrs={"wall": 0})
        reads: list[Callable[[], object]] = [
            lambda: old.read("u"),
            lambda: old["u"],
            lambda: old.fill({"v": np.zeros(8, int)}),
            lambda: old["v"][:],
            lambda: array[:2],
            lambda: pickle.loads(pickled)[:2],
        ]
        for read in reads:
            with pytest.raises(CheckpointError, match=r"step 2 in .* was replaced by another step"):
                read()
        new = manager.restore()
        assert new is not None
        assert (new.step, new["v"][:].tolist()) == (2, [3] * 8)


def test_a_flipped_bit_is_found_by_reading(run: Path) -> None:
    flip(run / "00000001/u/c/0/0")
    with pytest.raises(ChunkError):
        restore(run).read("u")


@pytest.mark.filterwarnings("ignore:step:RuntimeWarning")
@pytest.mark.parametrize(
    "kwargs", [{"verify": "full"}, {"like": {"k": np.zeros(4, int)}}], ids=["full", "like"]
)
def test_all_ranks_walk_back_together(tmp_path: Path, kwargs: dict[str, Any]) -> None:
    for step in (1, 2, 3):
        save(tmp_path, step=step, k=np.arange(4) + step)
    flip(tmp_path / "00000003/k/c/0")
    (tmp_path / "00000002/k/c/0").unlink()

    def work(comm: Any) -> int:
        return restore(tmp_path, comm, **kwargs).step

    assert checked(on_ranks(3, work)) == [1, 1, 1]
    with pytest.warns(RuntimeWarning, match="step 2 in .* is not whole.*; step 1 is restored"):
        restore(tmp_path, verify="full")
    # What was asked for by its number is not replaced by something else.
    with pytest.raises(CheckpointError, match="not whole"):
        restore(tmp_path, step=2)
    assert restore(tmp_path, verify="none").step == 3


def damaged(root: Path) -> list[str]:
    return sorted(path.name.rpartition("-")[0] for path in (root / ".tmp").glob("*"))


@pytest.mark.filterwarnings("ignore:step:RuntimeWarning")
def test_what_was_passed_over_is_kept_and_what_was_left_by_choice_is_not(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path, step=step, k=np.arange(4) + step)
    (tmp_path / "00000003/k/c/0").unlink()
    with CheckpointManager(tmp_path, async_save=False) as manager:
        found = manager.restore()
        assert found is not None
        assert found.step == 2
        manager.save(3, {"k": np.arange(4)})
        assert manager.all_steps() == [1, 2, 3]
        assert damaged(tmp_path) == ["damaged-00000003"]
        manager.restore(1)
        manager.save(2, {"k": np.arange(4)})
        assert manager.all_steps() == [1, 2]
        assert damaged(tmp_path) == ["damaged-00000003"]


@pytest.mark.parametrize("kwargs", [{}, {"verify": "none", "like": {"k": np.zeros(4, int)}}], ids=str)
def test_an_error_of_the_system_is_no_reason_to_walk_back(tmp_path: Path, kwargs: dict[str, Any]) -> None:
    for step in (1, 2):
        save(tmp_path, step=step, k=np.arange(4) + step)
    shard = tmp_path / "00000002/k/c/0"
    shard.unlink()
    shard.symlink_to(shard.name)
    for error in on_ranks(2, lambda comm: restore(tmp_path, comm, **kwargs)):
        assert isinstance(error, OSError)
        assert not isinstance(error, CheckpointError)


def test_a_newer_version_is_no_reason_to_walk_back(tmp_path: Path) -> None:
    for step in (1, 2):
        save(tmp_path, step=step, n=step)
    document = tmp_path / "00000002/zarr.json"
    document.write_text(document.read_text().replace('"version": 1', '"version": 2'))
    for error in on_ranks(2, lambda comm: restore(tmp_path, comm)):
        assert isinstance(error, CheckpointError)
        assert "is of version 2; this zchunk reads 1" in str(error)


def test_no_whole_step_is_an_error_and_not_a_fresh_start(tmp_path: Path) -> None:
    save(tmp_path, k=np.arange(4))
    (tmp_path / "00000001/k/c/0").unlink()
    with pytest.raises(CheckpointError, match="not whole"):
        restore(tmp_path)


def test_a_step_that_is_not_there(run: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no step 5 in .*; there are \[1\]"):
        restore(run, step=5)


def test_a_reader_during_retention_gets_a_step_as_it_was_or_an_error(tmp_path: Path) -> None:
    u = np.ones((40, 50))
    save(tmp_path, u=u)

    def write() -> None:
        with CheckpointManager(tmp_path, max_to_keep=1, durability="atomic") as manager:
            for step in range(2, 40):
                manager.save(step, {"u": step * u})

    writer = threading.Thread(target=write)
    writer.start()
    read = 0
    while writer.is_alive() or not read:
        try:
            checkpoint = restore(tmp_path)
            found = checkpoint.read("u")
        except CheckpointError:
            continue
        assert (found == checkpoint.step).all()
        read += 1
    writer.join()
    assert restore(tmp_path).step == 39
