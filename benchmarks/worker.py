"""The process of one library: JSON requests on standard input, one JSON answer a line on the answer pipe."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.adapters import load_adapter
from benchmarks.adapters.base import Adapter
from benchmarks.cases import CASES, SIZES, Case

LIMIT = "limit"

# A run of a short case is repeated within one timing until it lasts about this long.
SHORTEST_TIMING = 0.02


class Mismatch(Exception):
    """A library returned other values than were written."""


class Worker:
    """Runs cases for one library (or for the machine's limit) in a folder of its own."""

    def __init__(self, name: str, size: str, folder: Path, threads: int) -> None:
        self.size = SIZES[size]
        self.data_folder = folder
        self.folder = folder / name
        self.folder.mkdir(exist_ok=True)
        self.adapter: Adapter | None = None if name == LIMIT else load_adapter(name, threads)
        # A library's environment need not have the codec that the limits are measured with.
        self.limits = import_module("benchmarks.limits").Limits(threads) if name == LIMIT else None
        self.data: dict[str, Any] = {}
        self.numbers: dict[str, int] = {}
        self.limit_runs: dict[str, Callable[[], dict[str, float]]] = {}

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request: ``version``, or ``prepare`` or ``run`` with the name of a case."""
        if request["do"] == "version":
            return {"version": self.adapter.version if self.adapter else np.__version__}
        case = CASES[request["case"]]
        return {"prepare": self.prepare, "run": self.run}[request["do"]](case)

    def _source(self, dataset: str) -> Any:
        if dataset not in self.data:
            self.data[dataset] = np.load(self.data_folder / f"{dataset}.npy")
        return self.data[dataset]

    def _stored(self, dataset: str) -> str:
        """Return the array of a data set for reading, made when it is first asked for."""
        path = self.folder / f"{dataset}.zarr"
        if not path.exists():
            self._write(str(path), dataset)
        return str(path)

    def _written(self, case: Case) -> str:
        """Return where a case that writes does so."""
        return str(self.folder / f"{case.name}.zarr")

    def _write(self, path: str, dataset: str) -> None:
        assert self.adapter is not None
        handle = self.adapter.create(path, self.size.layout(dataset))
        self.adapter.write(handle, self._source(dataset))

    def prepare(self, case: Case) -> dict[str, Any]:
        """Write what a case reads, run it once, verify every value, and choose how often to repeat it."""
        layout, data = self.size.layout(case.dataset), self._source(case.dataset)
        if self.limits:
            self.limit_runs[case.name] = self.limits.prepare(case, layout, data, self.folder / case.name)
            return {}
        assert self.adapter is not None
        if case.action == "write":
            self._timed_write(case)
            path = self._written(case)
        else:
            path = self._stored(case.dataset)
        got = self.adapter.read(self.adapter.open(path), case.select(layout))
        want = data[case.select(layout)]
        if got.dtype != want.dtype or got.shape != want.shape or got.tobytes() != want.tobytes():
            raise Mismatch(f"{case.name}: values read differ from values written")
        self.numbers[case.name] = 1
        if case.action != "write":
            once = min(self._timed_repeat(case) for _ in range(2))
            self.numbers[case.name] = max(1, min(1000, int(SHORTEST_TIMING / max(once, 1e-7))))
        return {"number": self.numbers[case.name]}

    def run(self, case: Case) -> dict[str, Any]:
        """Time a case once and return the seconds."""
        gc.collect()
        if self.limits:
            parts = self.limit_runs[case.name]()
            return {"seconds": max(parts.values()), "parts": parts}
        return {"seconds": self._timed_write(case) if case.action == "write" else self._timed_repeat(case)}

    def _timed_write(self, case: Case) -> float:
        path = self._written(case)
        shutil.rmtree(path, ignore_errors=True)
        self._source(case.dataset)
        start = time.perf_counter()
        self._write(path, case.dataset)
        return time.perf_counter() - start

    def _timed_repeat(self, case: Case) -> float:
        assert self.adapter is not None
        path, selection = self._stored(case.dataset), case.select(self.size.layout(case.dataset))
        number = self.numbers[case.name]
        adapter = self.adapter
        if case.action == "open":
            # No handle is kept: a library may answer from what an open one holds.
            start = time.perf_counter()
            for _ in range(number):
                adapter.open(path)
        else:
            handle = adapter.open(path)
            start = time.perf_counter()
            for _ in range(number):
                adapter.read(handle, selection)
        return (time.perf_counter() - start) / number


def main() -> None:
    """Serve requests until standard input ends."""
    name, size, folder, threads = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    # Libraries may print; only answers go to the pipe that the parent reads.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    worker: Worker | None = None
    for line in sys.stdin:
        try:
            worker = worker or Worker(name, size, folder, threads)
            answer = worker.handle(json.loads(line))
        except Exception as error:  # whatever a library raises becomes part of the report
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
