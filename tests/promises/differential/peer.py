"""The other library, in a process and an environment of its own; and how many programs are tried."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from hypothesis import HealthCheck, settings


class Peer:
    """A release of zarr in another process, which runs functions of a module of programs.

    Parameters
    ----------
    python : str
        The interpreter of its environment.
    module : str
        The module beside this one.
    version : str
        The release that is to be there.
    """

    def __init__(self, python: str, module: str, version: str) -> None:
        worker = Path(__file__).parent / "worker.py"
        pipe = subprocess.PIPE
        command = [python, "-W", "ignore", str(worker), module, version]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe)

    def __call__(self, *call: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump(call, self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0


def same_programs(count: int) -> Callable[[Any], Any]:
    """Let hypothesis try so many programs, the same every time, unless ``ZCHUNK_PROGRAMS`` says how many."""
    wanted = os.environ.get("ZCHUNK_PROGRAMS")
    return settings(
        max_examples=int(wanted or count),
        deadline=None,
        derandomize=wanted is None,
        suppress_health_check=list(HealthCheck),
    )
