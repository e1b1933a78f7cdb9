"""All ranks of one system, as the parent has them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import files
from benchmarks.machine import ROOT


class GroupError(Exception):
    """A rank could not do what it was asked for."""


class Group:
    """The processes of one system.

    Parameters
    ----------
    system : str
        Name of the system.
    python : str
        Interpreter of its environment.
    size : int
        How many processes.
    source : Path
        The ``.npy`` file of the values.
    rows : int
        Of the array.
    work, memory : Path
        A folder on the disk for the steps, and one in memory.
    folder : Path, optional
        The steps of another group, to read.
    """

    def __init__(
        self, system: str, python: str, size: int, source: Path, rows: int, work: Path, memory: Path,
        folder: Path | None = None,
    ) -> None:  # fmt: skip
        self.system, self._own = system, folder is None
        self.folder = work / f"{system}-{size}" if folder is None else folder
        meeting = memory / f"{system}-{size}"
        self.folder.mkdir(exist_ok=True)
        meeting.mkdir()
        self._meeting = meeting
        # Only this package is imported from the source tree: libraries are those of the environment.
        package = memory / "package"
        package.mkdir(exist_ok=True)
        if not (package / "benchmarks").exists():
            (package / "benchmarks").symlink_to(ROOT / "benchmarks")
        part = {"size": size, "rows": rows, "source": os.fspath(source), "meeting": os.fspath(meeting)}
        self._processes: list[subprocess.Popen[str]] = []
        for rank in range(size):
            given = {"system": system, "folder": os.fspath(self.folder), "part": {"rank": rank, **part}}
            process = subprocess.Popen(
                [python, "-m", "benchmarks.checkpoints.rank", json.dumps(given)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=(meeting / f"errors.{rank}").open("w"),
                text=True,
                cwd=memory,
                env={**os.environ, "PYTHONPATH": os.fspath(package)},
            )
            self._processes.append(process)
        try:
            self.version: str = self._answers()[0]["version"]
        except GroupError:
            self.close()
            raise

    def ask(self, do: str, step: int = 0) -> list[dict[str, Any]]:
        """Ask all ranks at once; return their answers when all have answered, with the seconds until then."""
        begun = time.perf_counter()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"do": do, "step": step}) + "\n")
            process.stdin.flush()
        answers = self._answers()
        elapsed = time.perf_counter() - begun
        return [{**answer, "elapsed": elapsed} for answer in answers]

    def _answers(self) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for rank, process in enumerate(self._processes):
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                told = (self._meeting / f"errors.{rank}").read_text().strip().splitlines()
                raise GroupError(f"{self.system}: rank {rank} ended: {told[-1] if told else ''}")
            answer: dict[str, Any] = json.loads(line)
            if "error" in answer:
                raise GroupError(f"{self.system}: rank {rank}: {answer['error']}")
            answers.append(answer)
        return answers

    def step_files(self, step: int) -> list[str]:
        """Return the files of a step."""
        return files.files_below(os.fspath(self.folder / f"{step:08d}"))

    def remove(self, step: int) -> None:
        """Delete a step, and wait for the disk."""
        files.remove(os.fspath(self.folder / f"{step:08d}"))
        os.sync()

    def close(self) -> None:
        """End the processes, and delete what they wrote."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._meeting, ignore_errors=True)
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def largest(answers: Sequence[dict[str, Any]], key: str) -> float:
    """Return the largest value of all ranks."""
    return max(float(answer[key]) for answer in answers)
