"""The process of one rank of one system: JSON requests on standard input, JSON answers by line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.checkpoints.base import Gate, Part, System
from benchmarks.checkpoints.systems import SYSTEMS, load

# A step of the program: so many sweeps over a field that fits into the cache
FIELD, SWEEPS = (256, 512), 10
# How long steps are timed without a save, before and after one
ALONE_SECONDS = 1.0


def step_of(field: Any) -> float:
    """Do a step of a program, and return its seconds."""
    begun = time.perf_counter()
    for _ in range(SWEEPS):
        inner = field[1:-1, 1:-1]
        inner += 0.1 * (field[:-2, 1:-1] + field[2:, 1:-1] + field[1:-1, :-2] + field[1:-1, 2:] - 4 * inner)
    return time.perf_counter() - begun


def others_seconds() -> float:
    """Return the processor time that other threads of this process have taken."""
    return time.process_time() - time.thread_time()


class Rank:
    """Does what the parent asks for."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._buffer: Any = None
        self._gate: Gate | None = None
        self._field = np.random.default_rng(0).random(FIELD)

    def save(self, step: int) -> dict[str, Any]:
        """Save a step; tell when `save` returned, too."""
        begun = time.perf_counter()
        self.system.save(step)
        returned = time.perf_counter() - begun
        self.system.wait()
        return {"returned": returned, "seconds": time.perf_counter() - begun}

    def copy(self, step: int) -> dict[str, Any]:
        """Copy the values into memory that is there: the least that a save in the background takes.

        Then the same after all ranks have waited for each other once, which agreeing on a save takes.
        """
        if self._buffer is None or self._gate is None:
            self._buffer, self._gate = np.array(self.system.values), Gate(self.system.part)
        begun = time.perf_counter()
        np.copyto(self._buffer, self.system.values)
        seconds = time.perf_counter() - begun
        self._gate.wait()
        begun = time.perf_counter()
        self._gate.wait()
        np.copyto(self._buffer, self.system.values)
        return {"seconds": seconds, "met": time.perf_counter() - begun}

    def steps(self, step: int) -> dict[str, Any]:
        """Time steps of a program without a save, and beside one in the background."""
        alone = self._steps_alone()
        begun, taken = time.perf_counter(), others_seconds()
        self.system.save(step)
        busy, beside = self.system.busy(), list[float]()
        while busy():
            beside.append(step_of(self._field))
        self.system.wait()
        found = {"lasts": time.perf_counter() - begun, "processor": others_seconds() - taken}
        # A machine changes its pace by and by.
        alone += self._steps_alone()
        return {"alone": fmean(alone), "beside": fmean(beside or [0]), "steps": len(beside), **found}

    def _steps_alone(self) -> list[float]:
        alone, end = list[float](), time.perf_counter() + ALONE_SECONDS
        while time.perf_counter() < end:
            alone.append(step_of(self._field))
        return alone

    def restore(self, step: int) -> dict[str, Any]:
        """Read what this rank has of a step; the values are looked at afterwards."""
        begun = time.perf_counter()
        found = self.system.restore(step)
        seconds = time.perf_counter() - begun
        if not np.array_equal(found, self.system.values):
            raise ValueError("wrong values")
        return {"seconds": seconds}

    def version(self, step: int) -> dict[str, Any]:
        """Tell the version of the library."""
        return {"version": self.system.version}


def main() -> None:
    """Serve requests until standard input ends."""
    given = json.loads(sys.argv[1])
    # Libraries print; only answers go to the pipe that the parent reads.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(work: Callable[[], dict[str, Any]]) -> None:
        try:
            said = work()
        except Exception as error:  # whatever a library raises becomes part of the report
            said = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    rank: Rank | None = None

    def begin() -> dict[str, Any]:
        nonlocal rank
        rank = Rank(load(SYSTEMS[given["system"]])(Part(**given["part"]), given["folder"]))
        return rank.version(0)

    answer(begin)
    for line in sys.stdin:
        request = json.loads(line)
        answer(partial(getattr(rank, request["do"]), request["step"]))
    if rank is not None:
        rank.system.close()


if __name__ == "__main__":
    main()
