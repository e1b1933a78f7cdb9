"""The campaign of kills: jobs of 1 to 5 processes that are killed while they save, and go on with other
numbers.

``python -m tests.wings.checkpoint.kills 1000`` (`make kills`). Every job restores what the one before has
left, checks every value, saves on, and is killed: at a point of the commit that it names itself, or at any
moment; one process of it, or all. Its closing line has what must be 0: wrong values, saves that were
acknowledged and are lost, files that are left over, and jobs that hang.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zchunk.checkpoint import (
    Block,
    CheckpointManager,
    PerRank,
    ProcessCommunicator,
    partition,
    process_communicators,
)
from zchunk.storage.local.directory import DirectoryStore
from zchunk.wings.checkpoint import commit, layout, manager, retention, saving
from zchunk.wings.checkpoint.commit import Attempt

# Far more than a job takes.
TIMEOUT = 120
KEPT = 3
SHAPE3, SHAPE2 = (7, 11, 5), (31, 18)

# Exit codes of a process.
DONE, RAISED, WRONG, LOST = 0, 3, 4, 5


class Kill(NamedTuple):
    """How a job ends: at the `nth` time that a process comes to a point; or all processes after some
    seconds."""

    point: str
    nth: int
    rank: int
    after: float


def _before(module: Any, name: str) -> Callable[[Callable[[], None]], None]:
    def install(die: Callable[[], None]) -> None:
        function = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            die()
            return function(*args, **kwargs)

        setattr(module, name, call)

    return install


def _after(module: Any, name: str) -> Callable[[Callable[[], None]], None]:
    def install(die: Callable[[], None]) -> None:
        function = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            die()
            return result

        setattr(module, name, call)

    return install


# What a process does just before, or after, it is killed.
POINTS = {
    "agreed": _before(manager, "stage"),
    "staged": _after(manager, "stage"),
    "writing": _before(Attempt, "write"),
    "linking": _before(os, "link"),
    "written": _before(DirectoryStore, "sync"),
    "synced": _after(Attempt, "write"),
    "voted": _before(Attempt, "publish"),
    "between metadata": _before(DirectoryStore, "__setitem__"),
    "published": _before(Attempt, "commit"),
    "renamed": _before(commit, "sync_folder"),
    "committed": _after(Attempt, "commit"),
    "discarding": _after(layout, "discard"),
    "deleting": _before(retention, "remove_tree"),
    "finished": _after(saving.Saving, "finish"),
}
# What the first process alone does.
FIRST = {
    "linking", "voted", "between metadata", "published", "renamed", "committed", "discarding", "deleting",
}  # fmt: skip


def field(shape: tuple[int, ...], step: int) -> Any:
    return np.arange(np.prod(shape), dtype=float).reshape(shape) + 10_000 * step


def bands(rank: int, size: int) -> tuple[slice, ...]:
    """A part of the first array that is no shard, since lengths differ."""
    first, last = SHAPE3[1] * rank // size, SHAPE3[1] * (rank + 1) // size
    return slice(0, SHAPE3[0]), slice(first, last), slice(0, SHAPE3[2])


def state(step: int, comm: ProcessCommunicator) -> dict[str, Any]:
    band, part = bands(comm.rank, comm.size), partition(SHAPE2, comm)
    return {
        "u": Block(field(SHAPE3, step)[band], [axis.start for axis in band], SHAPE3),
        "g": {"v": Block(field(SHAPE2, step)[part.interior], part.offset, SHAPE2), "step": step},
        "k": np.full(9, step),
        "own": PerRank((comm.rank, step)),
    }


def unchanged(step: int) -> dict[str, Any]:
    """What is static in two steps of four, written with the first and linked in the second."""
    return {name: field(SHAPE2, number) for number, name in enumerate("abcd")} if step % 4 > 1 else {}


def is_right(found: Any, comm: ProcessCommunicator) -> bool:
    step, band, part = found.step, bands(comm.rank, comm.size), partition(SHAPE2, comm)
    own = found["own"] if found.ranks == comm.size else (comm.rank, step)
    return bool(
        (found.read("u", band) == field(SHAPE3, step)[band]).all()
        and (found.read("g/v", part.interior) == field(SHAPE2, step)[part.interior]).all()
        and (found.read("k") == step).all()
        and all((found.read(name) == value).all() for name, value in unchanged(step).items())
        and found["g/step"] == step
        and own == (comm.rank, step)
    )


def job(comm: ProcessCommunicator, root: str, acknowledged: str, kill: Kill, async_save: bool) -> None:
    """What a process of a job does: restore, check, and save until it is killed."""
    passed = 0

    def die() -> None:
        nonlocal passed
        passed += 1
        if passed == kill.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    if kill.rank == comm.rank and kill.point in POINTS:
        POINTS[kill.point](die)
    code = DONE
    try:
        with CheckpointManager(root, comm, async_save=async_save, max_to_keep=KEPT) as checkpoints:
            found, last = checkpoints.restore(), last_line(acknowledged)
            step = -1 if found is None else found.step
            if step < last:
                code = LOST
            elif found is not None and not is_right(found, comm):
                code = WRONG
            for number in range(step + 1, step + 5) if code == DONE else ():
                checkpoints.save(number, state(number, comm), static=unchanged(number))
                # One in the background is acknowledged when the next one has returned.
                done = number - async_save
                if comm.rank == 0 and done > step:
                    with open(acknowledged, "a") as file:
                        file.write(f"{done}\n")
    except Exception:
        code = code or RAISED
    os._exit(code)


def last_line(path: str) -> int:
    text = Path(path).read_text() if os.path.exists(path) else ""
    # The last line may be half written.
    lines = text.split("\n")[:-1]
    return int(lines[-1]) if lines else -1


class Result(NamedTuple):
    """What came of a campaign."""

    kills: int
    wrong: int
    lost: int
    left: int
    hangs: int

    def __str__(self) -> str:
        return (
            f"{self.kills} kills: {self.wrong} wrong values, {self.lost} acknowledged saves lost, "
            f"{self.left} files left over, {self.hangs} hangs"
        )


def run_job(
    root: str, acknowledged: str, size: int, kill: Kill, async_save: bool
) -> tuple[list[int | None], bool]:
    """Run a job to its end; return the exit codes, None for a process that hung, and whether one was
    killed."""
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=job, args=(comm, root, acknowledged, kill, async_save))
        for comm in process_communicators(size)
    ]
    for process in processes:
        process.start()
    if kill.point == "any moment":
        time.sleep(kill.after)
        for process in processes:
            process.kill()
    end = time.monotonic() + TIMEOUT
    codes: list[int | None] = []
    for process in processes:
        process.join(max(end - time.monotonic(), 0))
        codes.append(process.exitcode)
        process.kill()
        process.join()
    return codes, -signal.SIGKILL in codes


def campaign(kills: int, seed: int, root: str, report: Callable[[str], None] = lambda line: None) -> Result:
    """Kill jobs so often, and return what came of it."""
    chance = random.Random(seed)
    run, acknowledged = os.path.join(root, "run"), os.path.join(root, "acknowledged")
    done = wrong = lost = hangs = 0
    points = [*POINTS, "any moment"]
    while done < kills:
        size, point = chance.randint(1, 5), points[done % len(points)]
        rank = 0 if point in FIRST else chance.randrange(size)
        kill = Kill(point, chance.randint(1, 4), rank, chance.uniform(0, 0.15))
        codes, killed = run_job(run, acknowledged, size, kill, chance.random() < 0.5)
        done += killed
        wrong += WRONG in codes
        lost += LOST in codes
        hangs += None in codes
        if {WRONG, LOST, None} & set(codes):
            report(f"{kill} of {size}: {codes}")
        if killed and done % 100 == 0:
            report(f"{done} kills")
    # A job that ends well leaves nothing but steps.
    codes, _ = run_job(run, acknowledged, 3, Kill("never", 0, 0, 0), True)
    assert codes == [DONE] * 3, codes
    left = {path.name for path in Path(run).iterdir()} - {"zarr.json"}
    steps = {layout.step_name(step) for step in layout.steps(run)}
    assert len(steps) == KEPT, steps
    found = [path for step in steps for path in Path(run, step).rglob("*.partial")]
    return Result(done, wrong, lost, len(left - steps) + len(found), hangs)


def main() -> None:
    kills, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    root = tempfile.mkdtemp(prefix="kills-")
    print(f"seed {seed}, in {root}", flush=True)
    result = campaign(kills, seed, root, lambda line: print(line, flush=True))
    print(result)
    if any(result[1:]):
        raise SystemExit(1)
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
