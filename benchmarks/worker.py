"""The process of one library: JSON requests on standard input, JSON answers by line on a pipe."""

from __future__ import annotations

import gc
import json
import os
import platform
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import actions, many, objects, slow, together, xarrays
from benchmarks.actions import Action, Bench
from benchmarks.adapters import load_adapter
from benchmarks.adapters.base import Unsupported
from benchmarks.cases import CASES
from benchmarks.files import remove

LIMIT = "limit"
ACTIONS = actions.ACTIONS | xarrays.ACTIONS | many.ACTIONS | together.ACTIONS


class Worker:
    """Runs cases for one library (or for the machine's limit) in a folder of its own."""

    def __init__(
        self,
        name: str,
        size: str,
        folder: Path,
        threads: int,
        cold: bool = False,
        place: Path | None = None,
    ) -> None:
        self.name, self.size, self.threads, self.cold = name, size, threads, cold
        self.sources = folder
        kind = "-remote" if objects.given() else "-slow" if slow.given() else ""
        self.folder = (place or folder) / f"{name}-{threads}{kind}"
        self.stored: dict[str, Any] = {}
        self.adapter = None if name == LIMIT else load_adapter(name, threads)
        self.release()

    def release(self) -> dict[str, Any]:
        """Forget values, arrays and prepared cases, and remove the files."""
        self.values: dict[str, NDArray[Any]] = {}
        self.prepared: dict[str, Any] = {}
        for path in self.stored:
            remove(path)
        self.stored = {}
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if self.adapter is None:
            # A library's environment need not have the codecs that the limits are measured with.
            limits = import_module("benchmarks.limits")
            self.limits = limits.Limits(self.size, self.folder, self.threads, self._source, self.cold)
        else:
            self.bench = Bench(
                self.name,
                self.adapter,
                self.size,
                self.folder,
                self.threads,
                self.sources,
                self._source,
                self.cold,
                self.stored,
            )
        gc.collect()
        return {}

    def _source(self, name: str) -> NDArray[Any]:
        if name not in self.values:
            self.values[name] = np.load(self.sources / f"{name}.npy")
        return self.values[name]

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request: ``version``, ``release``, or ``prepare`` or ``run`` with the name of a case."""
        if request["do"] == "version":
            version = self.adapter.version if self.adapter else np.__version__
            return {"version": version, "python": platform.python_version()}
        if request["do"] == "release":
            return self.release()
        return {"prepare": self.prepare, "run": self.run}[request["do"]](request["case"])

    def prepare(self, name: str) -> dict[str, Any]:
        """Prepare a case; values are verified here."""
        if self.adapter is None:
            self.prepared[name] = self.limits.prepare(CASES[name])
            return {}
        action: Action = ACTIONS[CASES[name].action](CASES[name], self.bench)
        facts = action.prepare()
        self.prepared[name] = action
        return facts

    def run(self, name: str) -> dict[str, Any]:
        """Measure a case once: one value, or the parts of the limit."""
        gc.collect()
        if self.adapter is None:
            return {"parts": {part: measure() for part, measure in self.prepared[name].items()}}
        return {"value": self.prepared[name].run()}


def main() -> None:
    """Serve requests until standard input ends."""
    name, size, folder, threads, cold, place = sys.argv[1:]
    # Libraries may print; only answers go to the pipe that the parent reads.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    worker: Worker | None = None
    for line in sys.stdin:
        try:
            worker = worker or Worker(name, size, Path(folder), int(threads), cold == "cold", Path(place))
            answer = worker.handle(json.loads(line))
        except (Unsupported, NotImplementedError) as error:
            answer = {"unsupported": str(error)}
        except ImportError as error:
            answer = {"error": str(error), "absent": True}
        except Exception as error:  # whatever a library raises becomes part of the report
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
