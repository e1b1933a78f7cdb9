"""Many workers on the same nodes at the same time: threads, forked and started processes.

Each writes chunks of its own, a part of a chunk that all share, and makes, moves and deletes nodes; one
appends. Meanwhile one reads: every value is old or new, and none comes back. At the end all is as if they had
worked in turns.
"""

from __future__ import annotations

import multiprocessing
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import zchunk
from tests.faults.campaign import Figures, Share, working_folder
from tests.faults.homes import HOMES, Processes
from tests.faults.operations import World
from tests.faults.places import close

WORKERS = 3
_ROUNDS = 40
_PATIENCE = 120.0
# Rows of each worker: whole chunks, and whole shards.
_SPAN = 4
_ARRAYS: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
    ("own", (WORKERS * _SPAN, 3), (2, 3)),
    ("shared", (WORKERS, 4), (WORKERS, 4)),
    ("log", (0,), (4,)),
]


class Case(NamedTuple):
    """Which workers there are, and where.

    Parameters
    ----------
    home : str
        The kind of stores.
    workers : str
        What they are: threads, fork or spawn.
    synchronized : bool
        Whether they share a synchronizer. Processes that share a chunk do.
    """

    home: str
    workers: str
    synchronized: bool

    def __str__(self) -> str:
        return f"{self.workers} in {self.home}" + " with a synchronizer" * self.synchronized


def cases() -> dict[str, Case]:
    """Return all cases by name."""
    found = []
    for name, home in HOMES.items():
        kinds = ["threads"]
        if home.processes is Processes.MANY or name == "lmdb":
            kinds += ["fork", "spawn"]
        elif home.processes is Processes.SPAWNED:
            kinds.append("spawn")
        found += [Case(name, kind, synchronized) for kind in kinds for synchronized in (False, True)]
    return {str(case): case for case in found}


class Work:
    """What a worker does in its store, over and over."""

    def __init__(self, world: World, case: Case, number: int, synchronizer: Any) -> None:
        self.world, self.case, self.number = world, case, number
        self.synchronizer = synchronizer
        self.shares = case.workers == "threads" or case.synchronized
        self.seen = np.zeros(WORKERS * _SPAN, "i4")

    def open(self, path: str) -> Any:
        return zchunk.open_array(self.world.store, "r+", path=path, synchronizer=self.synchronizer)

    def write(self, value: int) -> None:
        """Change what others do not, and a row of what they do."""
        self.open("own")[self.number * _SPAN : (self.number + 1) * _SPAN] = value
        if self.shares:
            self.open("shared")[self.number] = value
        if self.number == 0:
            self.open("log").append(np.full(3, value, "i4"))
        self._make(value)

    def _make(self, value: int) -> None:
        """Make nodes, and delete those of before."""
        top, root = f"of{self.number}", self.world.root
        if f"{top}/new" in root:
            del root[f"{top}/new"]
        items = np.full((4, 4), value, "i4")
        self.world.array(f"{top}/made", items, chunks=(2, 2), overwrite=True, attributes={"value": value})
        root.move(f"{top}/made", f"{top}/new")

    def read(self, last: int) -> None:
        """Read what the others change: every chunk has one value, none older than one that was read."""
        own = self.open("own")[:]
        rows = own[:, 0]
        assert (own == rows[:, None]).all(), own
        for at in range(0, len(rows), 2):
            assert rows[at] == rows[at + 1], own
        assert (rows >= self.seen).all(), (rows, self.seen)
        assert (rows <= last).all(), rows
        self.seen = rows
        shared = self.open("shared")[:]
        assert (shared == shared[:, :1]).all(), shared
        log = self.open("log")[:]
        assert log.tolist() == [value for value in range(1, len(log) // 3 + 1) for _ in range(3)], log

    def run(self, rounds: int) -> None:
        """Write, or read, so many times."""
        for value in range(1, rounds + 1):
            if self.number < WORKERS:
                self.write(value)
            else:
                self.read(rounds)


def _start(world: World) -> None:
    world.group()
    for path, shape, chunks in _ARRAYS:
        world.create(path, shape, **world.place.create(chunks=chunks))
    for number in range(WORKERS):
        world.group(f"of{number}")


def _check(world: World, case: Case, rounds: int) -> None:
    """Check the end."""
    root = world.root
    assert (root["own"][:] == rounds).all(), root["own"][:]
    if case.workers == "threads" or case.synchronized:
        assert (root["shared"][:] == rounds).all(), root["shared"][:]
    assert root["log"][:].tolist() == [value for value in range(1, rounds + 1) for _ in range(3)]
    for number in range(WORKERS):
        assert list(root[f"of{number}"]) == ["new"]
        made = root[f"of{number}/new"]
        assert (made[:] == rounds).all()
        assert dict(made.attrs) == {"value": rounds}
    report = zchunk.verify(world.store)
    assert report, report


def run(share: Share) -> Figures:
    """Run all cases; the default part of each with fewer rounds."""
    figures = Figures("races", "workers")
    rounds = max(_ROUNDS // share.every, 3)
    for name, case in share.of(cases()).items():
        try:
            with working_folder() as folder:
                _race(case, folder, rounds)
        except Exception:
            figures.fail(name, traceback.format_exc(limit=-8))
        figures.cases += WORKERS + 1
        figures.count("races")
        figures.count("rounds", rounds)
    return figures


def _race(case: Case, folder: Path, rounds: int) -> None:
    home = HOMES[case.home]
    kept = home.make()
    place = home.for_program(kept)
    world = World(place, folder)
    _start(world)
    if case.workers == "threads":
        synchronizer = zchunk.ThreadSynchronizer() if case.synchronized else None
        works = [Work(world, case, number, synchronizer) for number in range(WORKERS + 1)]
        errors = _threads([lambda work=work: work.run(rounds) for work in works])
    else:
        close(world.store)
        errors = _processes(case, folder, kept, rounds)
        world = World(place, folder)
    assert not errors, "\n".join(errors)
    _check(world, case, rounds)
    close(world.store)


def _threads(works: list[Callable[[], None]]) -> list[str]:
    errors: list[str] = []

    def run_one(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            errors.append(traceback.format_exc(limit=-8))

    threads = [threading.Thread(target=run_one, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
        if thread.is_alive():
            errors.append("a thread hangs")
    return errors


def _processes(case: Case, folder: Path, kept: Any, rounds: int) -> list[str]:
    context = multiprocessing.get_context(case.workers)
    errors = context.SimpleQueue()
    workers = [
        context.Process(target=_process, args=(case, folder, kept, rounds, number, errors))
        for number in range(WORKERS + 1)
    ]
    for worker in workers:
        worker.start()
    found = []
    for worker in workers:
        worker.join(_PATIENCE)
        if worker.is_alive():
            worker.kill()
            found.append("a process hangs")
        elif worker.exitcode:
            found.append(f"a process ended with {worker.exitcode}")
    while not errors.empty():
        found.append(errors.get())
    return found


def _process(case: Case, folder: Path, kept: Any, rounds: int, number: int, errors: Any) -> None:
    zchunk.set_threads(1)
    world = World(HOMES[case.home].for_program(kept), folder)
    synchronizer = zchunk.ProcessSynchronizer(str(folder / "locks")) if case.synchronized else None
    try:
        Work(world, case, number, synchronizer).run(rounds)
    except BaseException:
        errors.put(traceback.format_exc(limit=-8))
    finally:
        close(world.store)
