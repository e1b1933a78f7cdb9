"""What is timed: saves of all systems by turns, steps of a program beside a save, and restarts."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import files
from benchmarks.checkpoints.base import CHUNK_ROWS, ROW_ITEMS
from benchmarks.checkpoints.group import Group, GroupError, largest
from benchmarks.checkpoints.systems import LIMIT, SUBJECT, THREADS
from benchmarks.machine import describe

MIB = 1 << 20
ASYNC = "zchunk-async"
# The first step that is saved beside those of the program
STEPS = 1000
# With how many ranks a restart reads what others have saved
OTHER_RANKS = {1: 2, 2: 4, 4: 2}
# More runs of what takes less time
SMALL_MIB, MORE = 256, 2
# Restarts take less time than saves: so many for each of these
RESTARTS = 4
START_MIB = 256


@dataclass(frozen=True)
class Settings:
    """What to measure, and where.

    Parameters
    ----------
    mib : sequence of int
        Sizes of the array.
    ranks : sequence of int
        Numbers of processes.
    systems : sequence of str
        Which save.
    repeat : int
        Runs of each, after one that is not counted.
    folder : Path
        On the disk.
    pythons : mapping
        Interpreter of each system.
    minutes : float
        When these are over there are fewer runs.
    """

    mib: Sequence[int]
    ranks: Sequence[int]
    systems: Sequence[str]
    repeat: int
    folder: Path
    pythons: Mapping[str, str]
    minutes: float


@dataclass
class Results:
    """What was measured.

    Parameters
    ----------
    machine : dict
        Where, and when.
    versions, failures : dict
        By system.
    saves : list of dict
        Seconds of the saves of a system, until `save` returned, of a copy, and of a copy after all ranks have
        waited for each other once; files and bytes of a step.
    steps : list of dict
        Seconds of a step of a program, alone and beside a save, on the slowest rank; how many times as long
        one takes beside it, of all ranks together; how long the save lasts, and the processor time that its
        threads take on a rank.
    restarts : list of dict
        Seconds of reading.
    """

    machine: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    saves: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    restarts: list[dict[str, Any]] = field(default_factory=list)


def write_source(path: Path, mib: int) -> int:
    """Write an array of so many MiB: waves, and a little noise; return its rows."""
    rows = mib * MIB // 8 // ROW_ITEMS
    values = np.lib.format.open_memmap(path, "w+", np.float64, (rows, ROW_ITEMS))
    noise = np.random.default_rng(0).normal(0, 1e-3, (CHUNK_ROWS, ROW_ITEMS))
    across = np.sin(np.linspace(0, 20, ROW_ITEMS))
    for first in range(0, rows, CHUNK_ROWS):
        along = np.arange(first, min(first + CHUNK_ROWS, rows))[:, None]
        values[first : first + CHUNK_ROWS] = across * np.cos(along / 300) + np.roll(noise, first // 7)
    return rows


class Measurement:
    """One run of everything.

    Parameters
    ----------
    settings : Settings
        What to measure.
    say : callable
        Called with a line about how far it is.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings, self._say = settings, say
        self.results = Results(describe(settings.folder))
        self._chance = random.Random()

    def run(self) -> Results:
        """Measure, and return the results."""
        with (
            tempfile.TemporaryDirectory(prefix="checkpoints-", dir=self.settings.folder) as work,
            tempfile.TemporaryDirectory(prefix="checkpoints-", dir="/dev/shm") as memory,
        ):
            self._work, self._memory = Path(work), Path(memory)
            begun, parts = time.monotonic(), 0
            for mib in self.settings.mib:
                self._source = self._memory / "values.npy"
                self._rows = write_source(self._source, mib)
                for ranks in self.settings.ranks:
                    # Starting the processes takes as long as saves of some size.
                    parts += mib + START_MIB
                    total = len(self.settings.ranks) * sum(size + START_MIB for size in self.settings.mib)
                    self._end = begun + self.settings.minutes * 60 * parts / total
                    self._say(f"{time.monotonic() - begun:.0f} s: {mib} MiB, {ranks} ranks")
                    self._saves(mib, ranks)
                    self._restarts(mib, ranks)
        return self.results

    @contextmanager
    def _groups(self, systems: Sequence[str], size: int) -> Iterator[dict[str, Group]]:
        """Start the groups of systems that can be started; others are failures."""
        with ExitStack() as stack:
            groups: dict[str, Group] = {}
            for system in systems:
                try:
                    groups[system] = stack.enter_context(self._group(system, size))
                except GroupError as error:
                    self._failed(system, error)
                else:
                    self.results.versions[system] = groups[system].version
            yield groups

    def _group(self, system: str, size: int, folder: Path | None = None) -> Group:
        python = self.settings.pythons[system]
        return Group(system, python, size, self._source, self._rows, self._work, self._memory, folder)

    def _failed(self, system: str, error: GroupError) -> None:
        self.results.failures[system] = str(error)
        self._say(str(error))

    def _saves(self, mib: int, ranks: int) -> None:
        systems = [name for name in self.settings.systems if name not in self.results.failures]
        found: dict[str, dict[str, Any]] = {}
        with self._groups([*systems, *THREADS], ranks) as groups:
            for turn in range(1 + self.settings.repeat * (MORE if mib <= SMALL_MIB else 1)):
                if turn > 1 and time.monotonic() > self._end:
                    break
                order = [name for name in groups if name not in THREADS]
                self._chance.shuffle(order)
                for name in order:
                    row = found.setdefault(name, {"mib": mib, "ranks": ranks, "system": name})
                    try:
                        self._save(groups[name], turn, row)
                    except GroupError as error:
                        self._failed(name, error)
                        groups.pop(name)
            self.results.saves += [row for row in found.values() if "seconds" in row]
            for turn in range(self.settings.repeat):
                for name in (ASYNC, *THREADS):
                    if name in groups:
                        self._steps(groups[name], STEPS + turn, mib, ranks)

    def _save(self, group: Group, turn: int, row: dict[str, Any]) -> None:
        if group.system == ASYNC:
            answers = group.ask("copy")
            row.setdefault("copy", []).append(largest(answers, "seconds"))
            row.setdefault("met", []).append(largest(answers, "met"))
        answers = group.ask("save", turn)
        if turn:
            row.setdefault("seconds", []).append(answers[0]["elapsed"])
            row.setdefault("returned", []).append(largest(answers, "returned"))
        else:
            found = group.step_files(turn)
            row["first"] = answers[0]["elapsed"]
            row["first returned"] = largest(answers, "returned")
            row["files"], row["bytes"] = len(found), sum(Path(file).stat().st_size for file in found)
        group.remove(turn)

    def _steps(self, group: Group, step: int, mib: int, ranks: int) -> None:
        answers = group.ask("steps", step)
        group.remove(step)
        row = {"mib": mib, "ranks": ranks, "system": group.system, "steps": min(a["steps"] for a in answers)}
        if row["steps"]:
            # How many steps all ranks do in a second.
            alone, beside = (sum(1 / answer[key] for answer in answers) for key in ("alone", "beside"))
            row["together"] = alone / beside
        times = {key: largest(answers, key) for key in ("alone", "beside", "lasts", "processor")}
        self.results.steps.append({**row, **times})

    def _restarts(self, mib: int, saved: int) -> None:
        """Read with another number of ranks what so many have saved: from the disk, and from memory."""
        size = OTHER_RANKS.get(saved, saved + 1)
        with ExitStack() as stack:
            readers: dict[str, Group] = {}
            for system in (LIMIT, SUBJECT):
                if system in self.results.failures or system not in self.settings.systems:
                    continue
                writer = stack.enter_context(self._group(system, saved))
                writer.ask("save", 1)
                readers[system] = stack.enter_context(self._group(system, size, writer.folder))
            for turn in range(1 + RESTARTS * self.settings.repeat):
                for cache in ("disk", "memory"):
                    for system, reader in self._chance.sample(list(readers.items()), len(readers)):
                        if cache == "disk":
                            files.drop_cache(str(reader.folder))
                        seconds = largest(reader.ask("restore", 1), "seconds")
                        row = {"mib": mib, "saved": saved, "ranks": size, "system": system, "from": cache}
                        if turn:
                            self.results.restarts.append({**row, "seconds": seconds})


def has_room(folder: Path, mib: int) -> bool:
    """Whether there is room on the disk, and in memory, for a size."""
    return min(shutil.disk_usage(folder).free, shutil.disk_usage("/dev/shm").free) > 3 * mib * MIB
