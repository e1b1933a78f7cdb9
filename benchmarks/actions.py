"""How a case is prepared, verified and timed: one class per action, the same for every library."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import objects, slow
from benchmarks.adapters.base import Adapter, Unsupported
from benchmarks.cases import Case
from benchmarks.datasets import GROUP_ARRAYS, STORED, Container, Layout, Shape
from benchmarks.files import cached_bytes, drop_cache, remove, stored_bytes
from benchmarks.machine import file_system
from benchmarks.selections import Selection, everything, of_array

# A run of a short case is repeated within one timing until it lasts about this long.
SHORTEST_TIMING = 0.02
# How many results a case that keeps all of them may hold: more than there are runs by default.
MOST_KEPT = 8


class Mismatch(Exception):
    """A library returned other values than were written."""


@dataclass
class Bench:
    """What the cases of one library work with."""

    name: str
    adapter: Adapter
    size: str
    folder: Path
    threads: int
    # The folder of the values, and a function that loads those of the group of cases being measured
    sources: Path
    source: Callable[[str], NDArray[Any]]
    cold: bool = False
    # Paths of arrays that cases read, with a handle for those in memory
    stored: dict[str, Any] = field(default_factory=dict)

    def path(self, name: str, container: Container) -> str:
        """Return the path or URL of an array or a group."""
        if container == "objects":
            return objects.url(f"{self.folder.name}-{name}")
        return os.fspath(self.folder / name)


def check(case: Case, got: Any, want: Any) -> None:
    """Raise Mismatch unless both have the same type, shape and bytes."""
    got, want = np.asarray(got), np.asarray(want)
    if got.dtype != want.dtype or got.shape != want.shape or got.tobytes() != want.tobytes():
        raise Mismatch(f"{case.name}: values read differ from values written")


class Action(ABC):
    """One case of one library; `prepare` comes once and verifies, `run` times once."""

    def __init__(self, case: Case, bench: Bench) -> None:
        self.case, self.bench, self.adapter = case, bench, bench.adapter
        self.layout: Layout = STORED[case.stored].layout(bench.size)
        self.path = bench.path(case.stored, self.layout.container)
        self.scratch = bench.path(f"case-{case.name}", self.layout.container)
        remove(self.scratch)
        if case.on_disk and file_system(bench.folder.resolve()) == "tmpfs":
            raise Unsupported(f"{bench.folder} is in memory: choose another --dir")
        if case.latency and not slow.given():
            raise Unsupported(
                "to delay calls of the C library takes Linux, and a C compiler by the name of cc"
            )

    @property
    def read_path(self) -> str:
        """Path of what a run reads."""
        return self.path

    @property
    def data(self) -> NDArray[Any]:
        """Values of the array."""
        return self.bench.source(STORED[self.case.stored].source)

    @abstractmethod
    def prepare(self) -> dict[str, Any]:
        """Make what the case needs, run it once, verify every value, and return facts to report."""

    @abstractmethod
    def run(self) -> float:
        """Run once and return the seconds (or bytes) that it took."""

    def stored(self) -> tuple[str, Any]:
        """Return path and, if it is in memory, handle of the array to read, written at the first call."""
        path, arrays = self.path, self.bench.stored
        if path not in arrays:
            remove(path)
            handle = None
            if STORED[self.case.stored].written:
                handle = self.adapter.save(path, self.layout, self.data)
            else:
                self.adapter.close(self.adapter.create(path, self.layout))
            arrays[path] = handle if self.layout.container == "memory" else None
        return path, arrays[path]

    def repeated(self, number: int, work: Callable[[], object]) -> float:
        """Return the seconds of a piece of work, as the average of a number of runs."""
        if self.case.latency:
            with slow.calls(os.fspath(self.bench.folder), self.case.latency):
                return self._time(1, work)
        if self.case.cold:
            self._cool()
        elif self.bench.cold:
            drop_cache(self.read_path)
        return self._time(1 if self.case.cold or self.bench.cold else number, work)

    def _cool(self) -> None:
        """Drop what is in memory of the files; refuse to measure if some of it stays."""
        drop_cache(self.read_path)
        left = cached_bytes(self.read_path)
        if left > stored_bytes(self.read_path) // 50:
            raise RuntimeError(f"{left} bytes stay in memory; does another process use these files?")

    @staticmethod
    def _time(number: int, work: Callable[[], object]) -> float:
        start = time.perf_counter()
        for _ in range(number):
            work()
        return (time.perf_counter() - start) / number

    def enough(self, once: Callable[[], float]) -> int:
        """Return how often to repeat a piece of work so that it can be timed."""
        if self.case.network or self.case.waits:
            # It takes long enough, and a second run could find what a handle keeps.
            return 1
        seconds = once()
        if seconds < SHORTEST_TIMING:
            # The first run may have warmed up something.
            seconds = min(seconds, once())
        return max(1, min(1000, int(SHORTEST_TIMING / max(seconds, 1e-7))))


class Write(Action):
    """Create an array and fill it."""

    def prepare(self) -> dict[str, Any]:
        handle, _ = self._save()
        in_memory = self.layout.container == "memory"
        handle = handle if in_memory else self.adapter.open(self.scratch, self.layout)
        check(self.case, self.adapter.read(handle, everything(self.layout)[0]), self.data)
        self.adapter.close(handle)
        facts = {} if in_memory or self.case.network else {"stored": stored_bytes(self.scratch)}
        remove(self.scratch)
        return facts

    def run(self) -> float:
        _, seconds = self._save()
        remove(self.scratch)
        return seconds

    def _save(self) -> tuple[Any, float]:
        data = self.data
        start = time.perf_counter()
        handle = self.adapter.save(self.scratch, self.layout, data)
        return handle, time.perf_counter() - start


class WriteSynced(Write):
    """The same, until all files and names are on the disk."""

    def _save(self) -> tuple[Any, float]:
        data = self.data
        # What was written or removed before is not waited for.
        os.sync()
        start = time.perf_counter()
        self.adapter.save_synced(self.scratch, self.layout, data)
        return None, time.perf_counter() - start


class Read(Action):
    """Read one selection or several, one after the other, of an array that is open."""

    def prepare(self) -> dict[str, Any]:
        self.stored()
        handle = self._open()
        self.selections: list[Selection] = self.case.select(self.layout)
        for selection in self.selections:
            check(self.case, self.adapter.select(handle, selection), of_array(self.data, selection))
        self._close(handle)
        self.number, self.count = 1, self.case.count(self.layout)
        self.number = self.enough(lambda: self.run() * self.count)
        return {}

    def run(self) -> float:
        handle = self._open()
        read, selections = self.adapter.select, self.selections

        def work() -> None:
            for selection in selections:
                read(handle, selection)

        seconds = self.repeated(self.number, work)
        self._close(handle)
        return seconds / self.count

    def _open(self) -> Any:
        path, handle = self.stored()
        return self.adapter.open(path, self.layout) if self.layout.container != "memory" else handle

    def _close(self, handle: Any) -> None:
        if self.layout.container != "memory":
            self.adapter.close(handle)


class ReadKept(Read):
    """Read all of an open array while all earlier results are kept, so that every result takes new memory."""

    def prepare(self) -> dict[str, Any]:
        self.stored()
        (selection,) = self.case.select(self.layout)
        handle = self._open()
        self.results = [self.adapter.select(handle, selection)]
        self._close(handle)
        # A virtual machine may have to get memory that it has not used yet from its host.
        np.ones((MOST_KEPT, self.layout.nbytes), np.uint8)
        check(self.case, self.results[0], self.data)
        return {}

    def run(self) -> float:
        (selection,) = self.case.select(self.layout)
        handle = self._open()
        # It may be left from the results of other cases.
        self.adapter.drop_memory()
        seconds = self.repeated(1, lambda: self.results.append(self.adapter.select(handle, selection)))
        self._close(handle)
        return seconds


class Open(Action):
    """Open an array and close it. No handle is kept: a library may answer from what an open one holds."""

    def prepare(self) -> dict[str, Any]:
        path, _ = self.stored()
        handle = self.adapter.open(path, self.layout)
        check(self.case, self.adapter.read(handle, everything(self.layout)[0]), self.data)
        self.adapter.close(handle)
        self.number = 1
        self.number = self.enough(self.run)
        return {}

    def run(self) -> float:
        path, _ = self.stored()
        return self.repeated(self.number, lambda: self.adapter.close(self.adapter.open(path, self.layout)))


class OpenGroup(Action):
    """Open a group and every array in it."""

    consolidated = False

    @property
    def read_path(self) -> str:
        return self.scratch

    def prepare(self) -> dict[str, Any]:
        names = [f"array{i:04d}" for i in range(GROUP_ARRAYS[self.bench.size])]
        self.adapter.create_group(self.scratch, self.layout, names, self.consolidated)
        want: dict[str, Shape] = dict.fromkeys(names, self.layout.shape)
        if self.adapter.open_group(self.scratch, self.layout, self.consolidated) != want:
            raise Mismatch(f"{self.case.name}: the group does not have the arrays that were created")
        return {}

    def run(self) -> float:
        return self.repeated(1, lambda: self.adapter.open_group(self.scratch, self.layout, self.consolidated))


class OpenConsolidated(OpenGroup):
    """The same, from one metadata file."""

    consolidated = True


class Append(Action):
    """Create an array without time steps and append them one by one."""

    def prepare(self) -> dict[str, Any]:
        self._append()
        handle = self.adapter.open(self.scratch, self.layout)
        check(self.case, self.adapter.read(handle, everything(self.layout)[0]), self.data)
        self.adapter.close(handle)
        remove(self.scratch)
        return {}

    def run(self) -> float:
        seconds = self._append()
        remove(self.scratch)
        return seconds

    def _append(self) -> float:
        data = self.data
        empty = dataclasses.replace(self.layout, shape=(0, *self.layout.shape[1:]))
        start = time.perf_counter()
        handle = self.adapter.create(self.scratch, empty)
        for step in range(len(data)):
            handle = self.adapter.append(handle, data[step : step + 1])
        self.adapter.close(handle)
        return time.perf_counter() - start


class Resize(Action):
    """Cut the first axis of a full array in half, and double it again."""

    def prepare(self) -> dict[str, Any]:
        self._resize()
        handle = self.adapter.open(self.scratch, self.layout)
        want = self.data.copy()
        want[len(want) // 2 :] = 0
        check(self.case, self.adapter.read(handle, everything(self.layout)[0]), want)
        self.adapter.close(handle)
        remove(self.scratch)
        return {}

    def run(self) -> float:
        seconds = self._resize()
        remove(self.scratch)
        return seconds

    def _resize(self) -> float:
        handle = self.adapter.create(self.scratch, self.layout)
        self.adapter.write(handle, self.data)
        length, *rest = self.layout.shape
        start = time.perf_counter()
        handle = self.adapter.resize(handle, (length // 2, *rest))
        handle = self.adapter.resize(handle, (length, *rest))
        seconds = time.perf_counter() - start
        self.adapter.close(handle)
        return seconds


class Rechunk(Action):
    """Rechunk an array from chunks that are slices to chunks that are columns through all of them."""

    def prepare(self) -> dict[str, Any]:
        self.stored()
        length, *rest = self.layout.shape
        # Less memory than this is of no practical use.
        self.memory = max(int(self.case.memory * self.layout.nbytes), 16 << 20)
        self.columns = dataclasses.replace(self.layout, chunks=(length, *(-(-n // 16) for n in rest)))
        self._rechunk()
        handle = self.adapter.open(self.scratch, self.columns)
        check(self.case, self.adapter.read(handle, everything(self.layout)[0]), self.data)
        self.adapter.close(handle)
        facts = {"stored": stored_bytes(self.scratch)}
        remove(self.scratch)
        return facts

    def run(self) -> float:
        seconds = self._rechunk()
        remove(self.scratch)
        return seconds

    def _rechunk(self) -> float:
        path, _ = self.stored()
        start = time.perf_counter()
        self.adapter.rechunk(path, self.scratch, self.columns, self.memory)
        return time.perf_counter() - start


class FreshProcess(Action):
    """A measurement that needs a process that has done nothing else."""

    arguments: tuple[str, ...]

    def run(self) -> float:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.probe", self.case.action, *self.arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
        return float(json.loads(done.stdout.splitlines()[-1]))


class FreshRead(FreshProcess):
    """Read all of an array in a process of its own."""

    def prepare(self) -> dict[str, Any]:
        path, _ = self.stored()
        bench = self.bench
        self.arguments = (bench.name, str(bench.threads), bench.size, self.case.stored, path)
        self.run()
        return {}


class ReadMemory(FreshRead):
    """The largest memory use while an array is read, beyond what was there before, and the output."""


class FirstRead(FreshRead):
    """Import of a library, beside NumPy, and the first array that it opens and reads."""


class WriteMemory(FreshProcess):
    """The largest memory use while an array is created and written, beyond what was there before."""

    def prepare(self) -> dict[str, Any]:
        bench = self.bench
        source = os.fspath(bench.sources / f"{STORED[self.case.stored].source}.npy")
        self.arguments = (bench.name, str(bench.threads), bench.size, self.case.stored, self.scratch, source)
        super().run()
        handle = self.adapter.open(self.scratch, self.layout)
        check(self.case, self.adapter.read(handle, everything(self.layout)[0]), self.data)
        self.adapter.close(handle)
        remove(self.scratch)
        return {}

    def run(self) -> float:
        peak = super().run()
        remove(self.scratch)
        return peak


class Import(FreshProcess):
    """Import of a library, with all that it imports itself."""

    def prepare(self) -> dict[str, Any]:
        self.arguments = self.adapter.modules
        self.run()
        return {}


ACTIONS: dict[str, type[Action]] = {
    "write": Write,
    "write-synced": WriteSynced,
    "read": Read,
    "read-kept": ReadKept,
    "open": Open,
    "open-group": OpenGroup,
    "open-consolidated": OpenConsolidated,
    "append": Append,
    "resize": Resize,
    "rechunk": Rechunk,
    "read-memory": ReadMemory,
    "write-memory": WriteMemory,
    "import": Import,
    "first-read": FirstRead,
}
